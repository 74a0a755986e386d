//! Data goes to stdout, everything else to stderr.

use std::fmt::Display;
use std::io::{self, Read, Write};

use rustix::io::Errno;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::loudness::Format;

/// Who speaks on stderr, how much it says, and in what form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    pub(super) program: &'static str,
    pub(super) quiet: bool,
    pub(super) format: Format,
}

/// What a message is as JSON: the members that log lines have.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    message: &'a str,
}

impl Voice {
    /// What went wrong.
    pub(super) fn error(&self, message: impl Display) {
        self.say("ERROR", message);
    }

    /// What is good to know; `--quiet` keeps it back.
    pub(super) fn note(&self, message: impl Display) {
        if !self.quiet {
            self.say("INFO", message);
        }
    }

    fn say(&self, level: &str, message: impl Display) {
        let message = plain(&message.to_string());
        let mut line = match self.format {
            Format::Text => format!("{}: {message}", self.program),
            Format::Json => {
                let timestamp = format!("{:.6}", jiff::Timestamp::now());
                let line = Line { timestamp, level, message: &message };
                serde_json::to_string(&line).expect("strings are JSON")
            }
        };
        line.push('\n');
        // In one piece: others may write there, too. A stderr that is gone leaves nobody to tell.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// Writes data, and makes sure that it has left the program: whoever reads the pipe acts on it.
///
/// # Errors
/// [`Exit::ClosedPipe`], silently, if nobody reads any more; else [`Exit::Io`].
pub(super) fn data(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    if written.is_err() {
        // What is still in the buffer is not tried again when it is dropped.
        let _ = out.into_parts();
    }
    written.map_err(|e| match e.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(Exit::ClosedPipe),
        _ => Failure::new(Exit::Io, format_args!("cannot write to standard output: {e}")),
    })
}

/// Writes data as it is read, however much it is.
///
/// # Errors
/// As [`data`], and if it cannot be read to its end.
pub(super) fn copy(mut from: impl Read) -> Result<(), Failure> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => data(|out| out.write_all(&buffer[..read]))?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                return Err(Failure::new(Exit::Io, format_args!("cannot read data in the drop folder: {e}")));
            }
        }
    }
}

/// Writes a path and the end of a line.
pub(super) fn line(path: &std::path::Path) -> Result<(), Failure> {
    use std::os::unix::ffi::OsStrExt as _;
    data(|out| out.write_all(path.as_os_str().as_bytes()).and_then(|()| out.write_all(b"\n")))
}

/// Writes one line of JSON.
pub(super) fn json_line(value: &impl serde::Serialize) -> Result<(), Failure> {
    // In one piece, as others may write to the same file or pipe.
    data(|out| {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        out.write_all(&line)
    })
}

/// What was written survives a power cut, if standard output is a file. What becomes of it elsewhere is not ours to know.
///
/// # Errors
/// [`Exit::Io`].
pub(super) fn make_durable() -> Result<(), Failure> {
    match rustix::fs::fdatasync(io::stdout()) {
        // A pipe, a terminal.
        Ok(()) | Err(Errno::INVAL | Errno::ROFS | Errno::NOTSUP) => Ok(()),
        Err(e) => Err(Failure::new(Exit::Io, format_args!("cannot flush standard output: {e}"))),
    }
}

/// Text from elsewhere (file names, handlers' messages) with control characters shown, not obeyed by the terminal.
pub(super) fn plain(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn escapes_are_shown() {
        assert_eq!(plain("a\u{1b}[31mb\tc\nd é"), "a\\u{1b}[31mb\tc\nd é");
    }
}
