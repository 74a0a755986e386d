//! The desk: claims one outcome after the other, hands it over, and settles it.

use std::collections::HashSet;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Collected, CollectorOptions};
use crate::actors::consumer::Stopper;
use crate::actors::heart::Heart;
use crate::actors::news::News;
use crate::actors::observer::{Event, Observer, tell};
use crate::actors::recovery_rest;
use crate::ports::{Claim, Claimed, Delivery, Interest, Recipient, Refusal, Store, Vigil, Watch};
use crate::words::{
    DeliveryKind, Disposition, Error, ErrorKind, Id, InboxName, Outcome, Result, Turns, pause_after,
};

const WATCH: &str = "watch a folder";
const LOOK: &str = "look for outcomes";
const HAND_OVER: &str = "hand over outcomes";

/// So many are looked at a time.
const AT_ONCE: usize = 1000;
/// With so many that were refused it is not the outcomes: no more are claimed until some of them may be tried again.
const MOST_HELD: usize = 1000;
/// The pause before a safety rescan, where there are notifications: doubled each time that it finds nothing.
const FIRST_RESCAN: Duration = Duration::from_secs(1);
const LAST_RESCAN: Duration = Duration::from_secs(30);
/// The shortest pause between recoveries, however soon somebody is to be judged.
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// A claim with which something is to be done when it is due. What was in it is forgotten: there may be many.
struct Held<Room> {
    room: Arc<Room>,
    claim: Claim,
    /// It was taken over, and is to be settled; else it is to go back.
    taken: Option<Disposition>,
    failures: u32,
    due: Instant,
}

impl<Room> Held<Room> {
    fn new(room: Arc<Room>, claim: Claim, taken: Option<Disposition>) -> Self {
        let claim = Claim { bytes: Vec::new(), ..claim };
        Self { room, claim, taken, failures: 0, due: Instant::now() }
    }
}

/// What a look at everything showed.
#[derive(Default)]
struct Look {
    /// Something was done.
    busy: bool,
    /// Nobody can tell yet whether some of those live who have outcomes in hand.
    unjudged: bool,
}

/// Why a look was broken off.
enum Halt {
    /// This did not work. Later it may.
    Pause(&'static str, Error),
    /// It never will.
    End(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Pause(LOOK, error)
    }
}

pub(super) struct Desk<'a, S: Store> {
    store: &'a S,
    heart: &'a Heart<'a, S>,
    watch: Box<dyn Watch>,
    options: &'a CollectorOptions,
    observer: &'a dyn Observer,
    stopper: &'a Stopper,
    recipient: &'a mut dyn Recipient,
    vigil: Vigil,
    news: News,
    /// When a ring may be followed by another recovery.
    recovery_rest: Instant,
    recovery_due: Instant,
    turns: Turns,
    held: Vec<Held<S::Room>>,
    /// What is no outcome, and lies in the inbox again.
    refused: HashSet<Id>,
    collected: Collected,
    /// Why one that does not follow could not do all.
    failure: Option<Error>,
}

impl<'a, S: Store> Desk<'a, S> {
    #[allow(clippy::too_many_arguments)] // the fields of `Setup`, taken apart
    pub(super) fn new(
        store: &'a S,
        heart: &'a Heart<'a, S>,
        watch: Box<dyn Watch>,
        options: &'a CollectorOptions,
        observer: &'a dyn Observer,
        stopper: &'a Stopper,
        recipient: &'a mut dyn Recipient,
    ) -> Self {
        Self {
            store,
            heart,
            watch,
            options,
            observer,
            stopper,
            recipient,
            vigil: Vigil::default(),
            news: News::default(),
            recovery_rest: Instant::now(),
            recovery_due: Instant::now(),
            turns: Turns::default(),
            held: Vec::new(),
            refused: HashSet::new(),
            collected: Collected::default(),
            failure: None,
        }
    }

    /// Works until the end. Returns what it did, and whether it leaves something in its rooms.
    pub(super) fn work(mut self) -> (Result<Collected>, bool) {
        let ended = self.rounds();
        // Others need not wait until we are known to be gone.
        mem::take(&mut self.held).into_iter().for_each(|held| self.go_on(held));
        let answer = match ended.err().or(self.failure) {
            Some(e) => Err(e),
            None => Ok(self.collected),
        };
        (answer, !self.held.is_empty())
    }

