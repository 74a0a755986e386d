//! Who waits for what. Everything here is under one lock, so nothing here looks at a file.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::words::{Error, Id, Outcome, Result};

/// So many bytes of outcomes are held for one who is slow to take them; then the next ones stay on the disk.
pub(super) const MOST_HELD: usize = 16 << 20;

/// What an outcome counts for, in bytes, while it is held: it has attributes, too.
pub(super) fn size(outcome: &Outcome) -> usize {
    outcome.data().len() + 1024
}

/// Where the outcomes for one who waits go.
pub(super) enum Answers {
    /// For one job.
    One(oneshot::Sender<Result<Outcome>>),
    /// For several, and how many bytes were not taken yet.
    Each(mpsc::Sender<(Id, Result<Outcome>)>, Arc<AtomicUsize>),
}

struct Waiter {
    missing: BTreeSet<Id>,
    deadline: Option<Instant>,
    /// Whether there was a round since.
    seen: bool,
    answers: Answers,
}

impl Waiter {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    fn has_room(&self) -> bool {
        match &self.answers {
            Answers::One(_) => true,
            Answers::Each(_, held) => held.load(Ordering::Acquire) < MOST_HELD,
        }
    }
}

/// Which ids to look for now.
#[derive(Default)]
pub(super) struct Round {
    /// In all days.
    pub(super) everywhere: Vec<Id>,
    /// Where their outcomes are most probably.
    pub(super) at_home: Vec<Id>,
}

/// Everyone who waits.
#[derive(Default)]
pub(super) struct Desk {
    waiters: HashMap<u64, Waiter>,
    /// Who waits for an id.
    by_id: HashMap<Id, Vec<u64>>,
    /// Ids that nobody has looked for since somebody began to wait for them, or had room again.
    fresh: Vec<Id>,
    last_number: u64,
    /// Whether there is a listener.
    pub(super) attended: bool,
    /// What it does while nobody rings.
    pub(super) post: Post,
    /// Somebody began to wait since the last round, and needs no look.
    quiet_ones: bool,
}

/// Where the listener hears, and when it looks again in any case.
#[derive(Default)]
pub(super) struct Post {
    pub(super) folders: Vec<PathBuf>,
    pub(super) until: Option<Instant>,
}

impl Post {
    /// Whether whoever begins to wait now, until `deadline`, for what comes to these folders is served as it is: the listener hears of
    /// it, and looks within `soon` if a hint is lost.
    fn serves(&self, folders: &[PathBuf], deadline: Option<Instant>, soon: Instant) -> bool {
        let in_time = |until: Instant| until <= soon && deadline.is_none_or(|deadline| until <= deadline);
        self.until.is_some_and(in_time) && folders.iter().all(|folder| self.folders.contains(folder))
    }
}

impl Desk {
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Whether whoever begins to wait now until `deadline` for what comes to these folders is served without a word to the listener, if
    /// it sees to what was there before.
    pub(super) fn serves(&self, folders: &[PathBuf], deadline: Option<Instant>, soon: Instant) -> bool {
        self.attended && self.post.serves(folders, deadline, soon)
    }

    /// `quiet`: nobody has to look for what was there before.
    pub(super) fn enter(
        &mut self,
        ids: BTreeSet<Id>,
        deadline: Option<Instant>,
        answers: Answers,
        quiet: bool,
    ) -> u64 {
        self.last_number += 1;
        for id in &ids {
            self.by_id.entry(id.clone()).or_default().push(self.last_number);
        }
        if quiet {
            self.quiet_ones = true;
        } else {
            self.fresh.extend(ids.iter().cloned());
        }
        self.waiters.insert(self.last_number, Waiter { missing: ids, deadline, seen: false, answers });
        self.last_number
    }

    /// Forgets one who waits. Its channel closes. Whether it waited still.
    pub(super) fn leave(&mut self, number: u64) -> bool {
        let Some(waiter) = self.waiters.remove(&number) else { return false };
        for id in waiter.missing {
            if let Some(numbers) = self.by_id.get_mut(&id) {
                numbers.retain(|other| *other != number);
                if numbers.is_empty() {
                    self.by_id.remove(&id);
                }
            }
        }
        true
    }

    /// Looks again for all that one waits for.
    pub(super) fn look_again(&mut self, number: u64) {
        if let Some(waiter) = self.waiters.get(&number) {
            self.fresh.extend(waiter.missing.iter().cloned());
        }
    }

    /// These were not looked for after all.
    pub(super) fn put_off(&mut self, ids: Vec<Id>) {
        self.fresh.extend(ids);
    }

