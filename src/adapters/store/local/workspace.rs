//! P24: what a handler leaves for its outcome. Nobody refers to it before the outcome is decided.

use std::io::{self, ErrorKind as Io};
use std::path::Path;

use super::LocalStore;
use super::moves::found;
use super::payload::Found;
use crate::ports::{FileKind, Fs, Harvest, Host, Prepared, Workspace};
use crate::words::{ClaimCheck, ClaimCheckKind, Error, ErrorKind, Id, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Not flushed: after a power cut the job is handled anew.
    pub(super) fn make_workspace(&self, job: &Id, prepared: Prepared) -> Result<Workspace> {
        let files = self.fresh_check(job, ClaimCheckKind::Files);
        let data = ClaimCheck { kind: ClaimCheckKind::Data, ..files.clone() };
        let workspace = Workspace {
            files: self.layout.payload(&files),
            data: self.layout.payload(&data),
            stamp: files.stamp,
        };
        match prepared {
            Prepared::Folder => self.make_payload_folder(&workspace.files)?,
            Prepared::Nothing => self.ensure_dir(&self.layout.room("payload"))?,
        }
        Ok(workspace)
    }

    /// P24: files, their folders, `payload/`.
    pub(super) fn take_in(&self, workspace: &Workspace) -> Result<Harvest> {
        let (has_files, has_data) = (self.keep_files(&workspace.files)?, self.keep_data(&workspace.data)?);
        if has_files || has_data {
            self.flush_dir(&self.layout.room("payload"))?;
        }
        let check = |kind| ClaimCheck { stamp: workspace.stamp.clone(), kind };
        Ok(Harvest {
            files: has_files.then(|| check(ClaimCheckKind::Files)),
            data: has_data.then(|| check(ClaimCheckKind::Data)),
        })
    }

    /// Whether there is any.
    fn keep_files(&self, root: &Path) -> Result<bool> {
        // Most leave nothing.
        if self.fs.remove_dir(root).is_ok() {
            return Ok(false);
        }
        // What the handler put in its place could lead anywhere.
        match self.look(root)?.map(|meta| meta.kind) {
            None => return Ok(false),
            Some(FileKind::Dir) => {}
            Some(_) => return self.refuse(root).map(|()| false),
        }
        let mut any = false;
        let mut folders = vec![root.to_owned()];
        for Found { path, kind } in self.walk(root).map_err(|e| left_so("list", root, e))? {
            match kind {
                FileKind::File => any |= self.secure(&path)?,
                FileKind::Dir => folders.push(path),
                FileKind::Other => self.refuse(&path)?,
            }
        }
        if !any {
            self.remove_tree(root)?;
            return Ok(false);
        }
        // The innermost first: a folder is not durable before what is in it.
        for folder in folders.iter().rev() {
            self.fs.admit(folder).map_err(|e| left_so("take over", folder, e))?;
            self.flush_dir(folder)?;
        }
        Ok(true)
    }

    fn keep_data(&self, path: &Path) -> Result<bool> {
        match self.look(path)?.map(|meta| meta.kind) {
            None => Ok(false),
            Some(FileKind::File) => self.secure(path),
            Some(_) => self.refuse(path).map(|()| false),
        }
    }

    /// Whether it is still there.
    fn secure(&self, path: &Path) -> Result<bool> {
        let admitted = found(self.fs.admit(path)).map_err(|e| left_so("take over", path, e))?;
        let opened = found(self.fs.open(path)).map_err(|e| left_so("open", path, e))?;
        let (Some(()), Some(file)) = (admitted, opened) else { return Ok(false) };
        self.fs.flush(&file).map_err(|e| Error::io("flush what a handler wrote", path, e))?;
        Ok(true)
    }

    /// Links could lead anywhere, and pipes nowhere.
    fn refuse(&self, path: &Path) -> Result<()> {
        tracing::warn!(path = %path.display(), "what a handler left here does not travel; it is removed");
        self.remove(path)
    }
}

/// What the handler is to blame for, and what the folder.
fn left_so(doing: &str, path: &Path, e: io::Error) -> Error {
    match e.kind() {
        Io::PermissionDenied | Io::InvalidFilename | Io::InvalidInput => {
            Error::new(ErrorKind::Invalid, format!("cannot {doing} what the handler left"))
                .at(path)
                .because(e)
        }
        _ => Error::io(&format!("{doing} what a handler left"), path, e),
    }
}
