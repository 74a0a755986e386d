//! What a folder can do, what filedrop chooses there, and what is at risk.

mod choices;
mod risks;
mod rooms;
#[cfg(test)]
pub(crate) mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::permission::explain;
use super::{DropFolder, absolute};
use crate::actors::consumer::Stopper;
use crate::adapters::fs::OsFs;
use crate::adapters::probe::{
    self, Access, Delays, Flushes, Given, Locks, Names, Peer, Site, Space, Surroundings, Times, Unusable,
    remove_old,
};
use crate::adapters::watch::watch;
use crate::ports::{Bell, Chosen, WatchMode};
use crate::words::{Error, ErrorKind, Result};
pub use choices::Choice;
pub use risks::Risk;
use risks::Untried;

/// Tries out what a folder can do. Made by [`DropFolder::doctor`].
pub struct Doctor {
    root: PathBuf,
    is_drop_folder: bool,
    fs: OsFs,
    peer: Option<Duration>,
    stopper: Stopper,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The folder: an absolute path.
    pub folder: PathBuf,
    /// Whether it is a drop folder, or could be made one.
    pub drop_folder: bool,
    /// What it lies on.
    pub surroundings: Surroundings,
    /// Whose it is.
    pub access: Access,
    /// Of a drop folder: its folders that cannot be used as they have to be.
    pub unusable: Vec<Unusable>,
    /// What can be done in it; `None` if nothing could be tried, since the disk is read-only, or full or almost.
    #[serde(flatten)]
    pub tried: Option<Tried>,
    /// What this program sees of another one, if it was to look for one.
    pub peer: Option<Peer>,
    /// What filedrop chooses there, and why.
    pub chosen: Vec<Choice>,
    /// What is at risk: first what breaks a promise.
    pub risks: Vec<Risk>,
}

/// What can be done in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// What its names can do.
    pub names: Names,
    /// What it takes to make something durable.
    pub flushes: Flushes,
    /// What tells of others.
    pub locks: Locks,
    /// How soon a watch is told; `None` if there are no notifications.
    pub notifications: Option<Delays>,
    /// What times files have.
    pub times: Times,
}

/// What a killed probe left in a folder that is no drop folder goes after as long as in the `tmp/` of one.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

impl DropFolder {
    /// What tries out what a folder can do: a drop folder, or one that may become one. All that it makes there is in one folder,
    /// in `tmp/` if it is a drop folder, and is removed again.
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// use filedrop::DropFolder;
    ///
    /// let diagnosis = DropFolder::doctor(place.path())?.examine()?;
    /// let tried = diagnosis.tried.expect("there is space");
    /// assert!(tried.names.hard_links.works && !diagnosis.drop_folder);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such folder, [`ErrorKind::NotADropFolder`] if it is a drop folder of another
    /// version, [`ErrorKind::Io`] if the system refuses.
    pub fn doctor(path: impl AsRef<Path>) -> Result<Doctor> {
        let root = absolute(path.as_ref())?;
        if !root.is_dir() {
            let why = "there is no such folder (one that is no drop folder yet will do, too)";
            return Err(Error::new(ErrorKind::NotFound, why).at(root));
        }
        let is_drop_folder = fs::symlink_metadata(root.join("filedrop.json")).is_ok();
        let fs = if is_drop_folder {
            DropFolder::open(&root)?.store.fs().clone()
        } else {
            OsFs::at(&root).map_err(|e| Error::io("look at the file system", &root, e))?
        };
        Ok(Doctor { root, is_drop_folder, fs, peer: None, stopper: Stopper::default() })
    }
}

impl Doctor {
    /// Also waits for another program that does the same in this folder, best on another machine, and tries out what one sees of
    /// the other. `within`: how long that may take to come, and for each of its answers.
    pub fn peer(mut self, within: Duration) -> Self {
        self.peer = Some(within);
        self
    }

