//! Whether anybody has a file open for writing, as only the kernel knows.

use std::fs::File;

use crate::words::Writer;

/// Asks for a read lease, which the kernel gives only while nobody has the file open for writing, and gives it back at once. Only a
/// file's owner may ask, or root. `fcntl(2)`, "Leases".
#[cfg(target_os = "linux")]
pub(super) fn writer(file: &File) -> Writer {
    use std::os::fd::AsRawFd as _;

    /// Of `asm-generic/fcntl.h`.
    const F_SETSIG: libc::c_int = 10;
    let fd = file.as_raw_fd();
    // A writer that comes in between sends its holder a signal: SIGIO, which would end the process, unless another is chosen. SIGURG
    // is ignored by who does not ask for it.
    //
    // SAFETY: `fcntl` with these commands and an integer argument reads and writes no memory of ours, and the descriptor is open
    // for as long as `file` is borrowed.
    #[allow(unsafe_code)]
    let taken = unsafe {
        if libc::fcntl(fd, F_SETSIG, libc::SIGURG) != 0 {
            return Writer::Unknown;
        }
        let taken = libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK);
        let why = std::io::Error::last_os_error();
        if taken == 0 {
            libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK);
        }
        if taken == 0 { Ok(()) } else { Err(why) }
    };
    match taken {
        Ok(()) => Writer::None,
        Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Writer::Some,
        Err(_) => Writer::Unknown,
    }
}

/// No other system tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn writer(_: &File) -> Writer {
    Writer::Unknown
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_writer_is_seen_as_long_as_it_is_there() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        let file = File::create(&path).unwrap();
        let read = || writer(&File::open(&path).unwrap());
        assert_eq!(read(), Writer::Some, "who made it has it open");
        drop(file);
        assert_eq!(read(), Writer::None, "closed");
        let again = OpenOptions::new().append(true).open(&path).unwrap();
        assert_eq!(read(), Writer::Some, "opened again");
        drop(again);
        let _reader = File::open(&path).unwrap();
        assert_eq!(read(), Writer::None, "readers do not count");
    }
}
