//! The file system's clock: how fine it is, and how far from ours.

use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Site;
use crate::adapters::host::OsHost;
use crate::ports::{Fs as _, Host as _};

/// What times the files here have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Times {
    /// The smallest step between two times of modification that was seen, in nanoseconds: they are at least so fine. `None` if
    /// there was none in 2.5 s.
    pub step_ns: Option<u64>,
    /// By how many milliseconds the file system's clock is ahead of this machine's, beyond a step.
    pub ahead_ms: i64,
}

/// So many steps are looked at.
const STEPS: usize = 8;
/// FAT has steps of 2 s.
const LONGEST: Duration = Duration::from_millis(2500);

/// # Errors
/// If a file cannot be made and changed.
pub(crate) fn measure(site: &Site<'_>) -> io::Result<Times> {
    let file = site.fs.create(&site.at("changed"))?;
    let start = Instant::now();
    let mut last = None;
    let mut steps = Vec::new();
    let mut ahead_ms = 0;
    while steps.len() < STEPS && start.elapsed() < LONGEST {
        let before = OsHost.now().get();
        site.fs.write(&file, &[b'x'; 64][..1 + steps.len()])?;
        let changed = site.fs.stat_open(&file)?;
        let after = OsHost.now().get();
        if let Some(last) = last.replace(changed.modified_ns).filter(|last| *last != changed.modified_ns) {
            steps.push(changed.modified_ns.abs_diff(last));
        }
        // Beyond what lies between two looks at our own clock.
        ahead_ms = match changed.modified_ms {
            behind if behind < before => -i64::try_from(before - behind).unwrap_or(i64::MAX),
            ahead => i64::try_from(ahead.saturating_sub(after)).unwrap_or(i64::MAX),
        };
    }
    let step_ns = steps.into_iter().min();
    // The last step began before the file was changed.
    let step_ms =
        step_ns.map_or(LONGEST.as_millis() as i64, |ns| ns.div_ceil(1_000_000).min(i64::MAX as u64) as i64);
    let ahead_ms = if (-step_ms..=0).contains(&ahead_ms) { 0 } else { ahead_ms };
    Ok(Times { step_ns, ahead_ms })
}
