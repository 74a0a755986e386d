//! A partner who exchanges a folder for a link while an intake takes files out of it (P30).

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use filedrop::Writer;
use filedrop::actors::consumer::Stopper;
use filedrop::actors::intake::{self, IntakeOptions, Setup};
use filedrop::adapters::fs::{OsFs, hold_root};
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::{ForeignFolder, LocalStore, Premises};
use filedrop::ports::{
    Arrivals, Batch, Chosen, Clerk, Foreign as _, Fs, Held, Listed, Meta, Taking, Watch, WatchMode,
};
use filedrop::words::{Consignment, Customs, Id, Job, Millis, Outcome, Result};

/// A file system on which something happens just before a name moves to a path.
struct Swapping<'a> {
    os: OsFs,
    before: &'a (dyn Fn(&Path) + Sync),
    /// Somebody is asked for who writes to a file.
    asked: &'a (dyn Fn(&Path) + Sync),
}

fn is_taken(path: &Path) -> bool {
    path.parent().is_some_and(|dir| dir.extension().is_some_and(|bare| bare == "bare"))
}

impl Fs for Swapping<'_> {
    type File = <OsFs as Fs>::File;

    fn is_local(&self) -> bool {
        self.os.is_local()
    }
    fn create(&self, path: &Path) -> io::Result<Self::File> {
        self.os.create(path)
    }
    fn create_unnamed(&self, dir: &Path) -> io::Result<Self::File> {
        self.os.create_unnamed(dir)
    }
    fn open(&self, path: &Path) -> io::Result<Self::File> {
        self.os.open(path)
    }
    fn write(&self, file: &Self::File, bytes: &[u8]) -> io::Result<()> {
        self.os.write(file, bytes)
    }
    fn read(&self, file: &Self::File, limit: usize) -> io::Result<Vec<u8>> {
        self.os.read(file, limit)
    }
    fn flush(&self, file: &Self::File) -> io::Result<()> {
        self.os.flush(file)
    }
    fn flush_dir(&self, dir: &Path) -> io::Result<()> {
        self.os.flush_dir(dir)
    }
    fn writer(&self, path: &Path) -> io::Result<Writer> {
        (self.asked)(path);
        self.os.writer(path)
    }
    fn sha256(&self, file: &Self::File) -> io::Result<[u8; 32]> {
        self.os.sha256(file)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.os.rename_new(from, to)
    }
    fn stat_open(&self, file: &Self::File) -> io::Result<Meta> {
        self.os.stat_open(file)
    }
    fn stat(&self, path: &Path) -> io::Result<Meta> {
        self.os.stat(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.os.link(from, to)
    }
    fn link_unnamed(&self, file: &Self::File, to: &Path) -> io::Result<()> {
        self.os.link_unnamed(file, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.before)(to);
        self.os.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.os.unlink(path)
    }
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.os.make_dir(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.os.remove_dir(path)
    }
    fn list(&self, dir: &Path, each: &mut dyn FnMut(Listed)) -> io::Result<()> {
        self.os.list(dir, each)
    }
    fn try_lock(&self, file: &Self::File) -> io::Result<bool> {
        self.os.try_lock(file)
    }
    fn copy(&self, from: &Path, to: &Self::File, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
        self.os.copy(from, to, progress)
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.os.remove_tree(path)
    }
    fn admit(&self, path: &Path) -> io::Result<()> {
        self.os.admit(path)
    }
    fn hold(&self, root: &Held, below: &Path) -> io::Result<Held> {
        self.os.hold(root, below)
    }
}

