//! What cannot be removed, or looked at.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filedrop::Writer;
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Broom, Fs, Listed, Meta, Store as _, Swept};

use crate::past::{LONG_AGO, Past, attach, submit_given};

/// A file system that refuses to remove, to list or to flush some paths.
struct Stubborn {
    os: OsFs,
    refuses: fn(&str, &Path) -> bool,
}

impl Stubborn {
    fn ask(&self, what: &str, path: &Path) -> io::Result<()> {
        match (self.refuses)(what, path) {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Ok(()),
        }
    }
}

impl Fs for Stubborn {
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
        self.ask("flush", dir)?;
        self.os.flush_dir(dir)
    }
    fn writer(&self, path: &Path) -> io::Result<Writer> {
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
        self.os.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.ask("unlink", path)?;
        self.os.unlink(path)
    }
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.os.make_dir(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.ask("remove folder", path)?;
        self.os.remove_dir(path)
    }
    fn list_until(
        &self,
        dir: &Path,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        self.ask("list", dir)?;
        self.os.list_until(dir, each)
    }
    fn try_lock(&self, file: &Self::File) -> io::Result<bool> {
        self.os.try_lock(file)
    }
    fn copy(&self, from: &Path, to: &Self::File, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
        self.os.copy(from, to, progress)
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.ask("remove tree", path)?;
        self.os.remove_tree(path)
    }
    fn admit(&self, path: &Path) -> io::Result<()> {
        self.os.admit(path)
    }
}

fn stubborn(past: &Past, refuses: fn(&str, &Path) -> bool) -> LocalStore<Stubborn, OsHost> {
    let os = OsFs::at(&past.root).unwrap();
    LocalStore::open(Stubborn { os, refuses }, OsHost, &past.root).unwrap()
}

/// To its end, however small the portions are.
fn sweep(store: &LocalStore<Stubborn, OsHost>, budget: Duration) -> Swept {
    let mut sum = Swept::default();
    for _ in 0..500 {
        let swept =
            store.sweep(&mut Broom { dry_run: false, keep: None, budget, each: &mut |_| {} }).unwrap();
        sum.jobs += swept.jobs;
        sum.outcomes += swept.outcomes;
        sum.payloads += swept.payloads;
        sum.failed += swept.failed;
        if !swept.unfinished {
            return sum;
        }
    }
    panic!("it goes on for ever");
}

const BUDGETS: [Duration; 2] = [Duration::ZERO, Duration::MAX];

/// P26: one that cannot be removed keeps none of the others from it; what follows it stays, and that is tried once a sweep.
#[test]
fn a_file_that_cannot_be_removed() {
    for budget in BUDGETS {
        let past = Past::new();
        past.then(LONG_AGO, |store| {
            for id in ["a-1", "stubborn-1", "z-1"] {
                let name = submit_given(store, id);
                crate::past::handle(store, &name, Ok("1"));
                attach(&past, &name.id);
            }
        });
        let no_job = stubborn(&past, |what, path| what == "unlink" && path.ends_with_job("stubborn-1"));
        let swept = sweep(&no_job, budget);
        assert_eq!((swept.jobs, swept.outcomes, swept.payloads, swept.failed), (2, 2, 4, 1));
        assert_eq!(past.of(&"stubborn-1".parse().unwrap()).len(), 3 + 5, "all of it");
        let no_file = stubborn(&past, |what, path| what == "unlink" && path.ends_with("a file"));
        let swept = sweep(&no_file, budget);
        assert_eq!((swept.jobs, swept.outcomes, swept.payloads, swept.failed), (1, 0, 0, 1));
        let swept = sweep(&stubborn(&past, |_, _| false), budget);
        assert_eq!((swept.jobs, swept.outcomes, swept.payloads, swept.failed), (0, 1, 2, 0));
        assert!(past.of(&"stubborn-1".parse().unwrap()).is_empty());
    }
}

trait EndsWithJob {
    fn ends_with_job(&self, id: &str) -> bool;
}

impl EndsWithJob for Path {
    fn ends_with_job(&self, id: &str) -> bool {
        self.to_str().unwrap().ends_with(&format!(".{id}.job.json"))
    }
}

/// P26, R5: where one cannot see what is not over, or not make durable that the rest is, nothing goes that decides.
#[test]
fn what_cannot_be_looked_at() {
    let blind: [fn(&str, &Path) -> bool; 5] = [
        |what, path| what == "list" && path.ends_with("inbox"),
        |what, path| what == "list" && path.ends_with("delayed"),
        |what, path| what == "list" && path.ends_with("claimed/room-0000000000000001"),
        |what, path| what == "flush" && path.ends_with("inbox"),
        |what, path| what == "flush" && path.ends_with("claimed"),
    ];
    for (nth, refuses) in blind.into_iter().enumerate() {
        let past = Past::new();
        past.done(LONG_AGO);
        std::fs::create_dir(past.path("claimed/room-0000000000000001")).unwrap();
        past.then(LONG_AGO, |_| std::fs::write(past.path("tmp/draft"), "half").unwrap());
        let before: Vec<PathBuf> = past.tree().into_keys().filter(|path| !path.starts_with("tmp")).collect();
        for budget in BUDGETS {
            let swept = sweep(&stubborn(&past, refuses), budget);
            assert!(swept.failed > 0 && swept.total() == 0, "{nth}: {swept:?}");
        }
        let after: Vec<PathBuf> = past.tree().into_keys().filter(|path| !path.starts_with("tmp")).collect();
        assert_eq!(after, before);
        assert!(!past.has("tmp/draft"), "drafts decide nothing");
        assert_eq!(sweep(&stubborn(&past, |_, _| false), Duration::MAX).jobs, 1);
    }
}

/// P26: a folder that cannot be removed is no more than that.
#[test]
fn a_day_that_cannot_be_removed() {
    let past = Past::new();
    let name = past.done(LONG_AGO);
    let store =
        stubborn(&past, |what, path| what == "remove folder" && path.to_str().unwrap().contains("/done/"));
    let swept = sweep(&store, Duration::MAX);
    assert_eq!((swept.jobs, swept.outcomes, swept.failed), (1, 1, 1));
    assert!(past.has(format!("done/{}", name.day())) && past.of(&name.id).is_empty());
}
