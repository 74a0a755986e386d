//! The order in which a consumer takes jobs.

use std::collections::VecDeque;

use super::InboxName;

/// Names that are ready, given out by priority; among equals first attempts and repeated ones take turns, each in order of
/// submission. So jobs that fail again and again, which are older than most, take every other turn at most, and still do not
/// starve.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    fresh: VecDeque<InboxName>,
    repeated: VecDeque<InboxName>,
    last_was_repeated: bool,
}

impl Turns {
    /// Replaces the names by these, which are in order. Whose turn it is stays.
    pub fn renew(&mut self, names: impl IntoIterator<Item = InboxName>) {
        (self.fresh, self.repeated) = names.into_iter().partition(|name| name.attempt == 1);
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.repeated.is_empty()
    }
}

impl Iterator for Turns {
    type Item = InboxName;

    /// The next name to take.
    fn next(&mut self) -> Option<InboxName> {
        self.last_was_repeated = match (self.fresh.front(), self.repeated.front()) {
            (Some(new), Some(old)) if new.priority == old.priority => !self.last_was_repeated,
            (Some(new), Some(old)) => old.priority < new.priority,
            (fresh, _) => fresh.is_none(),
        };
        if self.last_was_repeated { self.repeated.pop_front() } else { self.fresh.pop_front() }
    }
}
