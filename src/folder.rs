//! The façade: a drop folder on this machine, with everything that it takes to produce and to consume.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::actors::consumer::Stopper;
use crate::actors::producer::{self, Prepared, Receipt, Submission};
use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::adapters::store::local::LocalStore;
use crate::ports::{Broom, Exchange as _, Place, Store as _, Swept, WatchMode};
use crate::words::{Error, ErrorKind, Id, Outcome, Result};

mod collector;
mod consumer;
mod dead;
mod doctor;
mod events;
mod explain;
mod init;
mod intake;
mod nested;
mod outgoing;
mod permission;
mod places;
mod story;
mod trace;
mod travel;
mod wait;

pub use collector::Collector;
pub use consumer::Consumer;
pub use dead::Autopsy;
#[cfg(all(test, feature = "cli"))]
pub(crate) use doctor::sample;
pub use doctor::{Choice, Diagnosis, Doctor, Risk, Tried};
pub use events::Subscribed;
pub use explain::{Explainer, Oddity, Taker, Untaken, Why};
pub use init::InitOptions;
pub use intake::Intake;
pub use outgoing::Outgoing;
#[cfg(feature = "cli")]
pub(crate) use permission::advice;
pub use story::{GroupStory, Reply, ReplyStory, Story};
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
    lobby: wait::Lobby,
    /// Of the folder of a Return Address.
    home_of_address: Option<PathBuf>,
}

impl DropFolder {
    fn of(store: LocalStore<OsFs, OsHost>) -> Self {
        let (store, mode, poll_interval) = (Arc::new(store), WatchMode::Auto, Duration::from_secs(1));
        let lobby = wait::Lobby::of(&store, mode, poll_interval);
        Self { store, mode, poll_interval, lobby, home_of_address: None }
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
        self.lobby = wait::Lobby::of(&self.store, mode, self.poll_interval);
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
        if let Some(home) = &self.home_of_address {
            let why = format!(
                "this is a Return Address: what lies here are outcomes, and no consumer takes jobs from it; submit to {}",
                home.display()
            );
            return Err(Error::new(ErrorKind::Invalid, why).at(self.path()));
        }
        producer::prepare(&*self.store, self.store.host(), jobs, progress)
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
        if !broom.dry_run {
            // There may be nobody else who does that.
            for trouble in self.store.fan_out()?.troubles {
                tracing::warn!(%trouble, "left on its way; trying again");
            }
        }
        let mut swept = self.store.sweep_up(broom)?;
        for (_, group) in self.group_folders()? {
            swept += group.store.sweep_up(broom)?;
        }
        Ok(swept)
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

/// Stops a consumer, or a collector, whose future is dropped.
struct StopOnDrop(Stopper);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop_now();
    }
}
