//! The folder in which something is tried.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::ports::{FileKind, Fs as _, Host as _};

const SUFFIX: &str = ".probe";

/// More than all that is tried needs.
const ENOUGH: usize = 256 << 10;
/// A file system that takes so much is not full: small jobs may still come in.
const A_BLOCK: usize = 4 << 10;

/// How much can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// So much that what is tried does not fail for want of space.
    Enough,
    /// Something, but less.
    Little,
}

/// A folder of our own, below the `tmp/` of a drop folder (P16 sweeps what a killed program leaves there), or below another folder.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) fs: &'a OsFs,
    path: PathBuf,
}

impl<'a> Site<'a> {
    /// Makes one, has something tried in it, and removes it with all that is in it.
    ///
    /// # Errors
    /// If it cannot be made. That it cannot be removed is no error: a sweep will do it.
    pub(crate) fn with<T>(fs: &'a OsFs, below: &Path, work: impl FnOnce(&Self) -> T) -> io::Result<T> {
        let path = below.join(fresh());
        fs.make_dir(&path)?;
        let site = Self { fs, path };
        let answer = work(&site);
        if let Err(e) = fs.remove_tree(&site.path) {
            tracing::debug!(path = %site.path.display(), error = %e, "a probe could not be removed");
        }
        Ok(answer)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file with this content.
    pub(super) fn file(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.at(name);
        let file = self.fs.create(&path)?;
        self.fs.write(&file, content)?;
        Ok(path)
    }

    /// How much can be written.
    ///
    /// # Errors
    /// If nothing can.
    pub(crate) fn space(&self) -> io::Result<Space> {
        match self.takes(ENOUGH) {
            Err(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                self.takes(A_BLOCK).map(|()| Space::Little)
            }
            taken => taken.map(|()| Space::Enough),
        }
    }

    fn takes(&self, bytes: usize) -> io::Result<()> {
        let path = self.at("space");
        let file = self.fs.create(&path)?;
        let tried = self.fs.write(&file, &vec![0; bytes]).and_then(|()| self.fs.flush(&file));
        self.fs.unlink(&path)?;
        tried
    }

    /// A folder.
    pub(super) fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.at(name);
        self.fs.make_dir(&path)?;
        Ok(path)
    }
}

/// A name for what is only to be tried. What begins with a dot is nobody's job, if it comes into somebody else's inbox.
pub(super) fn fresh() -> String {
    format!(".{:032x}{SUFFIX}", OsHost.entropy())
}

/// Whether a folder in `tmp/` has the name of a site.
pub(crate) fn is_site(name: &str) -> bool {
    let nonce = name.strip_prefix('.').and_then(|name| name.strip_suffix(SUFFIX));
    nonce.is_some_and(|nonce| nonce.len() == 32 && nonce.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Removes what killed programs left in a folder that is no drop folder, where nobody sweeps: what has not been changed for `age`.
///
/// # Errors
/// If the folder cannot be listed, or a site that is so old cannot be removed.
pub(crate) fn remove_old(fs: &OsFs, below: &Path, age: Duration) -> io::Result<()> {
    let mut sites = Vec::new();
    fs.list(below, &mut |entry| {
        if entry.kind == FileKind::Dir && entry.name.to_str().is_some_and(is_site) {
            sites.push(below.join(entry.name));
        }
    })?;
    for site in sites {
        let changed = Duration::from_millis(fs.stat(&site)?.modified_ms);
        let now = Duration::from_millis(OsHost.now().get());
        if now.saturating_sub(changed) > age {
            match fs.remove_tree(&site) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, FileTimes};
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn nothing_is_left_of_it_and_old_ones_go() {
        let place = tempfile::tempdir().unwrap();
        let os = OsFs::beside(place.path()).unwrap();
        let names = || fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let name = Site::with(&os, place.path(), |site| {
            site.file("x", b"x").unwrap();
            site.folder("below").unwrap();
            site.path().file_name().unwrap().to_str().unwrap().to_owned()
        });
        let name = name.unwrap();
        assert!(is_site(&name) && names().next().is_none());
        assert!(!is_site(&name[1..]) && !is_site(".x.probe") && !is_site("5.probe"));

        let nonce = |nth: u8| place.path().join(format!(".{nth:032x}{SUFFIX}"));
        for path in [nonce(1), nonce(2), place.path().join("other")] {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), "x").unwrap();
        }
        let old = SystemTime::now() - Duration::from_secs(3600);
        for path in [nonce(1), place.path().join("other")] {
            File::open(path).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
        }
        remove_old(&os, place.path(), Duration::from_secs(1800)).unwrap();
        let mut left: Vec<_> = names().collect();
        left.sort();
        assert_eq!(left, [nonce(2).file_name().unwrap().to_owned(), "other".into()]);
    }
}
