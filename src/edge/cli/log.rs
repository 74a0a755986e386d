//! The library's log lines, on stderr.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use super::loudness::{Format, Loudness};
use super::output::Voice;

/// From now on, log lines go to stderr. `usual` is the level without `-q` or `-v`; `RUST_LOG`, if set, wins over all.
pub(super) fn start(loudness: &Loudness, voice: &Voice, usual: &str) {
    let level = match (loudness.quiet, loudness.verbose) {
        // A job that failed went wrong, too: cron mails what -q prints.
        (true, _) => "warn",
        (false, 0) => usual,
        (false, 1) => "debug",
        // Of the libraries below, their warnings are enough.
        (false, _) => "warn,filedrop=trace",
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(asked) if !asked.is_empty() => EnvFilter::try_new(&asked).unwrap_or_else(|e| {
            voice.error(format_args!("RUST_LOG={asked:?} is not understood ({e}); logging at level {level}"));
            EnvFilter::new(level)
        }),
        _ => EnvFilter::new(level),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(loudness.colours())
        .with_target(false)
        // It would use `eprintln!`, which panics when stderr is gone.
        .log_internal_errors(false);
    // Only a second start fails, and then the first one serves.
    let _ = match loudness.log_format {
        Format::Text => subscriber.try_init(),
        Format::Json => subscriber.json().flatten_event(true).try_init(),
    };
    let _ = io::stderr().flush();
}
