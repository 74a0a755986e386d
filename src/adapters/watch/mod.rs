//! Watches: the operating system's notifications, and none.

mod notify;
mod poll;

use crate::ports::{Bell, Chosen, Watch, WatchMode};
use crate::words::Result;

pub use notify::NotifyWatch;
pub use poll::PollWatch;

/// Makes a watch that rings `bell`, and says which and why. `local`: whether the folder lies on a file system of this
/// machine, where what others do can be seen.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if notifications were asked for and there are none to be had.
pub fn watch(mode: WatchMode, local: bool, bell: &Bell) -> Result<(Box<dyn Watch>, Chosen)> {
    let polls = |why: &str| -> (Box<dyn Watch>, Chosen) {
        (Box::new(PollWatch), Chosen { mode: WatchMode::Poll, why: why.to_owned() })
    };
    let notifies = |watch: NotifyWatch, why: &str| -> (Box<dyn Watch>, Chosen) {
        (Box::new(watch), Chosen { mode: WatchMode::Notify, why: why.to_owned() })
    };
    match mode {
        WatchMode::Poll => Ok(polls("as asked for")),
        WatchMode::Notify => Ok(notifies(NotifyWatch::new(bell.clone())?, "as asked for")),
        WatchMode::Auto if !local => Ok(polls("the file system does not tell of what other machines do")),
        WatchMode::Auto => match NotifyWatch::new(bell.clone()) {
            Ok(watch) => Ok(notifies(watch, "the file system is local")),
            Err(e) => Ok(polls(&e.to_string())),
        },
    }
}
