//! Copying a file's content, however large it is: in constant memory, and without moving a byte where that can be avoided.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

/// So much at a time, if it is read and written.
const BUFFER: usize = 1 << 20;

/// Copies from the beginning of one file to an empty one, and the time of modification with it. Returns how many bytes it
/// was; `progress` is told of each part.
pub(crate) fn content(mut from: &File, mut to: &File, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
    let meta = from.metadata()?;
    let mut copied = in_the_kernel(from, to, meta.len(), progress);
    // What the kernel did not copy: all of it, or the end of it, or nothing; in the latter case this only finds the end.
    let mut buffer = Vec::new();
    loop {
        buffer.resize(BUFFER, 0);
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                to.write_all(&buffer[..read])?;
                copied += read as u64;
                progress(read as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    // For people, and for who moves a file and has to know later whether it is still what was copied.
    if let Err(e) = meta.modified().and_then(|time| to.set_modified(time)) {
        tracing::debug!(error = %e, "a copy has a time of its own");
    }
    Ok(copied)
}

/// Shares the blocks, or has the kernel copy them. Where it cannot, or only began to, both files stand at the same place.
#[cfg(target_os = "linux")]
fn in_the_kernel(from: &File, to: &File, size: u64, progress: &mut dyn FnMut(u64)) -> u64 {
    use std::io::{Seek as _, SeekFrom};

    use rustix::fs::{copy_file_range, ioctl_ficlone};

    /// So that progress moves.
    const STEP: usize = 32 << 20;

    let at_the_end = |mut file: &File| file.seek(SeekFrom::Start(size)).is_ok();
    if size > 0 && ioctl_ficlone(to, from).is_ok() && at_the_end(from) && at_the_end(to) {
        progress(size);
        return size;
    }
    let mut copied = 0;
    while let Ok(part @ 1..) = copy_file_range(from, None, to, None, STEP) {
        copied += part as u64;
        progress(part as u64);
    }
    copied
}

#[cfg(not(target_os = "linux"))]
fn in_the_kernel(_: &File, _: &File, _: u64, _: &mut dyn FnMut(u64)) -> u64 {
    0
}
