//! Whether locks mean anything where a folder lies.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::kind::kind;

/// Whether a lock of another process can be seen here, and ends with that process: on a file system that this kernel has to
/// itself, and only if it was tried. In doubt it cannot.
///
/// # Errors
/// If there is nothing, or the kernel cannot tell which file system it is.
pub(super) fn count_at(path: &Path) -> io::Result<bool> {
    Ok(kind(path)?.is_local() && are_seen(path).unwrap_or(false))
}

/// Tries it on a folder, which nothing else here locks: so no file has to be made. The first lock is a shared one, so that two who
/// try at once do not see each other's.
fn are_seen(folder: &Path) -> io::Result<bool> {
    let (first, second) = (File::open(folder)?, File::open(folder)?);
    flock(&first, FlockOperation::NonBlockingLockShared)?;
    match flock(&second, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Ok(true),
        answer => Ok(answer.map(|()| false)?),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn they_count_for_all_who_try_at_once() {
        let place = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..200).for_each(|_| assert!(count_at(place.path()).unwrap())));
            }
        });
        assert!(!count_at(Path::new("/proc/self")).unwrap(), "of /proc nothing is known");
        assert!(count_at(&place.path().join("none")).is_err());
    }
}