    fn rounds(&mut self) -> Result<()> {
        let mut rescan = FIRST_RESCAN;
        let mut failures = 0;
        while !self.stopper.is_stopping() {
            // Armed before the look: what comes after it rings.
            let hears = self.arm();
            let pause = match self.look() {
                Ok(look) => {
                    failures = 0;
                    self.heart.troubles.works(LOOK);
                    if !self.options.follow && !look.busy && !look.unjudged {
                        break;
                    }
                    rescan = if look.busy { FIRST_RESCAN } else { (rescan * 2).min(LAST_RESCAN) };
                    let usual = if hears { rescan } else { self.options.poll_interval };
                    // A look without a ring finds what no ring told.
                    self.recovery_due = self.recovery_due.min(Instant::now() + usual);
                    if look.busy { Duration::ZERO } else { usual }
                }
                Err(Halt::End(e)) => return Err(e),
                Err(Halt::Pause(_, e)) if !self.options.follow => return Err(e),
                Err(Halt::Pause(doing, e)) => {
                    failures += 1;
                    let pause = pause_after(failures);
                    self.trouble(doing, None, &e, Some(pause));
                    self.rest(pause);
                    self.heard();
                    continue;
                }
            };
            let due = self.held.iter().map(|held| held.due).fold(self.recovery_due, Instant::min);
            if self.stopper.bell().wait(due.saturating_duration_since(Instant::now()).min(pause)) {
                self.heard();
            }
        }
        Ok(())
    }

    /// Among what rang may be a death.
    fn heard(&mut self) {
        self.recovery_due = self.recovery_due.min(self.recovery_rest);
    }

