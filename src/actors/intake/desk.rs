//! The desk: looks for complete files, takes them, brings them to the drop folder, and has the books kept.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::bring::{Held, bring, side_by_side};
use super::look::Look;
use super::manifests::Files;
use super::run::Setup;
use super::{Ended, TakenIn};
use crate::actors::heart::Heart;
use crate::actors::news::News;
use crate::actors::observer::{Event, tell};
use crate::ports::{Arrivals, Batch, Foreign, Host, Interest, Store, Taking, Vigil};
use crate::words::{Consignment, Error, ErrorKind, Id, Result, pause_after};

const LOOK: &str = "look for files";
const WATCH: &str = "watch a folder";
const TAKE: &str = "take files";
const PUT_BACK: &str = "put files back";

/// The pause before a safety rescan, where there are notifications: doubled each time that it finds nothing.
const FIRST_RESCAN: Duration = Duration::from_secs(1);
const LAST_RESCAN: Duration = Duration::from_secs(30);
/// How often it looks for rooms of the dead.
const RECOVER_EVERY: Duration = Duration::from_secs(30);
/// The shortest pause between such looks.
const SHORTEST_REST: Duration = Duration::from_millis(100);

/// So many paths are told of at a time.
pub(super) const MOST_TOLD: usize = 1024;

/// So much could not be put back, so often; and when that is tried again.
#[derive(Default)]
pub(super) struct Stuck {
    pub(super) count: usize,
    failures: u32,
    pub(super) due: Option<Instant>,
}

pub(super) struct Desk<'h, 'a, S: Store, F: Foreign<Room = S::Room>, H: Host> {
    pub(super) setup: Setup<'a, S, F, H>,
    heart: &'h Heart<'a, S>,
    pub(super) arrivals: HashMap<PathBuf, Arrivals>,
    pub(super) files: Files,
    held: Vec<Held<S::Room>>,
    vigil: Vigil,
    news: News,
    pub(super) recovery_due: Instant,
    /// What was taken in part and could not be put back yet.
    pub(super) stuck: Stuck,
    /// The paths with which there is trouble that was told of.
    pub(super) told: HashSet<PathBuf>,
    /// Jobs of which an outcome could not be told: how often, and when that is tried again.
    untold: HashMap<Id, (u32, Instant)>,
    /// When outcomes are looked for in all days, and not only where they most probably are.
    full_look_due: Instant,
    pub(super) taken: TakenIn,
    /// Why one that works once could not do all.
    failure: Option<Error>,
}

