//! What the outside world was told. It outlives every crash; the folder must never contradict it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use filedrop::Id;
use filedrop::ports::NewJob;
use filedrop::words::InboxName;

/// What a submission of an id was told that was submitted long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    Nothing,
    /// That it was submitted before: the one that is retired now, as far as one could see.
    Before,
    /// That, but nothing of the retired one was to be seen any more: it must have been another since.
    BeforeButGone,
    New,
}

/// An event, and who has to get it, and who must not.
#[derive(Clone, Default, Hash)]
pub(crate) struct Event {
    pub(crate) needed: BTreeSet<String>,
    pub(crate) forbidden: BTreeSet<String>,
    pub(crate) acknowledged: bool,
}

/// Who subscribes or unsubscribes a group.
#[derive(Clone, Default, Hash)]
struct Askers {
    now: usize,
    ever: usize,
}

/// One of them. It ends with its program, also if that is killed.
pub(crate) struct Asking {
    ledger: Ledger,
    group: String,
    /// Which one of all it is, if it was alone when it began.
    turn: Option<usize>,
}

impl Asking {
    /// It is told that it is done. Was there another at the same time, nobody knows who was the last.
    pub(crate) fn done(self, subscribed: bool) {
        let mut facts = self.ledger.0.borrow_mut();
        if self.turn.is_some() && facts.askers.get(&self.group).map(|askers| askers.ever) == self.turn {
            facts.groups.insert(self.group.clone(), subscribed);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(askers) = self.ledger.0.borrow_mut().askers.get_mut(&self.group) {
            askers.now -= 1;
        }
    }
}

#[derive(Clone, Default, Hash)]
pub(crate) struct Facts {
    /// Jobs that somebody tried to submit, and their bytes.
    pub(crate) attempted: BTreeMap<InboxName, Vec<u8>>,
    /// Submissions that were refused, and not as uncertain.
    pub(crate) refused: BTreeSet<Id>,
    /// Jobs whose submission was acknowledged.
    pub(crate) acknowledged: BTreeSet<Id>,
    /// The outcomes' ids that were reported for a job, to anyone, ever.
    pub(crate) told: BTreeMap<Id, BTreeSet<String>>,
    /// Outcomes that were handed to a collector's program.
    pub(crate) handed_over: BTreeMap<Id, usize>,
    /// Collections that were acknowledged as the first.
    pub(crate) collected: BTreeMap<Id, usize>,
    /// What a dead letter became.
    pub(crate) redriven: BTreeMap<Id, Id>,
    /// Jobs that are settled for so long that nothing of them need be there any more (P26), and their outcomes.
    pub(crate) retired: BTreeMap<Id, String>,
    /// Submissions of their ids since, and what was answered.
    pub(crate) again: BTreeMap<InboxName, Answer>,
    /// The contents of files that strangers dropped, and were told are there; and how often.
    pub(crate) dropped: BTreeMap<String, usize>,
    /// Jobs whose file somebody took from them, to have it handled again.
    pub(crate) robbed: BTreeSet<String>,
    /// Groups of which it is known whether they are subscribed.
    pub(crate) groups: BTreeMap<String, bool>,
    askers: BTreeMap<String, Askers>,
    /// Events that somebody tried to publish.
    pub(crate) events: BTreeMap<InboxName, Event>,
    /// What must never have happened.
    pub(crate) violations: BTreeSet<String>,
}

/// Shared by all programs of one history.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Rc<RefCell<Facts>>);

impl Ledger {
    pub(crate) fn attempt(&self, job: &NewJob) {
        self.0.borrow_mut().attempted.insert(job.name.clone(), job.bytes.clone());
    }

    pub(crate) fn refuse(&self, id: &Id) {
        self.0.borrow_mut().refused.insert(id.clone());
    }

    pub(crate) fn acknowledge(&self, id: &Id) {
        self.0.borrow_mut().acknowledged.insert(id.clone());
    }

