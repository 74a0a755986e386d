//! Watches: the operating system's notifications, and none.

mod notify;
mod patient;
mod poll;

use std::path::Path;

use crate::adapters::fs::OsFs;
use crate::adapters::probe::hears;
use crate::ports::{Bell, Chosen, Fs as _, Watch, WatchMode};
use crate::words::{ErrorKind, Result};

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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::words::Error;

    fn chosen(hears: Result<bool>) -> Chosen {
        try_out(PatientWatch::new(Bell::default()), |_| hears).1
    }

    #[test]
    fn what_was_heard_decides() {
        assert_eq!(chosen(Ok(true)).mode, WatchMode::Notify);
        assert_eq!(chosen(Ok(false)).mode, WatchMode::Poll);
        let no_more = Error::new(ErrorKind::Unsupported, "no more");
        let why = "no more; until there are some".to_owned();
        assert_eq!(chosen(Err(no_more)), Chosen { mode: WatchMode::Poll, why });
        let read_only = Error::new(ErrorKind::Io, "read-only");
        assert_eq!(chosen(Err(read_only)).mode, WatchMode::Notify, "what cannot be tried says nothing");
    }

    /// The probe leaves nothing, rings for nobody, and the watch that it tried watches what it is told then.
    #[test]
    fn a_local_folder_is_tried_and_watched() {
        let place = tempfile::tempdir().unwrap();
        let (tmp, inbox) = (place.path().join("tmp"), place.path().join("inbox"));
        fs::create_dir(&tmp).unwrap();
        fs::create_dir(&inbox).unwrap();
        let (os, bell) = (OsFs::at(place.path()).unwrap(), Bell::default());
        let (mut watch, chosen) = watch(WatchMode::Auto, &os, &tmp, &bell).unwrap();
        assert_eq!(chosen.mode, WatchMode::Notify);
        assert!(chosen.why.ends_with("to try it"), "{chosen:?}");
        assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
        assert!(!bell.wait(Duration::from_millis(100)), "of the probe nobody is told");
        watch.arm(&inbox).unwrap();
        fs::write(inbox.join("x"), "x").unwrap();
        assert!(bell.wait(Duration::from_secs(30)));
        // Without a place to try it, what is known of the file system has to do.
        let (_, chosen) = super::watch(WatchMode::Auto, &os, &place.path().join("none"), &bell).unwrap();
        assert_eq!((chosen.mode, &chosen.why[..]), (WatchMode::Notify, "the file system is local"));
        let (_, chosen) = super::watch(WatchMode::Auto, &OsFs::shared(), &tmp, &bell).unwrap();
        assert_eq!(chosen.mode, WatchMode::Poll);
    }
}