impl<'h, 'a, S, F, H> Desk<'h, 'a, S, F, H>
where
    S: Store + Sync,
    S::Room: Send + Sync,
    F: Foreign<Room = S::Room> + Sync,
    H: Host + Sync,
{
    pub(super) fn new(setup: Setup<'a, S, F, H>, heart: &'h Heart<'a, S>) -> Self {
        Self {
            setup,
            heart,
            arrivals: HashMap::new(),
            files: Files::default(),
            held: Vec::new(),
            vigil: Vigil::default(),
            news: News::default(),
            recovery_due: Instant::now(),
            stuck: Stuck::default(),
            told: HashSet::new(),
            untold: HashMap::new(),
            full_look_due: Instant::now(),
            taken: TakenIn::default(),
            failure: None,
        }
    }

    pub(super) fn work(mut self) -> Result<Ended> {
        match self.resume() {
            Err(_) if !self.setup.foreign.is_there() => {}
            resumed => resumed?,
        }
        let (mut rescan, mut failures) = (FIRST_RESCAN, 0);
        while !self.setup.stopper.is_stopping() {
            // What is held of it leads to nothing that anybody will ever put there.
            if !self.setup.foreign.is_there() {
                return Ok(Ended { taken: self.taken, moved: true });
            }
            let open = self.setup.clerk.open();
            let hears = self.arm(open.as_deref().unwrap_or_default());
            let began = Instant::now();
            let looked = self.look(open);
            if self.setup.options.once && !self.setup.foreign.is_there() {
                continue;
            }
            let pause = match looked {
                Ok(look) => {
                    failures = 0;
                    self.heart.troubles.works(LOOK);
                    if self.setup.options.once && !look.busy && !look.fresh {
                        self.leave();
                        break;
                    }
                    rescan = if look.busy { FIRST_RESCAN } else { (rescan * 2).min(LAST_RESCAN) };
                    let usual = if hears { rescan } else { self.setup.options.poll_interval };
                    let pause =
                        if look.busy { Duration::ZERO } else { look.again.unwrap_or(usual).min(usual) };
                    // However long a look takes: half of the time is for others.
                    pause.max(began.elapsed())
                }
                Err(e) if self.setup.options.once => return Err(e),
                Err(e) => {
                    failures += 1;
                    let pause = pause_after(failures);
                    self.trouble(LOOK, None, &e, Some(pause));
                    pause
                }
            };
            let due = self.held.iter().map(|held| held.due.saturating_duration_since(Instant::now())).min();
            self.setup.stopper.bell().wait(due.map_or(pause, |due| due.min(pause)));
        }
        self.failure.map_or(Ok(Ended { taken: self.taken, moved: false }), Err)
    }

    /// What was taken before and is not finished comes first.
    fn resume(&mut self) -> Result<()> {
        self.put_back()?;
        self.recover()?;
        let left = self.setup.foreign.left()?;
        self.finish(left.into_iter().map(Held::new).collect());
        Ok(())
    }

    /// What is stuck still waits for the next one.
    fn leave(&mut self) {
        if self.stuck.count > 0
            && let Err(e) = self.put_back()
        {
            self.fail(e);
        }
        if self.stuck.count > 0 {
            let why = "files that were taken in part could not be put back: other files have their names, or their folder cannot \
                       be made; they lie in .filedrop/ until they can";
            self.fail(Error::new(ErrorKind::Io, why).at(&self.setup.dir));
        }
    }

    /// Whether any of what was stuck is back.
    pub(super) fn put_back(&mut self) -> Result<bool> {
        let mut troubles = Vec::new();
        let left = self.setup.foreign.put_back(&mut |e| troubles.push(e))?;
        if troubles.is_empty() {
            self.heart.troubles.works(PUT_BACK);
        }
        let better = left < self.stuck.count;
        let failures = if better || left == 0 { 0 } else { self.stuck.failures + 1 };
        let pause = pause_after(failures.max(1));
        self.stuck = Stuck { count: left, failures, due: Some(Instant::now() + pause) };
        for e in troubles {
            self.trouble(PUT_BACK, None, &e, (!self.setup.options.once).then_some(pause));
        }
        Ok(better)
    }

    /// Among the dead may be the last intake: what it had brought to its room becomes jobs.
    pub(super) fn recover(&mut self) -> Result<()> {
        let takeover = self.setup.store.recover(&self.heart.room(), &mut self.vigil)?;
        let again = takeover.look_again.unwrap_or(RECOVER_EVERY).min(RECOVER_EVERY);
        self.recovery_due = Instant::now() + again.max(SHORTEST_REST);
        self.news.tell(self.setup.observer, &takeover);
        Ok(())
    }

    fn arm(&mut self, open: &[Id]) -> bool {
        let mut hears = self.setup.watch.hears();
        let mut folders = vec![self.setup.dir.clone()];
        folders.extend(self.arrivals.keys().map(|folder| self.setup.dir.join(folder)));
        if !open.is_empty() {
            folders.extend(self.setup.store.hints(Interest::Outcomes(open)));
        }
        for folder in &folders {
            if !hears {
                break;
            }
            match self.setup.watch.arm(folder) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    self.trouble(WATCH, None, &e, Some(LAST_RESCAN));
                    hears = false;
                }
                _ => {}
            }
        }
        if hears {
            self.heart.troubles.works(WATCH);
        }
        hears
    }

    /// Whether there is more to do at once: some were taken, or were taken in part.
    pub(super) fn take(&mut self, batches: Vec<Batch<'_>>) -> bool {
        let Setup { foreign, host, options, .. } = self.setup;
        let taken = side_by_side(batches, |batch| {
            foreign.take(&batch, &mut |stamp, files| options.jobs.describe(&batch, stamp, files, host.now()))
        });
        let (mut held, mut any) = (Vec::new(), false);
        for taken in taken {
            match taken {
                Ok(Taking::Taken(consignment)) => {
                    self.heart.troubles.works(TAKE);
                    held.push(Held::new(*consignment));
                }
                Ok(Taking::Gone) => {}
                Ok(Taking::Stuck) => {
                    any = true;
                    self.stuck.count += 1;
                }
                Err(e) => {
                    // It may be in part taken.
                    self.stuck.count += 1;
                    self.trouble(TAKE, None, &e, Some(FIRST_RESCAN));
                    self.fail(e);
                }
            }
        }
        any |= !held.is_empty();
        self.finish(held);
        any
    }

    pub(super) fn try_again(&mut self) -> bool {
        // One that works once tries once; the next one goes on.
        if self.setup.options.once {
            return false;
        }
        let now = Instant::now();
        let (due, rest): (Vec<_>, _) =
            mem::take(&mut self.held).into_iter().partition(|held| held.due <= now);
        self.held = rest;
        let any = !due.is_empty();
        self.finish(due);
        any
    }

    /// Everything after the taking. What does not work is tried again.
    fn finish(&mut self, held: Vec<Held<S::Room>>) {
        if held.is_empty() {
            return;
        }
        let (Setup { store, foreign, .. }, heart) = (&self.setup, self.heart);
        let (mut ready, mut failed) = (Vec::new(), Vec::new());
        for (held, brought) in side_by_side(held, |mut held| {
            let brought = bring(*store, *foreign, heart, &mut held);
            (held, brought)
        }) {
            match brought {
                Ok(()) => ready.push(held),
                Err(e) => failed.push((held, e)),
            }
        }
        self.record(&mut ready, &mut failed);
        let consignments: Vec<&Consignment> = ready.iter().map(|held| &held.consignment).collect();
        let told = self.setup.clerk.accepted(&consignments);
        for (held, told) in ready.into_iter().zip(told) {
            match told.and_then(|()| self.setup.foreign.forget(&held.consignment)) {
                Ok(()) => self.done(&held.consignment),
                Err(e) => failed.push((held, e)),
            }
        }
        for (held, e) in failed {
            self.hold(held, e);
        }
    }

    /// Once for each, however often it cannot be told.
    fn record(&mut self, ready: &mut Vec<Held<S::Room>>, failed: &mut Vec<(Held<S::Room>, Error)>) {
        let fresh = ready.iter().filter(|held| !held.recorded);
        let fresh: Vec<&Consignment> = fresh.map(|held| &held.consignment).collect();
        if fresh.is_empty() {
            return;
        }
        match self.setup.clerk.record(&fresh) {
            Ok(()) => ready.iter_mut().for_each(|held| held.recorded = true),
            Err(e) => {
                // They are jobs; each is told of by the one error.
                let unrecorded = ready.extract_if(.., |held| !held.recorded);
                failed.extend(unrecorded.map(|held| (held, e.again())));
            }
        }
    }

    fn done(&mut self, consignment: &Consignment) {
        let Consignment { stamp, path, files, .. } = consignment;
        self.heart.troubles.done(&stamp.id);
        self.taken.jobs += 1;
        self.taken.files += files.len() as u64;
        tell(self.setup.observer, &Event::TakenIn { id: &stamp.id, path, files: files.len() });
    }

    fn hold(&mut self, mut held: Held<S::Room>, e: Error) {
        held.failures += 1;
        let pause = pause_after(held.failures);
        held.due = Instant::now() + pause;
        if e.kind() == ErrorKind::Uncertain {
            self.recovery_due = Instant::now();
        }
        let retry = (!self.setup.options.once).then_some(pause);
        self.trouble("make a job of what was taken", Some(&held.consignment.stamp.id), &e, retry);
        self.fail(e);
        self.held.push(held);
    }

    /// What cannot be told of one holds up none of the others.
    pub(super) fn tell_outcomes(&mut self, mut open: Vec<Id>, look: &mut Look) {
        let now = Instant::now();
        let known: HashSet<&Id> = open.iter().collect();
        self.untold.retain(|id, _| known.contains(id));
        open.retain(|id| match self.untold.get(id) {
            Some((_, due)) if *due > now => {
                look.again(*due - now);
                false
            }
            _ => true,
        });
        let everywhere = self.setup.options.once || now >= self.full_look_due;
        if everywhere {
            self.full_look_due = now + LAST_RESCAN;
        }
        let store = self.setup.store;
        store.outcomes(&open, everywhere, &mut |id, outcome| {
            match outcome.and_then(|outcome| self.setup.clerk.decided(&outcome)) {
                Ok(()) => {
                    self.heart.troubles.done(id);
                    self.untold.remove(id);
                }
                Err(e) => {
                    let failures = self.untold.get(id).map_or(1, |(failures, _)| failures + 1);
                    let pause = pause_after(failures);
                    look.again(pause);
                    let retry = (!self.setup.options.once).then_some(pause);
                    self.trouble("tell what became of a job", Some(id), &e, retry);
                    self.untold.insert(id.clone(), (failures, Instant::now() + pause));
                    self.fail(e);
                }
            }
            ControlFlow::Continue(())
        });
    }

    /// Trouble with one folder or one file, which keeps none of the others: told when it begins.
    pub(super) fn ail(&mut self, doing: &'static str, path: PathBuf, e: Error) {
        if self.told.len() < MOST_TOLD && self.told.insert(path) {
            let retry_in = (!self.setup.options.once).then_some(LAST_RESCAN);
            tell(self.setup.observer, &Event::Trouble { doing, id: None, error: &e, retry_in, news: true });
        }
        self.fail(e);
    }

    pub(super) fn fail(&mut self, e: Error) {
        if self.setup.options.once {
            self.failure.get_or_insert(e);
        }
    }

    pub(super) fn trouble(
        &self,
        doing: &'static str,
        id: Option<&Id>,
        error: &Error,
        retry_in: Option<Duration>,
    ) {
        match id {
            None => self.heart.troubles.with_all(doing, None, error, retry_in),
            Some(id) => self.heart.troubles.with_one(doing, id, error, retry_in),
        }
    }
}
