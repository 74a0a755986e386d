//! The operating system's notifications where it is not Linux: kqueue or FSEvents. On Linux it is only tried.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::io::Errno;

use super::{MOST_RENAMED, is_news_to_none, nothing_at};
use crate::adapters::fs::describe;
use crate::ports::{Bell, Watch};
use crate::words::{Error, ErrorKind, Result, Version};

/// Rings when a name appears in a folder, or a file that was open for writing is closed.
///
/// Not when one is opened, read or changed: our own reads would wake every watcher, and so would every beat of every
/// presence. But the kernel closes the presence of a consumer that dies, and that must ring. A name that goes away tells
/// nobody anything to do.
pub struct NotifyWatch {
    watcher: RecommendedWatcher,
    renamed: Arc<Mutex<Vec<(PathBuf, Version)>>>,
    apart: Arc<Mutex<Option<Apart>>>,
}

/// Where a watch is tried out.
struct Apart {
    /// What happens in this folder rings for nobody,
    dir: PathBuf,
    /// but if it is about this name,
    path: PathBuf,
    /// and then rings this.
    bell: Bell,
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
        let renamed = Arc::new(Mutex::new(Vec::new()));
        let seen = renamed.clone();
        let apart: Arc<Mutex<Option<Apart>>> = Arc::default();
        let other = apart.clone();
        let hear = move |event| hear(event, &other, &seen, &bell);
        let watcher = RecommendedWatcher::new(hear, config).map_err(unsupported)?;
        Ok(Self { watcher, renamed, apart })
    }

    /// Watches a folder, never watched otherwise, in which this very watch is to be tried out: what happens to one name there rings
    /// the bell that is returned, and nothing there the watch's own. There is one such folder at a time.
    ///
    /// # Errors
    /// As [`arm`](Watch::arm).
    pub(crate) fn hear_apart(&mut self, dir: &Path, name: &str) -> Result<Bell> {
        let bell = Bell::default();
        let apart = Apart { dir: dir.to_owned(), path: dir.join(name), bell: bell.clone() };
        *self.apart.lock().unwrap_or_else(PoisonError::into_inner) = Some(apart);
        self.arm(dir)?;
        Ok(bell)
    }

    /// Watches that folder no more. What is still on its way rings as it did before.
    pub(crate) fn disarm(&mut self, dir: &Path) {
        // That it is gone already, or was never watched, is all the same.
        let _ = self.watcher.unwatch(dir);
    }
}

/// An overflow comes as an event without paths, trouble as an error: both may hide anything, so both ring.
fn hear(
    event: notify::Result<Event>,
    apart: &Mutex<Option<Apart>>,
    renamed: &Mutex<Vec<(PathBuf, Version)>>,
    bell: &Bell,
) {
    if let Ok(event) = &event
        && let Some(apart) = &*apart.lock().unwrap_or_else(PoisonError::into_inner)
        && let Some(path) = event.paths.first().filter(|path| path.starts_with(&apart.dir))
    {
        if *path == apart.path {
            apart.bell.ring();
        }
        return;
    }
    if let Ok(event) = event
        && event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::To))
    {
        remember(renamed, event.paths);
    }
    bell.ring();
}

/// What it was is looked at once: by the time that somebody asks, another may have its name.
fn remember(renamed: &Mutex<Vec<(PathBuf, Version)>>, paths: Vec<PathBuf>) {
    for path in paths.into_iter().filter(|path| !path.file_name().is_some_and(is_news_to_none)) {
        let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
        let mut renamed = renamed.lock().unwrap_or_else(PoisonError::into_inner);
        if meta.is_file() && renamed.len() < MOST_RENAMED {
            renamed.push((path, describe(&meta).version()));
        }
    }
}

impl Watch for NotifyWatch {
    fn arm(&mut self, dir: &Path) -> Result<()> {
        // Always anew: a folder of this name may have been removed and made again.
        self.watcher.watch(dir, RecursiveMode::NonRecursive).map_err(|e| match &e.kind {
            notify::ErrorKind::PathNotFound => nothing_at(dir),
            notify::ErrorKind::Io(io) if io.kind() == io::ErrorKind::NotFound => nothing_at(dir),
            _ => unsupported(e).at(dir),
        })
    }

    fn renamed(&mut self) -> Vec<(PathBuf, Version)> {
        std::mem::take(&mut *self.renamed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hears(&self) -> bool {
        true
    }
}

fn unsupported(e: notify::Error) -> Error {
    let because = |why: &str| Error::new(ErrorKind::Unsupported, format!("no notifications: {why}"));
    match e.kind {
        notify::ErrorKind::MaxFilesWatch => {
            because("this user may watch no more folders (see fs.inotify.max_user_watches)")
        }
        notify::ErrorKind::Io(io) if io.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => because(
            "this user may have no more watchers (see fs.inotify.max_user_instances), or this process no more files (see ulimit -n)",
        ),
        notify::ErrorKind::Io(io) => Error::new(ErrorKind::Unsupported, "no notifications").because(io),
        _ => because(&e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_hides_something_rings() {
        use notify::event::Flag;
        let (bell, renamed) = (Bell::default(), Mutex::default());
        hear(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), &Mutex::default(), &renamed, &bell);
        assert!(bell.wait(Duration::ZERO), "the queue was full");
        hear(Err(notify::Error::generic("as asked for")), &Mutex::default(), &renamed, &bell);
        assert!(bell.wait(Duration::ZERO), "trouble");
    }
}
