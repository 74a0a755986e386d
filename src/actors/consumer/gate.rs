//! What the porter and the others tell each other.

use std::ffi::OsString;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::words::Version;

/// So many files that were renamed into the inbox are remembered until the porter looks.
const MOST_RENAMED: usize = 64 << 10;

/// Between the porter, who sees to the files that strangers drop, and the others.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many looks were asked for, and up to which of them it has looked.
    asked: u64,
    looked: u64,
    /// At the last look no file was about to become a job.
    clear: bool,
    /// Files that were renamed into the inbox, and how they were then.
    renamed: Vec<(OsString, Version)>,
    ended: bool,
}

impl Gate {
    /// Something may lie in the inbox. Returns the number of the look that will see it.
    pub(super) fn poke(&self) -> u64 {
        let mut state = self.lock();
        if state.asked == state.looked {
            state.asked += 1;
        }
        self.changed.notify_all();
        state.asked
    }

    /// A look that begins after this call. Returns its number.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.lock();
        state.asked += 1;
        self.changed.notify_all();
        state.asked
    }

    /// Somebody saw these come. Those that are too many have to be quiet for a while.
    pub(super) fn renamed(&self, files: impl Iterator<Item = (OsString, Version)>) {
        let renamed = &mut self.lock().renamed;
        renamed.extend(files.take(MOST_RENAMED.saturating_sub(renamed.len())));
    }

    /// Whether, at that look, no file was about to become a job. `None`: it has not been made yet.
    pub(super) fn was_clear(&self, look: u64) -> Option<bool> {
        let state = self.lock();
        (state.looked >= look || state.ended).then_some(state.clear || state.ended)
    }

    /// No more looks.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits until a look is asked for, or is due. Returns its number, and what was seen to come; `None` at the end.
    pub(super) fn wait(&self, due: Option<Instant>) -> Option<(u64, Vec<(OsString, Version)>)> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            let now = Instant::now();
            if state.asked > state.looked || due.is_some_and(|due| due <= now) {
                return Some((state.asked, std::mem::take(&mut state.renamed)));
            }
            state = match due {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    self.changed.wait_timeout(state, due - now).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The porter has looked.
    pub(super) fn looked(&self, look: u64, clear: bool) {
        let mut state = self.lock();
        (state.looked, state.clear) = (look, clear);
    }

    /// Waits until then, or the end.
    pub(super) fn rest(&self, until: Instant) {
        let mut state = self.lock();
        while !state.ended {
            let now = Instant::now();
            if until <= now {
                return;
            }
            state = self.changed.wait_timeout(state, until - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
