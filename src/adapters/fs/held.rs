//! Folders that are held by a descriptor: a partner who may rename what leads to them leads nobody elsewhere.

use std::io::{self, ErrorKind as Io};
use std::path::Path;

use crate::ports::{Fs, Held};

/// Holds a folder itself.
///
/// # Errors
/// [`Unsupported`](Io::Unsupported) where nothing leads from a descriptor back to names; and if there is no such folder, but a link.
#[cfg(target_os = "linux")]
pub fn hold_root(dir: &Path) -> io::Result<Held> {
    if !Path::new("/proc/self/fd").exists() {
        return Err(io::Error::new(Io::Unsupported, "this needs /proc, which is not mounted here"));
    }
    Ok(named(rustix::fs::open(dir, FOLDER, rustix::fs::Mode::empty())?))
}

/// Nothing leads from a descriptor back to names: the path is all that there is.
#[cfg(not(target_os = "linux"))]
pub fn hold_root(dir: &Path) -> io::Result<Held> {
    Ok(Held::named(dir))
}

/// Part by part, each of them in the one before: so no link leads anywhere, and nobody can put one there meanwhile.
#[cfg(target_os = "linux")]
pub(super) fn hold_below(root: std::os::fd::BorrowedFd<'_>, below: &Path) -> io::Result<Held> {
    use std::path::Component;

    use rustix::fs::{Mode, openat};

    let mut fd = root.try_clone_to_owned()?;
    for part in below.components() {
        let Component::Normal(name) = part else { return Err(Io::InvalidInput.into()) };
        fd = openat(&fd, name, FOLDER, Mode::empty())?;
    }
    Ok(named(fd))
}

/// Without reading it: who may only pass through may hold it.
#[cfg(target_os = "linux")]
const FOLDER: rustix::fs::OFlags = rustix::fs::OFlags::PATH
    .union(rustix::fs::OFlags::DIRECTORY)
    .union(rustix::fs::OFlags::NOFOLLOW)
    .union(rustix::fs::OFlags::CLOEXEC);

/// A path through /proc leads to what is open, whatever became of its names.
#[cfg(target_os = "linux")]
fn named(fd: std::os::fd::OwnedFd) -> Held {
    use std::os::fd::AsRawFd as _;

    Held::open(format!("/proc/self/fd/{}", fd.as_raw_fd()), fd)
}

/// Holds a folder below another, and makes what is not there of it, durably (R6).
///
/// # Errors
/// [`NotADirectory`](Io::NotADirectory) if a part of it is none, but a link; else if the system refuses.
pub(crate) fn make_below<F: Fs>(fs: &F, root: &Held, below: &Path) -> io::Result<Held> {
    let mut at = fs.hold(root, Path::new(""))?;
    for part in below {
        let made = fs.make_dir(&at.path().join(part));
        let next = match fs.hold(&at, Path::new(part)) {
            Err(e) if e.kind() == Io::NotFound => return Err(made.err().unwrap_or(e)),
            held => held?,
        };
        // Also if it was there: whoever made it may not have come to that.
        fs.flush_dir(at.path())?;
        at = next;
    }
    Ok(at)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::adapters::fs::OsFs;

    #[test]
    fn what_is_held_stays_the_same_folder() {
        let place = tempfile::tempdir().unwrap();
        let (root, outside) = (place.path().join("root"), place.path().join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        let os = OsFs::beside(place.path()).unwrap();
        let held = hold_root(&root).unwrap();
        let deep = make_below(&os, &held, Path::new("a/b")).unwrap();
        assert!(make_below(&os, &held, Path::new("a/b")).is_ok(), "once more");
        fs::rename(root.join("a"), root.join("was a")).unwrap();
        symlink(&outside, root.join("a")).unwrap();
        fs::create_dir(outside.join("b")).unwrap();
        os.create(&deep.path().join("file")).unwrap();
        os.rename(&deep.path().join("file"), &held.path().join("moved")).unwrap();
        os.flush_dir(deep.path()).unwrap();
        assert!(root.join("moved").exists());
        assert_eq!(fs::read_dir(outside.join("b")).unwrap().count(), 0);
        for below in ["a", "a/b", "a/c"] {
            let refused = os.hold(&held, Path::new(below)).map(drop).unwrap_err();
            assert_eq!(refused.kind(), Io::NotADirectory, "{below}");
            assert!(make_below(&os, &held, Path::new(below)).is_err(), "{below}");
        }
        assert!(os.hold(&held, Path::new("../outside")).is_err());
        assert_eq!(os.hold(&held, Path::new("none")).map(drop).unwrap_err().kind(), Io::NotFound);
        assert!(!outside.join("c").exists());
    }
}
