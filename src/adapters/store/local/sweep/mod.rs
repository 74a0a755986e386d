//! P16, P26: what the dead left, and what was kept for long enough.
//!
//! A sweep visits one corner of the folder after the other, in portions: when its budget is over it leaves a bookmark. In each
//! corner it first lists what might go, then strikes out what still lives, then makes durable that the rest does not, and only
//! then removes ([`living`]). So it does not depend on clocks whether a job can run again: they say no more than what is old.
//!
//! Where locks count, one sweep is under way at a time: it holds the lock of `filedrop.json`. So nobody who was stopped between a
//! look and a removal can remove what has come to the same path since, under an id that was given again. Elsewhere there is but
//! one call between the two.

mod days;
mod entries;
mod litter;
mod living;
mod outbox;
mod payloads;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::LocalStore;
use super::layout::Layout;
use crate::ports::{Broom, FileKind, Fs, Host, Meta, Swept};
use crate::words::{Error, Id, Millis, Result};

/// Clocks may differ, and a writer may sleep: it then finds its draft gone and writes it anew (R3).
pub(super) const LITTER_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many names of a folder are kept in memory at a time. It is listed again for the next ones.
const WINDOW: usize = 20_000;

/// A part of the folder that is swept at once. The order is that of the work: the entries, which have to be looked at one by
/// one, come last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Corner {
    /// Events that were never published.
    Outbox,
    /// `tmp/`
    Litter(Yard),
    /// What was settled of the jobs of one day, or collected at a Return Address, or delivered of events.
    Day(Yard, String),
    /// `payload/`
    Payloads,
    /// `ids/<xx>/`
    Shelf(String),
}

/// Whose `tmp/` and archives. The order counts: a job goes only when what was collected of it has gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Yard {
    /// Those of a Return Address.
    Reply(Id),
    /// The drop folder's own.
    Own,
    /// Those of the outbox.
    Outbox,
}

/// Where an unfinished sweep goes on.
pub(super) struct Bookmark {
    corner: Corner,
    /// The last name there that was looked at.
    after: String,
    /// At which shelf of `ids/` this sweep begins: those that never come to their end must not all begin at the same.
    turn: u64,
}

/// How far a visit to a corner has come.
enum Visit {
    /// All was looked at.
    Done,
    /// There are names after this one.
    More(String),
    /// There may be names after this one; the budget is over.
    Spent(String),
}

