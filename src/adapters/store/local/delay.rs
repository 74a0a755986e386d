//! P18, P19, P25: a job that is due later, and why.

use std::collections::BinaryHeap;
use std::ops::ControlFlow::Continue;

use super::LocalStore;
use super::moves::found;
use crate::ports::{Claim, FileKind, Fs, Host, Promotion};
use crate::words::{Attempt, DelayedName, Error, InboxName, MAX_FILE_BYTES, Millis, Result, RoomName};

/// The attempt in a name is whatever somebody wrote there: to look for four thousand million records would take a day.
const MOST_RECORDS: u32 = 1000;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// P25, P18.
    pub(super) fn put_off(
        &self,
        room: &RoomName,
        claim: &Claim,
        due: Millis,
        attempt: &Attempt,
    ) -> Result<()> {
        // It is for people. That it could not be written must not keep the job from its next attempt.
        if let Err(e) = self.record(&claim.name, attempt) {
            tracing::warn!(id = %claim.name.id, error = %e, "an attempt is not recorded");
        }
        let later = claim.name.next_attempt().delayed(due);
        self.relocate(&self.layout.claim(room, &claim.name), &self.layout.delayed(&later))?;
        self.flush_dir(&self.layout.room("delayed"))?;
        self.flush_dir_if_there(&self.layout.claims(room))
    }

    fn record(&self, name: &InboxName, attempt: &Attempt) -> Result<()> {
        let bytes = serde_json::to_vec(attempt).expect("strings and numbers serialise");
        let path = self.layout.attempt_record(name);
        self.inside(&self.layout.slot_day(name), || self.publish_if_free(&bytes, &path).map(drop))
    }

    /// The attempts before this one, as far as they left a record, and at most the last [`MOST_RECORDS`].
    pub(super) fn records(&self, name: &InboxName) -> Result<Vec<Attempt>> {
        let mut attempts = Vec::new();
        for attempt in name.attempt.saturating_sub(MOST_RECORDS - 1).max(1)..=name.attempt {
            let path = self.layout.attempt_record(&InboxName { attempt, ..name.clone() });
            let failed = |e| Error::io("read the record of an attempt", &path, e);
            let Some(file) = found(self.fs.open(&path)).map_err(failed)? else { continue };
            let bytes = self.fs.read(&file, MAX_FILE_BYTES).map_err(failed)?;
            match serde_json::from_slice(&bytes) {
                Ok(attempt) => attempts.push(attempt),
                Err(e) => {
                    tracing::warn!(path = %path.display(), error = %e, "this is no record of an attempt");
                }
            }
        }
        Ok(attempts)
    }

    /// P19. Not flushed: what comes back after a power cut comes due again.
    pub(super) fn bring_due(&self, limit: usize) -> Result<Promotion> {
        let now = self.host.now();
        let mut due = BinaryHeap::new();
        let mut more = false;
        let mut next: Option<Millis> = None;
        let delayed = self.layout.room("delayed");
        let mut each = |entry: crate::ports::Listed| {
            let name = entry.name.to_str().filter(|_| entry.kind == FileKind::File);
            let Some(name) = name.and_then(|name| name.parse::<DelayedName>().ok()) else {
                return Continue(());
            };
            if name.due <= now {
                due.push(name);
                if due.len() > limit {
                    due.pop();
                    more = true;
                }
            } else {
                next = Some(next.map_or(name.due, |earlier| earlier.min(name.due)));
            }
            Continue(())
        };
        let listed = self.list_unless_empty(&delayed, &mut each);
        // It goes through all of them.
        let _ = listed.map_err(|e| Error::io("list a folder", &delayed, e))?;
        if more {
            next = Some(now);
        }
        let mut promotion = Promotion { moved: 0, next };
        let mut trouble = None;
        for name in due.into_sorted_vec() {
            match self.relocate(&self.layout.delayed(&name), &self.layout.ready(&name.job)) {
                Ok(()) => promotion.moved += 1,
                // One that cannot be moved keeps none of the others from it.
                Err(e) => {
                    tracing::warn!(id = %name.job.id, error = %e, "a delayed job that is due cannot be moved");
                    trouble = Some(e);
                }
            }
        }
        trouble.filter(|_| promotion.moved == 0).map_or(Ok(promotion), Err)
    }
}