    /// Whether somebody began to wait since the last round.
    pub(super) fn has_newcomers(&self) -> bool {
        self.quiet_ones || !self.fresh.is_empty()
    }

    /// What to look for: in any case what is new, and for those whose time is over; with `all`, for everything that there is
    /// room for, `everywhere` if so.
    pub(super) fn round(&mut self, now: Instant, all: bool, everywhere: bool) -> Round {
        self.quiet_ones = false;
        let mut urgent: HashSet<Id> = mem::take(&mut self.fresh).into_iter().collect();
        for waiter in self.waiters.values_mut() {
            waiter.seen = true;
            if waiter.is_late(now) {
                urgent.extend(waiter.missing.iter().cloned());
            }
        }
        let wanted = |id: &Id, numbers: &[u64]| {
            let room = numbers.iter().filter_map(|number| self.waiters.get(number)).any(Waiter::has_room);
            room.then(|| id.clone())
        };
        if !all {
            let wanted = |id: &Id| self.by_id.get(id).and_then(|numbers| wanted(id, numbers));
            return Round { everywhere: urgent.iter().filter_map(wanted).collect(), at_home: Vec::new() };
        }
        let ids = self.by_id.iter().filter_map(|(id, numbers)| wanted(id, numbers));
        let (everywhere, at_home) = ids.partition(|id| everywhere || urgent.contains(id));
        Round { everywhere, at_home }
    }

    /// Hands an answer to all who wait for it. Whether there is room for more.
    pub(super) fn deliver(&mut self, id: &Id, answer: Result<Outcome>) -> bool {
        let mut answer = Some(answer);
        let mut room = true;
        let numbers = self.by_id.remove(id).unwrap_or_default();
        for (nth, number) in numbers.iter().enumerate() {
            let own = match &answer {
                Some(Ok(outcome)) if nth + 1 < numbers.len() => Some(Ok(outcome.clone())),
                Some(Err(e)) if nth + 1 < numbers.len() => Some(Err(e.again())),
                _ => answer.take(),
            };
            let (Some(own), Some(mut waiter)) = (own, self.waiters.remove(number)) else { continue };
            waiter.missing.remove(id);
            // Who does not listen any more is about to leave.
            match waiter.answers {
                Answers::One(send) => drop(send.send(own)),
                Answers::Each(ref send, ref held) => {
                    held.fetch_add(own.as_ref().map_or(0, size), Ordering::AcqRel);
                    let _ = send.send((id.clone(), own));
                    room &= waiter.has_room();
                    if !waiter.missing.is_empty() {
                        self.waiters.insert(*number, waiter);
                    }
                }
            }
        }
        room
    }

    /// Those whose time was over at `then`, when a round began, have waited long enough. Who came after it began has a look first, and
    /// so has whoever was put off.
    pub(super) fn dismiss(&mut self, then: Instant) {
        let fresh: HashSet<&Id> = self.fresh.iter().collect();
        let put_off =
            |waiter: &Waiter| !fresh.is_empty() && waiter.missing.iter().any(|id| fresh.contains(id));
        let is_due = |waiter: &Waiter| waiter.seen && waiter.is_late(then) && !put_off(waiter);
        let late = self.waiters.iter().filter(|(_, waiter)| is_due(waiter));
        let late: Vec<u64> = late.map(|(number, _)| *number).collect();
        for number in late {
            self.leave(number);
        }
    }

    /// When the next time is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiters.values().filter_map(|waiter| waiter.deadline).min()
    }

    /// Nobody can be served.
    pub(super) fn refuse(&mut self, e: &Error) {
        let ids: Vec<Id> = self.by_id.keys().cloned().collect();
        for id in ids {
            self.deliver(&id, Err(e.again()));
        }
    }

    /// Sends everybody away.
    pub(super) fn close(&mut self) {
        *self = Self { last_number: self.last_number, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_put_off_has_a_look_before_the_end() {
        let (mut desk, now) = (Desk::default(), Instant::now());
        let id: Id = "a".parse().unwrap();
        let (send, mut told) = oneshot::channel();
        desk.enter(BTreeSet::from([id.clone()]), Some(now), Answers::One(send), false);
        desk.round(now, true, false);
        desk.put_off(vec![id]);
        desk.dismiss(now);
        assert_eq!(told.try_recv().unwrap_err(), oneshot::error::TryRecvError::Empty, "it waits still");
        assert_eq!(desk.round(now, false, false).everywhere.len(), 1, "it is looked for");
        desk.dismiss(now);
        assert_eq!(told.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
    }
}