struct Sweep<'s, 'b, 'e, F, H> {
    store: &'s LocalStore<F, H>,
    broom: &'b mut Broom<'e>,
    now: Millis,
    keep: Duration,
    /// On the monotonic clock.
    end: Duration,
    /// Whether the end was put off already, because it took so long to list names.
    put_off: bool,
    /// Whose collected outcomes would not be in the archive any more, if this were no dry run.
    forgotten: HashSet<Id>,
    swept: Swept,
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Of this folder alone, not of the one that it is a group in.
    pub(crate) fn sweep_up(&self, broom: &mut Broom<'_>) -> Result<Swept> {
        let marker = self.layout.marker();
        let failed = |e| Error::io("lock", &marker, e);
        let lock = self.fs.open(&marker).map_err(failed)?;
        if !broom.dry_run && self.fs.is_local() && !self.fs.try_lock(&lock).map_err(failed)? {
            return Ok(Swept { busy: true, ..Swept::default() });
        }
        let bookmark = self.bookmark().take().filter(|_| !broom.dry_run);
        let mut sweep = Sweep {
            now: self.host.now(),
            keep: broom.keep.unwrap_or(self.keep()),
            end: self.host.monotonic().saturating_add(broom.budget),
            put_off: false,
            forgotten: HashSet::new(),
            swept: Swept::default(),
            store: self,
            broom,
        };
        let left = sweep.go_on(bookmark);
        sweep.swept.unfinished = left.is_some();
        if !sweep.broom.dry_run {
            *self.bookmark() = left;
        }
        Ok(sweep.swept)
    }

    fn bookmark(&self) -> std::sync::MutexGuard<'_, Option<Bookmark>> {
        self.bookmark.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    /// Visits all corners, or those that an earlier sweep left. Where it had to stop.
    fn go_on(&mut self, bookmark: Option<Bookmark>) -> Option<Bookmark> {
        let turn = bookmark.as_ref().map_or_else(|| self.store.host.nonce(), |bookmark| bookmark.turn);
        let corners = self.corners(turn);
        let (from, mut after) = match bookmark {
            Some(Bookmark { corner, after, .. }) => match corners.iter().position(|there| *there == corner) {
                Some(same) => (same, after),
                // It has been removed. Shelves never are.
                None => (corners.iter().position(|there| *there > corner).unwrap_or(0), String::new()),
            },
            None => (0, String::new()),
        };
        let mut left = corners.iter().skip(from).peekable();
        while let Some(corner) = left.peek() {
            let visit = self.visit(corner, &after).unwrap_or_else(|e| {
                self.trouble(&e);
                Visit::Done
            });
            let spent = self.is_spent() || matches!(visit, Visit::Spent(_));
            after = match visit {
                Visit::Spent(name) | Visit::More(name) => name,
                Visit::Done => {
                    left.next();
                    String::new()
                }
            };
            if let (true, Some(corner)) = (spent, left.peek()) {
                return Some(Bookmark { corner: (*corner).clone(), after, turn });
            }
        }
        None
    }

    fn visit(&mut self, corner: &Corner, after: &str) -> Result<Visit> {
        match corner {
            Corner::Outbox => self.visit_outbox(after),
            Corner::Litter(yard) => self.visit_litter(&self.layout_of(yard), after),
            Corner::Day(yard, day) => self.visit_day(yard, day, after),
            Corner::Payloads => self.visit_payloads(after),
            Corner::Shelf(shelf) => self.visit_shelf(shelf, after),
        }
    }

    /// The corners that may hold anything old, in the order of the work.
    fn corners(&mut self, turn: u64) -> Vec<Corner> {
        let addresses = self.addresses();
        let mut corners = vec![Corner::Payloads, Corner::Outbox];
        for yard in [Yard::Own, Yard::Outbox].into_iter().chain(addresses.into_iter().map(Yard::Reply)) {
            let days = self.old_days(&self.layout_of(&yard));
            corners.push(Corner::Litter(yard.clone()));
            corners.extend(days.into_iter().map(|day| Corner::Day(yard.clone(), day)));
        }
        corners.sort_unstable();
        let mut shelves = self.folders(&self.store.layout.room("ids"));
        shelves.sort_unstable();
        let first = turn.checked_rem(shelves.len() as u64).unwrap_or(0);
        shelves.rotate_left(first as usize);
        corners.extend(shelves.into_iter().map(Corner::Shelf));
        corners
    }

    fn addresses(&mut self) -> Vec<Id> {
        let folders = self.folders(&self.store.layout.room("replies"));
        folders.into_iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// The names of the folders in a folder. One that cannot be listed is trouble, and looks empty.
    fn folders(&mut self, dir: &Path) -> Vec<String> {
        let mut folders = Vec::new();
        let listed = self.store.each_name(dir, &mut |name, kind| {
            if kind == FileKind::Dir {
                folders.push(name.to_owned());
            }
        });
        listed.unwrap_or_else(|e| self.trouble(&e));
        folders
    }

    fn layout_of(&self, yard: &Yard) -> Layout {
        match yard {
            Yard::Own => self.store.layout.clone(),
            Yard::Outbox => self.store.layout.outbox(),
            Yard::Reply(address) => self.store.layout.reply(address),
        }
    }

    /// Whether this was last changed so long ago. What seems to come from the future is young.
    fn is_old(&self, modified_ms: u64, age: Duration) -> bool {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        modified_ms.saturating_add(age) < self.now.get()
    }

    fn is_kept_long_enough(&self, meta: &Meta) -> bool {
        self.is_old(meta.modified_ms, self.keep)
    }

    /// Asked after each step, never before: so each portion does one at least.
    fn is_spent(&self) -> bool {
        self.store.host.monotonic() >= self.end
    }

    /// Names were listed. If that was all that there was time for, it would be all that ever happens.
    fn has_listed(&mut self) {
        if !std::mem::replace(&mut self.put_off, true) {
            let half = self.store.host.monotonic().saturating_add(self.broom.budget / 2);
            self.end = self.end.max(half);
        }
    }

    /// Removes a file, or says that it would.
    fn remove(&mut self, path: &Path) -> Result<()> {
        if !self.broom.dry_run {
            self.store.remove(path)?;
        }
        (self.broom.each)(path);
        Ok(())
    }

    /// Removes a folder unless something is in it.
    fn remove_folder(&self, folder: &Path) -> Result<()> {
        if self.broom.dry_run {
            return Ok(());
        }
        match self.store.fs.remove_dir(folder) {
            Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(e) if self.store.look(folder)?.is_some() => Err(Error::io("remove a folder", folder, e)),
            _ => Ok(()),
        }
    }

    /// The first is worth a line in the log; there may be a hundred thousand more of the kind.
    fn trouble(&mut self, e: &Error) {
        match self.swept.failed {
            0 => tracing::warn!(error = %e, "a sweep left something; more of the kind is logged as `debug`"),
            _ => tracing::debug!(error = %e, "a sweep left something"),
        }
        self.swept.failed += 1;
    }
}
