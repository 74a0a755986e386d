//! What people and their tools do to a folder, as the simulator runs them.

use std::path::Path;

use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Fs, Store};
use filedrop::words::InboxName;

use crate::ledger::Ledger;
use crate::programs::{self, DROP, Program, open};

/// The jobs in `dead/`.
fn letters(fs: &impl Fs) -> Vec<InboxName> {
    let mut letters = Vec::new();
    let _ = fs.list(&Path::new(DROP).join("dead"), &mut |entry| {
        letters.extend(entry.name.to_str().and_then(|name| InboxName::parse_archived(name).ok()));
    });
    letters
}

/// Redrives every dead letter, once more if it is told of an error.
pub(crate) fn redriver(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = open(fs) else { return };
        for letter in letters(store.fs()) {
            if let Some(new) = (0..3).find_map(|_| store.redrive(&letter).ok()) {
                ledger.redrive(&letter.id, &new);
            }
        }
    })
}

/// `mv drop/dead/* drop/inbox/`
pub(crate) fn mover() -> Program {
    Box::new(|fs| {
        let drop = Path::new(DROP);
        for letter in letters(&fs) {
            let name = letter.archived();
            let _ = fs.rename(&drop.join("dead").join(&name), &drop.join("inbox").join(&name));
        }
    })
}

/// `filedrop gc`
pub(crate) fn sweeper() -> Program {
    Box::new(|fs| {
        let Some(store) = open(fs) else { return };
        let _ = programs::sweep(&store);
    })
}

/// Brings due what is due, as any consumer does.
pub(crate) fn promoter() -> Program {
    Box::new(|fs| {
        let host = fs.host();
        let Ok(store) = LocalStore::open(fs, host, DROP) else { return };
        let _ = (0..3).any(|_| store.promote(100).is_ok());
    })
}
