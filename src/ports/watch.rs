//! Waiting for a hint or a deadline. A hint may be lost, or mean nothing: only latency depends on it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::words::{Result, Version};

/// How to learn of changes in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WatchMode {
    /// Notifications where the file system gives them, else polling.
    #[default]
    Auto,
    /// Notifications.
    Notify,
    /// Looking again every interval.
    Poll,
}

/// What was chosen under a [`WatchMode`], and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// [`Notify`](WatchMode::Notify) or [`Poll`](WatchMode::Poll).
    pub mode: WatchMode,
    /// Why, for people.
    pub why: String,
}

/// Rings the [`Bell`] that it was made with whenever something may have changed in a folder that it watches.
pub trait Watch: Send {
    /// Watches one folder from now on, not what is below it. To watch one twice is to watch it once. Folders that go away
    /// are forgotten.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if it is not there.
    fn arm(&mut self, dir: &Path) -> Result<()>;

    /// Files that were renamed into a watched folder since this was last asked, and how they were then, as far as they are known:
    /// that somebody who uses a temporary name is done with them.
    fn renamed(&mut self) -> Vec<(PathBuf, Version)> {
        Vec::new()
    }

    /// Whether it ever rings. A deaf watch leaves everything to the deadline.
    fn hears(&self) -> bool;
}

/// Hears in the thread of whoever waits for a bell that it was [lent](Bell::lend) to: no other thread has to be woken first.
pub trait Ear: Send + Sync {
    /// Waits until something is heard, until it is [interrupted](Ear::interrupt), or until `patience` is over. Whether what was
    /// heard rings.
    fn listen(&self, patience: Duration) -> bool;

    /// Ends the `listen` that is under way, or else the next one.
    fn interrupt(&self);
}

/// Wakes whoever waits, one at a time: a hint, a worker that has something to say, a stop.
#[derive(Clone, Default)]
pub struct Bell(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    rung: bool,
    ear: Option<Arc<dyn Ear>>,
    /// Whoever waits does so by the ear.
    listening: bool,
}

impl Bell {
    /// Wakes the waiter, now or when it next waits.
    pub fn ring(&self) {
        let mut state = self.state();
        state.rung = true;
        self.wake(&state);
    }

    /// From now on what this ear hears rings, while somebody waits.
    pub fn lend(&self, ear: Arc<dyn Ear>) {
        let mut state = self.state();
        self.wake(&state);
        state.ear = Some(ear);
    }

    /// Without an ear again.
    pub fn take_back(&self) {
        let mut state = self.state();
        self.wake(&state);
        state.ear = None;
    }

    fn wake(&self, state: &State) {
        match &state.ear {
            Some(ear) if state.listening => ear.interrupt(),
            _ => self.0.1.notify_all(),
        }
    }

    /// Waits until the bell rings or `patience` is over. `true` if it rang.
    pub fn wait(&self, patience: Duration) -> bool {
        // A deadline beyond the clock's range is no deadline: a year is as good.
        let patience = patience.min(Duration::from_secs(365 * 86_400));
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        while !state.rung {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(ear) = state.ear.clone() {
                state.listening = true;
                drop(state);
                let heard = ear.listen(left);
                state = self.state();
                state.listening = false;
                state.rung |= heard;
                if !state.rung && left.is_zero() {
                    return false;
                }
            } else if left.is_zero() {
                return false;
            } else {
                state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        state.rung = false;
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
