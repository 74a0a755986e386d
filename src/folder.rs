//! The façade: a drop folder on this machine, with everything that it takes to produce and to consume.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::actors::producer::{self, Prepared, Receipt, Submission, Waiter};
use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::adapters::store::local::LocalStore;
use crate::adapters::watch::watch;
use crate::ports::{Bell, Broom, Census, Fs as _, Place, Store as _, Swept, WatchMode};
use crate::words::{Error, ErrorKind, Id, Outcome, Result};

mod collector;
mod consumer;
mod dead;
mod events;
mod explain;
mod init;
mod intake;
mod outgoing;
mod permission;
mod places;
mod story;
mod trace;
mod travel;

pub use collector::Collector;
pub use consumer::Consumer;
pub use dead::Autopsy;
pub use explain::{Explainer, Oddity, Taker, Untaken, Why};
pub use init::InitOptions;
pub use intake::Intake;
pub use outgoing::Outgoing;
#[cfg(feature = "cli")]
pub(crate) use permission::advice;
pub use story::Story;
pub use trace::Trace;

/// A drop folder.
///
/// ```
/// # fn main() -> filedrop::Result<()> {
/// # let place = tempfile::tempdir().unwrap();
/// # let path = place.path().join("drop");
/// use filedrop::DropFolder;
///
/// let drop = DropFolder::init(&path)?; // makes it, or opens the one that is there
/// assert_eq!(DropFolder::open(&path)?.path(), drop.path());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DropFolder {
    store: Arc<LocalStore<OsFs, OsHost>>,
    mode: WatchMode,
    poll_interval: Duration,
}

impl DropFolder {
    fn of(store: LocalStore<OsFs, OsHost>) -> Self {
        Self { store: Arc::new(store), mode: WatchMode::Auto, poll_interval: Duration::from_secs(1) }
    }

    /// Where it is: an absolute path.
    pub fn path(&self) -> &Path {
        self.store.layout().root()
    }

    /// The same folder, with another way to learn of changes, for those who wait and those who consume. By default
    /// [`WatchMode::Auto`], and a look every second where that means polling.
    pub fn with_watch(mut self, mode: WatchMode, poll_interval: Duration) -> Self {
        self.mode = mode;
        // No pause at all would be a busy loop.
        self.poll_interval = poll_interval.max(Duration::from_millis(1));
        self
    }

    /// Drops a job. Blocks until it is durable.
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::Submission;
    ///
    /// let id = drop.submit(Submission::new("order.created").data(r#"{"item":7}"#))?;
    /// assert_eq!(drop.locate(&id)?[0].room, "inbox");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if its type is empty, or a file cannot travel with it; [`ErrorKind::TooLarge`] if its envelope
    /// would be; [`ErrorKind::NotFound`] if there is no such file; [`ErrorKind::Io`] if it was not dropped;
    /// [`ErrorKind::Uncertain`] if it may have been (its id is in the text).
    pub fn submit(&self, job: Submission) -> Result<Id> {
        let mut ids = self.submit_all(vec![job])?;
        ids.pop().ok_or_else(|| Error::new(ErrorKind::Invalid, "no job"))
    }

    /// Drops jobs, to be handled in this order. Blocks until all are durable, which is quicker than one by one.
    ///
    /// # Errors
    /// As [`submit`](Self::submit). If one is invalid, none is dropped.
    pub fn submit_all(&self, jobs: Vec<Submission>) -> Result<Vec<Id>> {
        Ok(self.submit_with_receipts(jobs)?.into_iter().map(|receipt| receipt.id).collect())
    }

    /// As [`submit_all`](Self::submit_all), and tells of each job whether its [given id](Submission::id) was there before.
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::Submission;
    ///
    /// let invoice = || Submission::new("invoice").id("invoice-4711".parse().unwrap());
    /// assert!(!drop.submit_with_receipts(vec![invoice()])?[0].before);
    /// assert!(drop.submit_with_receipts(vec![invoice()])?[0].before, "one job, and the second call says so");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`submit_all`](Self::submit_all).
    pub fn submit_with_receipts(&self, jobs: Vec<Submission>) -> Result<Vec<Receipt>> {
        self.submit_with_progress(jobs, &mut |_| ())
    }

