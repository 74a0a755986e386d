//! A week in which nobody works: what is done by then need not be there any more (P26).

use filedrop::adapters::fs::sim::World;
use filedrop::words::{Id, Outcome};

use crate::ledger::Ledger;
use crate::place::{Place, classify};

/// An outcome that was staged is decided after the week, and may be swept at once: then the audit cannot tell.
pub(super) fn may_pass(world: &World) -> bool {
    !world.tree().into_iter().any(|(path, _)| matches!(classify(&path), Some(Place::Staged(..))))
}

/// Whatever has an outcome, and is no dead letter, is forgotten. So long after a crash all that was done is durable by itself.
pub(super) fn has_passed(world: &World, ledger: &Ledger) {
    world.flush_all();
    let tree = world.tree();
    let letters: Vec<Id> = tree
        .iter()
        .filter_map(|(path, _)| match classify(path) {
            Some(Place::Archived("dead" | "invalid", name)) => Some(name.id),
            _ => None,
        })
        .collect();
    for (path, data) in tree {
        if let (Some(Place::Slot(id)), Some(data)) = (classify(&path), data)
            && let (Ok(id), Ok(outcome)) = (id.parse::<Id>(), Outcome::decode(&data))
            && !letters.contains(&id)
        {
            ledger.retire(&id, outcome.envelope.text("id").unwrap_or_default());
        }
    }
}
