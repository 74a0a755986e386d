//! What travels beside a job's envelope, for whoever handles it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::Ended;
use crate::words::{ClaimCheck, Error, Job, Problem};

/// The files of a job.
pub(super) struct Beside<'a> {
    drop: &'a Path,
    job: &'a Job,
}

impl<'a> Beside<'a> {
    pub(super) fn of(drop: &'a Path, job: &'a Job) -> Self {
        Self { drop, job }
    }

    /// The folder of the files that are attached; of a bare file that became a job: that file.
    pub(super) fn payload(&self) -> Option<PathBuf> {
        let folder = self.path(&self.job.files_ref()?);
        Some(match self.job.data_file() {
            None => folder,
            Some(name) => folder.join(name),
        })
    }

    /// The job's data, if it is not in its envelope, and where it is. An error is how the handling ends.
    pub(super) fn open(&self) -> Result<Option<(PathBuf, File)>, Ended> {
        self.data().map_err(|e| {
            if is_the_machines(&e) {
                let payload = self.drop.join("payload");
                return Ended::NotStarted(Error::io("open what travels with a job", payload, e));
            }
            let why = format!("the job's data, which travels beside it, cannot be read: {e}");
            Ended::Failed(Problem::handler(why))
        })
    }

    /// A link in place of what travels would lead out of the drop folder: none is followed, and with one no handler is started.
    fn data(&self) -> io::Result<Option<(PathBuf, File)>> {
        let Self { job, .. } = self;
        let folder = match job.files_ref().map(|check| open_folder(&self.path(&check))) {
            // What the handler makes of that is its own affair.
            Some(Err(e)) if e.kind() == io::ErrorKind::NotFound && job.data_file().is_none() => None,
            other => other.transpose()?,
        };
        if let Some(check) = job.data_ref() {
            let path = self.path(&check);
            return open(CWD, &path).map(|file| Some((path, file)));
        }
        let (Some(folder), Some(name), Some(path)) = (folder, job.data_file(), self.payload()) else {
            return Ok(None);
        };
        open(folder, Path::new(&name)).map(|file| Some((path, file)))
    }

    /// A reference can only lead below `payload/`.
    fn path(&self, check: &ClaimCheck) -> PathBuf {
        self.drop.join("payload").join(check.name())
    }
}

/// Opens a regular file, through no link.
fn open(folder: impl AsFd, path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(folder, path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// A folder that lies there itself, and is no link to another.
fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// What a file was when its handler began: whoever dropped it may still write to it.
pub(super) struct Content {
    file: File,
    size: u64,
    modified: Option<SystemTime>,
}

impl Content {
    /// Only where the system tells: that it does not is no fault of the job's.
    pub(super) fn of(file: &File) -> Option<Self> {
        let file = file.try_clone().ok()?;
        let meta = file.metadata().ok()?;
        Some(Self { size: meta.len(), modified: meta.modified().ok(), file })
    }

    pub(super) fn has_changed(&self) -> bool {
        let now = self.file.metadata();
        now.is_ok_and(|now| (now.len(), now.modified().ok()) != (self.size, self.modified))
    }

    /// What that means: the handler may have seen half of it.
    pub(super) fn problem() -> Problem {
        Problem::changed("somebody wrote to the file while it was handled")
    }
}

/// Whether an error says nothing of the file.
fn is_the_machines(e: &io::Error) -> bool {
    let errno = e.raw_os_error().map(Errno::from_raw_os_error);
    errno.is_some_and(|errno| [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::IO].contains(&errno))
}
