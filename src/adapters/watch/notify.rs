//! The operating system's notifications: inotify on Linux, kqueue or FSEvents elsewhere.

use std::io;
use std::path::Path;

use notify::{Config, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};

use crate::ports::{Bell, Watch};
use crate::words::{Error, ErrorKind, Result};

/// Rings when a name appears in a folder, or a file that was open for writing is closed.
///
/// Not when one is opened, read or changed: our own reads would wake every watcher, and so would every beat of every
/// presence. But the kernel closes the presence of a consumer that dies, and that must ring. A name that goes away tells
/// nobody anything to do.
pub struct NotifyWatch {
    watcher: RecommendedWatcher,
}

impl NotifyWatch {
    /// A watch of nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the system gives no more notifications to this user.
    pub fn new(bell: Bell) -> Result<Self> {
        // `CREATE` lets the kernel tell of renames too, but `notify` passes them on only with `MODIFY_NAME`.
        let kinds = EventKindMask::CREATE | EventKindMask::MODIFY_NAME | EventKindMask::ACCESS_CLOSE;
        let config = Config::default().with_event_kinds(kinds);
        // An overflow comes as an event without paths, trouble as an error: both may hide anything, so both ring.
        let watcher = RecommendedWatcher::new(move |_| bell.ring(), config).map_err(unsupported)?;
        Ok(Self { watcher })
    }
}

impl Watch for NotifyWatch {
    fn arm(&mut self, dir: &Path) -> Result<()> {
        // Always anew: a folder of this name may have been removed and made again.
        self.watcher.watch(dir, RecursiveMode::NonRecursive).map_err(|e| match &e.kind {
            notify::ErrorKind::PathNotFound => Error::new(ErrorKind::NotFound, "nothing to watch").at(dir),
            notify::ErrorKind::Io(io) if io.kind() == io::ErrorKind::NotFound => {
                Error::new(ErrorKind::NotFound, "nothing to watch").at(dir)
            }
            _ => unsupported(e).at(dir),
        })
    }

    fn hears(&self) -> bool {
        true
    }
}

fn unsupported(e: notify::Error) -> Error {
    let why = match &e.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "this user may watch no more folders (see fs.inotify.max_user_watches)".to_owned()
        }
        notify::ErrorKind::Io(io) if io.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "this user may have no more watchers (see fs.inotify.max_user_instances)".to_owned()
        }
        _ => e.to_string(),
    };
    Error::new(ErrorKind::Unsupported, format!("no notifications: {why}"))
}
