//! The consumer of a drop folder, as its users see it.

use std::fmt::Display;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{DropFolder, StopOnDrop, blocking};
use crate::actors::consumer::{self, ConsumerOptions, Setup, Stopper, Summary};
use crate::actors::handler::{Closure, Exec, Handler, Workers, runtime};
use crate::actors::observer::Observer;
use crate::adapters::watch::watch;
use crate::words::{Customs, Id, Job, Payload, Result};

/// A consumer that is still to be run.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> filedrop::Result<()> {
/// # let place = tempfile::tempdir().unwrap();
/// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
/// use filedrop::{Job, Submission};
///
/// drop.submit(Submission::new("sum").data("[1,2,3]"))?;
/// let sum = async |job: Job| -> Result<serde_json::Value, serde_json::Error> {
///     let numbers: Vec<i64> = serde_json::from_slice(job.data())?;
///     Ok(numbers.iter().sum::<i64>().into())
/// };
/// let summary = drop.consumer().concurrency(4).drain(true).run(sum).await?;
/// assert_eq!(summary.succeeded, 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "a consumer does nothing until it is run"]
pub struct Consumer {
    folder: DropFolder,
    /// The drop folder that handlers are told of.
    told: PathBuf,
    options: ConsumerOptions,
    observer: Arc<dyn Observer>,
    stopper: Stopper,
}

impl Consumer {
    pub(super) fn of(folder: DropFolder) -> Self {
        let mut options = ConsumerOptions::new(folder.store.host());
        options.poll_interval = folder.poll_interval;
        Self {
            told: folder.path().to_owned(),
            folder,
            options,
            observer: Arc::new(()),
            stopper: Stopper::default(),
        }
    }

    /// A group's consumer works for the folder that the group is in.
    pub(super) fn for_handlers_of(mut self, drop: &Path) -> Self {
        self.told = drop.to_owned();
        self
    }

    /// What its room is called. Need not be nobody else's. By default `<host>-<pid>`.
    pub fn name(mut self, name: Id) -> Self {
        self.options.name = name;
        self
    }

    /// How many jobs it handles at a time: 1 by default, and at least.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.options.concurrency = jobs.max(1);
        self
    }

    /// Whether it ends when nothing is left to do. By default it goes on until it is stopped.
    pub fn drain(mut self, drain: bool) -> Self {
        self.options.drain = drain;
        self
    }

    /// How long it may be silent before others take its claims: 30 s by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// How long a handler may take before its job fails. By default for ever.
    pub fn handler_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.handler_timeout = timeout;
        self
    }

    /// How often a job is attempted at most, if it does not say so itself: 5 times by default, once at least.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.retry.max_attempts = attempts.max(1);
        self
    }

    /// The longest pause before the second attempt: 10 s by default. It doubles with each attempt, up to an hour, and
    /// the pause that is made is any up to it.
    pub fn backoff(mut self, first: Duration) -> Self {
        self.options.retry.first_pause = first;
        self
    }

    /// The largest envelope that it takes, in bytes; larger ones are invalid. By default, and at most,
    /// [`MAX_FILE_BYTES`](crate::MAX_FILE_BYTES).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.options.max_bytes = bytes.min(crate::MAX_FILE_BYTES);
        self
    }

    /// How long a file that a stranger drops into the inbox has to be left alone, if nothing else tells that it is complete: 2 s by
    /// default.
    pub fn quiet_period(mut self, quiet: Duration) -> Self {
        self.options.quiet_period = quiet;
        self
    }

    /// Which names of files that strangers drop are taken.
    pub fn customs(mut self, customs: Customs) -> Self {
        self.options.customs = customs;
        self
    }

    /// How long a gentle stop waits for the handlers before it hands their jobs back: 10 s by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// What stops it, now or later, from anywhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Has each job handled by an async closure. What the closure returns is the outcome's data; an error, or a panic, is
    /// why the attempt failed. An error of the type [`Rejected`](crate::Rejected) says that no further attempt is worth it.
    /// Needs a runtime with timers and a thread of its own for each of the
    /// [`concurrency`](Self::concurrency), on which the closure may block; but one that blocks cannot be cut short.
    ///
    /// To drop the future stops the consumer as [`Stopper::stop_now`] does.
    ///
    /// # Errors
    /// If it cannot begin (no permission, no room), or cannot go on with a drain. Otherwise trouble with the folder is told
    /// to the observer, and it tries again.
    pub async fn run<F, Fut, T, E>(self, handler: F) -> Result<Summary>
    where
        F: Fn(Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Payload> + 'static,
        E: Display + 'static,
    {
        let _ends_with_us = StopOnDrop(self.stopper.clone());
        let runtime = tokio::runtime::Handle::current();
        blocking(move || self.work(&Closure(handler), runtime)).await
    }

    /// Runs a command for each job. Blocks until the consumer is stopped, or has drained.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_command(self, command: Exec) -> Result<Summary> {
        let runtime = runtime()?;
        let command = command.of(self.folder.path(), &self.told);
        let answer = self.work(&command, runtime.handle().clone());
        runtime.shutdown_background();
        answer
    }

    /// The same with processes that handle one job after the other ([`Workers`](crate::Workers)), as many as jobs are handled at a
    /// time.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_workers(self, command: Exec) -> Result<Summary> {
        let runtime = runtime()?;
        let workers = Workers::of(command.of(self.folder.path(), &self.told));
        let answer = self.work(&workers, runtime.handle().clone());
        workers.finish();
        runtime.shutdown_background();
        answer
    }

    fn work(self, handler: &dyn Handler, runtime: tokio::runtime::Handle) -> Result<Summary> {
        let store = &*self.folder.store;
        let (watch, chosen) =
            watch(self.folder.mode, store.fs(), &store.layout().room("tmp"), self.stopper.bell())?;
        consumer::run(Setup {
            store,
            host: store.host(),
            watch,
            chosen,
            options: &self.options,
            handler,
            runtime,
            observer: &*self.observer,
            stopper: &self.stopper,
        })
    }
}