    /// Waits, whatever rings but a stop: what goes back to the inbox rings, too.
    fn rest(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.stopper.is_stopping() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.stopper.bell().wait(left) {
                return;
            }
        }
    }

    fn arm(&mut self) -> bool {
        let folders = self.store.hints(Interest::Ready);
        let mut hears = self.watch.hears() && !folders.is_empty();
        for folder in folders.iter().filter(|_| hears).collect::<Vec<_>>() {
            if let Err(e) = self.watch.arm(folder) {
                self.trouble(WATCH, None, &e, Some(self.options.poll_interval));
                hears = false;
            }
        }
        if hears {
            self.heart.troubles.works(WATCH);
        }
        hears
    }

    /// Everything that is to be done now.
    fn look(&mut self) -> Result<Look, Halt> {
        let mut busy = self.try_again();
        // Before the scan: what it brings back to the inbox is to be seen. One that does not follow must know whether anybody is in doubt.
        let due = !self.options.follow || Instant::now() >= self.recovery_due;
        let unjudged = if due { self.recover()? } else { false };
        let names = self.store.scan(AT_ONCE + self.refused.len())?.names;
        let is_ours =
            |name: &InboxName| name.kind == DeliveryKind::Outcome && !self.refused.contains(&name.id);
        self.turns.renew(names.into_iter().filter(is_ours));
        while !self.stopper.is_stopping() && self.held.len() < MOST_HELD {
            let Some(name) = self.turns.next() else { break };
            busy |= self.claim(&name)?;
        }
        Ok(Look { busy, unjudged })
    }

    /// Whether nobody can tell yet whether some of the others live.
    fn recover(&mut self) -> Result<bool> {
        let began = Instant::now();
        let takeover = self.store.recover(&self.heart.room(), &mut self.vigil)?;
        let ended = Instant::now();
        self.recovery_rest = ended + recovery_rest(ended - began);
        let again = takeover.look_again.unwrap_or(LAST_RESCAN).min(LAST_RESCAN);
        self.recovery_due = ended + again.max(SHORTEST_REST);
        self.news.tell(self.observer, &takeover);
        Ok(takeover.unjudged > 0)
    }

    /// Whether it was ours.
    fn claim(&mut self, name: &InboxName) -> Result<bool, Halt> {
        let room = self.heart.room();
        let (claim, decoded) = match self.store.claim(&room, name) {
            Ok(Claimed::Lost) => return Ok(false),
            Ok(Claimed::Settled) => return Ok(true),
            Err(e) => {
                // It may have come to our room all the same, where nobody else looks as long as we live.
                let claim =
                    Claim { name: name.clone(), bytes: Vec::new(), path: PathBuf::new(), origin: None };
                self.held.push(Held::new(room, claim, None));
                return Err(e.into());
            }
            Ok(Claimed::Unreadable(claim, why)) => (claim, Err(Error::new(ErrorKind::Invalid, why))),
            Ok(Claimed::Taken(claim)) => {
                let decoded = Outcome::decode(&claim.bytes);
                (claim, decoded)
            }
        };
        match decoded {
            Ok(outcome) => self.deliver(room, claim, &outcome)?,
            // It is nobody's to hand over. It goes back, and waits for people.
            Err(e) => {
                self.refused.insert(name.id.clone());
                if let Err(e) = self.store.release(&room, &claim) {
                    self.held.push(Held::new(room, claim, None));
                    return Err(e.into());
                }
                let e = Error::new(ErrorKind::Invalid, format!("what was delivered is no outcome ({e})"));
                let e = e.at(claim.path.file_name().unwrap_or_default());
                self.trouble("hand over an outcome", Some(&name.id), &e, None);
                self.failure = self.failure.take().or((!self.options.follow).then_some(e));
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, room: Arc<S::Room>, claim: Claim, outcome: &Outcome) -> Result<(), Halt> {
        let (name, path, again) = (&claim.name, &*claim.path, claim.name.attempt > 1);
        let delivery = Delivery { outcome, name, path, again };
        // It must not end the thread: a heart would beat for nobody.
        let answer = catch_unwind(AssertUnwindSafe(|| self.recipient.take(&delivery)));
        let answer = answer.unwrap_or_else(|_| Err(Refusal::because("whoever took it over panicked")));
        let held = Held::new(room, claim, answer.is_ok().then_some(outcome.disposition));
        if matches!(answer, Ok(()) | Err(Refusal::Again(_))) {
            self.heart.troubles.works(HAND_OVER);
        }
        match answer {
            Ok(()) => self.go_on(held),
            Err(Refusal::Again(e)) => self.refuse(held, e),
            Err(Refusal::NotNow(e)) => {
                if let Err(e) = self.store.release(&held.room, &held.claim) {
                    self.hold(held, &e);
                }
                return Err(Halt::Pause(HAND_OVER, e));
            }
            Err(Refusal::Over(e)) => {
                self.held.push(held);
                return Err(Halt::End(e));
            }
        }
        Ok(())
    }

    /// It stays here for a pause, and then goes back. One that does not follow tries each once.
    fn refuse(&mut self, mut held: Held<S::Room>, error: Error) {
        let Claim { name, .. } = &held.claim;
        let pause = pause_after(name.attempt);
        let retry_in = self.options.follow.then_some(pause);
        self.collected.refused += 1;
        let (id, collection) = (&name.id, name.attempt);
        tell(self.observer, &Event::NotCollected { id, collection, error: &error, retry_in });
        self.failure = self.failure.take().or((!self.options.follow).then_some(error));
        held.due += pause;
        self.held.push(held);
    }

    /// Does what is due. Whether there was anything.
    fn try_again(&mut self) -> bool {
        // One that does not follow does it at its end.
        if !self.options.follow {
            return false;
        }
        let now = Instant::now();
        let (due, rest): (Vec<_>, _) =
            mem::take(&mut self.held).into_iter().partition(|held| held.due <= now);
        self.held = rest;
        let any = !due.is_empty();
        due.into_iter().for_each(|held| self.go_on(held));
        any
    }

    /// Settles what was taken over; what was not goes back.
    fn go_on(&mut self, held: Held<S::Room>) {
        let Held { room, claim, taken, .. } = &held;
        let answer = match taken {
            Some(disposition) => self.store.collected(room, claim).map(|first| Some((*disposition, first))),
            None => self.store.uncollected(room, claim).map(|()| None),
        };
        if answer.is_ok() {
            self.heart.troubles.done(&claim.name.id);
        }
        match answer {
            Ok(None) => {}
            Ok(Some((disposition, first))) => {
                match disposition {
                    Disposition::Succeeded => self.collected.succeeded += 1,
                    Disposition::Failed | Disposition::Expired => self.collected.failed += 1,
                }
                self.collected.twice += u64::from(!first);
                let (id, collection) = (&claim.name.id, claim.name.attempt);
                tell(self.observer, &Event::Collected { id, collection, disposition, first });
            }
            Err(e) => {
                self.hold(held, &e);
                self.failure = self.failure.take().or((!self.options.follow).then_some(e));
            }
        }
    }

    /// What was to be done with it did not work.
    fn hold(&mut self, mut held: Held<S::Room>, e: &Error) {
        held.failures += 1;
        let pause = pause_after(held.failures);
        held.due = Instant::now() + pause;
        let doing = match held.taken {
            Some(_) => "settle an outcome that was handed over",
            None => "hand an outcome back",
        };
        self.trouble(doing, Some(&held.claim.name.id), e, self.options.follow.then_some(pause));
        self.held.push(held);
    }

    fn trouble(&self, doing: &'static str, id: Option<&Id>, error: &Error, retry_in: Option<Duration>) {
        match id {
            None => self.heart.troubles.with_all(doing, None, error, retry_in),
            Some(id) => self.heart.troubles.with_one(doing, id, error, retry_in),
        }
    }
}