    /// What stops it, from anywhere: after what it is trying at that moment, a few seconds at most.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Tries it out: some seconds.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if it was stopped, or no other program came, or that fell silent; [`ErrorKind::Io`] if nothing
    /// can be made in the folder, or the system refuses what must be possible anywhere. That the disk is full or read-only is no
    /// error: it is what is found.
    pub fn examine(self) -> Result<Diagnosis> {
        let below = if self.is_drop_folder { self.root.join("tmp") } else { self.root.clone() };
        let failed = |e| explain(Error::io("make a folder to try things out", &below, e), &self.root);
        let surroundings = probe::surroundings(&self.root).map_err(failed)?;
        if surroundings.read_only {
            return self.untried(surroundings, &Untried::ReadOnly(None));
        }
        if !self.is_drop_folder {
            remove_old(&self.fs, &below, OLD).map_err(failed)?;
        }
        let tried = Site::with(&self.fs, &below, |site| match site.space().map_err(failed)? {
            Space::Enough => self.examine_in(site, &below, surroundings.clone()),
            Space::Little => self.untried(surroundings.clone(), &Untried::Little),
        });
        tried.map_err(failed).flatten().or_else(|e| match Untried::of(&e) {
            Some(why) => self.untried(surroundings, &why),
            None => Err(e),
        })
    }

    /// What can be told of a disk to which nothing can be written.
    fn untried(&self, surroundings: Surroundings, why: &Untried) -> Result<Diagnosis> {
        let failed = |e| Error::io("look at the folder", &self.root, e);
        // Where nothing may be written, no folder may be used.
        let unusable = if surroundings.read_only { Vec::new() } else { self.unusable()? };
        let access = probe::access(&self.root, None).map_err(failed)?;
        Ok(self.diagnosis(surroundings, access, unusable).judged(Err(why)))
    }

    /// Of which nothing is tried or judged yet.
    fn diagnosis(&self, surroundings: Surroundings, access: Access, unusable: Vec<Unusable>) -> Diagnosis {
        Diagnosis {
            folder: self.root.clone(),
            drop_folder: self.is_drop_folder,
            surroundings,
            access,
            unusable,
            tried: None,
            peer: None,
            chosen: Vec::new(),
            risks: Vec::new(),
        }
    }

    fn unusable(&self) -> Result<Vec<Unusable>> {
        let looked = if self.is_drop_folder { probe::unusable_rooms(&self.root) } else { Ok(Vec::new()) };
        looked.map_err(|e| Error::io("look at the folders", &self.root, e))
    }

    fn examine_in(&self, site: &Site<'_>, below: &Path, surroundings: Surroundings) -> Result<Diagnosis> {
        let failed = |e| Error::io("try out what the folder can do", &self.root, e);
        // First of all, so that the other one need not wait.
        let peer = self.peer.map(|patience| {
            let given = Given { below, patience, stopping: &|| self.stopper.is_stopping() };
            probe::meet_and_measure(site, &given)
        });
        let peer = peer.transpose()?;
        let access = probe::access(&self.root, Some(site)).map_err(failed)?;
        let unusable = self.unusable()?;
        let names = self.unless_stopped(|| probe::names(site))?;
        let flushes = self.unless_stopped(|| probe::flushes(site))?;
        let locks = probe::locks(site);
        let notifications = self.unless_stopped(|| probe::hints(site))?;
        let notifications = match notifications {
            Err(e) if e.kind() == ErrorKind::Unsupported => None,
            delays => Some(delays?),
        };
        let times = self.unless_stopped(|| probe::times(site))?.map_err(failed)?;
        // As a consumer does when it starts.
        let (_, watching) = watch(WatchMode::Auto, &self.fs, below, &Bell::default())?;
        self.unless_stopped(|| ())?;
        let tried = Some(Tried { names, flushes, locks, notifications, times });
        let found = Diagnosis { tried, peer, ..self.diagnosis(surroundings, access, unusable) };
        Ok(found.judged(Ok(&watching)))
    }

    fn unless_stopped<T>(&self, probe: impl FnOnce() -> T) -> Result<T> {
        if self.stopper.is_stopping() {
            return Err(Error::new(ErrorKind::TimedOut, "stopped before all was tried"));
        }
        Ok(probe())
    }
}

impl Diagnosis {
    /// `watching`: or why nothing could be tried.
    fn judged(mut self, watching: std::result::Result<&Chosen, &Untried>) -> Self {
        if let (Some(tried), Ok(watching)) = (&self.tried, watching) {
            self.chosen = choices::of(tried, watching);
        }
        self.risks = risks::of(&self, watching.map(|watching| watching.mode));
        self
    }

    /// Whether filedrop can keep all its promises there, as far as can be tried.
    pub fn is_sound(&self) -> bool {
        !self.risks.iter().any(|risk| risk.breaks_promise)
    }
}
