//! The order in which a consumer takes jobs.

mod line;

use super::InboxName;
use line::Line;

/// Names that are ready, given out by priority; among equals first attempts and repeated ones take turns, each in order of
/// submission. So jobs that fail again and again, which are older than most, take every other turn at most, and still do not
/// starve.
///
/// Who [loses](Turns::lost) names to others has them next in an order of its own, within short stretches: consumers that all
/// went by the names would want the same ones.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    fresh: Line,
    repeated: Line,
    last_was_repeated: bool,
}

impl Turns {
    /// No names yet. `seed` decides which order is its own.
    pub fn of(seed: u64) -> Self {
        Self { fresh: Line::of(seed), repeated: Line::of(!seed), last_was_repeated: false }
    }

    /// Replaces the names by these, which are in order. Whose turn it is stays.
    pub fn renew(&mut self, names: impl IntoIterator<Item = InboxName>) {
        let (fresh, repeated) = names.into_iter().partition(|name| name.attempt == 1);
        self.fresh.renew(fresh);
        self.repeated.renew(repeated);
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.fresh.first().is_none() && self.repeated.first().is_none()
    }

    /// A name that was given out was there.
    pub fn won(&mut self, name: &InboxName) {
        self.line(name).won();
    }

    /// A name that was given out was another's.
    pub fn lost(&mut self, name: &InboxName) {
        self.line(name).lost();
    }

    /// Whether names were lost since these came: others may have taken more of them.
    pub fn is_old(&self) -> bool {
        self.fresh.is_old() || self.repeated.is_old()
    }

    /// Whether names were passed over, because those around them were another's. They may still be there.
    pub fn has_passed_over(&self) -> bool {
        self.fresh.has_passed_over() || self.repeated.has_passed_over()
    }

    fn line(&mut self, name: &InboxName) -> &mut Line {
        if name.attempt == 1 { &mut self.fresh } else { &mut self.repeated }
    }
}

impl Iterator for Turns {
    type Item = InboxName;

    /// The next name to take.
    fn next(&mut self) -> Option<InboxName> {
        self.last_was_repeated = match (self.fresh.first(), self.repeated.first()) {
            (Some(new), Some(old)) if new.priority == old.priority => !self.last_was_repeated,
            (Some(new), Some(old)) => old.priority < new.priority,
            (fresh, _) => fresh.is_none(),
        };
        if self.last_was_repeated { self.repeated.next() } else { self.fresh.next() }
    }
}
