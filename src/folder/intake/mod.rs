//! The intake of a folder of somebody else's, as its users see it.

mod books;
mod receipts;

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::DropFolder;
use super::places::{one_path_of, outside_of_drop_folders, there};
use crate::actors::consumer::Stopper;
use crate::actors::intake::{self, Ended, IntakeOptions, JobRule, ManifestRule, Setup, TakenIn};
use crate::actors::observer::{Event, Observer, tell};
use crate::adapters::fs::{OsFs, hold_root};
use crate::adapters::host::OsHost;
use crate::adapters::store::local::{ForeignFolder, HOME, INTAKE_LOG, Premises};
use crate::adapters::watch::watch;
use crate::ports::Fs as _;
use crate::words::{Customs, Error, ErrorKind, Result, Selection, to_reference};
use books::Books;

/// An intake that is still to be run: it takes complete files out of a folder that is no drop folder (an SFTP home, a scanner's
/// output), and makes a job of each. What it has taken lies in `.filedrop/` there until the job is durable.
#[must_use = "an intake does nothing until it is run"]
pub struct Intake {
    folder: DropFolder,
    /// The one path of it.
    drop: PathBuf,
    dir: PathBuf,
    options: IntakeOptions,
    keep_tree: bool,
    audit: PathBuf,
    receipts: Option<PathBuf>,
    observer: Arc<dyn Observer>,
    stopper: Stopper,
}

impl DropFolder {
    /// An intake of this folder, still to be run.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such folder; [`ErrorKind::Invalid`] if one of the two is in the other, or if it
    /// is another drop folder, or in one.
    pub fn intake(&self, dir: impl AsRef<Path>) -> Result<Intake> {
        let dir = there(dir.as_ref(), "take files from")?;
        let drop = there(self.path(), "submit to")?;
        if dir.starts_with(&drop) || drop.starts_with(&dir) {
            let why = format!("this folder and the drop folder {} must not be in each other", drop.display());
            return Err(Error::new(ErrorKind::Invalid, why).at(dir));
        }
        outside_of_drop_folders(&dir)?;
        let mut options = IntakeOptions::new(self.store.host());
        options.poll_interval = self.poll_interval;
        options.jobs.source = format!("/intake/{}", to_reference(dir.file_name().unwrap_or_default()));
        Ok(Intake {
            folder: self.clone(),
            options,
            keep_tree: false,
            audit: drop.join(INTAKE_LOG),
            receipts: None,
            drop,
            dir,
            observer: Arc::new(()),
            stopper: Stopper::default(),
        })
    }
}

impl Intake {
    /// Whether it ends when nothing is left that is complete. By default it goes on until it is stopped.
    pub fn once(mut self, once: bool) -> Self {
        self.options.once = once;
        self
    }

    /// Takes only files that fit one of these patterns, if there are any, and none that fits one of those.
    pub fn select(mut self, include: Selection, exclude: Selection) -> Self {
        (self.options.include, self.options.exclude) = (include, exclude);
        self
    }

    /// Which names are markers, and which are left.
    pub fn customs(mut self, customs: Customs) -> Self {
        self.options.customs = customs;
        self
    }

    /// How long a file has to be left alone if nothing else tells that it is complete: 2 s by default.
    pub fn quiet_period(mut self, quiet: Duration) -> Self {
        self.options.quiet_period = quiet;
        self
    }

    /// Whether it also takes files in folders below it. Their paths are the jobs' subjects.
    pub fn keep_tree(mut self, keep: bool) -> Self {
        self.keep_tree = keep;
        self
    }

    /// Takes files only as a manifest beside them says, each manifest's as one job.
    pub fn manifests(mut self, rule: Option<ManifestRule>) -> Self {
        self.options.manifests = rule;
        self
    }

    /// What the jobs are like. Its source, if it is empty, is `/intake/<name of the folder>`.
    pub fn jobs(mut self, rule: JobRule) -> Self {
        let source = std::mem::take(&mut self.options.jobs.source);
        self.options.jobs = rule;
        if self.options.jobs.source.is_empty() {
            self.options.jobs.source = source;
        }
        self
    }

    /// Where a line is written for each file that becomes a job. By default `intake.log` in the drop folder; in a folder that
    /// is there it must not be.
    pub fn audit(mut self, file: impl Into<PathBuf>) -> Self {
        self.audit = file.into();
        self
    }

