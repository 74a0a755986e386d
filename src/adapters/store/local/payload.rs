//! P23: what travels beside a job. Nobody refers to it before the job is published, so it is never seen half there.

use std::collections::HashSet;
use std::io::{self, ErrorKind as Io};
use std::path::{Path, PathBuf};

use super::LocalStore;
use super::moves::found;
use crate::ports::{AttachBy, Attachment, FileKind, Fs, Host};
use crate::words::{ClaimCheck, ClaimCheckKind, Error, ErrorKind, Id, Result, StampedId};

/// How often a folder is removed into which somebody still writes.
const ROUNDS: usize = 3;

/// Something below a folder.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) kind: FileKind,
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// P23.
    pub(super) fn put_beside(
        &self,
        job: &Id,
        files: &[Attachment],
        progress: &mut dyn FnMut(u64),
    ) -> Result<ClaimCheck> {
        self.check_sources(files)?;
        let check = self.fresh_check(job, ClaimCheckKind::Files);
        let folder = self.layout.payload(&check);
        self.undone_by_an_error(&check, || {
            self.make_payload_folder(&folder)?;
            for file in files {
                self.put_in(file, &folder.join(name_of(&file.path)?), progress)?;
            }
            self.flush_dir(&folder)
        })
    }

    /// A new name in `payload/`.
    pub(super) fn fresh_check(&self, job: &Id, kind: ClaimCheckKind) -> ClaimCheck {
        ClaimCheck { stamp: StampedId { id: job.clone(), nonce: self.host.nonce() }, kind }
    }

    /// Fills a place in `payload/` and makes it durable there, or leaves nothing.
    fn undone_by_an_error(
        &self,
        check: &ClaimCheck,
        fill: impl FnOnce() -> Result<()>,
    ) -> Result<ClaimCheck> {
        let filled = fill().and_then(|()| self.flush_dir(&self.layout.room("payload")));
        if let Err(e) = filled {
            if let Err(left) = self.throw_away(check) {
                tracing::warn!(error = %left, "what was to travel with a job is left in payload/");
            }
            return Err(e);
        }
        Ok(check.clone())
    }

    /// Before anything is done: what could be seen to be wrong later.
    fn check_sources(&self, files: &[Attachment]) -> Result<()> {
        let mut names = HashSet::new();
        for Attachment { path, how } in files {
            let refuse = |why: &str| Err(Error::new(ErrorKind::Invalid, why).at(path));
            if !names.insert(name_of(path)?) {
                return refuse("two files of one name cannot travel with one job; rename one of them");
            }
            let meta =
                found(self.fs.stat(path)).map_err(|e| Error::io("look at a file to attach", path, e))?;
            match meta.map(|meta| meta.kind) {
                None => return Err(Error::new(ErrorKind::NotFound, "no such file to attach").at(path)),
                Some(FileKind::File) => {}
                Some(FileKind::Dir) => {
                    return refuse("a folder cannot be attached; attach its files, or an archive of them");
                }
                // It may be a link to a file; the copy will see.
                Some(FileKind::Other) if *how == AttachBy::Copy => {}
                Some(FileKind::Other) => {
                    return refuse("no regular file; only such can be moved or linked to a job");
                }
            }
        }
        Ok(())
    }

    fn put_in(&self, file: &Attachment, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let from = &file.path;
        match file.how {
            AttachBy::Copy => self.copy_in(from, to, progress),
            AttachBy::Link => {
                self.link_in(from, to).map_err(|e| why_no_link(from, e))?;
                self.flush_named(to, progress)
            }
            AttachBy::Move => {
                // Until the job is durable it has both names. Also if it cannot be given the modes of a shared folder, being
                // another's, a copy can.
                let linked = self.link_in(from, to).and_then(|()| self.fs.admit(to));
                if let Err(e) = linked {
                    tracing::debug!(from = %from.display(), error = %e, "not linked, but copied");
                    self.remove(to)?;
                    return self.copy_in(from, to, progress);
                }
                self.flush_named(to, progress)
            }
        }
    }

    /// A name of which an answer may be lost: nobody else makes it.
    fn link_in(&self, from: &Path, to: &Path) -> io::Result<()> {
        let answer = self.fs.link(from, to);
        match (found(self.fs.stat(to))?, answer) {
            (Some(_), _) => Ok(()),
            (None, Err(e)) => Err(e),
            (None, Ok(())) => Err(Io::NotFound.into()),
        }
    }

    pub(super) fn copy_in(&self, from: &Path, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let file = self.fs.create(to).map_err(|e| Error::io("create a file", to, e))?;
        let copied = self.fs.copy(from, &file, progress);
        copied.map_err(|e| match e.kind() {
            Io::InvalidInput => {
                Error::new(ErrorKind::Invalid, "no regular file; only such can travel").at(from)
            }
            Io::NotFound => Error::new(ErrorKind::NotFound, "no such file to attach").at(from),
            _ => Error::io("copy a file into the drop folder", from, e),
        })?;
        self.fs.flush(&file).map_err(|e| Error::io("flush a file", to, e))
    }

    /// Whoever wrote it may not have flushed it.
    fn flush_named(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let failed = |e| Error::io("flush a file", path, e);
        let file = self.fs.open(path).map_err(|e| match e.kind() {
            // It became another since it was looked at.
            Io::InvalidInput => {
                Error::new(ErrorKind::Invalid, "no regular file; only such can travel").at(path)
            }
            _ => failed(e),
        })?;
        self.fs.flush(&file).map_err(failed)?;
        progress(self.fs.stat_open(&file).map_err(failed)?.size);
        Ok(())
    }

    /// The second half of a move: the job is durable. What is not what was moved any more, stays.
    pub(super) fn remove_sources(&self, check: &ClaimCheck, files: &[Attachment]) -> Vec<PathBuf> {
        let folder = self.layout.payload(check);
        let moved = files.iter().filter(|file| file.how == AttachBy::Move);
        let stays = |from: &Path| match self.remove_source(from, &folder) {
            Ok(gone) => !gone,
            Err(e) => {
                tracing::warn!(error = %e, "a file was moved to a job, and has its old name still");
                true
            }
        };
        moved.filter(|file| stays(&file.path)).map(|file| file.path.clone()).collect()
    }

    fn remove_source(&self, from: &Path, folder: &Path) -> Result<bool> {
        let Some(source) = self.look(from)? else { return Ok(true) };
        let Some(there) = self.look(&folder.join(name_of(from)?))? else { return Ok(false) };
        // A copy has the time of what was copied: who wrote to that meanwhile made it later.
        let same = source.id == there.id
            || (source.kind, source.size, source.modified_ms) == (there.kind, there.size, there.modified_ms);
        if same {
            self.remove(from)?;
        }
        Ok(same)
    }

    /// P21: what travelled with a dead letter travels with the job that it becomes, too.
    pub(super) fn hand_down(&self, old: &ClaimCheck, heir: &Id) -> Result<ClaimCheck> {
        let new = self.fresh_check(heir, old.kind);
        self.undone_by_an_error(&new, || self.hand_over(old, &self.layout.payload(&new)))
    }

    /// What travels under this reference is at this path too, but for its name durable. It may be there in part already.
    pub(super) fn hand_over(&self, check: &ClaimCheck, to: &Path) -> Result<()> {
        let from = self.layout.payload(check);
        self.cargo(check)?;
        if check.kind == ClaimCheckKind::Data {
            return self.link_or_copy(&from, to);
        }
        self.make_payload_folder(to)?;
        let all = self.walk(&from).map_err(|e| Error::io("list a folder", &from, e))?;
        let mut folders = vec![to.to_owned()];
        for Found { path, kind } in all {
            let place = to.join(path.strip_prefix(&from).unwrap_or(&path));
            match kind {
                FileKind::Dir => {
                    self.make_payload_folder(&place)?;
                    folders.push(place);
                }
                FileKind::File => self.link_or_copy(&path, &place)?,
                FileKind::Other => {}
            }
        }
        folders.iter().rev().try_for_each(|folder| self.flush_dir(folder))
    }

    /// Both lie in `payload/`, flushed; but a link to another user's file is not always allowed.
    fn link_or_copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.link_in(from, to).or_else(|_| {
            // Who comes by later must not take half a copy for the file.
            let draft = self.draft_path();
            self.copy_in(from, &draft, &mut |_| ())?;
            self.relocate(&draft, to)
        })
    }

    pub(super) fn make_payload_folder(&self, folder: &Path) -> Result<()> {
        self.ensure_dir(&self.layout.room("payload"))?;
        match self.fs.make_dir(folder) {
            Err(e) if self.look(folder)?.is_none() => Err(Error::io("make a folder", folder, e)),
            _ => Ok(()),
        }
    }

    pub(super) fn throw_away(&self, check: &ClaimCheck) -> Result<()> {
        let path = self.layout.payload(check);
        match check.kind {
            ClaimCheckKind::Data => self.remove(&path),
            ClaimCheckKind::Files => self.remove_tree(&path),
        }
    }

    /// Removes a folder with all that is in it, or what somebody put in its place.
    pub(super) fn remove_tree(&self, root: &Path) -> Result<()> {
        let mut answer = Ok(());
        for _ in 0..ROUNDS {
            answer = match self.look(root)?.map(|meta| meta.kind) {
                None => return Ok(()),
                // It fails where somebody writes into it meanwhile, who is ending.
                Some(FileKind::Dir) => self.fs.remove_tree(root),
                Some(_) => return self.remove(root),
            };
        }
        match (self.look(root)?, answer) {
            (None, _) => Ok(()),
            (Some(_), Err(e)) => Err(Error::io("remove a folder", root, e)),
            (Some(_), Ok(())) => Err(Error::io("remove a folder", root, Io::DirectoryNotEmpty.into())),
        }
    }

    /// The regular files that travel under this reference, with their sizes in bytes, in the order of their paths.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is nothing: it was removed when its job had been kept for long enough.
    pub fn travelling(&self, check: &ClaimCheck) -> Result<Vec<(PathBuf, u64)>> {
        let root = self.layout.payload(check);
        let meta = self.cargo(check)?;
        if check.kind == ClaimCheckKind::Data {
            return Ok(vec![(root, meta.size)]);
        }
        let mut files = Vec::new();
        let all = self.walk(&root).map_err(|e| Error::io("list a folder", &root, e))?;
        for Found { path, .. } in all.into_iter().filter(|found| found.kind == FileKind::File) {
            if let Some(meta) = self.look(&path)? {
                files.push((path, meta.size));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// All that is below a folder, each folder before what is in it. Nothing, if it is gone.
    pub(super) fn walk(&self, root: &Path) -> io::Result<Vec<Found>> {
        let mut all: Vec<Found> = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let first = all.len();
            found(self.fs.list(&folder, &mut |entry| {
                all.push(Found { path: folder.join(entry.name), kind: entry.kind });
            }))?;
            let inner = all[first..].iter().filter(|found| found.kind == FileKind::Dir);
            folders.extend(inner.map(|found| found.path.clone()));
        }
        Ok(all)
    }
}

fn name_of(path: &Path) -> Result<&std::ffi::OsStr> {
    let no_name = || Error::new(ErrorKind::Invalid, "a file to attach must have a name").at(path);
    path.file_name().ok_or_else(no_name)
}

fn why_no_link(from: &Path, e: io::Error) -> Error {
    match e.kind() {
        Io::CrossesDevices | Io::PermissionDenied | Io::TooManyLinks | Io::Unsupported => {
            let why =
                "this file cannot be linked into the drop folder; attach a copy of it instead (--attach)";
            Error::new(ErrorKind::Invalid, why).at(from).because(e)
        }
        _ => Error::io("link a file into the drop folder", from, e),
    }
}
