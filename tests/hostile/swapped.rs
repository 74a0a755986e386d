//! A partner, or a disk, that does something to a folder while an intake takes files out of it (P30).

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use filedrop::Writer;
use filedrop::actors::consumer::Stopper;
use filedrop::actors::intake::{self, IntakeOptions, ManifestRule, Setup, TakenIn};
use filedrop::adapters::fs::{OsFs, hold_root};
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::{ForeignFolder, LocalStore, Premises};
use filedrop::ports::{
    Arrivals, Batch, Chosen, Clerk, Foreign as _, Fs, Held, Listed, Meta, Taking, Watch, WatchMode,
};
use filedrop::words::{Consignment, Customs, Error, ErrorKind, Id, Job, Millis, Outcome, Result, Selection};

/// A file system on which something happens just before a name moves to a path.
struct Swapping<'a> {
    os: OsFs,
    before: &'a (dyn Fn(Call, &Path) -> io::Result<()> + Sync),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Of a file, to this path.
    Rename,
    /// Whether somebody writes to it.
    Writer,
    List,
    Hash,
}

/// What a path through a descriptor leads to.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_default()
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
        (self.before)(Call::Writer, path)?;
        self.os.writer(path)
    }
    fn sha256(&self, file: &Self::File) -> io::Result<[u8; 32]> {
        (self.before)(Call::Hash, Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))?;
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
        (self.before)(Call::Rename, to)?;
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
    fn list_until(
        &self,
        dir: &Path,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        (self.before)(Call::List, dir)?;
        self.os.list_until(dir, each)
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
    let before = |call, to: &Path| {
        if call == Call::Rename && is_taken(to) && moved.fetch_add(1, Ordering::Relaxed) == nth {
            fs::rename(&folder, &away).unwrap();
            symlink(&outside, &folder).unwrap();
            if gone {
                fs::remove_file(away.join(FILES[2])).unwrap();
            }
        }
        Ok(())
    };
    let calls = |at: &PathBuf| Swapping { os: OsFs::at(at).unwrap(), before: &before };
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

/// A clerk who writes down how often what is written down.
#[derive(Default)]
struct Books {
    recorded: Vec<String>,
    accepted: Vec<String>,
    /// So often this cannot be told; then all is to end.
    refuses: Option<(&'static str, usize, Stopper)>,
}

impl Clerk for Books {
    fn record(&mut self, consignments: &[&Consignment]) -> Result<()> {
        self.recorded.extend(consignments.iter().map(|consignment| consignment.path.clone()));
        Ok(())
    }
    fn accepted(&mut self, consignments: &[&Consignment]) -> Vec<Result<()>> {
        let mut tell = |path: &String| {
            if let Some((refused, left, stopper)) = &mut self.refuses
                && path == refused
            {
                if *left > 0 {
                    *left -= 1;
                    return Err(Error::new(ErrorKind::Io, "as asked"));
                }
                stopper.stop();
            }
            self.accepted.push(path.clone());
            Ok(())
        };
        consignments.iter().map(|consignment| tell(&consignment.path)).collect()
    }
    fn record_rejected(&mut self, _: &Path, _: &str) -> Result<()> {
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

/// A drop folder, a partner's folder, and an intake on a file system on which something happens.
struct Yard {
    place: tempfile::TempDir,
    root: PathBuf,
    dir: PathBuf,
}

impl Yard {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let [root, dir] = ["drop", "in"].map(|name| place.path().join(name));
        fs::create_dir_all(dir.join(".filedrop")).unwrap();
        LocalStore::init(OsFs::beside(place.path()).unwrap(), OsHost, &root).unwrap();
        Self { place, root, dir }
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn run(
        &self,
        before: &(dyn Fn(Call, &Path) -> io::Result<()> + Sync),
        books: &mut Books,
        change: impl FnOnce(&mut IntakeOptions),
    ) -> Result<TakenIn> {
        let calls = |at: &Path| Swapping { os: OsFs::at(at).unwrap(), before };
        let store = LocalStore::open(calls(&self.root), OsHost, &self.root).unwrap();
        let [root, home] = [self.dir.clone(), self.dir.join(".filedrop")].map(|dir| hold_root(&dir).unwrap());
        let premises = Premises { dir: self.dir.clone(), root, home };
        let foreign = ForeignFolder::open(&store, calls(self.place.path()), OsHost, premises, true).unwrap();
        let mut options = IntakeOptions::new(&OsHost);
        (options.once, options.quiet_period) = (true, Duration::ZERO);
        change(&mut options);
        let stopper = books.refuses.as_ref().map(|(_, _, stopper)| stopper.clone()).unwrap_or_default();
        intake::run(Setup {
            store: &store,
            foreign: &foreign,
            dir: self.dir.clone(),
            host: &OsHost,
            watch: Box::new(Deaf),
            chosen: Chosen { mode: WatchMode::Poll, why: String::new() },
            options: &options,
            clerk: books,
            observer: &(),
            stopper: &stopper,
        })
        .map(|ended| ended.taken)
    }
}

/// A file turns out to be written to when it is taken, and meanwhile the next one of its name is there. The next one becomes a
/// job; then the first goes back, and waits for its writer.
#[test]
fn what_is_in_the_way_is_not_for_ever() {
    let yard = Yard::new();
    let path = yard.put("x.csv", "first");
    let writer = Mutex::new(None);
    let before = |call, taken: &Path| {
        let mut writer = writer.lock().unwrap();
        if call == Call::Writer && is_taken(taken) && writer.is_none() {
            *writer = Some(fs::OpenOptions::new().append(true).open(taken).unwrap());
            fs::write(&path, "second").unwrap();
        }
        Ok(())
    };
    assert_eq!(yard.run(&before, &mut Books::default(), |_| ()).unwrap().jobs, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "first", "it is back");
    assert_eq!(names(&yard.dir.join(".filedrop")), ["lock", "rejected", "tmp"]);
    assert_eq!(names(&yard.dir), [".filedrop", "x.csv"]);
}

#[test]
fn what_cannot_be_read_holds_up_nothing_else() {
    let yard = Yard::new();
    for name in ["closed/x.csv", "open/y.csv", "z.csv"] {
        yard.put(name, name);
    }
    let refuse = |call, path: &Path| match call == Call::List && real(path).ends_with("closed") {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    };
    let mut books = Books::default();
    let failed = yard.run(&refuse, &mut books, |_| ()).unwrap_err();
    assert!(failed.to_string().contains(&format!("{}/closed", yard.dir.display())), "{failed}");
    books.accepted.sort();
    assert_eq!(books.accepted, ["open/y.csv", "z.csv"]);
}

#[test]
fn a_group_that_cannot_be_read_holds_up_no_other() {
    let yard = Yard::new();
    for group in ["a", "b", "c"] {
        yard.put(&format!("{group}.csv"), "x");
        // The SHA-256 of the one letter.
        let sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        yard.put(&format!("{group}.manifest"), &format!("name,sha256\n{group}.csv,{sum}\n"));
    }
    let refuse = |call, path: &Path| match call == Call::Hash && real(path).ends_with("b.csv") {
        true => Err(io::Error::other("a broken disk")),
        false => Ok(()),
    };
    let mut books = Books::default();
    let rule = ManifestRule {
        names: Selection::new(&["*.manifest".to_owned()]).unwrap(),
        patience: Duration::from_secs(3600),
    };
    let failed = yard.run(&refuse, &mut books, |options| options.manifests = Some(rule)).unwrap_err();
    assert!(failed.to_string().contains("a broken disk"), "{failed}");
    books.accepted.sort();
    assert_eq!(books.accepted, ["a.manifest", "c.manifest"]);
    assert_eq!(names(&yard.dir), [".filedrop", "b.csv", "b.manifest"]);
}

/// However often one cannot be told: it is written down once, and the others are done.
#[test]
fn what_cannot_be_told_is_written_down_once() {
    let yard = Yard::new();
    for name in ["a.csv", "b.csv", "c.csv"] {
        yard.put(name, name);
    }
    let stopper = Stopper::default();
    let mut books = Books { refuses: Some(("b.csv", 3, stopper)), ..Books::default() };
    let taken = yard.run(&|_, _| Ok(()), &mut books, |options| options.once = false).unwrap();
    assert_eq!(taken.jobs, 3);
    books.recorded.sort();
    assert_eq!(books.recorded, ["a.csv", "b.csv", "c.csv"]);
    assert_eq!(books.accepted.last().unwrap(), "b.csv");
    assert_eq!(books.accepted.len(), 3, "the others are told once");
}

/// One that works once and leaves a file does not say that all is done.
#[test]
fn a_file_that_cannot_be_read_is_an_error_in_the_end() {
    let yard = Yard::new();
    for name in ["bad.csv", "good.csv"] {
        yard.put(name, name);
    }
    let refuse = |call, path: &Path| match call == Call::Writer && real(path).ends_with("in/bad.csv") {
        true => Err(io::Error::other("a broken disk")),
        false => Ok(()),
    };
    let mut books = Books::default();
    let failed = yard.run(&refuse, &mut books, |_| ()).unwrap_err();
    assert!(failed.to_string().contains(&format!("{}/bad.csv", yard.dir.display())), "{failed}");
    assert_eq!(books.accepted, ["good.csv"]);
}
