//! The notifications of Linux, heard by whoever waits: between the kernel and the waiter there is no other thread.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::{MOST_RENAMED, is_news_to_none, nothing_at};
use crate::adapters::fs::describe;
use crate::ports::{Bell, Ear, Watch};
use crate::words::{Error, ErrorKind, Result, Version};

/// Rings when a name appears in a folder, or a file that was open for writing is closed.
///
/// Not when one is opened, read or changed: our own reads would wake every watcher, and so would every beat of every
/// presence. But the kernel closes the presence of a consumer that dies, and that must ring. A name that goes away tells
/// nobody anything to do.
pub struct NotifyWatch {
    hearing: Arc<Hearing>,
    bell: Bell,
}

/// What a watch hears with, and what it has heard.
struct Hearing {
    inotify: OwnedFd,
    /// Readable when whoever listens is to stop that.
    interruption: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    folders: HashMap<i32, PathBuf>,
    renamed: Vec<(PathBuf, Version)>,
    apart: Option<Apart>,
}

/// Where a watch is tried out: what happens in this folder rings for nobody, but if it is about this name: then this bell rings.
struct Apart {
    dir: PathBuf,
    path: PathBuf,
    bell: Bell,
}

const KINDS: WatchFlags = WatchFlags::CREATE.union(WatchFlags::MOVED_TO).union(WatchFlags::CLOSE_WRITE);

/// So many bytes of notifications are read at a time: some forty.
const PORTION: usize = 4 << 10;

impl NotifyWatch {
    /// A watch of nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the system gives no more notifications to this user.
    pub fn new(bell: Bell) -> Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(unsupported)?;
        let interruption = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(unsupported)?;
        let hearing = Arc::new(Hearing { inotify, interruption, state: Mutex::default() });
        bell.lend(hearing.clone());
        Ok(Self { hearing, bell })
    }

    /// Watches a folder, never watched otherwise, in which this very watch is to be tried out: what happens to one name there rings
    /// the bell that is returned, and nothing there the watch's own. There is one such folder at a time.
    ///
    /// # Errors
    /// As [`arm`](Watch::arm).
    pub(crate) fn hear_apart(&mut self, dir: &Path, name: &str) -> Result<Bell> {
        let bell = Bell::default();
        let apart = Apart { dir: dir.to_owned(), path: dir.join(name), bell: bell.clone() };
        self.hearing.state().apart = Some(apart);
        self.arm(dir)?;
        // Nobody waits for the watch's own bell meanwhile, perhaps: who waits for this one hears for both.
        bell.lend(Arc::new(HeardBeside { hearing: self.hearing.clone(), own: self.bell.clone() }));
        Ok(bell)
    }

    /// Watches that folder no more. What is still on its way rings for nobody either.
    pub(crate) fn disarm(&mut self, dir: &Path) {
        let mut state = self.hearing.state();
        if let Some(apart) = &state.apart {
            apart.bell.take_back();
        }
        let watched = state.folders.iter().find(|(_, folder)| *folder == dir).map(|(wd, _)| *wd);
        if let Some(wd) = watched {
            state.folders.remove(&wd);
            // That it is gone already is all the same.
            let _ = inotify::remove_watch(&self.hearing.inotify, wd);
        }
    }
}

impl Drop for NotifyWatch {
    fn drop(&mut self) {
        self.bell.take_back();
    }
}

impl Watch for NotifyWatch {
    fn arm(&mut self, dir: &Path) -> Result<()> {
        // Always anew: a folder of this name may have been removed and made again.
        let wd = inotify::add_watch(&self.hearing.inotify, dir, KINDS).map_err(|e| match e {
            Errno::NOENT => nothing_at(dir),
            e => unsupported(e).at(dir),
        })?;
        let mut state = self.hearing.state();
        if state.folders.get(&wd).is_none_or(|known| known != dir) {
            state.folders.insert(wd, dir.to_owned());
        }
        Ok(())
    }

