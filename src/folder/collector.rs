//! The collector of a Return Address, as its users see it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{DropFolder, Outgoing};
use crate::actors::collector::{self, Collected, CollectorOptions, Setup};
use crate::actors::consumer::Stopper;
use crate::actors::observer::Observer;
use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::adapters::store::local::LocalStore;
use crate::adapters::watch::watch;
use crate::ports::{Fs as _, Recipient};
use crate::words::{Error, Id, NamePattern, Result};

/// A collector that is still to be run. It hands over each outcome that was delivered to a Return Address, and then settles it.
/// Any number of them share the work. After a crash, of a collector or of the machine, an outcome may be handed over again.
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
        Outgoing::of(self.folder.clone(), dir.into(), pattern, Box::new(each))
    }

    /// Hands outcomes over until nothing is left, or until it is stopped. Blocks.
    ///
    /// # Errors
    /// If it cannot begin. If it does not [follow](Self::follow), also with the first error of the recipient, when the others
    /// were handed over; what was not comes again the next time. If it follows it tells the observer, and tries again.
    pub fn run(self, recipient: &mut dyn Recipient) -> Result<Collected> {
        let (watch, chosen) = watch(self.folder.mode, self.replies.fs().is_local(), self.stopper.bell())?;
        let setup = Setup {
            store: &self.replies,
            watch,
            chosen,
            options: &self.options,
            observer: &*self.observer,
            stopper: &self.stopper,
        };
        collector::run(setup, recipient)
    }
}
