//! The operating system's notifications: inotify on Linux, kqueue or FSEvents elsewhere.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::io::Errno;

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

/// So many files that were renamed into a folder are remembered until somebody asks: the others have to be quiet for a while.
const MOST_RENAMED: usize = 64 << 10;

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

/// What it was is looked at once: by the time that somebody asks, another may have its name. Our own jobs move all the time, and
/// mean nothing here.
fn remember(renamed: &Mutex<Vec<(PathBuf, Version)>>, paths: Vec<PathBuf>) {
    for path in paths.into_iter().filter(|path| !path.as_os_str().as_bytes().ends_with(b".job.json")) {
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

fn nothing_at(dir: &Path) -> Error {
    Error::new(ErrorKind::NotFound, "there is no such folder").at(dir).because(Errno::NOENT.into())
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
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    /// A watched folder, and a place beside it on the same file system.
    fn watched() -> (tempfile::TempDir, Bell, NotifyWatch) {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("watched")).unwrap();
        let bell = Bell::default();
        let mut watch = NotifyWatch::new(bell.clone()).unwrap();
        watch.arm(&place.path().join("watched")).unwrap();
        (place, bell, watch)
    }

    /// All rings that are on their way have come.
    fn settle(bell: &Bell) {
        while bell.wait(Duration::from_millis(100)) {}
    }

    #[test]
    fn what_appears_rings() {
        let (place, bell, mut watch) = watched();
        let beside = place.path().join("beside");
        let dir = place.path().join("watched");
        fs::write(&beside, "x").unwrap();
        assert!(!bell.wait(Duration::from_millis(50)), "only what is watched rings");
        fs::hard_link(&beside, dir.join("linked")).unwrap();
        assert!(bell.wait(SOON), "a link");
        settle(&bell);
        fs::rename(&beside, dir.join("renamed")).unwrap();
        assert!(bell.wait(SOON), "a rename into it");
        settle(&bell);
        fs::create_dir(dir.join("folder")).unwrap();
        assert!(bell.wait(SOON), "a folder");
        settle(&bell);
        // Made again under the same name, and armed again.
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(watch.arm(&dir).unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir(&dir).unwrap();
        watch.arm(&dir).unwrap();
        settle(&bell);
        fs::write(dir.join("file"), "x").unwrap();
        assert!(bell.wait(SOON), "a file in the folder that was made again");
    }

    #[test]
    fn the_closing_of_a_presence_rings_and_its_beats_do_not() {
        let (place, bell, _watch) = watched();
        let beside = place.path().join("beside");
        let presence = place.path().join("watched/presence");
        let mut file = File::create_new(&beside).unwrap();
        fs::rename(&beside, &presence).unwrap();
        settle(&bell);
        file.write_all(b"a beat").unwrap();
        fs::read(&presence).unwrap();
        fs::read_dir(place.path().join("watched")).unwrap().for_each(drop);
        assert!(!bell.wait(Duration::from_millis(100)), "a beat, or our own look, must not ring");
        drop(file);
        assert!(bell.wait(SOON), "its owner is gone");
    }

    #[test]
    fn what_hides_something_rings() {
        use notify::event::Flag;
        let (bell, renamed) = (Bell::default(), Mutex::default());
        hear(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), &Mutex::default(), &renamed, &bell);
        assert!(bell.wait(Duration::ZERO), "the queue was full");
        hear(Err(notify::Error::generic("as asked for")), &Mutex::default(), &renamed, &bell);
        assert!(bell.wait(Duration::ZERO), "trouble");
    }

    #[test]
    fn what_goes_away_does_not_ring() {
        let (place, bell, _watch) = watched();
        let file = place.path().join("watched/file");
        fs::write(&file, "x").unwrap();
        settle(&bell);
        fs::rename(&file, place.path().join("beside")).unwrap();
        assert!(!bell.wait(Duration::from_millis(100)), "a claim must not wake all others");
    }
}
