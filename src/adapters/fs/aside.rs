//! Files for folders that are no drop folders: written aside, flushed, and only then given the name that others look for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::group;

const PREFIX: &str = ".filedrop-";
const SUFFIX: &str = ".part";

/// A file under a name that nobody takes for one that is meant for them. It goes when it is dropped; what a crash leaves is
/// [removed](remove_asides) by the next one.
pub(crate) struct Aside {
    file: File,
    path: PathBuf,
}

impl Aside {
    /// In the folder of the file that it is to be.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn beside(to: &Path) -> io::Result<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let name = format!("{PREFIX}{:032x}{SUFFIX}", u128::from_ne_bytes(nonce));
        let path = to.with_file_name(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let aside = Self { file, path };
        // Says that its writer lives. Where there are no locks, nobody gets one to remove it either.
        if let Err(e) = flock(&aside.file, FlockOperation::NonBlockingLockExclusive) {
            tracing::debug!(error = %e, "a file that is written aside has no lock");
        }
        Ok(aside)
    }

    /// To be written.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Makes its content durable, and gives it its name. Does not flush the folder.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is anything of that name: it is not replaced. Else if the system refuses.
    pub(crate) fn name_new(self, to: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        self.try_name(to)
    }

    /// Likewise, without making its content durable, so that another name can be tried.
    pub(crate) fn try_name(&self, to: &Path) -> io::Result<()> {
        rename_new(&self.path, to)
    }
}

impl Aside {
    /// Makes its content durable, and gives it its name, whatever has it. Does not flush the folder.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn replace(self, to: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, to)
    }
}

impl Drop for Aside {
    /// If it has its name, nothing is there any more.
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), error = %e, "a part of a file is left");
            }
            _ => {}
        }
    }
}

/// Removes what crashed writers left in a folder. That some of it stays is no harm.
pub(crate) fn remove_asides(dir: &Path) {
    let ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(ours)
            || !entry.file_type().is_ok_and(|kind| kind.is_file())
        {
            continue;
        }
        // Writable: a lock on NFS needs that. One that is being made just now may lose its file before it has its lock; then
        // its writer fails to name it, and tries again.
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            tracing::debug!(path = %entry.path().display(), "removing what a crashed writer left");
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Renames a file to a name that is free.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match group::rename_no_replace(from, to) {
        Err(e) if e.kind() == ErrorKind::Unsupported => {}
        answer => return answer,
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
        // Where there are no links either, two that do the same at the same time may replace each other's files.
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}
