//! When names are held back: as long as no handler can be started, or what handlers write cannot be kept. No job is to blame
//! for that, so the jobs wait, and one at a time finds out whether it works again. Only the decision: whoever asks says what
//! time it is, so the simulator decides by the same code.

use std::time::{Duration, Instant};

use crate::words::pause_after;

/// What did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// To start a handler. The first one that starts shows that it works again.
    Start,
    /// To keep what a handler wrote. Only the end of a handler shows that it works again.
    Keep,
}

/// Whether another job may be begun.
#[derive(Debug, Clone, Default)]
pub struct HoldBack {
    /// What did not work, and how often in a row.
    hitches: Option<(Doubt, u32)>,
    /// When the next job may be begun.
    until: Option<Instant>,
    /// One is out, to find out.
    probing: bool,
}

impl HoldBack {
    /// Whether a job may be begun.
    pub fn may_begin(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }

    /// When the next one may be begun, if not now.
    pub fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// A job is begun. While there is doubt, the next one may be begun after a pause, or once this one has
    /// [started](Self::started) or [ended](Self::ended).
    pub fn began(&mut self, now: Instant) {
        if let Some((_, times)) = self.hitches {
            self.probing = true;
            self.until = Some(now + pause_after(times));
        }
    }

    /// It did not work. How often that was so now, and how long the pause is.
    pub fn hitch(&mut self, doubt: Doubt, now: Instant) -> (u32, Duration) {
        let (before, mut times) = self.hitches.unwrap_or((doubt, 0));
        // Several fail together; that is one failure.
        if self.probing || self.may_begin(now) {
            times += 1;
            self.probing = false;
            self.until = Some(now + pause_after(times));
        }
        self.hitches = Some((doubt.max(before), times));
        (times, self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)))
    }

    /// The job that was to find out did not get so far: another one may. Whether that changes anything.
    pub fn found_nothing(&mut self) -> bool {
        let probed = std::mem::replace(&mut self.probing, false);
        if probed {
            self.until = None;
        }
        probed
    }

    /// A handler has started. Whether that changes anything.
    pub fn started(&mut self) -> bool {
        matches!(self.hitches, Some((Doubt::Start, _))) && self.ended()
    }

    /// A handler has ended, and what it wrote is kept. Whether that changes anything.
    pub fn ended(&mut self) -> bool {
        let doubted = self.hitches.is_some();
        *self = Self::default();
        doubted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(100);

    #[test]
    fn pauses_grow_and_one_at_a_time_finds_out() {
        let mut hold = HoldBack::default();
        let mut now = Instant::now();
        assert!(hold.may_begin(now) && hold.until(now).is_none());
        assert_eq!(hold.hitch(Doubt::Start, now), (1, PAUSE));
        assert_eq!(hold.hitch(Doubt::Start, now + PAUSE / 2), (1, PAUSE / 2), "it failed with the first");
        assert!(!hold.may_begin(now) && hold.until(now) == Some(now + PAUSE));
        for times in 2..20 {
            now = hold.until(now).unwrap();
            assert!(hold.may_begin(now));
            hold.began(now);
            assert!(!hold.may_begin(now), "another one waits for the first");
            assert_eq!(hold.hitch(Doubt::Start, now), (times, pause_after(times)));
        }
    }

    #[test]
    fn one_that_does_not_get_so_far_leaves_it_to_the_next() {
        let mut hold = HoldBack::default();
        let now = Instant::now();
        assert!(!hold.found_nothing());
        hold.hitch(Doubt::Start, now);
        hold.began(now + PAUSE);
        assert!(hold.found_nothing() && hold.may_begin(now + PAUSE));
        hold.began(now + PAUSE);
        assert_eq!(hold.hitch(Doubt::Start, now + PAUSE).0, 2, "what was known is still known");
    }

    #[test]
    fn a_start_shows_that_handlers_start_and_nothing_else() {
        let mut hold = HoldBack::default();
        let now = Instant::now();
        hold.hitch(Doubt::Start, now);
        hold.began(now + PAUSE);
        assert!(hold.started() && hold.may_begin(now + PAUSE));
        hold.began(now + PAUSE);
        assert!(hold.may_begin(now + PAUSE), "and there is no doubt any more");
        hold.hitch(Doubt::Keep, now);
        hold.began(now + PAUSE);
        hold.hitch(Doubt::Start, now + PAUSE);
        assert!(!hold.started() && !hold.may_begin(now + PAUSE));
        assert!(hold.ended() && hold.may_begin(now + PAUSE) && !hold.ended());
    }
}
