//! Receipts: files in a folder that a partner sees, and may be able to rename things in.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind as Io, Write as _};
use std::path::{Path, PathBuf};

use super::books::{ACCEPTED, DONE, REJECTED};
use crate::adapters::fs::{Aside, OsFs, hold_root, make_below, remove_asides};
use crate::ports::{Fs as _, Held};
use crate::words::{Error, Result};

/// The longest name that most file systems take.
const LONGEST_NAME: usize = 255;

/// So many folders are known to be durable; partners choose their names.
const MOST_KNOWN: usize = 4096;

pub(super) struct Receipts {
    /// For people.
    dir: PathBuf,
    root: Held,
    fs: OsFs,
    /// Folders below it that this process has seen durable (R6).
    durable: BTreeSet<PathBuf>,
}

impl Receipts {
    pub(super) fn open(dir: PathBuf) -> Result<Self> {
        let failed = |e| Error::io("open the folder for receipts", &dir, e);
        let (root, fs) = (hold_root(&dir).map_err(failed)?, OsFs::beside(&dir).map_err(failed)?);
        remove_asides(root.path());
        Ok(Self { dir, root, fs, durable: BTreeSet::new() })
    }

    /// `<path>.<what>`, whatever was there, and nothing of what was there of an earlier file of that name.
    /// Returns the folder that is still to be flushed.
    pub(super) fn write(&mut self, path: &Path, what: &str, text: &str) -> Result<Option<PathBuf>> {
        let named = |what: &str| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{what}"));
            name
        };
        let name = named(what);
        if name.len() > LONGEST_NAME {
            tracing::warn!(path = %path.display(), "the name is too long for a receipt");
            return Ok(None);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut write = || -> io::Result<()> {
            let held = self.folder(folder)?;
            if what == ACCEPTED {
                [REJECTED, DONE].into_iter().try_for_each(|stale| remove(&held.path().join(named(stale))))?;
            }
            let to = held.path().join(&name);
            let part = Aside::beside(&to)?;
            part.file().write_all(text.as_bytes())?;
            part.replace(&to)
        };
        write().map_err(|e| Error::io("write a receipt", self.dir.join(folder).join(&name), e))?;
        Ok(Some(folder.to_owned()))
    }

    /// Makes what was written there durable.
    pub(super) fn flush(&mut self, folder: &Path) -> Result<()> {
        let flushed = self.folder(folder).and_then(|held| self.fs.flush_dir(held.path()));
        flushed.map_err(|e| Error::io("flush a folder", self.dir.join(folder), e))
    }

    /// Made, if it is not there. A link there, whoever made it, could lead anywhere.
    fn folder(&mut self, below: &Path) -> io::Result<Held> {
        if self.durable.contains(below)
            && let Ok(held) = self.fs.hold(&self.root, below)
        {
            return Ok(held);
        }
        let held = make_below(&self.fs, &self.root, below)?;
        if self.durable.len() >= MOST_KNOWN {
            self.durable.clear();
        }
        self.durable.insert(below.to_owned());
        Ok(held)
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != Io::NotFound => Err(e),
        _ => Ok(()),
    }
}
