//! The moves that all steps are made of: an answer is never believed, the next look is (R3, R4, R6).

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use super::LocalStore;
use crate::ports::{FileId, Fs, Host, Meta};
use crate::words::{Error, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Renames a file that has this name to one that only this file can own, and sees to it that the old name is gone.
    /// Whoever did that: it may have been another, or an earlier call whose answer was lost.
    pub(super) fn relocate(&self, from: &Path, to: &Path) -> Result<()> {
        let answer = self.fs.rename(from, to);
        let Some(source) = self.look(from)? else { return Ok(()) };
        match (self.look(to)?, answer) {
            (Some(target), _) if target.id == source.id => {
                self.flush_dir(parent(to))?;
                self.remove(from)
            }
            (_, Err(e)) => Err(Error::io("rename a file", from, e)),
            (_, Ok(())) => Err(Error::io("rename a file", from, ErrorKind::Interrupted.into())),
        }
    }

    /// Makes a folder that may be there already, and flushes its parent, once in this process's lifetime (R6).
    pub(super) fn ensure_dir(&self, dir: &Path) -> Result<()> {
        if self.seen_durable().contains_key(dir) {
            return Ok(());
        }
        let made = self.fs.make_dir(dir);
        // Looked at before the flush: should it be replaced meanwhile, then by one that is not the one that was flushed.
        let there = self.look(dir)?;
        if let (None, Err(e)) = (there, made) {
            return Err(Error::io("make a folder", dir, e));
        }
        self.flush_dir(parent(dir))?;
        if let Some(there) = there {
            self.seen_durable().insert(dir.to_owned(), there.id);
        }
        Ok(())
    }

    /// Runs a step that puts a file into `dir`; if the folder has been removed meanwhile (P26), makes it again and repeats. Was
    /// it also made again, by somebody who may not have flushed its parent yet, then that is done before this returns (R6).
    pub(super) fn inside<T>(&self, dir: &Path, step: impl Fn() -> Result<T>) -> Result<T> {
        self.ensure_dir(dir)?;
        let answer = step();
        let there = self.look(dir)?.map(|meta| meta.id);
        let known = self.seen_durable().get(dir).copied();
        if there.is_some() && there == known {
            return answer;
        }
        tracing::debug!(dir = %dir.display(), "the folder was removed; making it again");
        self.seen_durable().remove(dir);
        match answer {
            Ok(done) if there.is_none() => Ok(done),
            Ok(done) => self.ensure_dir(dir).map(|()| done),
            Err(_) => {
                self.ensure_dir(dir)?;
                step()
            }
        }
    }

    /// Removes a name that may be gone already.
    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        match self.fs.unlink(path) {
            Ok(()) => Ok(()),
            Err(e) => match self.look(path)? {
                None => Ok(()),
                Some(_) => Err(Error::io("remove a file", path, e)),
            },
        }
    }

    /// What lies at a path, if anything does.
    pub(super) fn look(&self, path: &Path) -> Result<Option<Meta>> {
        found(self.fs.stat(path)).map_err(|e| Error::io("look at a file", path, e))
    }

    pub(super) fn flush_dir(&self, dir: &Path) -> Result<()> {
        self.fs.flush_dir(dir).map_err(|e| Error::io("flush a folder", dir, e))
    }

    /// A room may go at any time: others recover it too.
    pub(super) fn flush_dir_if_there(&self, dir: &Path) -> Result<()> {
        match self.flush_dir(dir) {
            Err(e) if self.look(dir)?.is_some() => Err(e),
            _ => Ok(()),
        }
    }

    /// The names in a folder; none if it is gone, or if it is no folder.
    pub(super) fn names(&self, dir: &Path) -> Result<Vec<crate::ports::Listed>> {
        let mut names = Vec::new();
        match found(self.fs.list(dir, &mut |entry| names.push(entry))) {
            Err(e) if e.kind() != ErrorKind::NotADirectory => Err(Error::io("list a folder", dir, e)),
            _ => Ok(names),
        }
    }

    fn seen_durable(&self) -> MutexGuard<'_, HashMap<PathBuf, FileId>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// "Not there" is an answer, not an error.
pub(super) fn found<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The folder that a path of ours lies in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}
