//! Of very many files that strangers drop, those that are watched at a time. Each has its turn.

use std::collections::{BinaryHeap, HashSet};
use std::ffi::OsString;
use std::time::Duration;

use crate::ports::Arrivals;

/// What a look at a folder is for: names that are watched already, and others, as many as there is room for.
#[derive(Default)]
pub(super) struct Window {
    watched: Vec<OsString>,
    /// In the order of their turns: those behind the last one that had its turn, then the others.
    others: BinaryHeap<(bool, OsString)>,
    /// How many there is no room for: of those that had no turn yet, and of those that had one or came late.
    waiting: usize,
    passed: usize,
}

impl Window {
    /// This name is in the folder.
    pub(super) fn add(&mut self, name: OsString, arrivals: &Arrivals) {
        if arrivals.seen.contains_key(&name) {
            return self.watched.push(name);
        }
        let passed = arrivals.last.as_ref().is_some_and(|last| name <= *last);
        self.others.push((passed, name));
        self.keep(arrivals.most_watched);
    }

    fn keep(&mut self, most: usize) {
        while self.others.len() > most {
            match self.others.pop() {
                Some((true, _)) => self.passed += 1,
                _ => self.waiting += 1,
            }
        }
    }

    /// All names are known: these are looked at, those first that were seen first. What is gone is forgotten.
    pub(super) fn open(&mut self, arrivals: &mut Arrivals, now: Duration) -> Vec<(Duration, OsString)> {
        let there: HashSet<&OsString> = self.watched.iter().collect();
        arrivals.seen.retain(|name, _| there.contains(name));
        arrivals.checked.retain(|name, _| there.contains(name));
        arrivals.damaged.retain(|name, _| there.contains(name));
        self.keep(arrivals.most_watched.saturating_sub(self.watched.len()));
        let others = std::mem::take(&mut self.others).into_sorted_vec();
        if let Some((_, last)) = others.last() {
            arrivals.last = Some(last.clone());
        }
        if self.missed() == 0 {
            (arrivals.last, arrivals.all_seen) = (None, None);
        } else if self.waiting == 0 {
            arrivals.all_seen.get_or_insert(now);
        }
        let seen = |name: OsString| (arrivals.seen.get(&name).map_or(now, |sighting| sighting.first), name);
        let names =
            std::mem::take(&mut self.watched).into_iter().chain(others.into_iter().map(|(_, name)| name));
        let mut names: Vec<_> = names.map(seen).collect();
        names.sort_unstable();
        names
    }

    /// How many there is no room for.
    fn missed(&self) -> usize {
        self.waiting + self.passed
    }

    /// How many there is no room for, and that have had no turn since there is too little.
    pub(super) fn waiting(&self, arrivals: &Arrivals) -> usize {
        if arrivals.all_seen.is_some() { 0 } else { self.waiting }
    }

    /// These may go, those first that came first: as many do as there is need of room. Whether any did.
    pub(super) fn make_room(&self, idle: Vec<OsString>, arrivals: &mut Arrivals) -> bool {
        let mut any = false;
        for name in idle.into_iter().take(self.missed()) {
            arrivals.checked.remove(&name);
            any |= arrivals.seen.remove(&name).is_some();
        }
        any
    }
}
