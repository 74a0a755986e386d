//! Watches that ring when a test says so, and outcomes that it decides.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use filedrop::actors::producer::Dispatcher;
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Bell, Chosen, Host as _, Watch};
use filedrop::words::Envelope;
use filedrop::{DropFolder, Error, ErrorKind, Id, Outcome, Payload, Result, WatchMode};
use tokio::task::JoinHandle;

use crate::LONG;

/// Never, as far as a test is concerned.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A watch that rings when the test says so, and what is known of all that were made.
#[derive(Clone, Default)]
pub(crate) struct Watches {
    /// It says that it hears.
    hears: bool,
    /// There is no more to be had.
    pub(crate) used_up: Arc<AtomicBool>,
    pub(crate) bell: Arc<Mutex<Option<Bell>>>,
    pub(crate) made: Arc<AtomicUsize>,
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) most_open: Arc<AtomicUsize>,
    pub(crate) armed: Arc<Mutex<Vec<PathBuf>>>,
}

impl Watches {
    pub(crate) fn that_hear() -> Self {
        Self { hears: true, ..Self::default() }
    }

    pub(crate) fn make(&self, bell: &Bell) -> Result<(Box<dyn Watch>, Chosen)> {
        if self.used_up.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unsupported, "used up"));
        }
        *self.bell.lock().unwrap() = Some(bell.clone());
        self.made.fetch_add(1, Ordering::SeqCst);
        self.most_open.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Ok((Box::new(One(self.clone())), Chosen { mode: WatchMode::Notify, why: "for the test".to_owned() }))
    }

    pub(crate) fn dispatcher(&self, drop: &DropFolder, poll_interval: Duration) -> Listening {
        let store = LocalStore::open(OsFs::at(drop.path()).unwrap(), OsHost, drop.path()).unwrap();
        let watches = self.clone();
        Dispatcher::new(Arc::new(store), move |bell| watches.make(bell), poll_interval)
    }

    pub(crate) fn ring(&self) {
        self.bell.lock().unwrap().as_ref().unwrap().ring();
    }

    pub(crate) fn times_armed(&self, dir: &Path) -> usize {
        self.armed.lock().unwrap().iter().filter(|armed| *armed == dir).count()
    }

    pub(crate) async fn until_closed(&self) {
        until_async(|| self.open.load(Ordering::SeqCst) == 0).await;
    }
}

struct One(Watches);

impl Watch for One {
    fn arm(&mut self, dir: &Path) -> Result<()> {
        if self.0.used_up.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unsupported, "used up"));
        }
        if !dir.exists() {
            return Err(Error::new(ErrorKind::NotFound, "nothing to watch"));
        }
        self.0.armed.lock().unwrap().push(dir.to_owned());
        Ok(())
    }

    fn hears(&self) -> bool {
        self.0.hears
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) fn new_id() -> Id {
    OsHost.mint().0
}

/// Where the outcome of a minted id counts.
pub(crate) fn day(drop: &DropFolder, id: &Id) -> PathBuf {
    drop.path().join("outcomes").join(id.minted_at().unwrap().day())
}

/// Decides a job, as a consumer of another machine would.
pub(crate) fn decide(drop: &DropFolder, id: &Id, data: &str) {
    let dir = day(drop, id);
    fs::create_dir_all(&dir).unwrap();
    decide_in(drop, &dir, id, data);
}

pub(crate) fn decide_in(drop: &DropFolder, day: &Path, id: &Id, data: &str) {
    let mut outcome = Envelope::new(new_id().as_str(), "/test", "filedrop.outcome");
    outcome.set("causationid", id.as_str());
    outcome.set("outcome", "succeeded");
    outcome.set("attempt", 1);
    outcome.payload = Some(Payload::detect(data));
    let draft = drop.path().join("tmp").join(new_id().as_str());
    fs::write(&draft, outcome.encode().unwrap()).unwrap();
    fs::rename(draft, day.join(format!("{id}.outcome.json"))).unwrap();
}

pub(crate) type Listening = Dispatcher<LocalStore<OsFs, OsHost>>;
pub(crate) type Waiting = JoinHandle<Result<Outcome>>;

pub(crate) fn wait(dispatcher: &Listening, id: &Id, patience: Option<Duration>) -> Waiting {
    let (dispatcher, id) = (dispatcher.clone(), id.clone());
    tokio::spawn(async move { dispatcher.outcome(&id, patience).await })
}

/// What it is told; never by the look that is taken when a time is over.
pub(crate) async fn answer(waiting: Waiting) -> Result<Outcome> {
    tokio::time::timeout(LONG.unwrap(), waiting).await.expect("it is told").unwrap()
}

/// Each of these has been looked for: the listener has armed its watch for somebody who came later.
pub(crate) async fn looked_for_all(watches: &Watches, dispatcher: &Listening, drop: &DropFolder) {
    let id = new_id();
    decide(drop, &id, "1");
    wait(dispatcher, &id, LONG).await.unwrap().unwrap();
    assert_eq!(watches.open.load(Ordering::SeqCst), 1);
}

/// As [`until`], for tests whose runtime has but one thread.
pub(crate) async fn until_async(look: impl Fn() -> bool) {
    let start = Instant::now();
    while !look() {
        assert!(start.elapsed() < LONG.unwrap(), "waited too long");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
