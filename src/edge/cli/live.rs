//! A report that is made again and again until somebody says stop: on a terminal in place, elsewhere one after the other.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{env, mem, process, thread};

use rustix::termios::tcgetwinsize;

use super::exit::{Exit, Failure};
use super::{output, signals};

/// How long a report under way may take to its end when we are asked to stop: its reader may be stuck, or its folder.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Makes a report every so often. SIGINT and SIGTERM end it, after the report under way; that is success.
///
/// # Errors
/// The first that `report` has.
pub(super) fn repeat(
    every: Duration,
    mut report: impl FnMut() -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let (stop, stopped) = channel();
    signals::listen(move |_| {
        let _ = stop.send(());
        thread::sleep(LAST_WORDS);
        process::exit(i32::from(Exit::Done.code()));
    })?;
    loop {
        report()?;
        if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
            return Ok(Exit::Done);
        }
    }
}

/// Where the reports appear.
pub(super) struct Screen {
    in_place: bool,
    used: bool,
}

impl Screen {
    /// Standard output.
    pub(super) fn new() -> Self {
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { in_place: io::stdout().is_terminal() && !dumb, used: false }
    }

    /// Shows the next report.
    pub(super) fn show(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let used = mem::replace(&mut self.used, true);
        output::data(|out| {
            if !self.in_place {
                if used {
                    writeln!(out)?;
                }
                return write(out);
            }
            let mut report = Vec::new();
            write(&mut report)?;
            if !used {
                out.write_all(CLEAR)?;
            }
            let (rows, columns) = size();
            out.write_all(page(&String::from_utf8_lossy(&report), rows, columns).as_bytes())
        })
    }
}

/// Control sequences that every terminal of today has (ECMA-48).
const CLEAR: &[u8] = b"\x1b[2J";
const HOME: &str = "\x1b[H";
const END_OF_LINE: &str = "\x1b[K\n";
const CLEAR_BELOW: &str = "\x1b[J";

/// Rows and columns; those of old where the terminal does not say.
fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
        _ => (24, 80),
    }
}

/// The report, written over the one before. It is cut to what fits: a terminal that scrolls has no home any more. The last
/// row is the cursor's, and from the last column some terminals clear what was written there.
fn page(report: &str, rows: usize, columns: usize) -> String {
    let lines: Vec<&str> = report.lines().collect();
    let fit = rows.saturating_sub(1).max(1);
    let shown = if lines.len() > fit { fit - 1 } else { lines.len() };
    let more = match lines.len() - shown {
        0 => None,
        hidden => Some(format!("... {hidden} lines more")),
    };
    let mut page = String::from(HOME);
    for line in lines[..shown].iter().copied().chain(more.as_deref()) {
        page.extend(line.chars().take(columns.saturating_sub(1)));
        page.push_str(END_OF_LINE);
    }
    page + CLEAR_BELOW
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn what_does_not_fit_is_cut() {
        assert_eq!(page("a\nbc\n", 3, 3), "\x1b[Ha\x1b[K\nbc\x1b[K\n\x1b[J");
        assert_eq!(page("a\nbcd\n", 9, 3), "\x1b[Ha\x1b[K\nbc\x1b[K\n\x1b[J");
        assert_eq!(page("a\nb\nc\n", 3, 80), "\x1b[Ha\x1b[K\n... 2 lines more\x1b[K\n\x1b[J");
        assert_eq!(page("a\nb\n", 1, 80), "\x1b[H... 2 lines more\x1b[K\n\x1b[J");
    }
}
