//! What a process that plays a part does, here and in benches/peers: it says `ready`, waits for a line, does its work, and says how
//! many nanoseconds that took.

use std::io::BufRead as _;
use std::time::{Duration, Instant};

use crate::Outcome;

/// Returns when the line has come.
pub(crate) fn ready() -> Outcome<()> {
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

/// What counts is the time that `act` returns, or else how long it took.
pub(crate) fn timed(act: impl FnOnce() -> Outcome<Option<Duration>>) -> Outcome<()> {
    ready()?;
    let begin = Instant::now();
    let counts = act()?;
    println!("{}", counts.unwrap_or_else(|| begin.elapsed()).as_nanos());
    Ok(())
}

/// The middle one.
pub(crate) fn median<T: Ord + Copy>(mut of: Vec<T>) -> Option<T> {
    of.sort_unstable();
    of.get(of.len() / 2).copied()
}