    fn renamed(&mut self) -> Vec<(PathBuf, Version)> {
        // Whoever is rung for by others all the time never waits long enough to hear.
        if self.hearing.read() {
            self.bell.ring();
        }
        std::mem::take(&mut self.hearing.state().renamed)
    }

    fn hears(&self) -> bool {
        true
    }
}

impl Hearing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); PORTION];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let (mut rings, mut state) = (false, self.state());
        loop {
            match reader.next() {
                Ok(event) => rings |= state.take(event.wd(), event.events(), event.file_name()),
                // Another has read it.
                Err(Errno::AGAIN | Errno::INTR) => return rings,
                // Whatever it is, it may hide anything.
                Err(_) => return true,
            }
            // What did not fit is heard the next time.
            if reader.is_buffer_empty() {
                return rings;
            }
        }
    }
}

impl State {
    /// Whether it rings. An overflow hides anything.
    fn take(&mut self, wd: i32, what: ReadFlags, name: Option<&std::ffi::CStr>) -> bool {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            return true;
        }
        let folder = self.folders.get(&wd);
        if what.contains(ReadFlags::IGNORED) {
            // It was removed, or is watched no more. Its number is not used again.
            self.folders.remove(&wd);
            return false;
        }
        let Some(folder) = folder else { return false };
        let name = OsStr::from_bytes(name.map_or(&[], std::ffi::CStr::to_bytes));
        if let Some(apart) = self.apart.as_ref().filter(|apart| apart.dir == *folder) {
            if apart.path.file_name() == Some(name) {
                apart.bell.ring();
            }
            return false;
        }
        if what.contains(ReadFlags::MOVED_TO) && !is_news_to_none(name) && self.renamed.len() < MOST_RENAMED {
            let path = folder.join(name);
            // What it was is looked at once: by the time that somebody asks, another may have its name.
            if let Ok(meta) = std::fs::symlink_metadata(&path)
                && meta.is_file()
            {
                self.renamed.push((path, describe(&meta).version()));
            }
        }
        true
    }
}

impl Ear for Hearing {
    fn listen(&self, patience: Duration) -> bool {
        let mut fds =
            [PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(&self.interruption, PollFlags::IN)];
        // Too long for the kernel's clock is as good as a year, and what a signal interrupts is begun again by who waits.
        let patience = patience.min(Duration::from_secs(365 * 86_400));
        let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: patience.subsec_nanos().into() };
        if poll(&mut fds, Some(&timeout)).unwrap_or(0) == 0 {
            return false;
        }
        let [heard, interrupted] = fds.map(|fd| !fd.revents().is_empty());
        if interrupted {
            let _ = rustix::io::read(&self.interruption, &mut [0; 8]);
        }
        heard && self.read()
    }

    fn interrupt(&self) {
        // It is full if nobody has read what was written before: then it is readable.
        let _ = rustix::io::write(&self.interruption, &1_u64.to_ne_bytes());
    }
}

/// Hears for the bell of a trial, and passes on what is not for that.
struct HeardBeside {
    hearing: Arc<Hearing>,
    own: Bell,
}

impl Ear for HeardBeside {
    fn listen(&self, patience: Duration) -> bool {
        if self.hearing.listen(patience) {
            self.own.ring();
        }
        // What is for this bell has rung it.
        false
    }

    fn interrupt(&self) {
        self.hearing.interrupt();
    }
}

fn unsupported(e: Errno) -> Error {
    let because = |why: &str| Error::new(ErrorKind::Unsupported, format!("no notifications: {why}"));
    match e {
        Errno::NOSPC => because("this user may watch no more folders (see fs.inotify.max_user_watches)"),
        Errno::MFILE => because(
            "this user may have no more watchers (see fs.inotify.max_user_instances), or this process no more files (see ulimit -n)",
        ),
        e => Error::new(ErrorKind::Unsupported, "no notifications").because(e.into()),
    }
}
