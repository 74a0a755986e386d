//! Lines from a pipe, one after the other.

use std::io;

use super::pipe::Sink;

/// What was read and not taken.
#[derive(Debug)]
pub(super) struct Lines {
    read: Vec<u8>,
    /// So much of that has no end of a line in it.
    searched: usize,
    longest: usize,
}

/// A line that is too long.
pub(super) struct TooLong;

impl Lines {
    /// Of at most so many bytes each.
    pub(super) fn of(longest: usize) -> Self {
        Self { read: Vec::new(), searched: 0, longest }
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

impl Sink for Lines {
    type Stuck = io::Error;

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.read.extend_from_slice(bytes);
        Ok(())
    }
}
