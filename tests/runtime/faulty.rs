//! What goes wrong in the store of a consumer, at will.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use filedrop::actors::consumer::{self, ConsumerOptions, Setup};
use filedrop::actors::handler::{Closure, Handler};
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{
    Admitted, Arrivals, Arrived, Attachment, Beat, Broom, Census, Chosen, Claim, Claimed, DeadLetter,
    Fetched, Finding, Harvest, Interest, Looked, Marker, NewJob, Place, Prepared, Progress, Promotion,
    Remains, Scan, Store, Submitted, Swept, Takeover, Vigil, Workspace,
};
use filedrop::{
    Attempt, ClaimCheck, DropFolder, Envelope, Error, ErrorKind, Habits, Id, InboxName, Job, Millis,
    Observer, Outcome, Result, StampedId, Stopper, Summary, WatchMode,
};

type Local = LocalStore<OsFs, OsHost>;

/// What is asked of the store, before it is done: an error is its answer.
type Fault<'a> = Box<dyn Fn(&Verb<'_>) -> Result<()> + Send + Sync + 'a>;

/// What a consumer asks for.
#[derive(Debug)]
pub(crate) enum Verb<'a> {
    /// At what strangers dropped.
    Look,
    Claim(&'a Id),
    /// A claim that was made: an error is a lost answer.
    Claimed,
    Workspace,
    Harvest,
    Settle(&'a Id),
    Recover,
    Register,
    Beat,
    /// A beat that found all well. It cannot fail any more.
    Alive,
}

/// A folder that fails as it is told to.
pub(crate) struct Faulty<'a> {
    local: Local,
    fault: Fault<'a>,
}

pub(crate) fn broken() -> Error {
    Error::new(ErrorKind::Io, "as asked for")
}

impl<'a> Faulty<'a> {
    pub(crate) fn new(drop: &DropFolder, fault: impl Fn(&Verb<'_>) -> Result<()> + Send + Sync + 'a) -> Self {
        let local = LocalStore::open(OsFs::at(drop.path()).unwrap(), OsHost, drop.path()).unwrap();
        Self { local, fault: Box::new(fault) }
    }

    /// Runs a consumer on it, that looks every 10 ms and does nothing with the jobs.
    pub(crate) fn consume(
        &self,
        options: &ConsumerOptions,
        observer: &dyn Observer,
        stopper: &Stopper,
    ) -> Result<Summary> {
        self.consume_with(&Closure(async |_: Job| Ok::<_, String>(())), options, observer, stopper)
    }

    /// The same with another handler.
    pub(crate) fn consume_with(
        &self,
        handler: &dyn Handler,
        options: &ConsumerOptions,
        observer: &dyn Observer,
        stopper: &Stopper,
    ) -> Result<Summary> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = ConsumerOptions { poll_interval: Duration::from_millis(10), ..options.clone() };
        consumer::run(Setup {
            store: self,
            host: &OsHost,
            watch: Box::new(Deaf),
            chosen: Chosen { mode: WatchMode::Poll, why: "for the test".to_owned() },
            options: &options,
            handler,
            runtime: runtime.handle().clone(),
            observer,
            stopper,
        })
    }
}

pub(crate) struct Deaf;

impl filedrop::ports::Watch for Deaf {
    fn arm(&mut self, _: &std::path::Path) -> Result<()> {
        Ok(())
    }

    fn hears(&self) -> bool {
        false
    }
}

