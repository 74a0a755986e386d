//! Lines from a pipe, one after the other.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::Errno;

use super::wait::Wanted;

/// So much is read at a time.
const BUFFER: usize = 64 << 10;

/// The reading end of a pipe, and what was read of it and not taken.
#[derive(Debug)]
pub(super) struct Lines {
    pipe: OwnedFd,
    read: Vec<u8>,
    /// So much of that has no end of a line in it.
    searched: usize,
    longest: usize,
}

/// A line that is too long.
pub(super) struct TooLong;

impl Lines {
    /// Of at most so many bytes each.
    pub(super) fn of(pipe: OwnedFd, longest: usize) -> Self {
        Self { pipe, read: Vec::new(), searched: 0, longest }
    }

    /// What to wait for before [`some`](Self::some).
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Some((self.pipe.as_fd(), PollFlags::IN))
    }

    /// Reads some bytes: when they are there, or else it waits.
    ///
    /// # Errors
    /// Also at the end.
    pub(super) fn some(&mut self) -> io::Result<()> {
        self.read.reserve(BUFFER);
        match rustix::io::read(&self.pipe, spare_capacity(&mut self.read)) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Takes a line of what was read, without its end.
    pub(super) fn next(&mut self) -> Option<Result<Vec<u8>, TooLong>> {
        let end = self.read[self.searched..].iter().position(|byte| *byte == b'\n');
        let end = end.map(|end| self.searched + end);
        self.searched = self.read.len();
        if end.unwrap_or(self.searched) > self.longest {
            return Some(Err(TooLong));
        }
        let rest = self.read.split_off(end? + 1);
        let mut line = std::mem::replace(&mut self.read, rest);
        self.searched = 0;
        line.pop();
        Some(Ok(line))
    }
}