    pub(crate) fn redrive(&self, dead: &Id, new: &Id) {
        let mut facts = self.0.borrow_mut();
        facts.acknowledged.insert(new.clone());
        if facts.redriven.insert(dead.clone(), new.clone()).is_some_and(|earlier| earlier != *new) {
            facts.violations.insert("I8: one dead letter became two jobs".to_owned());
        }
    }

    /// What comes of this id from now on is told by other tests.
    pub(crate) fn retire(&self, id: &Id, outcome: &str) {
        self.0.borrow_mut().retired.insert(id.clone(), outcome.to_owned());
    }

    pub(crate) fn give_again(&self, name: &InboxName, answer: Answer) {
        let mut facts = self.0.borrow_mut();
        let best = facts.again.get(name).copied().unwrap_or(Answer::Nothing).max(answer);
        facts.again.insert(name.clone(), best);
    }

    pub(crate) fn tell(&self, id: &Id, outcome: &str) {
        let mut facts = self.0.borrow_mut();
        if facts.retired.contains_key(id) {
            return;
        }
        let told = facts.told.entry(id.clone()).or_default();
        told.insert(outcome.to_owned());
        if told.len() > 1 {
            facts.violations.insert("I2: two outcomes were reported for one job".to_owned());
        }
    }

    pub(crate) fn hand_over(&self, id: &Id) {
        let mut facts = self.0.borrow_mut();
        *facts.handed_over.entry(id.clone()).or_default() += 1;
        if facts.collected.contains_key(id) {
            facts
                .violations
                .insert("I2: an outcome came back after its collection was acknowledged".to_owned());
        }
    }

    pub(crate) fn collect(&self, id: &Id) {
        let mut facts = self.0.borrow_mut();
        let collected = facts.collected.entry(id.clone()).or_default();
        *collected += 1;
        if *collected > 1 {
            facts.violations.insert("I2: an outcome was collected twice".to_owned());
        }
    }

    pub(crate) fn robbed(&self, id: &str) {
        self.0.borrow_mut().robbed.insert(id.to_owned());
    }

    pub(crate) fn dropped(&self, content: &str) {
        *self.0.borrow_mut().dropped.entry(content.to_owned()).or_default() += 1;
    }

    /// Somebody begins to subscribe a group, or to unsubscribe it: until that is done nobody knows, and of what is being published
    /// meanwhile the group may be told or not.
    pub(crate) fn asks(&self, group: &str) -> Asking {
        let mut facts = self.0.borrow_mut();
        facts.groups.remove(group);
        for event in facts.events.values_mut().filter(|event| !event.acknowledged) {
            event.needed.remove(group);
            event.forbidden.remove(group);
        }
        let askers = facts.askers.entry(group.to_owned()).or_default();
        let alone = askers.now == 0;
        (askers.now, askers.ever) = (askers.now + 1, askers.ever + 1);
        Asking { ledger: self.clone(), group: group.to_owned(), turn: alone.then_some(askers.ever) }
    }

    pub(crate) fn publishes(&self, event: &InboxName) {
        let mut facts = self.0.borrow_mut();
        let of = |facts: &Facts, wanted: bool| {
            facts.groups.iter().filter(|(_, is)| **is == wanted).map(|(group, _)| group.clone()).collect()
        };
        let (needed, forbidden) = (of(&facts, true), of(&facts, false));
        facts.events.entry(event.clone()).or_insert(Event { needed, forbidden, acknowledged: false });
    }

    pub(crate) fn is_published(&self, event: &InboxName) {
        self.0.borrow_mut().events.entry(event.clone()).or_default().acknowledged = true;
    }

    pub(crate) fn violation(&self, what: impl Into<String>) {
        self.0.borrow_mut().violations.insert(what.into());
    }

    /// Whether nothing has gone wrong so far.
    pub(crate) fn is_sound(&self) -> bool {
        self.0.borrow().violations.is_empty()
    }

    pub(crate) fn facts(&self) -> Facts {
        self.0.borrow().clone()
    }

    /// The same facts, for another history that begins here.
    pub(crate) fn fork(&self) -> Self {
        Self(Rc::new(RefCell::new(self.facts())))
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.borrow().hash(&mut hasher);
        hasher.finish()
    }
}
