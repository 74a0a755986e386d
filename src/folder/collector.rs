//! The collector of a Return Address, as its users see it.

use std::fmt::Display;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{DropFolder, Outgoing, StopOnDrop, blocking};
use crate::actors::collector::{self, Collected, CollectorOptions, Handing, Setup};
use crate::actors::consumer::Stopper;
use crate::actors::handler::Exec;
use crate::actors::observer::Observer;
use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::adapters::store::local::LocalStore;
use crate::adapters::watch::watch;
use crate::ports::{Delivery, Recipient, Refusal};
use crate::words::{Error, ErrorKind, Id, NamePattern, Outcome, Problem, Result};

/// A collector that is still to be run. It hands over each outcome that was delivered to a Return Address, and then settles it.
/// Any number of them share the work: each outcome is taken by one of them, whoever submitted the job, and also if that is gone for
/// good. After a crash, of a collector or of the machine, an outcome may be handed over again.
///
/// A service of several instances asks, and any of them takes the answer:
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> filedrop::Result<()> {
/// # let place = tempfile::tempdir().unwrap();
/// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
/// use filedrop::{Job, Outcome, Submission};
///
/// let billing = "billing".parse().expect("an address");
/// let id = drop.submit(Submission::new("sum").data("[1,2]").reply_to(&billing))?;
///
/// // Somebody, somewhere, some time:
/// drop.consumer().drain(true).run(async |_: Job| Ok::<_, String>("3")).await?;
///
/// // Another instance, perhaps after the first one has died. What it takes well is settled, and comes to nobody else.
/// let (send, taken) = std::sync::mpsc::channel();
/// let collected = drop.collector(&billing)?.each(move |outcome: Outcome| {
///     let sent = send.send((outcome.job_id(), outcome.data().to_vec()));
///     async move { sent }
/// });
/// assert_eq!(collected.await?.succeeded, 1);
/// assert_eq!(taken.recv().unwrap(), (id.clone(), b"3".to_vec()));
/// assert_eq!(drop.wait(&id, None).await?.data(), b"3", "to wait is to look without taking");
/// # Ok(())
/// # }
/// ```
#[must_use = "a collector does nothing until it is run"]
pub struct Collector {
    folder: DropFolder,
    replies: LocalStore<OsFs, OsHost>,
    options: CollectorOptions,
    observer: Arc<dyn Observer>,
    stopper: Stopper,
}

impl DropFolder {
    /// A collector of what is delivered to this Return Address, still to be run. The address is made if nothing was delivered
    /// there yet.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn collector(&self, address: &Id) -> Result<Collector> {
        let root = self.store.make_reply(address)?;
        let fs = OsFs::at(&root).map_err(|e| Error::io("look at the file system", &root, e))?;
        let fs = fs.with_durability(self.store.fs().durability());
        let mut options = CollectorOptions::new(self.store.host());
        options.poll_interval = self.poll_interval;
        Ok(Collector {
            folder: self.clone(),
            replies: LocalStore::open(fs, OsHost, root)?,
            options,
            observer: Arc::new(()),
            stopper: Stopper::default(),
        })
    }
}

impl Collector {
    /// Whether it goes on until it is stopped. By default it ends when nothing is left.
    pub fn follow(mut self, follow: bool) -> Self {
        self.options.follow = follow;
        self
    }

