//! Batches: JSON lines. A byte-order mark, CRLF and blank lines are allowed, and no line is too long for the memory.

use std::io::{self, BufRead, BufReader, Read};

use serde_json::value::RawValue;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A line that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonLine {
    /// Its number, from 1; blank lines count.
    pub number: u64,
    /// Its bytes without the line break, which are one JSON value; or why they are none.
    pub json: Result<Vec<u8>, String>,
}

/// The lines of whatever is read, one at a time.
#[derive(Debug)]
pub struct JsonLines<R> {
    input: BufReader<R>,
    number: u64,
    read: u64,
    longest: usize,
}

impl<R: Read> JsonLines<R> {
    /// Enough for some hundred ordinary lines.
    const BUFFER: usize = 256 << 10;

    /// `longest`: how many bytes a line may have, its line break not counted. A longer one is told, and not kept in memory.
    pub fn new(input: R, longest: usize) -> Self {
        let input = BufReader::with_capacity(Self::BUFFER, input);
        Self { input, number: 0, read: 0, longest }
    }

    /// The number of the last line that was read.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes were read.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Whether the next line may have to be waited for: a slow pipe has nothing more to give just now.
    pub fn may_block(&self) -> bool {
        self.input.buffer().is_empty()
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// That of the reader.
    pub fn next_line(&mut self) -> io::Result<Option<JsonLine>> {
        loop {
            let mut line = Vec::new();
            // The longest line, its mark and line break, and one byte that tells that it is longer.
            let most = (self.longest as u64).saturating_add(6);
            let read = self.input.by_ref().take(most).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(None);
            }
            self.read += read as u64;
            self.number += 1;
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if read as u64 == most {
                self.skip_rest()?;
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if line.len() > self.longest {
                let why = format!("longer than {} bytes", self.longest);
                return Ok(Some(JsonLine { number: self.number, json: Err(why) }));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(JsonLine { number: self.number, json: json(line) }));
            }
        }
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let (used, ends) = match buffer.iter().position(|&b| b == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            self.read += used as u64;
            if ends {
                return Ok(());
            }
        }
    }
}

/// The same bytes, if they are one JSON value; else why not.
pub(crate) fn json(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    match serde_json::from_slice::<&RawValue>(&bytes) {
        Ok(_) => Ok(bytes),
        Err(e) => {
            let said = e.to_string();
            let place = format!(" at line {} column {}", e.line(), e.column());
            let why = said.strip_suffix(&place).unwrap_or(&said);
            let row = if e.line() > 1 { format!("line {}, ", e.line()) } else { String::new() };
            Err(format!("not JSON: {why} ({row}column {})", e.column()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], longest: usize) -> Vec<(u64, Result<String, String>)> {
        let mut lines = JsonLines::new(input, longest);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.number, line.json.map(|json| String::from_utf8(json).unwrap())));
        }
        assert_eq!(lines.bytes_read(), input.len() as u64);
        all
    }

    #[test]
    fn mark_crlf_and_blank_lines() {
        let lines = read(b"\xEF\xBB\xBF{\"a\":1}\r\n\r\n  \n {\"b\" : 2} \n3", 100);
        let good = |number, json: &str| (number, Ok(json.to_owned()));
        assert_eq!(lines, [good(1, "{\"a\":1}"), good(4, " {\"b\" : 2} "), good(5, "3")]);
    }

    #[test]
    fn a_long_line_is_skipped_and_the_next_one_read() {
        let why = || Err("longer than 4 bytes".to_owned());
        let good = |json: &str| Ok(json.to_owned());
        assert_eq!(read(b"1234\n12345\n1\n", 4), [(1, good("1234")), (2, why()), (3, good("1"))]);
        assert_eq!(read(b"1234\r\n123456789012\n1", 4), [(1, good("1234")), (2, why()), (3, good("1"))]);
        assert_eq!(read(b"1234567\n1", 4), [(1, why()), (2, good("1"))]);
        assert_eq!(read(b"1234567", 4), [(1, why())]);
    }

    #[test]
    fn what_is_no_json_says_where() {
        let lines = read(b"{\"a\":1\n\xff\nnull null\n", 100);
        assert_eq!(lines[0].1, Err("not JSON: EOF while parsing an object (column 6)".to_owned()));
        assert!(lines[1].1.is_err() && lines[2].1.is_err());
    }
}
