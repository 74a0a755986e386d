//! What a command writes to stdout: in memory as long as it is short, else in the workspace.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::mem;
use std::path::PathBuf;

use super::pipe::Sink;
use crate::words::Payload;

/// What a command wrote to stdout.
pub(super) struct Output {
    short: Vec<u8>,
    most: usize,
    /// The workspace's file for data, if there is a workspace.
    spill: Option<PathBuf>,
    spilled: Option<Spilled>,
}

struct Spilled {
    file: File,
    text: Text,
}

/// Why there is no more of it.
pub(super) enum Stuck {
    /// The pipe cannot be read.
    Unreadable(io::Error),
    /// It is too much, and there is no workspace.
    TooMuch,
    /// The file does not take it.
    Full(PathBuf, io::Error),
}

/// What a command wrote, all of it.
pub(super) enum Whole {
    Short(Payload),
    /// It is in the workspace's file for data, of this content type.
    Spilled(&'static str),
}

impl From<io::Error> for Stuck {
    fn from(e: io::Error) -> Self {
        Stuck::Unreadable(e)
    }
}

impl Output {
    /// Up to `most` bytes are kept in memory.
    pub(super) fn new(most: usize, spill: Option<PathBuf>) -> Self {
        Self { short: Vec::new(), most, spill, spilled: None }
    }

    pub(super) fn whole(self) -> Whole {
        match self.spilled {
            None => Whole::Short(Payload::detect(self.short)),
            Some(spilled) if spilled.text.is_text() => Whole::Spilled("text/plain; charset=utf-8"),
            Some(_) => Whole::Spilled("application/octet-stream"),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let (None, Some(path)) = (&self.spilled, &self.spill) {
            let file = OpenOptions::new().write(true).create_new(true).open(path)?;
            let spilled = self.spilled.insert(Spilled { file, text: Text::default() });
            spilled.write(&mem::take(&mut self.short))?;
        }
        self.spilled.as_mut().map_or(Ok(()), |spilled| spilled.write(bytes))
    }
}

impl Sink for Output {
    type Stuck = Stuck;

    fn take(&mut self, bytes: &[u8]) -> Result<(), Stuck> {
        if self.spilled.is_none() && self.short.len() + bytes.len() <= self.most {
            self.short.extend_from_slice(bytes);
            return Ok(());
        }
        let path = self.spill.clone().ok_or(Stuck::TooMuch)?;
        self.write(bytes).map_err(|e| Stuck::Full(path, e))
    }
}

impl Spilled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.text.see(bytes);
        self.file.write_all(bytes)
    }
}

/// Finds out, piece by piece, whether bytes are UTF-8.
#[derive(Default)]
struct Text {
    broken: bool,
    /// A character that is cut by the end of a piece.
    cut: Vec<u8>,
}

impl Text {
    fn see(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        self.cut.extend_from_slice(bytes);
        match std::str::from_utf8(&self.cut) {
            Ok(_) => self.cut.clear(),
            Err(e) if e.error_len().is_none() => drop(self.cut.drain(..e.valid_up_to())),
            Err(_) => *self = Self { broken: true, cut: Vec::new() },
        }
    }

    fn is_text(&self) -> bool {
        !self.broken && self.cut.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_wherever_it_is_cut() {
        let text = "aé€😀z".as_bytes();
        for size in 1..=text.len() {
            let mut seen = Text::default();
            text.chunks(size).for_each(|piece| seen.see(piece));
            assert!(seen.is_text(), "in pieces of {size}");
        }
        for broken in [&b"a\xff"[..], b"\xe2\x82", b"\xe2\x82a", b"\xed\xa0\x80"] {
            for size in 1..=broken.len() {
                let mut seen = Text::default();
                broken.chunks(size).for_each(|piece| seen.see(piece));
                assert!(!seen.is_text(), "{broken:?} in pieces of {size}");
            }
        }
    }
}
