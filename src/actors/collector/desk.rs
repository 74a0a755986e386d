//! The desk: claims one outcome after the other, hands it over, and settles it.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Collected, CollectorOptions};
use crate::actors::consumer::Stopper;
use crate::actors::heart::Heart;
use crate::actors::observer::{Event, Observer, tell};
use crate::ports::{Claim, Claimed, Delivery, Interest, Recipient, Store, Vigil, Watch};
use crate::words::{
    DeliveryKind, Disposition, Error, ErrorKind, Id, InboxName, Outcome, Result, pause_after,
};

/// So many are looked at a time.
const AT_ONCE: usize = 1000;
/// With so many that could not be handed over it is not the outcomes: no more are claimed until one of them can be.
const MOST_HELD: usize = 64;
/// The pause before a safety rescan, where there are notifications: doubled each time that it finds nothing.
const FIRST_RESCAN: Duration = Duration::from_secs(1);
const LAST_RESCAN: Duration = Duration::from_secs(30);

/// An outcome in hand.
struct Held<Room> {
    room: Arc<Room>,
    claim: Claim,
    outcome: Outcome,
    /// It was handed over, and could not be settled.
    delivered: bool,
    failures: u32,
    due: Instant,
}

/// What a look at everything showed.
#[derive(Default)]
struct Look {
    /// Something was done.
    busy: bool,
    /// When to look again at the latest, for what others hold.
    again: Option<Duration>,
    /// Nobody can tell yet whether some of them live.
    unjudged: bool,
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
    held: Vec<Held<S::Room>>,
    /// What is no outcome, and lies in the inbox again.
    refused: HashSet<Id>,
    told: Vec<std::path::PathBuf>,
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
            held: Vec::new(),
            refused: HashSet::new(),
            told: Vec::new(),
            collected: Collected::default(),
            failure: None,
        }
    }

    /// Works until the end. Returns what it did, and whether it leaves something in its rooms.
    pub(super) fn work(mut self) -> Result<(Collected, bool)> {
        let mut rescan = FIRST_RESCAN;
        let mut failures = 0;
        while !self.stopper.is_stopping() {
            // Armed before the look: what comes after it rings.
            let hears = self.arm();
            let pause = match self.look() {
                Ok(look) => {
                    failures = 0;
                    if !self.options.follow && !look.busy && !look.unjudged {
                        break;
                    }
                    rescan = if look.busy { FIRST_RESCAN } else { (rescan * 2).min(LAST_RESCAN) };
                    let usual = if hears { rescan } else { self.options.poll_interval };
                    if look.busy { Duration::ZERO } else { usual.min(look.again.unwrap_or(usual)) }
                }
                Err(e) if !self.options.follow => return Err(e),
                Err(e) => {
                    failures += 1;
                    let pause = pause_after(failures);
                    self.trouble("look for outcomes", None, &e, Some(pause));
                    pause
                }
            };
            let due = self.held.iter().map(|held| held.due).min();
            let due = due.map_or(pause, |due| due.saturating_duration_since(Instant::now()).min(pause));
            self.stopper.bell().wait(due);
        }
        match self.failure {
            Some(e) => Err(e),
            None => Ok((self.collected, !self.held.is_empty())),
        }
    }

    fn arm(&mut self) -> bool {
        let folders = self.store.hints(Interest::Ready);
        let mut hears = self.watch.hears() && !folders.is_empty();
        for folder in folders.iter().filter(|_| hears).collect::<Vec<_>>() {
            if let Err(e) = self.watch.arm(folder) {
                self.trouble("watch a folder", None, &e, Some(self.options.poll_interval));
                hears = false;
            }
        }
        hears
    }

    /// Everything that is to be done now.
    fn look(&mut self) -> Result<Look> {
        let mut busy = self.try_again();
        // Before the scan: what it brings back to the inbox is to be seen.
        let takeover = self.store.recover(&self.heart.room(), &mut self.vigil)?;
        let news = takeover.returned
            + takeover.admitted
            + takeover.helped
            + takeover.events
            + takeover.archived
            + takeover.cleared
            > 0;
        if news || takeover.strangers != self.told || !takeover.troubles.is_empty() {
            tell(self.observer, &Event::Recovered(&takeover));
            self.told.clone_from(&takeover.strangers);
        }
        for name in self.store.scan(AT_ONCE + self.refused.len())?.names {
            if self.stopper.is_stopping() || self.held.len() >= MOST_HELD {
                break;
            }
            if name.kind == DeliveryKind::Outcome && !self.refused.contains(&name.id) {
                busy |= self.claim(&name)?;
            }
        }
        Ok(Look { busy, again: takeover.look_again, unjudged: takeover.unjudged > 0 })
    }

    /// Whether it was ours.
    fn claim(&mut self, name: &InboxName) -> Result<bool> {
        let room = self.heart.room();
        let (claim, decoded) = match self.store.claim(&room, name)? {
            Claimed::Lost => return Ok(false),
            Claimed::Settled => return Ok(true),
            Claimed::Unreadable(claim, why) => (claim, Err(Error::new(ErrorKind::Invalid, why))),
            Claimed::Taken(claim) => {
                let decoded = Outcome::decode(&claim.bytes);
                (claim, decoded)
            }
        };
        match decoded {
            Ok(outcome) => {
                let due = Instant::now();
                self.deliver(Held { room, claim, outcome, delivered: false, failures: 0, due });
            }
            // It is nobody's to hand over. It goes back, and waits for people.
            Err(e) => {
                self.refused.insert(name.id.clone());
                self.store.release(&room, &claim)?;
                let e = Error::new(ErrorKind::Invalid, format!("what was delivered is no outcome ({e})"));
                let e = e.at(claim.path.file_name().unwrap_or_default());
                self.trouble("hand over an outcome", Some(&name.id), &e, None);
                self.failure = self.failure.take().or((!self.options.follow).then_some(e));
            }
        }
        Ok(true)
    }

    /// Hands over what could not be before, if its pause is over. Whether there was anything.
    fn try_again(&mut self) -> bool {
        // One that does not follow tries once; the next one tries again.
        if !self.options.follow {
            return false;
        }
        let now = Instant::now();
        let (due, rest): (Vec<_>, _) =
            mem::take(&mut self.held).into_iter().partition(|held| held.due <= now);
        self.held = rest;
        let any = !due.is_empty();
        due.into_iter().for_each(|held| self.deliver(held));
        any
    }

    fn deliver(&mut self, mut held: Held<S::Room>) {
        let name = &held.claim.name;
        if !held.delivered {
            let again = held.failures > 0 || name.attempt > 1;
            let delivery = Delivery { outcome: &held.outcome, name, again };
            if let Err(e) = self.recipient.take(&delivery) {
                return self.hold(held, "hand over an outcome", e);
            }
            held.delivered = true;
        }
        match self.store.collected(&held.room, &held.claim) {
            Ok(first) => {
                let (id, disposition) = (&held.claim.name.id, held.outcome.disposition);
                match disposition {
                    Disposition::Succeeded => self.collected.succeeded += 1,
                    Disposition::Failed | Disposition::Expired => self.collected.failed += 1,
                }
                self.collected.twice += u64::from(!first);
                let collection = held.claim.name.attempt;
                tell(self.observer, &Event::Collected { id, collection, disposition, first });
            }
            Err(e) => self.hold(held, "settle an outcome that was handed over", e),
        }
    }

    fn hold(&mut self, mut held: Held<S::Room>, doing: &'static str, e: Error) {
        held.failures += 1;
        let pause = pause_after(held.failures);
        held.due = Instant::now() + pause;
        self.trouble(doing, Some(&held.claim.name.id), &e, self.options.follow.then_some(pause));
        self.failure = self.failure.take().or((!self.options.follow).then_some(e));
        self.held.push(held);
    }

    fn trouble(&self, doing: &'static str, id: Option<&Id>, error: &Error, retry_in: Option<Duration>) {
        tell(self.observer, &Event::Trouble { doing, id, error, retry_in });
    }
}
