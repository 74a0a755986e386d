//! Registering where it may not be possible yet: who is to stay is started by a machine, and comes again only if that says so.

use std::time::{Duration, Instant};

use super::consumer::Stopper;
use super::observer::{Event, Observer, tell};
use super::troubles::Troubles;
use crate::ports::Store;
use crate::words::{Id, Result, pause_after};

const REGISTER: &str = "register";

/// Somebody who registers.
pub(super) struct Newcomer<'a> {
    pub(super) name: &'a Id,
    pub(super) lease: Duration,
    /// It waits while the disk is full or read-only.
    pub(super) stays: bool,
    pub(super) observer: &'a dyn Observer,
    pub(super) stopper: &'a Stopper,
}

impl Newcomer<'_> {
    /// Its room, and a moment before it had it. `None`: it was stopped before there was one.
    ///
    /// # Errors
    /// If it cannot, unless that is waited for.
    pub(super) fn register<S: Store>(&self, store: &S) -> Result<Option<(S::Room, Instant)>> {
        let troubles = Troubles::told_to(self.observer);
        let mut tries = 0;
        loop {
            let began = Instant::now();
            match store.register(self.name, self.lease) {
                Ok(room) => {
                    troubles.works(REGISTER);
                    tell(self.observer, &Event::Registered { consumer: self.name });
                    return Ok(Some((room, began)));
                }
                Err(e) if self.stays && e.is_of_the_disk() => {
                    tries += 1;
                    troubles.with_all(REGISTER, None, &e, Some(pause_after(tries)));
                }
                Err(e) => return Err(e),
            }
            if self.is_stopped_within(pause_after(tries)) {
                return Ok(None);
            }
        }
    }

    /// A watch rings, too.
    fn is_stopped_within(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        while !self.stopper.is_stopping() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.stopper.bell().wait(left);
        }
        true
    }
}