    /// As [`submit_with_receipts`](Self::submit_with_receipts). `progress` is told, as it goes on, how many bytes more of what
    /// travels with the jobs are there.
    ///
    /// # Errors
    /// As [`submit_all`](Self::submit_all).
    pub fn submit_with_progress(
        &self,
        jobs: Vec<Submission>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<Receipt>> {
        self.prepare(jobs, progress)?.publish()
    }

    /// The first half of a submission: all that may take long, and that nobody sees.
    pub(crate) fn prepare(
        &self,
        jobs: Vec<Submission>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Prepared<'_, LocalStore<OsFs, OsHost>>> {
        producer::prepare(&*self.store, self.store.host(), jobs, progress)
    }

    /// Blocks until `each` has been called with the outcome of each of these jobs, in the order in which they arrive, or
    /// `each` breaks, or `patience` is over. What was decided before is told at once.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if outcomes are missing: ask again later. [`ErrorKind::Unsupported`] if this folder was
    /// told to use notifications and there are none. [`ErrorKind::Io`] if the system refuses.
    pub fn wait_each(
        &self,
        ids: &[Id],
        patience: Option<Duration>,
        each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
    ) -> Result<()> {
        self.wait_until(ids, patience, Arc::default(), Bell::default(), each)
    }

    fn wait_until(
        &self,
        ids: &[Id],
        patience: Option<Duration>,
        cancelled: Arc<AtomicBool>,
        bell: Bell,
        each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
    ) -> Result<()> {
        let (watch, chosen) = watch(self.mode, self.store.fs().is_local(), &bell)?;
        tracing::debug!(mode = ?chosen.mode, why = chosen.why, "waiting for outcomes");
        let waiter = Waiter { watch, bell, poll_interval: self.poll_interval, cancelled };
        producer::wait(&*self.store, self.store.host(), waiter, ids, patience, each)
    }

    /// The outcome of a job, as soon as it is decided, also if that was long ago. Dropping the future ends the waiting
    /// and loses nothing.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{ErrorKind, Submission};
    ///
    /// let id = drop.submit(Submission::new("echo").data("hello"))?;
    /// let nobody_is_there = drop.wait(&id, Some(Duration::from_millis(10))).await.unwrap_err();
    /// assert_eq!(nobody_is_there.kind(), ErrorKind::TimedOut);
    ///
    /// drop.consumer().drain(true).run(async |job: filedrop::Job| Ok::<_, String>(job.data().to_vec())).await?;
    /// let outcome = drop.wait(&id, Some(Duration::from_secs(10))).await?;
    /// assert_eq!(outcome.data(), b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`wait_each`](Self::wait_each). That a job failed is an outcome, not an error.
    pub async fn wait(&self, id: &Id, patience: Option<Duration>) -> Result<Outcome> {
        let (folder, id) = (self.clone(), id.clone());
        let waiting = Cancel::default();
        let (cancelled, bell) = (waiting.cancelled.clone(), waiting.bell.clone());
        let outcome = blocking(move || {
            let mut found = None;
            folder.wait_until(&[id], patience, cancelled, bell, &mut |outcome| {
                found = Some(outcome);
                ControlFlow::Break(())
            })?;
            Ok(found)
        })
        .await?;
        outcome.ok_or_else(|| Error::new(ErrorKind::TimedOut, "no outcome"))
    }

    /// Drops a job and waits for its outcome. If the time runs out, or the future is dropped, the job goes on: its id is
    /// in the error's text, for a later [`wait`](Self::wait).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Job, Submission};
    ///
    /// let consumer = drop.consumer();
    /// let stopper = consumer.stopper();
    /// let shout = async |job: Job| {
    ///     Ok::<_, std::str::Utf8Error>(std::str::from_utf8(job.data())?.to_uppercase())
    /// };
    /// let running = tokio::spawn(consumer.run(shout));
    ///
    /// let outcome = drop.call(Submission::new("shout").data("hello"), Some(Duration::from_secs(10))).await?;
    /// assert_eq!(outcome.data(), b"HELLO");
    /// stopper.stop();
    /// assert_eq!(running.await.unwrap()?.succeeded, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`wait`](Self::wait).
    pub async fn call(&self, job: Submission, patience: Option<Duration>) -> Result<Outcome> {
        let folder = self.clone();
        let id = blocking(move || folder.submit(job)).await?;
        self.wait(&id, patience).await
    }

    /// Where a job and its outcome are, in the order in which a job goes through the rooms. A moment later they may be
    /// elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn locate(&self, id: &Id) -> Result<Vec<Place>> {
        self.store.locate(id)
    }

    /// The outcome of a job, if it is decided; durable when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn outcome(&self, id: &Id) -> Result<Option<Outcome>> {
        self.store.outcome(id)
    }

    /// What lies where.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn census(&self) -> Result<Census> {
        self.store.census()
    }

    /// Removes what was kept for long enough, and what the dead left. Consumers do that by themselves now and then; this is for
    /// folders without one, and for whoever wants it now. One folder is swept by one program at a time: see [`Swept::busy`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::Broom;
    ///
    /// let mut each = |path: &std::path::Path| println!("{}", path.display());
    /// let swept = drop.sweep(&mut Broom { dry_run: true, keep: None, budget: Duration::MAX, each: &mut each })?;
    /// assert_eq!(swept.total(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot begin. What cannot be removed is [counted](Swept::failed).
    pub fn sweep(&self, broom: &mut Broom<'_>) -> Result<Swept> {
        self.store.sweep(broom)
    }

    /// A consumer of this folder, still to be run.
    pub fn consumer(&self) -> Consumer {
        Consumer::of(self.clone())
    }
}

impl fmt::Debug for DropFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DropFolder").field("path", &self.path()).finish_non_exhaustive()
    }
}

fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io("find the path", path, e))
}

/// Ends a waiting thread when the future that waits for it is dropped.
#[derive(Default)]
struct Cancel {
    cancelled: Arc<AtomicBool>,
    bell: Bell,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Release);
        self.bell.ring();
    }
}

/// Runs what blocks beside the runtime's own threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(e) => Err(Error::new(ErrorKind::TimedOut, format!("the runtime is shutting down ({e})"))),
        },
    }
}
