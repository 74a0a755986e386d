//! Names that went back because what their handlers wrote could not be kept. One that needs more space than there is must not keep
//! others from their turn, which may need little: these go first. Only the decision: whoever asks says what time it is.

use std::collections::HashMap;
use std::time::Instant;

use crate::words::{InboxName, pause_after};

/// So many are remembered, as every turn looks at all of them. Of more, the one that was to come next is in the inbox like any other,
/// and what is behind it there waits (docs/TROUBLES.md).
const MOST: usize = 1024;

/// Names that were passed over, and when each may be given out again.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    names: HashMap<InboxName, Passed>,
    /// Others have the next turn, if there are any.
    had_its_turn: bool,
}

#[derive(Debug)]
struct Passed {
    /// How often it went back.
    times: u32,
    /// `None`: it is out.
    due: Option<Instant>,
}

impl PassedOver {
    /// It went back. After a pause, each longer than the last one, it may be given out again.
    pub(super) fn add(&mut self, name: InboxName, now: Instant) {
        if !self.names.contains_key(&name) && self.names.len() >= MOST {
            let next = self.next_due().map(|(name, _)| name.clone());
            next.map(|next| self.names.remove(&next));
        }
        let passed = self.names.entry(name).or_insert(Passed { times: 0, due: None });
        passed.times += 1;
        passed.due = Some(now + pause_after(passed.times));
    }

    /// How often it went back.
    pub(super) fn times(&self, name: &InboxName) -> u32 {
        self.names.get(name).map_or(0, |passed| passed.times)
    }

    /// One that may be given out now: where there are others, every other turn at most.
    pub(super) fn next(&mut self, others: bool, now: Instant) -> Option<InboxName> {
        let theirs = others && self.had_its_turn;
        let next = self.next_due().filter(|(_, due)| *due <= now && !theirs).map(|(name, _)| name.clone());
        self.had_its_turn = next.is_some();
        if let Some(passed) = next.as_ref().and_then(|name| self.names.get_mut(name)) {
            passed.due = None;
        }
        next
    }

    /// When the next one may be given out.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next_due().map(|(_, due)| due)
    }

    /// Whether it was passed over: then what a scan tells of it is old.
    pub(super) fn contains(&self, name: &InboxName) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// It is settled, or another's.
    pub(super) fn forget(&mut self, name: &InboxName) {
        self.names.remove(name);
    }

    fn next_due(&self) -> Option<(&InboxName, Instant)> {
        let waiting = self.names.iter().filter_map(|(name, passed)| Some((name, passed.due?)));
        waiting.min_by(|(a, first), (b, second)| (first, a).cmp(&(second, b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Id, Millis, Priority};

    fn name(nth: usize) -> InboxName {
        let id: Id = format!("job-{nth:04}").parse().unwrap();
        InboxName::job(id, Millis::new(nth as u64).unwrap(), Priority::default())
    }

    #[test]
    fn pauses_grow_and_others_have_every_other_turn() {
        let (mut passed, mut now) = (PassedOver::default(), Instant::now());
        for times in 1..20 {
            passed.add(name(1), now);
            assert_eq!(passed.times(&name(1)), times);
            assert_eq!(passed.due(), Some(now + pause_after(times)));
            assert_eq!(passed.next(false, now), None, "not yet");
            now += pause_after(times);
            assert_eq!(passed.next(true, now), Some(name(1)));
            assert!(passed.contains(&name(1)) && passed.due().is_none(), "it is out");
        }
        passed.add(name(1), now);
        passed.add(name(2), now);
        now += pause_after(20);
        assert_eq!(passed.next(true, now), None, "others' turn");
        assert_eq!(passed.next(true, now), Some(name(2)), "it waits for longer");
        assert_eq!(passed.next(false, now), Some(name(1)), "there are no others");
        passed.forget(&name(1));
        assert_eq!(passed.times(&name(1)), 0, "it was settled: that is another story");
    }

    #[test]
    fn of_very_many_the_first_is_forgotten() {
        let (mut passed, now) = (PassedOver::default(), Instant::now());
        (0..=MOST).for_each(|nth| passed.add(name(nth), now));
        assert!(!passed.contains(&name(0)) && passed.contains(&name(1)) && passed.contains(&name(MOST)));
        assert_eq!(passed.names.len(), MOST);
        passed.add(name(1), now);
        assert_eq!(passed.times(&name(1)), 2, "one that is known pushes nobody out");
        assert!(passed.contains(&name(2)));
    }
}
