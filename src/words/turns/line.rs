//! Names in order, and how one goes through them beside others who do the same.
//!
//! Alone, by their order. But eight who all do that ask for each name eight times. So who was beaten to a name goes through the
//! next few hundred from a place of its own; where it meets the tracks of another, it goes on at a further such place; and where
//! it meets them again and again the stretch is as good as done. What it passed over there, the next scan sees.

use std::collections::VecDeque;

use super::super::InboxName;

/// How many names a stretch has, all of one priority: so far those who compete leave the order. With eight of them, in the
/// simulation below, shorter ones cost more claims (64: half as many again), longer ones save few.
const STRETCH: usize = 512;
/// After so many names in a row that were another's, a stretch is done.
const MOST_LOST: u32 = 3;

#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// What is left of a stretch, in order, but begun somewhere.
    stretch: VecDeque<InboxName>,
    /// All that comes after it.
    rest: VecDeque<InboxName>,
    /// Others were met lately.
    crowded: bool,
    /// Since these names came: how many were won, and whether any was lost, or passed over.
    won: bool,
    lost: bool,
    passed_over: bool,
    /// How many were lost in a row.
    in_a_row: u32,
    /// Of those before these all that were tried were lost: what is listed may be gone for long (NFS). Then each is tried once, and
    /// none is passed over, so that nobody looks again and again.
    hopeless: bool,
    chance: u64,
}

impl Line {
    pub(super) fn of(seed: u64) -> Self {
        Self { chance: seed, ..Self::default() }
    }

    pub(super) fn renew(&mut self, names: VecDeque<InboxName>) {
        *self = Self {
            rest: names,
            crowded: self.lost,
            hopeless: self.lost && !self.won,
            chance: self.chance,
            ..Self::default()
        };
    }

    /// The one that comes next.
    pub(super) fn first(&self) -> Option<&InboxName> {
        self.stretch.front().or_else(|| self.rest.front())
    }

    pub(super) fn next(&mut self) -> Option<InboxName> {
        if self.stretch.is_empty() && self.crowded {
            let priority = self.rest.front()?.priority;
            let alike = self.rest.iter().take(STRETCH).take_while(|name| name.priority == priority).count();
            self.stretch.extend(self.rest.drain(..alike));
            self.jump();
        }
        self.stretch.pop_front().or_else(|| self.rest.pop_front())
    }

    pub(super) fn won(&mut self) {
        (self.won, self.hopeless, self.in_a_row) = (true, false, 0);
    }

    pub(super) fn lost(&mut self) {
        (self.lost, self.crowded) = (true, true);
        self.in_a_row += 1;
        if self.in_a_row >= MOST_LOST && !self.hopeless {
            self.in_a_row = 0;
            self.passed_over |= !self.stretch.is_empty();
            self.stretch.clear();
        } else {
            self.jump();
        }
    }

    pub(super) fn is_old(&self) -> bool {
        self.lost
    }

    pub(super) fn has_passed_over(&self) -> bool {
        self.passed_over
    }

    /// Goes on elsewhere in the stretch.
    fn jump(&mut self) {
        if !self.stretch.is_empty() {
            let by = self.draw() % self.stretch.len() as u64;
            self.stretch.rotate_left(by as usize);
        }
    }

    /// SplitMix64: any will do that differs from one consumer to the next.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::words::{Id, Millis, Priority};

    fn name(nth: u64) -> InboxName {
        let id: Id = format!("job-{nth:06}").parse().unwrap();
        InboxName::job(id, Millis::new(nth).unwrap(), Priority::default())
    }

    fn names(of: std::ops::Range<u64>) -> VecDeque<InboxName> {
        of.map(name).collect()
    }

    /// So many consumers with the same names, who take one at a time, in turns, and look again when they are at the end. How many
    /// claims it took, and how far from its place the last of the names was that waited longest.
    fn compete(consumers: u64, jobs: u64) -> (usize, usize) {
        let mut left: HashSet<InboxName> = names(0..jobs).into_iter().collect();
        let mut lines: Vec<Line> = (0..consumers).map(|seed| Line::of(seed << 40 | 77)).collect();
        lines.iter_mut().for_each(|line| line.renew(names(0..jobs)));
        let (mut claims, mut done, mut late) = (0, 0, 0);
        while !left.is_empty() {
            for line in &mut lines {
                let Some(next) = line.next() else {
                    let mut seen: Vec<_> = left.iter().cloned().collect();
                    seen.sort_unstable();
                    line.renew(seen.into());
                    continue;
                };
                claims += 1;
                if left.remove(&next) {
                    line.won();
                    late = late.max(usize::saturating_sub(done, next.submitted.get() as usize));
                    done += 1;
                } else {
                    line.lost();
                }
            }
        }
        (claims, late)
    }

    #[test]
    fn eight_who_compete_make_few_claims_that_are_lost() {
        assert_eq!(compete(1, 3000), (3000, 0), "who is alone goes by the names");
        for jobs in [1000, 5000, 20_000] {
            let (claims, _) = compete(8, jobs);
            assert!(claims * 100 <= jobs as usize * 115, "{claims} claims for {jobs} jobs");
        }
    }

    #[test]
    fn who_loses_leaves_the_order_only_within_a_stretch() {
        let mut line = Line::of(5);
        let urgent = InboxName { priority: Priority::new(0).unwrap(), ..name(0) };
        line.renew([urgent.clone(), urgent.clone()].into_iter().chain(names(1..2001)).collect());
        assert_eq!(line.next(), Some(urgent.clone()));
        line.lost();
        assert!(line.is_old());
        assert_eq!(line.next(), Some(urgent), "those of a higher priority still come first");
        let mut given = Vec::new();
        while let Some(next) = line.next() {
            line.won();
            given.push(next);
        }
        for (nth, stretch) in given.chunks(STRETCH).enumerate() {
            let mut stretch = stretch.to_vec();
            assert!(!stretch.is_sorted(), "it begins somewhere else");
            stretch.sort_unstable();
            let first = (nth * STRETCH) as u64 + 1;
            assert_eq!(stretch, Vec::from(names(first..first + stretch.len() as u64)));
        }
        assert!(!line.has_passed_over());
        // Nobody was met since: by the names again.
        line.renew(names(0..10));
        line.renew(names(0..10));
        assert_eq!(line.next(), Some(name(0)));
    }

    #[test]
    fn a_stretch_of_others_is_left_and_what_only_seems_to_be_there_is_tried_once() {
        let mut line = Line::of(5);
        line.renew(names(0..2000));
        let mut tried = 0;
        while line.next().is_some() {
            line.lost();
            tried += 1;
        }
        assert!(tried <= 1 + 4 * MOST_LOST && line.has_passed_over(), "{tried}");
        line.renew(names(0..2000));
        let mut tried = Vec::new();
        while let Some(next) = line.next() {
            line.lost();
            tried.push(next);
        }
        assert!(!line.has_passed_over(), "there is no reason to look again");
        tried.sort_unstable();
        assert_eq!(tried, Vec::from(names(0..2000)));
    }
}
