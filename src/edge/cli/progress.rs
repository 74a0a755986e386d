//! Progress bars, for people: hidden unless stderr is a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use super::loudness::Format;
use super::output::Voice;

/// Of a file that is read. Its length, if it has one.
pub(super) fn of_bytes(voice: &Voice, length: Option<u64>) -> ProgressBar {
    match length {
        Some(length) => {
            bar(voice, Some(length), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left")
        }
        None => bar(voice, None, "{spinner} {bytes} {bytes_per_sec}"),
    }
}

/// Of so many jobs.
pub(super) fn of_jobs(voice: &Voice, jobs: usize) -> ProgressBar {
    bar(voice, Some(jobs as u64), "{bar:30} {pos}/{len} {per_sec}, {eta} left")
}

fn bar(voice: &Voice, length: Option<u64>, template: &str) -> ProgressBar {
    if voice.quiet || voice.format == Format::Json {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(ProgressStyle::with_template(template).expect("the template is constant"))
}

/// Prints data. The bar is only in the way of what goes to the same terminal.
pub(super) fn beside<T>(bar: &ProgressBar, print: impl FnOnce() -> T) -> T {
    if io::stdout().is_terminal() { bar.suspend(print) } else { print() }
}
