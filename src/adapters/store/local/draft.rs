//! P2: a file is written once, flushed, and only then gets a name that others read (R1–R3).
//!
//! The flush lives here, so that no step can forget it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::LocalStore;
use super::moves::parent;
use crate::ports::{FileId, Fs, Host};
use crate::words::{Error, ErrorKind as WordKind, Result};

/// A complete, flushed file. It has no name, or one in `tmp/`.
pub(super) struct Draft<File> {
    pub(super) file: File,
    path: Option<PathBuf>,
}

/// What became of an attempt to give a draft a name.
enum Named {
    /// It has it.
    Ours,
    /// Another file has it.
    Theirs,
    /// The draft was removed under our hands: write it anew.
    Swept,
}

/// How often a draft that is swept away is written anew before that is called an error.
const TRIES: usize = 3;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Publishes a file under a name that nobody else can give to another file. Does not flush the folder.
    pub(super) fn publish(&self, bytes: &[u8], to: &Path) -> Result<()> {
        self.publish_written(None, bytes, to)
    }

    /// The same of a draft that is [written already](Self::drafts), if there is one.
    pub(super) fn publish_written(
        &self,
        written: Option<Draft<F::File>>,
        bytes: &[u8],
        to: &Path,
    ) -> Result<()> {
        self.publish_by(written, bytes, to, |draft| self.give_own_name(draft, to)).map(drop)
    }

    /// Publishes a file under a name that another file may have already: then that one stays. Whether it is ours.
    /// Does not flush the folder.
    pub(super) fn publish_if_free(&self, bytes: &[u8], to: &Path) -> Result<bool> {
        self.publish_written_if_free(None, bytes, to)
    }

    /// The same of a draft that is written already, if there is one.
    pub(super) fn publish_written_if_free(
        &self,
        written: Option<Draft<F::File>>,
        bytes: &[u8],
        to: &Path,
    ) -> Result<bool> {
        self.publish_by(written, bytes, to, |draft| self.give_free_name(draft, to))
    }

    fn publish_by(
        &self,
        mut written: Option<Draft<F::File>>,
        bytes: &[u8],
        to: &Path,
        name: impl Fn(&Draft<F::File>) -> Result<Named>,
    ) -> Result<bool> {
        for _ in 0..TRIES {
            let draft = written.take().map_or_else(|| self.draft(bytes, parent(to)), Ok)?;
            let named = name(&draft);
            match named {
                Ok(Named::Ours) => return Ok(true),
                Ok(Named::Theirs) | Err(_) => {
                    self.discard(draft);
                    return named.map(|_| false);
                }
                Ok(Named::Swept) => {
                    tracing::debug!(to = %to.display(), "a draft was swept away; writing it anew")
                }
            }
        }
        Err(Error::io(
            "publish a file: its draft was removed again and again",
            to,
            ErrorKind::NotFound.into(),
        ))
    }

    /// Puts a file in the place of another one: who reads that name reads either, whole. Does not flush the folder.
    pub(super) fn replace(&self, bytes: &[u8], to: &Path) -> Result<()> {
        for _ in 0..TRIES {
            let (draft, path) = self.create_in_tmp()?;
            let written = self.fill(&draft, bytes);
            if let Err(e) = written {
                self.discard(draft);
                return Err(Error::io("write and flush a file", path, e));
            }
            let own = self.fs.stat_open(&draft.file).map_err(|e| Error::io("look at a draft", &path, e))?.id;
            let answer = self.fs.rename(&path, to);
            if self.look(&path)?.is_some() {
                self.discard(draft);
                answer.map_err(|e| Error::io("replace a file", to, e))?;
            } else if answer.is_ok() || self.look(to)?.is_some_and(|there| there.id == own) {
                return Ok(());
            }
            // It was swept away, or is replaced again already, which nobody can tell apart: once more does no harm.
        }
        Err(Error::io(
            "replace a file: its draft was removed again and again",
            to,
            ErrorKind::NotFound.into(),
        ))
    }

    /// Links `from`, which stays, to a name that another file may have already. Whether the name is `from`'s file's.
    pub(super) fn link_if_free(&self, from: &Path, file: FileId, to: &Path) -> Result<bool> {
        let answer = self.fs.link(from, to);
        match (self.look(to)?, answer) {
            (Some(target), _) => Ok(target.id == file),
            (None, Err(e)) => Err(Error::io("link a file", to, e)),
            (None, Ok(())) => Err(Error::io("link a file", to, ErrorKind::NotFound.into())),
        }
    }

    /// Writes files that are to have these names, and flushes them all at the same time. Where that did not work there is none: who
    /// publishes it writes it anew, and is told why that is not possible.
    pub(super) fn drafts(&self, files: &[(&[u8], &Path)]) -> Vec<Option<Draft<F::File>>> {
        let write = |(bytes, to): &(&[u8], &Path)| {
            let (draft, _) = self.create(parent(to)).ok()?;
            match self.fs.write(&draft.file, bytes) {
                Ok(()) => Some(draft),
                Err(_) => {
                    self.discard(draft);
                    None
                }
            }
        };
        let written: Vec<Option<Draft<F::File>>> = files.iter().map(write).collect();
        let files: Vec<&F::File> = written.iter().flatten().map(|draft| &draft.file).collect();
        let mut flushed = self.fs.flush_all(&files).into_iter();
        let mut keep = |draft: Draft<F::File>| match flushed.next() {
            Some(Ok(())) => Some(draft),
            // As in `draft`: it is worth nothing now.
            _ => {
                self.discard(draft);
                None
            }
        };
        written.into_iter().map(|draft| draft.and_then(&mut keep)).collect()
    }

    /// Writes and flushes a file that is to be named in `dir`.
    fn draft(&self, bytes: &[u8], dir: &Path) -> Result<Draft<F::File>> {
        let (draft, shown) = self.create(dir)?;
        let written = self.fill(&draft, bytes);
        match written {
            Ok(()) => Ok(draft),
            // After a failed flush the kernel may have dropped the data and call the next flush a success.
            Err(e) => {
                self.discard(draft);
                Err(Error::io("write and flush a file", shown, e))
            }
        }
    }

    fn fill(&self, draft: &Draft<F::File>, bytes: &[u8]) -> io::Result<()> {
        self.fs.write(&draft.file, bytes).and_then(|()| self.fs.flush(&draft.file))
    }

    /// An empty file that is to be named in `dir`, and where it is.
    fn create(&self, dir: &Path) -> Result<(Draft<F::File>, PathBuf)> {
        match self.create_unnamed(dir) {
            Some(Ok(file)) => Ok((Draft { file, path: None }, dir.to_owned())),
            Some(Err(e)) => Err(Error::io("create a file", dir, e)),
            None => self.create_in_tmp(),
        }
    }

    /// `None` where there are no unnamed files.
    fn create_unnamed(&self, dir: &Path) -> Option<io::Result<F::File>> {
        if !self.unnamed.load(Ordering::Relaxed) {
            return None;
        }
        match self.fs.create_unnamed(dir) {
            Err(e) if e.kind() == ErrorKind::Unsupported => {
                self.unnamed.store(false, Ordering::Relaxed);
                None
            }
            answer => Some(answer),
        }
    }

    fn create_in_tmp(&self) -> Result<(Draft<F::File>, PathBuf)> {
        let path = self.draft_path();
        let file = self.fs.create(&path).map_err(|e| Error::io("create a file", &path, e))?;
        Ok((Draft { file, path: Some(path.clone()) }, path))
    }

    /// A name in `tmp/` that was never used and never will be.
    pub(super) fn draft_path(&self) -> PathBuf {
        self.layout.room("tmp").join(format!("{:032x}", self.host.entropy()))
    }

    fn give_own_name(&self, draft: &Draft<F::File>, to: &Path) -> Result<Named> {
        let answer = match &draft.path {
            None => self.fs.link_unnamed(&draft.file, to),
            Some(path) => self.fs.rename(path, to),
        };
        let e = match answer {
            Ok(()) => return Ok(Named::Ours),
            // An earlier call of ours did it, whose answer was lost or whose flush failed: nobody else has this name.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(Named::Theirs),
            Err(e) => e,
        };
        // Did it happen all the same? Not if the draft is there still. Only then is the descriptor asked, which knows how many names the
        // file has, wherever they are by now: the other way round, a draft that is swept away in between would look published.
        let unknown = |e: &dyn std::fmt::Display| {
            Error::new(WordKind::Uncertain, format!("a file may or may not have been published ({e})")).at(to)
        };
        if let Some(path) = &draft.path
            && self.look(path).map_err(|e| unknown(&e))?.is_some()
        {
            return Err(Error::io("publish a file", to, e));
        }
        match self.fs.stat_open(&draft.file).map_err(|e| unknown(&e))?.links {
            0 if draft.path.is_some() => Ok(Named::Swept),
            0 => Err(Error::io("publish a file", to, e)),
            _ => Ok(Named::Ours),
        }
    }

    fn give_free_name(&self, draft: &Draft<F::File>, to: &Path) -> Result<Named> {
        let answer = match &draft.path {
            None => self.fs.link_unnamed(&draft.file, to),
            Some(path) => self.fs.link(path, to),
        };
        let own = || self.fs.stat_open(&draft.file).map_err(|e| Error::io("look at a draft", to, e));
        let named = match (answer, &draft.path) {
            (Ok(()), _) => Named::Ours,
            (Err(e), path) => match self.look(to)? {
                Some(target) if target.id == own()?.id => Named::Ours,
                Some(_) => Named::Theirs,
                None if path.is_some() && own()?.links == 0 => Named::Swept,
                None => return Err(Error::io("publish a file", to, e)),
            },
        };
        if let (Named::Ours, Some(path)) = (&named, &draft.path) {
            self.remove(path)?;
        }
        Ok(named)
    }

    /// Litter in `tmp/` is harmless (P16), so that this failed is no news.
    pub(super) fn discard(&self, draft: Draft<F::File>) {
        if let Some(path) = draft.path
            && let Err(e) = self.remove(&path)
        {
            tracing::debug!(error = %e, "a draft is left to the sweep");
        }
    }
}
