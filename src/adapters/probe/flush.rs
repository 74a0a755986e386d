//! Flushes: whether they are to be had, and what they cost.

use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Ability, Site};
use crate::ports::Fs as _;

/// What it takes to make something durable, as this folder lies now. Whether the disk keeps its word nobody can measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flushes {
    /// The names in a folder can be flushed.
    pub folders: Ability,
    /// How often a file was flushed, and then the folder in which it got its name.
    pub times: usize,
    /// The median of what the flush of a file of 1 KiB took, in microseconds.
    pub file_us: Option<u64>,
    /// The same of its folder.
    pub folder_us: Option<u64>,
}

const TIMES: usize = 21;
/// Longer nobody waits, however slow the disk is.
const LONGEST: Duration = Duration::from_secs(3);

pub(crate) fn measure(site: &Site<'_>) -> Flushes {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let mut tried = Ok(());
    while tried.is_ok() && files.len() < TIMES && start.elapsed() < LONGEST {
        tried = once(site, files.len()).map(|(file, folder)| {
            files.push(file);
            folders.push(folder);
        });
    }
    Flushes {
        folders: Ability::of(tried),
        times: files.len(),
        file_us: median_us(&mut files),
        folder_us: median_us(&mut folders),
    }
}

/// As a submission does it: the file, its name, the folder.
fn once(site: &Site<'_>, nth: usize) -> io::Result<(Duration, Duration)> {
    let path = site.at("draft");
    let file = site.fs.create(&path)?;
    site.fs.write(&file, &[b'x'; 1024])?;
    let start = Instant::now();
    site.fs.flush(&file)?;
    let took = start.elapsed();
    site.fs.rename(&path, &site.at(&format!("flushed-{nth}")))?;
    let start = Instant::now();
    site.fs.flush_dir(site.path())?;
    Ok((took, start.elapsed()))
}

/// The one in the middle, in microseconds; `None` of none.
pub(super) fn median_us(times: &mut [Duration]) -> Option<u64> {
    times.sort_unstable();
    times.get(times.len() / 2).map(|time| time.as_micros() as u64)
}