    /// How long it may be silent before others take what it has in hand: 30 s by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// What stops it, after the outcome that it has in hand, now or later, from anywhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Where outcomes become files, for [`run`](Self::run). `each` is told of every file that is there, durable.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such folder: it is somebody else's to make.
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it is a drop folder, or in one.
    pub fn outgoing<'a>(
        &self,
        dir: impl Into<PathBuf>,
        pattern: NamePattern,
        each: impl FnMut(&std::path::Path) + 'a,
    ) -> Result<Outgoing<'a>> {
        self.folder.outgoing(dir, pattern, each)
    }

    /// A command as the recipient, for [`run`](Self::run). It gets an outcome as a consumer's handler gets a job: data on stdin (of a
    /// job that failed the [`Problem`](crate::Problem), as JSON), `FILEDROP_ID` (of the job), `FILEDROP_OUTCOME` (`succeeded`, `failed`
    /// or `expired`), `FILEDROP_ATTEMPT` (which collection this is, from 1), `FILEDROP_JOB` (the path of the outcome's envelope) and the
    /// others, but no `FILEDROP_RESULT_DIR`. Its stdout is ours. If it exits with 0 the outcome is taken.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system has no more descriptors or threads.
    pub fn command(&self, command: Exec) -> Result<Handing<Exec>> {
        let drop = self.folder.path();
        Handing::new(command.of(drop, drop).for_outcomes(), self.stopper())
    }

    /// Hands each outcome to an async closure, until nothing is left, or it is stopped. If the closure fails, or panics, the outcome
    /// comes again after a pause. [`Stopper::stop`] waits for it, [`Stopper::stop_now`] does not: then the outcome goes back. To drop
    /// the future does the latter. Needs a runtime with timers, and a thread of its own, on which the closure may block.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn each<F, Fut, E>(self, mut take: F) -> Result<Collected>
    where
        F: FnMut(Outcome) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let _ends_with_us = StopOnDrop(self.stopper());
        let (runtime, stopper) = (tokio::runtime::Handle::current(), self.stopper());
        let mut recipient = move |delivery: &Delivery<'_>| {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    taken = take(delivery.outcome.clone()) => taken.map_err(Refusal::because),
                    () = stopper.handlers_must_end(Duration::MAX) => Err(Refusal::because("the collector was stopped")),
                }
            })
        };
        blocking(move || self.run(&mut recipient)).await
    }

    /// Hands outcomes over until nothing is left, or until it is stopped. Blocks. The recipient may be a closure:
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Delivery, Refusal};
    ///
    /// let mut print = |delivery: &Delivery<'_>| -> Result<(), Refusal> {
    ///     let Delivery { outcome, again, .. } = delivery;
    ///     println!("{} {} {again}", outcome.job_id(), outcome.disposition.as_str());
    ///     Ok(())
    /// };
    /// drop.collector(&"billing".parse().expect("an address"))?.run(&mut print)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If it cannot begin, or the recipient says that it is [`Over`](Refusal::Over). If it does not [follow](Self::follow), also
    /// with the first error of the recipient, when the others were handed over; what was not comes again the next time. If it
    /// follows it tells the observer, and tries again.
    pub fn run(self, recipient: &mut dyn Recipient) -> Result<Collected> {
        let (watch, chosen) = watch(
            self.folder.mode,
            self.replies.fs(),
            &self.replies.layout().room("tmp"),
            self.stopper.bell(),
        )?;
        let setup = Setup {
            store: &self.replies,
            watch,
            chosen,
            options: &self.options,
            observer: &*self.observer,
            stopper: &self.stopper,
        };
        collector::run(setup, &mut Whole { folder: &self.folder, recipient })
    }
}

impl DropFolder {
    pub(crate) fn outgoing<'a>(
        &self,
        dir: impl Into<PathBuf>,
        pattern: NamePattern,
        each: impl FnMut(&std::path::Path) + 'a,
    ) -> Result<Outgoing<'a>> {
        Outgoing::of(self.clone(), dir.into(), pattern, Box::new(each))
    }

    /// What is to be handed over instead of an outcome whose result somebody removed.
    fn if_gone(&self, outcome: &Outcome) -> Result<Option<Outcome>> {
        let files = outcome.files_ref().map_or(Ok(()), |check| self.files(&check).map(drop));
        let data = outcome.data_ref().map_or(Ok(()), |_| self.read(outcome).map(drop));
        match files.and(data) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                tracing::warn!(id = %outcome.job_id(), error = %e, "handing over that the result is gone");
                Ok(Some(outcome.lost(&Problem::gone())))
            }
            answer => answer.map(|()| None),
        }
    }
}

/// Whoever takes an outcome over is told if its result is gone: it will not come back, and nothing that comes after it must wait.
struct Whole<'a> {
    folder: &'a DropFolder,
    recipient: &'a mut dyn Recipient,
}

impl Recipient for Whole<'_> {
    fn take(&mut self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        match self.folder.if_gone(delivery.outcome)? {
            Some(lost) => self.recipient.take(&Delivery { outcome: &lost, ..*delivery }),
            None => self.recipient.take(delivery),
        }
    }
}
