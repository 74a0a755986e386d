//! The steps of the protocol as bare system calls: no envelopes, no leases, no recovery.

use std::ffi::CString;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use filedrop::Durability;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, fsync, linkat, open, openat, renameat};

use crate::parts::{Queue, See};
use crate::{Outcome, payload};

/// A folder with rooms, open.
pub(crate) struct Rooms {
    root: PathBuf,
    pub(crate) inbox: OwnedFd,
    pub(crate) claimed: OwnedFd,
    pub(crate) outcomes: OwnedFd,
    pub(crate) done: OwnedFd,
    durability: Durability,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Rooms {
    pub(crate) fn at(root: &Path, durability: Durability) -> Outcome<Self> {
        let room = |name: &str| -> Outcome<OwnedFd> {
            let path = root.join(name);
            fs::create_dir_all(&path)?;
            Ok(open(&path, FOLDER, Mode::empty())?)
        };
        let (inbox, claimed, outcomes, done) =
            (room("inbox")?, room("claimed")?, room("outcomes")?, room("done")?);
        Ok(Self { root: root.to_owned(), inbox, claimed, outcomes, done, durability })
    }

    /// A file without a name.
    pub(crate) fn write(&self, dir: &OwnedFd, bytes: &[u8]) -> Outcome<OwnedFd> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(dir, ".", flags, Mode::from_raw_mode(0o666))?;
        rustix::io::write(&file, bytes)?;
        Ok(file)
    }

    pub(crate) fn name(&self, file: &OwnedFd, dir: &OwnedFd, name: &str) -> Outcome<()> {
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        Ok(linkat(CWD, &path, dir, name, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Draft, flush, link. It is durable once the folder is flushed.
    fn link(&self, dir: &OwnedFd, name: &str, bytes: &[u8]) -> Outcome<()> {
        let file = self.write(dir, bytes)?;
        self.flush(&file)?;
        self.name(&file, dir, name)
    }

    fn publish(&self, dir: &OwnedFd, name: &str, bytes: &[u8]) -> Outcome<()> {
        self.link(dir, name, bytes)?;
        self.flush(dir)
    }

    pub(crate) fn flush(&self, file: &OwnedFd) -> Outcome<()> {
        if self.durability == Durability::Flush {
            fsync(file)?;
        }
        Ok(())
    }

    /// What is in a job, if it was there: it is claimed now.
    pub(crate) fn claim(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        if renameat(&self.inbox, name, &self.claimed, name).is_err() {
            return Ok(None);
        }
        let file = openat(&self.claimed, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = [0; 4096];
        let read = rustix::io::read(&file, &mut bytes)?;
        Ok(Some(bytes[..read].to_vec()))
    }

    /// Claims a job, reads it, decides it, archives it. Whether it was there. `see` is shown what is in it.
    fn handle(&self, name: &str, see: impl FnOnce(&[u8])) -> Outcome<bool> {
        let Some(bytes) = self.claim(name)? else { return Ok(false) };
        see(&bytes);
        self.publish(&self.outcomes, name, &bytes)?;
        renameat(&self.claimed, name, &self.done, name)?;
        Ok(true)
    }

    pub(crate) fn watch(&self) -> Outcome<OwnedFd> {
        watch(&self.root.join("inbox"))
    }
}

impl Queue for Rooms {
    /// One flush of the folder does for all that are submitted at a time.
    fn produce(&self, who: usize, jobs: usize, at_a_time: usize) -> Outcome<()> {
        let payload = payload();
        (0..jobs).step_by(at_a_time).try_for_each(|first| {
            let mut group = first..jobs.min(first + at_a_time);
            group.try_for_each(|nth| self.link(&self.inbox, &format!("{who:03}-{nth:08}"), &payload))?;
            self.flush(&self.inbox)
        })
    }

    fn produce_one(&self, nth: usize, data: Vec<u8>) -> Outcome<()> {
        self.publish(&self.inbox, &format!("{nth:08}"), &data)
    }

    fn consume(&self, jobs: usize, threads: usize) -> Outcome<()> {
        let left = AtomicUsize::new(jobs);
        let names = Mutex::new(Vec::new());
        let watch = self.watch()?;
        let next = || -> Outcome<Option<String>> {
            loop {
                let mut names = names.lock().map_err(|_| "a thread panicked")?;
                if let Some(name) = names.pop() {
                    return Ok(Some(name));
                }
                if left.load(Ordering::Acquire) == 0 {
                    return Ok(None);
                }
                *names = list(&self.inbox)?;
                names.sort_unstable_by(|a: &String, b| b.cmp(a));
                if names.is_empty() {
                    wait(&watch, Duration::from_millis(5))?;
                }
            }
        };
        std::thread::scope(|scope| {
            let work = || -> Outcome<()> {
                while let Some(name) = next()? {
                    if self.handle(&name, |_| ())? {
                        left.fetch_sub(1, Ordering::AcqRel);
                    }
                }
                Ok(())
            };
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        })
    }

    fn ask(&self, jobs: usize) -> Outcome<Vec<Duration>> {
        let (payload, watch) = (payload(), watch(&self.root.join("outcomes"))?);
        let mut times = Vec::with_capacity(jobs);
        for nth in 0..jobs {
            let (begin, name) = (Instant::now(), format!("{nth:08}"));
            self.publish(&self.inbox, &name, &payload)?;
            loop {
                match openat(&self.outcomes, &*name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
                    Ok(file) => {
                        // Nobody is told of what a power cut could undo.
                        self.flush(&self.outcomes)?;
                        let mut bytes = [0; 4096];
                        rustix::io::read(&file, &mut bytes)?;
                        break;
                    }
                    Err(_) => wait(&watch, Duration::from_secs(1))?,
                }
            }
            times.push(begin.elapsed());
        }
        Ok(times)
    }

    fn answer(&self, jobs: usize, see: See) -> Outcome<()> {
        let watch = self.watch()?;
        let mut answered = 0;
        while answered < jobs {
            let names = list(&self.inbox)?;
            for name in &names {
                answered += usize::from(self.handle(name, &see)?);
            }
            if names.is_empty() {
                wait(&watch, Duration::from_secs(1))?;
            }
        }
        Ok(())
    }
}

fn watch(dir: &Path) -> Outcome<OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, dir, WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
    Ok(watch)
}

/// Until something happens; what it is does not matter.
pub(crate) fn wait(watch: &OwnedFd, patience: Duration) -> Outcome<()> {
    let mut fds = [rustix::event::PollFd::new(watch, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec::try_from(patience)?;
    rustix::event::poll(&mut fds, Some(&patience))?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watch, &mut buffer);
    while reader.next().is_ok() && !reader.is_buffer_empty() {}
    Ok(())
}

pub(crate) fn list(dir: &OwnedFd) -> Outcome<Vec<String>> {
    let dir = openat(dir, ".", FOLDER, Mode::empty())?;
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_str()?.to_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}
