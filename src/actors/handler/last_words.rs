//! What a command writes to stderr: each line is logged, and the last ones tell why it failed.

use std::collections::VecDeque;
use std::io;
use std::mem;

use super::pipe::Sink;
use crate::words::Id;

/// A line is cut after so many bytes.
const LONGEST_LINE: usize = 8 << 10;
/// So many lines are kept.
const LINES: usize = 20;
/// And so many bytes of them.
const BYTES: usize = 4 << 10;

/// The lines of a command's stderr.
#[derive(Debug)]
pub(super) struct LastWords {
    id: Id,
    attempt: u32,
    line: Vec<u8>,
    /// How much the line has beyond what is kept of it.
    beyond: usize,
    last: VecDeque<String>,
}

impl LastWords {
    pub(super) fn of(id: Id, attempt: u32) -> Self {
        Self { id, attempt, line: Vec::new(), beyond: 0, last: VecDeque::new() }
    }

    /// The last lines, as far as they are text. What follows is of another.
    pub(super) fn said(&mut self) -> String {
        self.end_line();
        let mut text = mem::take(&mut self.last).make_contiguous().join("\n");
        if text.len() > BYTES {
            let from = text.len() - BYTES;
            let from = (from..).find(|at| text.is_char_boundary(*at));
            text.drain(..from.unwrap_or(0));
        }
        text
    }

    fn end_line(&mut self) {
        let mut line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        if self.beyond > 0 {
            line.push_str(&format!(" … ({} bytes more)", self.beyond));
        }
        (self.line, self.beyond) = (Vec::new(), 0);
        if line.is_empty() {
            return;
        }
        // Anybody's words: the field tells them from the consumer's own.
        tracing::info!(id = %self.id, attempt = self.attempt, stream = "stderr", "{line}");
        self.last.push_back(line);
        if self.last.len() > LINES {
            self.last.pop_front();
        }
    }
}

impl Sink for LastWords {
    type Stuck = io::Error;

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = part.ends_with(b"\n");
            let part = &part[..part.len() - usize::from(ends)];
            let fits = part.len().min(LONGEST_LINE - self.line.len());
            self.line.extend_from_slice(&part[..fits]);
            self.beyond += part.len() - fits;
            if ends {
                self.end_line();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pieces: &[&[u8]]) -> String {
        let id: Id = "job".parse().unwrap();
        let mut words = LastWords::of(id, 1);
        for piece in pieces {
            assert!(words.take(piece).is_ok());
        }
        words.said()
    }

    #[test]
    fn the_last_lines_are_kept() {
        assert_eq!(after(&[]), "");
        assert_eq!(after(&[b"one\r\n\n", b"t", b"wo\nthree"]), "one\ntwo\nthree");
        let many: Vec<u8> = (1..=100).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let expected: Vec<String> = (81..=100).map(|n: u32| n.to_string()).collect();
        assert_eq!(after(&[&many]), expected.join("\n"));
        assert_eq!(after(&[b"\xff\x1b[31m\n"]), "\u{fffd}\u{1b}[31m");
    }

    #[test]
    fn a_long_line_is_cut_and_all_is_bounded() {
        let long = vec![b'x'; LONGEST_LINE + 7];
        let text = after(&[&long, b"\nend\n"]);
        assert!(text.ends_with("xxx … (7 bytes more)\nend"), "{text}");
        assert!(text.len() <= BYTES);
        let accents = "é".repeat(BYTES);
        let text = after(&[accents.as_bytes()]);
        assert!(text.len() <= BYTES && text.chars().all(|c| c == 'é'));
    }
}
