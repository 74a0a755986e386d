//! Drop folders with a past: jobs were submitted and handled days ago, by the names and by the times of the files.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Broom, Claim, Claimed, Host, NewJob, Store as _, Swept};
use filedrop::words::{DEFAULT_LEASE, Id, InboxName, Job, Millis, Outcome, Payload, Priority, Problem};
use tempfile::TempDir;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than a folder keeps what is done, if it does not say how long.
pub(crate) const LONG_AGO: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// A machine whose wall clock is behind by so many milliseconds, or ahead.
#[derive(Clone, Copy)]
pub(crate) struct Behind(i64);

impl Host for Behind {
    fn now(&self) -> Millis {
        Millis::new(OsHost.now().get().checked_add_signed(-self.0).unwrap()).unwrap()
    }
    fn monotonic(&self) -> Duration {
        OsHost.monotonic()
    }
    fn entropy(&self) -> u128 {
        OsHost.entropy()
    }
    fn name(&self) -> String {
        OsHost.name()
    }
    fn pid(&self) -> u32 {
        OsHost.pid()
    }
}

pub(crate) type Store = LocalStore<OsFs, Behind>;

/// A drop folder, removed after the test.
pub(crate) struct Past {
    _place: TempDir,
    pub(crate) root: PathBuf,
}

impl Past {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("drop");
        LocalStore::init(OsFs::at(place.path()).unwrap(), OsHost, &root).unwrap();
        Self { _place: place, root }
    }

    /// The folder, as a program had it open so long ago.
    pub(crate) fn ago(&self, by: Duration) -> Store {
        self.seen_by(Behind(by.as_millis() as i64))
    }

    /// The folder, as a program has it open when so much time has passed. Nothing in it can be made to look older than it is by when
    /// it was last changed in any way (ctime).
    pub(crate) fn later(&self, by: Duration) -> Store {
        self.seen_by(Behind(-(by.as_millis() as i64)))
    }

    fn seen_by(&self, host: Behind) -> Store {
        LocalStore::open(OsFs::at(&self.root).unwrap(), host, &self.root).unwrap()
    }

    pub(crate) fn now(&self) -> Store {
        self.ago(Duration::ZERO)
    }

    /// Makes all that is there now look older.
    pub(crate) fn age(&self, by: Duration) {
        for path in self.tree().into_keys() {
            age(&self.root.join(path), by);
        }
    }

    /// Does something, so long ago.
    pub(crate) fn then<T>(&self, by: Duration, what: impl FnOnce(&Store) -> T) -> T {
        let before = self.tree();
        let answer = what(&self.ago(by));
        for path in self.tree().into_keys().filter(|path| !before.contains_key(path)) {
            age(&self.root.join(path), by);
        }
        answer
    }

    /// Jobs that were done so long ago.
    pub(crate) fn done(&self, by: Duration) -> InboxName {
        self.then(by, |store| {
            let name = submit(store, |_| {});
            handle(store, &name, Ok("1"));
            name
        })
    }

    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    pub(crate) fn has(&self, below: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.path(below)).is_ok()
    }

    /// All that is there: files with their content, folders, links with where they lead.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                let content = if kind.is_dir() {
                    folders.push(path.clone());
                    Vec::new()
                } else if kind.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                tree.insert(path.strip_prefix(&self.root).unwrap().to_owned(), content);
            }
        }
        tree
    }

    /// The paths of all that has this id in its name.
    pub(crate) fn of(&self, id: &Id) -> Vec<String> {
        let paths = self.tree().into_keys().map(|path| path.to_str().unwrap().to_owned());
        paths.filter(|path| path.contains(id.as_str())).collect()
    }
}

/// Makes a file or a folder look older.
pub(crate) fn age(path: &Path, by: Duration) {
    let meta = fs::symlink_metadata(path).unwrap();
    if meta.file_type().is_symlink() {
        return;
    }
    let modified = SystemTime::UNIX_EPOCH + Duration::new(meta.mtime() as u64, meta.mtime_nsec() as u32);
    let times = FileTimes::new().set_modified(modified - by);
    File::open(path).unwrap().set_times(times).unwrap();
}

/// A job that is ready.
pub(crate) fn submit(store: &Store, change: impl FnOnce(&mut NewJob)) -> InboxName {
    let (id, now) = store.host().mint();
    submit_as(store, id, now, change)
}

pub(crate) fn submit_given(store: &Store, id: &str) -> InboxName {
    let id: Id = id.parse().unwrap();
    let now = store.host().now();
    submit_as(store, id, now, |job| job.given = true)
}

fn submit_as(store: &Store, id: Id, now: Millis, change: impl FnOnce(&mut NewJob)) -> InboxName {
    let mut envelope = Job::envelope(&id, "/test", "test", now);
    envelope.payload = Some(Payload::detect("1"));
    let name = InboxName::job(id, now, Priority::default());
    let mut job = NewJob { name, bytes: envelope.encode().unwrap(), due: None, given: false, topic: None };
    change(&mut job);
    store.submit(std::slice::from_ref(&job)).unwrap();
    job.name
}

/// Claims a job and settles it.
pub(crate) fn handle(store: &Store, name: &InboxName, result: Result<&str, Problem>) {
    let room = store.register(&"test".parse().unwrap(), DEFAULT_LEASE).unwrap();
    let Claimed::Taken(claim) = store.claim(&room, name).unwrap() else { panic!("{name} is not ready") };
    assert!(store.settle(&room, &claim, &outcome(store, &claim, result)).unwrap());
    store.retire(room).unwrap();
}

pub(crate) fn outcome(store: &Store, claim: &Claim, result: Result<&str, Problem>) -> Outcome {
    let job = Job::decode(&claim.name.id, claim.name.attempt, &claim.bytes).unwrap();
    let (id, now) = store.host().mint();
    Outcome::of(&job, &id, "/test", now, result.map(Payload::detect))
}

/// A sweep to its end, without trouble. What went, relative to the folder.
pub(crate) fn sweep(store: &Store) -> (Swept, Vec<String>) {
    let (swept, gone) = when_free(|| sweep_by(store, false, None));
    assert_eq!((swept.failed, swept.unfinished, swept.busy), (0, false, false));
    (swept, gone)
}

/// A process that another test is starting has our descriptors, and their locks, until it is another program.
pub(crate) fn when_free(sweep: impl Fn() -> (Swept, Vec<String>)) -> (Swept, Vec<String>) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let done = sweep();
        if !done.0.busy || Instant::now() > end {
            return done;
        }
        std::thread::yield_now();
    }
}

pub(crate) fn sweep_by(store: &Store, dry_run: bool, keep: Option<Duration>) -> (Swept, Vec<String>) {
    let mut gone = Vec::new();
    let root = store.layout().root().to_owned();
    let mut each = |path: &Path| gone.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
    let swept = store.sweep(&mut Broom { dry_run, keep, budget: Duration::MAX, each: &mut each }).unwrap();
    gone.sort();
    (swept, gone)
}

/// Files that travel with a job, or its outcome.
pub(crate) fn attach(past: &Past, id: &Id) -> [PathBuf; 2] {
    let files = past.path(format!("payload/{id}.00000000000000aa"));
    let data = past.path(format!("payload/{id}.00000000000000bb.data"));
    fs::create_dir_all(files.join("deep/er")).unwrap();
    fs::write(files.join("deep/er/a file"), "a").unwrap();
    fs::write(&data, "data").unwrap();
    [files, data]
}