    /// A folder for receipts: `x.csv.accepted`, `.rejected`, `.done`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such folder.
    pub fn receipts(mut self, dir: impl AsRef<Path>) -> Result<Self> {
        self.receipts = Some(there(dir.as_ref(), "write receipts to")?);
        Ok(self)
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// What stops it, after the job that it has in hand, now or later, from anywhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Takes files until it is stopped, or, if it works [once](Self::once), until none is left that is complete. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if receipts or the audit were to be where they could be taken for jobs, or for what a drop folder keeps;
    /// [`ErrorKind::Busy`] if another intake is at work there. If it works once, the first error, when all else is done; what is
    /// left is for the next one. Otherwise trouble is told to the observer, and tried again.
    pub fn run(mut self) -> Result<TakenIn> {
        // Before anything is made.
        self.check_places()?;
        let (mut all, mut told) = (TakenIn::default(), None);
        let mut moved = false;
        loop {
            match self.stay() {
                Ok(ended) => {
                    all.add(ended.taken);
                    if !ended.moved {
                        return Ok(all);
                    }
                    tell(&*self.observer, &Event::Moved { path: &self.dir });
                    (moved, told) = (true, None);
                }
                Err(e) if !moved || self.options.once => return Err(e),
                Err(error) => {
                    let retry_in = Some(self.options.poll_interval);
                    let why = error.to_string();
                    if told.as_ref() != Some(&why) {
                        let doing = "begin anew in the folder to take files from";
                        let error = &error;
                        let trouble = Event::Trouble { doing, id: None, error, retry_in, news: true };
                        tell(&*self.observer, &trouble);
                        told = Some(why);
                    }
                    self.stopper.bell().wait(self.options.poll_interval);
                }
            }
            if self.stopper.is_stopping() {
                return Ok(all);
            }
        }
    }

    /// Until it is to end, or its folder is not the one at its path any more.
    fn stay(&mut self) -> Result<Ended> {
        let dir = there(&self.dir, "take files from")?;
        if dir != self.dir {
            let why = format!("a link is here that leads to {}; put a folder here again", dir.display());
            return Err(Error::new(ErrorKind::Invalid, why).at(&self.dir));
        }
        outside_of_drop_folders(&dir)?;
        let store = &*self.folder.store;
        let fs = OsFs::beside(&self.dir).map_err(|e| Error::io("look at the file system", &self.dir, e))?;
        let premises = enter(&fs, &self.dir)?;
        let (memory, tmp) = (premises.home.path().join("open"), premises.home.path().join("tmp"));
        let foreign = ForeignFolder::open(store, fs.clone(), OsHost, premises, self.keep_tree)?;
        let (watch, chosen) = watch(self.folder.mode, &fs, &tmp, self.stopper.bell())?;
        let mut books = Books::open(&self.dir, memory, &self.audit, self.receipts.clone())?;
        if self.audit.starts_with(&self.drop) {
            // Several users may have intakes for one drop folder.
            store.fs().admit(&self.audit).map_err(|e| Error::io("share the audit file", &self.audit, e))?;
        }
        intake::run(Setup {
            store,
            foreign: &foreign,
            dir,
            host: store.host(),
            watch,
            chosen,
            options: &self.options,
            clerk: &mut books,
            observer: &*self.observer,
            stopper: &self.stopper,
        })
    }

    /// What is written must not be taken by this intake, nor by a consumer, nor lie among what is ours.
    fn check_places(&mut self) -> Result<()> {
        let wrong = |why: &str, path: &Path| Err(Error::new(ErrorKind::Invalid, why).at(path));
        if let Some(receipts) = &self.receipts {
            if self.takes_from(receipts) {
                return wrong(
                    "receipts need a folder of their own: here they would be taken for files",
                    receipts,
                );
            }
            outside_of_drop_folders(receipts)?;
        }
        let failed = |e| Error::io("open the audit file", &self.audit, e);
        self.audit = one_path_of(&self.audit).map_err(failed)?;
        let Some(parent) = self.audit.parent() else { return Ok(()) };
        if self.takes_from(parent) {
            return wrong("the audit file would be taken for one of the files here", &self.audit);
        }
        let ours = parent == self.drop && !self.audit.ends_with("filedrop.json");
        if ours { Ok(()) } else { outside_of_drop_folders(&self.audit) }
    }

    /// Whether it takes files that lie there, or keeps what it has taken.
    fn takes_from(&self, dir: &Path) -> bool {
        dir == self.dir
            || dir.starts_with(self.dir.join(HOME))
            || self.keep_tree && dir.starts_with(&self.dir)
    }
}

/// Makes the folder in which taken files lie. Whoever can put names there could have us move files of others: so it is ours alone,
/// and held from before it is looked at.
fn enter(fs: &OsFs, dir: &Path) -> Result<Premises> {
    let root = hold_root(dir).map_err(|e| match e.kind() {
        std::io::ErrorKind::Unsupported => Error::new(ErrorKind::Unsupported, e.to_string()).at(dir),
        _ => Error::io("look into the folder to take files from", dir, e),
    })?;
    let shown = dir.join(HOME);
    let failed = |e| Error::io("make the folder for what is taken", &shown, e);
    match fs::DirBuilder::new().mode(0o700).create(root.path().join(HOME)) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => {}
    }
    let ours = rustix::process::geteuid().as_raw();
    match fs.hold(&root, Path::new(HOME)) {
        Ok(home) => {
            // What is held, not what has its name.
            let meta = fs::metadata(home.path()).map_err(failed)?;
            if meta.uid() == ours && meta.mode() & 0o022 == 0 {
                return Ok(Premises { dir: dir.to_owned(), root, home });
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => {}
        Err(e) => return Err(failed(e)),
    }
    let why = format!(
        "what is taken lies here until it is a job, so this has to be a folder of the intake's own user ({ours}), in which nobody \
         else can write; move it away, or run the intake as its owner"
    );
    Err(Error::new(ErrorKind::Invalid, why).at(shown))
}
