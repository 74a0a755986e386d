//! Watches: the operating system's notifications, and none.

#[cfg(target_os = "linux")]
mod inotify;
// On Linux it is there to be tested.
#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(target_os = "linux", allow(dead_code, unreachable_pub))]
mod notify;
mod patient;
mod poll;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::io::Errno;

use crate::adapters::fs::OsFs;
use crate::adapters::probe::hears;
use crate::ports::{Bell, Chosen, Fs as _, Watch, WatchMode};
use crate::words::{Error, ErrorKind, Result};

#[cfg(target_os = "linux")]
pub use inotify::NotifyWatch;
#[cfg(not(target_os = "linux"))]
pub use notify::NotifyWatch;
pub use patient::PatientWatch;
pub use poll::PollWatch;

/// Makes a watch that rings `bell`, and says which and why. `tmp` is a folder on the file system that is to be watched, in which
/// notifications are tried out, if one may choose: where only this machine's kernel can change anything, what it tells of our own
/// doings it tells of others', too.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if notifications were asked for and there are none to be had.
pub fn watch(mode: WatchMode, fs: &OsFs, tmp: &Path, bell: &Bell) -> Result<(Box<dyn Watch>, Chosen)> {
    match mode {
        WatchMode::Poll => Ok(polls("as asked for")),
        WatchMode::Notify => Ok(notifies(NotifyWatch::new(bell.clone())?, "as asked for")),
        WatchMode::Auto if !fs.is_local() => {
            Ok(polls("the file system does not tell of what other machines do"))
        }
        WatchMode::Auto => Ok(try_out(PatientWatch::new(bell.clone()), |watch| hears(watch, fs, tmp))),
    }
}

/// Keeps a watch that hears, that could not be tried, or that may hear later.
fn try_out(
    mut watch: PatientWatch,
    hears: impl FnOnce(&mut NotifyWatch) -> Result<bool>,
) -> (Box<dyn Watch>, Chosen) {
    let (mode, why) = match watch.try_out(hears) {
        Ok(false) => {
            return polls("the file system is local, but told nothing of a file that was made to try it");
        }
        Ok(true) => (
            WatchMode::Notify,
            "the file system is local, and tells of a file that was made to try it".to_owned(),
        ),
        Err(e) if e.kind() == ErrorKind::Unsupported => {
            (WatchMode::Poll, format!("{e}; until there are some"))
        }
        // Who may only read here, or finds no space, cannot try.
        Err(_) => (WatchMode::Notify, "the file system is local".to_owned()),
    };
    (Box::new(watch), Chosen { mode, why })
}

fn polls(why: &str) -> (Box<dyn Watch>, Chosen) {
    (Box::new(PollWatch), Chosen { mode: WatchMode::Poll, why: why.to_owned() })
}

fn notifies(watch: NotifyWatch, why: &str) -> (Box<dyn Watch>, Chosen) {
    (Box::new(watch), Chosen { mode: WatchMode::Notify, why: why.to_owned() })
}

/// So many files that were renamed into a folder are remembered until somebody asks: the others have to be quiet for a while.
const MOST_RENAMED: usize = 64 << 10;

/// Our own jobs are renamed all the time, and that says nothing of them.
fn is_news_to_none(name: &OsStr) -> bool {
    name.as_bytes().ends_with(b".job.json")
}

fn nothing_at(dir: &Path) -> Error {
    Error::new(ErrorKind::NotFound, "there is no such folder").at(dir).because(Errno::NOENT.into())
}

#[cfg(test)]
mod tests;