const FILES: [&str; 3] = ["1.csv", "2.csv", "3.csv"];

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Before the `nth` file moves into the intake's folder, the partner exchanges theirs for a link. Where the files are then.
fn swapped_at(nth: usize, gone: bool) -> (Vec<String>, Vec<String>, Option<Consignment>) {
    let place = tempfile::tempdir().unwrap();
    let [root, dir, outside] = ["drop", "in", "outside"].map(|name| place.path().join(name));
    let (folder, away) = (dir.join("a"), dir.join("was a"));
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(dir.join(".filedrop")).unwrap();
    fs::create_dir(&outside).unwrap();
    for name in FILES {
        fs::write(folder.join(name), name).unwrap();
    }
    let moved = AtomicUsize::new(0);
    let before = |to: &Path| {
        if is_taken(to) && moved.fetch_add(1, Ordering::Relaxed) == nth {
            fs::rename(&folder, &away).unwrap();
            symlink(&outside, &folder).unwrap();
            if gone {
                fs::remove_file(away.join(FILES[2])).unwrap();
            }
        }
    };
    let calls = |at: &PathBuf| Swapping { os: OsFs::at(at).unwrap(), before: &before, asked: &|_| () };
    LocalStore::init(OsFs::beside(place.path()).unwrap(), OsHost, &root).unwrap();
    let store = LocalStore::open(calls(&root), OsHost, &root).unwrap();
    let [held, home] = [dir.clone(), dir.join(".filedrop")].map(|dir| hold_root(&dir).unwrap());
    let premises = Premises { dir: dir.clone(), root: held, home };
    let foreign = ForeignFolder::open(&store, calls(&dir), OsHost, premises, true).unwrap();
    let mut arrivals = Arrivals::new(Customs::default(), Duration::ZERO);
    let below = Path::new("a");
    let mut ready = foreign.look(below, &mut arrivals, &mut |_, _| {}).unwrap().ready;
    ready.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(ready.len(), FILES.len());
    let batch = Batch { folder: below, files: ready.iter().map(|file| (file, None)).collect() };
    let taking = foreign.take(&batch, &mut |stamp, files| {
        let envelope = Job::envelope(&stamp.id, "/in", "test", Millis::new(1_700_000_000_000).unwrap());
        Consignment { stamp, path: "a/1.csv".to_owned(), envelope, data: None, files, markers: Vec::new() }
    });
    assert_eq!(names(&outside), [""; 0], "exchanged before file {nth}");
    let taken = match taking.unwrap() {
        Taking::Taken(taken) => Some(*taken),
        Taking::Gone => None,
        Taking::Stuck => panic!("all can go back"),
    };
    let left = taken.as_ref().map(|taken| names(&dir.join(".filedrop").join(taken.stamp.taken())));
    (names(&away), left.unwrap_or_default(), taken)
}

#[test]
fn a_folder_that_becomes_a_link_leads_nowhere() {
    for nth in 0..FILES.len() {
        let (away, taken, plan) = swapped_at(nth, false);
        assert!(plan.is_some(), "they are the files that were judged, wherever their folder is by now");
        assert_eq!(taken, FILES);
        assert_eq!(away, [""; 0]);
        // One goes meanwhile, so that all others go back: to the folder that they were in.
        let (away, taken, plan) = swapped_at(nth, true);
        assert!(plan.is_none() && taken.is_empty());
        assert_eq!(away, FILES[..2]);
    }
}

struct Deaf;

impl Watch for Deaf {
    fn arm(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }
    fn hears(&self) -> bool {
        false
    }
}

struct NoBooks;

impl Clerk for NoBooks {
    fn accepted(&mut self, _: &[&Consignment]) -> Result<()> {
        Ok(())
    }
    fn rejected(&mut self, _: &Path, _: &str) -> Result<()> {
        Ok(())
    }
    fn open(&self) -> Result<Vec<Id>> {
        Ok(Vec::new())
    }
    fn decided(&mut self, _: &Outcome) -> Result<()> {
        Ok(())
    }
}

/// A file turns out to be written to when it is taken, and meanwhile the next one of its name is there. The next one becomes a
/// job; then the first goes back, and waits for its writer.
#[test]
fn what_is_in_the_way_is_not_for_ever() {
    let place = tempfile::tempdir().unwrap();
    let [root, dir] = ["drop", "in"].map(|name| place.path().join(name));
    fs::create_dir_all(dir.join(".filedrop")).unwrap();
    let path = dir.join("x.csv");
    fs::write(&path, "first").unwrap();
    let writer = Mutex::new(None);
    let asked = |taken: &Path| {
        let mut writer = writer.lock().unwrap();
        if is_taken(taken) && writer.is_none() {
            *writer = Some(fs::OpenOptions::new().append(true).open(taken).unwrap());
            fs::write(&path, "second").unwrap();
        }
    };
    let calls = |at: &PathBuf| Swapping { os: OsFs::at(at).unwrap(), before: &|_| (), asked: &asked };
    LocalStore::init(OsFs::beside(place.path()).unwrap(), OsHost, &root).unwrap();
    let store = LocalStore::open(calls(&root), OsHost, &root).unwrap();
    let [held, home] = [dir.clone(), dir.join(".filedrop")].map(|dir| hold_root(&dir).unwrap());
    let premises = Premises { dir: dir.clone(), root: held, home };
    let foreign = ForeignFolder::open(&store, calls(&dir), OsHost, premises, true).unwrap();
    let mut options = IntakeOptions::new(&OsHost);
    (options.once, options.quiet_period) = (true, Duration::ZERO);
    let (stopper, chosen) = (Stopper::default(), Chosen { mode: WatchMode::Poll, why: String::new() });
    let taken = intake::run(Setup {
        store: &store,
        foreign: &foreign,
        dir: dir.clone(),
        host: &OsHost,
        watch: Box::new(Deaf),
        chosen,
        options: &options,
        clerk: &mut NoBooks,
        observer: &(),
        stopper: &stopper,
    });
    assert_eq!(taken.unwrap().jobs, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "first", "it is back");
    assert_eq!(names(&dir.join(".filedrop")), ["lock", "rejected", "tmp"]);
    assert_eq!(names(&dir), [".filedrop", "x.csv"]);
}
