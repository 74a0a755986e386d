//! Waiting for outcomes, and calls: all who do so with one folder, or clones of it, share one thread and one watch.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{DropFolder, blocking};
use crate::actors::producer::{Dispatcher, Submission};
use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::adapters::store::local::LocalStore;
use crate::adapters::watch::watch;
use crate::ports::{Durability, Fs as _, WatchMode};
use crate::words::{Id, Outcome, Result};

/// So many calls submit at once: enough for the disk to flush for many of them together, and far fewer threads than a runtime would
/// start for a thousand.
const SUBMITTERS: usize = 32;

type Store = LocalStore<OsFs, OsHost>;

/// Where all who wait with one folder sit.
#[derive(Clone)]
pub(super) struct Lobby {
    dispatcher: Dispatcher<Store>,
    submitters: Arc<Semaphore>,
}

impl Lobby {
    pub(super) fn of(store: &Arc<Store>, mode: WatchMode, poll_interval: Duration) -> Self {
        let (fs, tmp) = (store.fs().clone(), store.layout().room("tmp"));
        let said = AtomicBool::new(false);
        let watcher = move |bell: &_| {
            let (watch, chosen) = watch(mode, &fs, &tmp, bell)?;
            let deaf = mode == WatchMode::Auto && fs.is_local() && !watch.hears();
            if deaf && !said.swap(true, Ordering::Relaxed) {
                tracing::warn!(why = chosen.why, "looking for outcomes every {poll_interval:?} instead");
            }
            Ok((watch, chosen))
        };
        Self {
            dispatcher: Dispatcher::new(store.clone(), watcher, poll_interval),
            submitters: Arc::new(Semaphore::new(SUBMITTERS)),
        }
    }
}

impl DropFolder {
    /// Blocks until `each` has been called with the outcome of each of these jobs, in the order in which they arrive, or
    /// `each` breaks, or `patience` is over. What was decided before is told at once.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) if outcomes are missing: ask again later. [`Unsupported`](crate::ErrorKind::Unsupported) if this folder was
    /// told to use notifications and there are none. [`Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn wait_each(
        &self,
        ids: &[Id],
        patience: Option<Duration>,
        each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
    ) -> Result<()> {
        self.lobby.dispatcher.each(ids, patience, each)
    }

    /// The outcome of a job, as soon as it is decided, also if that was long ago. Dropping the future ends the waiting
    /// and loses nothing. It needs no particular runtime.
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
        self.lobby.dispatcher.outcome(id, patience).await
    }

    /// Drops a job and waits for its outcome, on a tokio runtime. If the time runs out, or the future is dropped, the job goes
    /// on: its id is in the error's text, for a later [`wait`](Self::wait). The time begins once the job is submitted.
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
    /// Any number of calls may be under way: those of one folder and its clones wait with one thread and one watch.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// # use filedrop::{Job, Submission};
    /// # let consumer = drop.consumer();
    /// # let stopper = consumer.stopper();
    /// # let running = tokio::spawn(consumer.run(async |job: Job| Ok::<_, String>(job.data().to_vec())));
    /// let mut calls = tokio::task::JoinSet::new();
    /// for n in 0..50 {
    ///     let drop = drop.clone();
    ///     let job = Submission::new("echo").data(n.to_string());
    ///     calls.spawn(async move { drop.call(job, Some(Duration::from_secs(60))).await });
    /// }
    /// let answers = calls.join_all().await;
    /// assert!(answers.iter().all(|answer| answer.is_ok()));
    /// # stopper.stop();
    /// # running.await.unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`wait`](Self::wait).
    pub async fn call(&self, job: Submission, patience: Option<Duration>) -> Result<Outcome> {
        let minted = !job.has_id();
        // What waits for no disk takes less than to have another thread do it. For a given id much may have to be looked through.
        if minted && self.store.fs().durability() == Durability::Os && !job.has_files() {
            let id = self.submit(job)?;
            return self.answer(&id, minted, patience).await;
        }
        let folder = self.clone();
        // Given back once both are done: the work, which goes on if this future is dropped; and its thread, which can take the next.
        let submitting = Arc::new(self.lobby.submitters.clone().acquire_owned().await);
        let id = blocking({
            let submitting = submitting.clone();
            move || {
                let _submitting = submitting;
                folder.submit(job)
            }
        })
        .await?;
        std::mem::drop(submitting);
        self.answer(&id, minted, patience).await
    }

    /// The outcome of a job that was submitted just now.
    async fn answer(&self, id: &Id, minted: bool, patience: Option<Duration>) -> Result<Outcome> {
        let dispatcher = &self.lobby.dispatcher;
        if minted {
            dispatcher.outcome_of_new(id, patience).await
        } else {
            dispatcher.outcome(id, patience).await
        }
    }
}
