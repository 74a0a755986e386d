//! P28: notes of files that go back under their names, for a day in `tmp/`.
//!
//! Whoever watches the folder sees a rename, as if a stranger had put a whole file in place; and the rename makes the file's last
//! change newer than the marker beside it. So a note that nobody has to remember says which file it was, before it is seen to come.

use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

use super::LocalStore;
use crate::ports::{Fs, Host};
use crate::words::{Version, Writer};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// To be called before a file goes back. `is_as_judged`: its content is the one that was found to be complete.
    ///
    /// A disk may be too full for notes. To keep the file from its name would be worse: then it is another's, if we end here.
    pub(super) fn note_return(&self, path: &Path, is_as_judged: impl FnOnce(&Version) -> bool) {
        let noted = self.fs.stat(path).and_then(|meta| {
            let version = meta.version();
            if is_as_judged(&version) {
                self.note(&self.complete_note(&version))?;
            }
            self.note(&self.return_note(&version))
        });
        if let Err(e) = noted {
            tracing::debug!(path = %path.display(), error = %e, "cannot note that a file goes back");
        }
    }

    /// Whether one of us has put this file back lately, whatever it has become since. In doubt it is so.
    pub(super) fn went_back(&self, version: &Version) -> bool {
        !matches!(self.fs.stat(&self.return_note(version)), Err(e) if e.kind() == Io::NotFound)
    }

    /// Whether this file was found to be complete, went back so, and nobody has changed it since or is about to.
    pub(super) fn went_back_complete(&self, path: &Path, version: &Version) -> bool {
        self.fs.stat(&self.complete_note(version)).is_ok()
            && self.fs.writer(path).is_ok_and(|writer| writer != Writer::Some)
    }

    /// One that was there is a day old sooner.
    fn note(&self, path: &Path) -> std::io::Result<()> {
        let made = match self.fs.create(path) {
            Err(e) if e.kind() == Io::AlreadyExists => {
                let _ = self.fs.unlink(path);
                self.fs.create(path)
            }
            made => made,
        };
        match made {
            // Another made it anew.
            Err(e) if e.kind() != Io::AlreadyExists => Err(e),
            _ => Ok(()),
        }
    }

    /// `tmp/<inode>.<birth>.back`
    fn return_note(&self, version: &Version) -> PathBuf {
        let Version { ino, born_ns, .. } = version;
        self.layout.room("tmp").join(format!("{ino}.{}.back", born_ns.unwrap_or(0)))
    }

    /// `tmp/<inode>.<birth>.<size>.<mtime>.back`
    fn complete_note(&self, version: &Version) -> PathBuf {
        let Version { ino, born_ns, size, modified_ns, .. } = version;
        self.layout.room("tmp").join(format!("{ino}.{}.{size}.{modified_ns}.back", born_ns.unwrap_or(0)))
    }
}
