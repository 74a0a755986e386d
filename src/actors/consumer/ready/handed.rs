//! Jobs that were handled, and that workers hand over to be settled together.
//!
//! A flush takes as long for many as for one. So while there are more jobs to handle a worker goes on with the next one, and
//! what it handled is settled by another thread: all that came together while that was busy with those before. Nothing waits for a
//! time, or for a handler. Who has nothing else to handle settles by itself, at once, unless others are being settled: so what one worker
//! handles is settled in order.

use std::sync::PoisonError;
use std::time::Instant;

use super::{Ready, State};
use crate::actors::consumer::Conclusion;
use crate::actors::consumer::task::Unsettled;

/// So many jobs wait, and as many are being settled. A consumer that dies has them handled again.
pub(super) const MOST: usize = 32;
/// So many bytes of jobs and outcomes wait, at most.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// What was handed over.
pub(super) struct Handed<R> {
    waiting: Vec<Box<Unsettled<R>>>,
    /// How much it is.
    bytes: usize,
    /// How many are being settled.
    settling: usize,
    /// Somebody settles them.
    attended: bool,
}

impl<R> Default for Handed<R> {
    fn default() -> Self {
        Self { waiting: Vec::new(), bytes: 0, settling: 0, attended: false }
    }
}

impl<R> Handed<R> {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.settling == 0
    }

    /// Whether one more may be handled.
    pub(super) fn has_space(&self) -> bool {
        self.waiting.len() < MOST && self.bytes < MOST_BYTES
    }

    pub(super) fn fits(&self, size: usize) -> bool {
        self.waiting.len() < MOST && self.bytes.saturating_add(size) <= MOST_BYTES
    }
}

impl<R> State<R> {
    /// Whether a job that was handled is to be settled with others: some are being settled, so that it does not overtake them, or
    /// there is another one to be handled.
    fn has_company(&self, now: Instant) -> bool {
        let more = !self.window.is_empty() || self.passed.due().is_some_and(|due| due <= now);
        let another = !self.closed && more && self.may_go_on(now);
        self.handed.attended && (another || !self.handed.is_empty())
    }
}

impl<R> Ready<R> {
    /// Takes over a job that was handled, to have it settled with others, as soon as there is space. If there are none it is the worker's
    /// own to settle.
    pub(in crate::actors::consumer) fn hand_over(
        &self,
        unsettled: Box<Unsettled<R>>,
    ) -> Option<Box<Unsettled<R>>> {
        // A job that is put off is no outcome: nobody waits for it.
        let Conclusion::Settle(outcome) = &unsettled.conclusion else { return Some(unsettled) };
        let payload = outcome.envelope.payload.as_ref();
        let size = unsettled.claim.bytes.len() + payload.map_or(0, |payload| payload.bytes.len());
        let mut state = self.lock();
        while size <= MOST_BYTES && state.has_company(Instant::now()) {
            if state.handed.fits(size) {
                state.handed.waiting.push(unsettled);
                state.handed.bytes += size;
                drop(state);
                self.handing.notify_one();
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(unsettled)
    }

    /// There is somebody who will [attend](Self::attend).
    pub(in crate::actors::consumer) fn is_attended(&self) {
        self.lock().handed.attended = true;
    }

    /// Has settled what is handed over, all that there is at a time, until the end.
    pub(in crate::actors::consumer) fn attend(&self, mut settle: impl FnMut(Vec<Box<Unsettled<R>>>)) {
        let _attendant = Attendant(self);
        while let Some(together) = self.next_handed() {
            settle(together);
            self.settled();
        }
    }

    pub(super) fn settled(&self) {
        self.lock().handed.settling = 0;
        self.changed.notify_all();
    }

    /// `None` at the end, when nothing more is handed over.
    pub(super) fn next_handed(&self) -> Option<Vec<Box<Unsettled<R>>>> {
        let mut state = self.lock();
        while state.handed.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state = self.handing.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let together = std::mem::take(&mut state.handed.waiting);
        (state.handed.bytes, state.handed.settling) = (0, together.len());
        drop(state);
        // There is space again.
        self.changed.notify_all();
        Some(together)
    }
}

/// Nothing is handed over to who is not there any more. Did it panic, what it had is left to recovery, and the consumer ends.
struct Attendant<'a, R>(&'a Ready<R>);

impl<R> Drop for Attendant<'_, R> {
    fn drop(&mut self) {
        let handed = std::mem::take(&mut self.0.lock().handed);
        if !handed.is_empty() {
            self.0.close();
        }
        self.0.changed.notify_all();
    }
}