impl Store for Faulty<'_> {
    type Room = <Local as Store>::Room;

    fn submit(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>> {
        self.local.submit(jobs)
    }

    fn attach(&self, job: &Id, files: &[Attachment], progress: &mut dyn FnMut(u64)) -> Result<ClaimCheck> {
        self.local.attach(job, files, progress)
    }

    fn find_cargo(&self, check: &ClaimCheck) -> Result<()> {
        self.local.find_cargo(check)
    }

    fn finish_move(&self, check: &ClaimCheck, files: &[Attachment]) -> Vec<PathBuf> {
        self.local.finish_move(check, files)
    }

    fn discard(&self, check: &ClaimCheck) -> Result<()> {
        self.local.discard(check)
    }

    fn scan_part(&self, limit: usize, most: usize) -> Result<Scan> {
        self.local.scan_part(limit, most)
    }

    fn arrivals(
        &self,
        folder: Option<&Path>,
        arrivals: &mut Arrivals,
        tell: &mut dyn FnMut(&OsStr, Finding<'_>),
    ) -> Result<Looked> {
        (self.fault)(&Verb::Look)?;
        self.local.arrivals(folder, arrivals, tell)
    }

    fn take_files(&self, room: &Self::Room, files: &[Arrived]) -> Result<Vec<Fetched>> {
        self.local.take_files(room, files)
    }

    fn admit(&self, room: &Self::Room, taken: &[StampedId]) -> Result<Vec<Result<Admitted>>> {
        self.local.admit(room, taken)
    }

    fn untake(&self, room: &Self::Room, taken: &StampedId) -> Result<()> {
        self.local.untake(room, taken)
    }

    fn finish_arrival(&self, marker: &Marker) -> Result<()> {
        self.local.finish_arrival(marker)
    }

    fn register(&self, consumer: &Id, lease: Duration) -> Result<Self::Room> {
        (self.fault)(&Verb::Register)?;
        self.local.register(consumer, lease)
    }

    fn announce(&self, room: &Self::Room, habits: &Habits) -> Result<Beat> {
        self.local.announce(room, habits)
    }

    fn beat(&self, room: &Self::Room, progress: Progress) -> Result<Beat> {
        (self.fault)(&Verb::Beat)?;
        let beat = self.local.beat(room, progress)?;
        (self.fault)(&Verb::Alive)?;
        Ok(beat)
    }

    fn claim(&self, room: &Self::Room, name: &InboxName) -> Result<Claimed> {
        (self.fault)(&Verb::Claim(&name.id))?;
        let claimed = self.local.claim(room, name)?;
        (self.fault)(&Verb::Claimed)?;
        Ok(claimed)
    }

    fn promote(&self, limit: usize) -> Result<Promotion> {
        self.local.promote(limit)
    }

    fn put_back(&self, name: &InboxName) -> Result<PathBuf> {
        self.local.put_back(name)
    }

    fn release(&self, room: &Self::Room, claim: &Claim) -> Result<()> {
        self.local.release(room, claim)
    }

    fn postpone(&self, room: &Self::Room, claim: &Claim, due: Millis, attempt: &Attempt) -> Result<()> {
        self.local.postpone(room, claim, due, attempt)
    }

    fn attempts(&self, name: &InboxName) -> Result<Vec<Attempt>> {
        self.local.attempts(name)
    }

    fn workspace(&self, claim: &Claim, prepared: Prepared) -> Result<Workspace> {
        (self.fault)(&Verb::Workspace)?;
        self.local.workspace(claim, prepared)
    }

    fn harvest(&self, workspace: &Workspace) -> Result<Harvest> {
        (self.fault)(&Verb::Harvest)?;
        self.local.harvest(workspace)
    }

    fn settle(&self, room: &Self::Room, claim: &Claim, outcome: &Outcome) -> Result<bool> {
        (self.fault)(&Verb::Settle(&claim.name.id))?;
        self.local.settle(room, claim, outcome)
    }

    fn collected(&self, room: &Self::Room, claim: &Claim) -> Result<bool> {
        self.local.collected(room, claim)
    }

    fn uncollected(&self, room: &Self::Room, claim: &Claim) -> Result<()> {
        self.local.uncollected(room, claim)
    }

    fn recover(&self, room: &Self::Room, vigil: &mut Vigil) -> Result<Takeover> {
        (self.fault)(&Verb::Recover)?;
        self.local.recover(room, vigil)
    }

    fn abandon(&self, room: &Self::Room) {
        self.local.abandon(room);
    }

    fn retire(&self, room: Self::Room) -> Result<()> {
        self.local.retire(room)
    }

    fn outcome(&self, id: &Id) -> Result<Option<Outcome>> {
        self.local.outcome(id)
    }

    fn hints(&self, what: Interest<'_>) -> Vec<PathBuf> {
        self.local.hints(what)
    }

    fn locate(&self, id: &Id) -> Result<Vec<Place>> {
        self.local.locate(id)
    }

    fn census(&self) -> Result<Census> {
        self.local.census()
    }

    fn envelope(&self, id: &Id) -> Result<Option<Envelope>> {
        self.local.envelope(id)
    }

    fn dead(&self) -> Result<Vec<DeadLetter>> {
        self.local.dead()
    }

    fn exhume(&self, letter: &DeadLetter) -> Result<Option<Remains>> {
        self.local.exhume(letter)
    }

    fn redrive(&self, letter: &InboxName) -> Result<Id> {
        self.local.redrive(letter)
    }

    fn purge(&self, letter: &InboxName) -> Result<()> {
        self.local.purge(letter)
    }

    fn sweep(&self, broom: &mut Broom<'_>) -> Result<Swept> {
        self.local.sweep(broom)
    }
}

/// A list that grows.
pub(crate) struct Noted<T>(Mutex<Vec<T>>);

impl<T: Clone> Noted<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    pub(crate) fn note(&self, what: T) {
        self.0.lock().unwrap().push(what);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}
