//! In portions, by many, and beside work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use filedrop::actors::consumer::{self, ConsumerOptions, Setup};
use filedrop::actors::handler::Closure;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Broom, Chosen, Fs as _, Host as _, Store as _, Swept};
use filedrop::words::{Id, InboxName, Millis, Priority};
use filedrop::{DropFolder, Event, Job, Observer, Stopper, Submission, WatchMode};

use crate::past::{DAY, LONG_AGO, Past, Store, age, attach, submit_given, sweep, when_free};

/// Everything that may go, of some days, and some that may not.
fn furnish(past: &Past) {
    for days in [8, 9, 12] {
        for nth in 0..3 {
            let name = past.done(DAY * days);
            if nth == 0 {
                past.then(DAY * days, |_| attach(past, &name.id));
            }
        }
        past.then(DAY * days, |store| {
            let name = submit_given(store, &format!("order-{days}"));
            crate::past::handle(store, &name, Ok("1"));
            submit_given(store, &format!("ready-{days}"));
        });
    }
    past.done(DAY);
    past.then(2 * DAY, |_| fs::write(past.path("tmp/draft"), "half").unwrap());
    for path in attach(past, &"nobodys".parse().unwrap()) {
        // Taken aside by an earlier sweep, which died: then it may go whatever its age.
        let name = format!("{}.00000000000000cc.orphan", path.file_name().unwrap().to_str().unwrap());
        fs::rename(&path, path.with_file_name(name)).unwrap();
    }
}

fn portion(store: &Store) -> Swept {
    let mut broom = Broom { dry_run: false, keep: None, budget: Duration::ZERO, each: &mut |_| {} };
    store.sweep(&mut broom).unwrap()
}

/// P26: wherever it is interrupted, the next portion goes on: in the end it is the same as in one go.
#[test]
fn the_smallest_portions_do_the_same() {
    let (at_once, in_portions) = (Past::new(), Past::new());
    furnish(&at_once);
    copy(&at_once, &in_portions);
    let (whole, _) = sweep(&at_once.now());
    let store = in_portions.now();
    let mut sum = Swept::default();
    let mut portions = 0;
    loop {
        let before = in_portions.tree().len();
        let part = when_free(|| (portion(&store), Vec::new())).0;
        assert!(before - in_portions.tree().len() <= 3, "a step, and at most the day's two folders");
        sum.drafts += part.drafts;
        sum.jobs += part.jobs;
        sum.outcomes += part.outcomes;
        sum.payloads += part.payloads;
        sum.ids += part.ids;
        assert_eq!((part.failed, part.busy), (0, false));
        portions += 1;
        if !part.unfinished {
            break;
        }
        assert!(portions < 1000, "it comes to its end");
    }
    assert_eq!(in_portions.tree(), at_once.tree());
    assert_eq!(sum, whole);
    assert!(portions > whole.total(), "{portions} portions for {whole:?}");
}

/// The same files with the same times, and what is one file is one.
fn copy(from: &Past, to: &Past) {
    fs::remove_dir_all(&to.root).unwrap();
    let copied = std::process::Command::new("cp").arg("-a").args([&from.root, &to.root]).status().unwrap();
    assert!(copied.success());
}

/// P26: a sweep that died is finished by another program, which knows nothing of it.
#[test]
fn another_finishes_what_one_began() {
    let (at_once, interrupted) = (Past::new(), Past::new());
    furnish(&at_once);
    copy(&at_once, &interrupted);
    sweep(&at_once.now());
    for steps in 0.. {
        let store = interrupted.now();
        let finished = (0..steps).any(|_| !portion(&store).unfinished);
        if finished {
            break;
        }
    }
    for past in [&interrupted, &at_once] {
        past.age(2 * DAY);
        sweep(&past.now());
    }
    assert_eq!(interrupted.tree(), at_once.tree());
}

/// P26: one at a time where locks count; and whoever comes second does not wait.
#[test]
fn one_sweep_at_a_time() {
    let past = Past::new();
    past.done(LONG_AGO);
    let store = past.now();
    let lock = store.fs().open(&store.layout().marker()).unwrap();
    assert!(store.fs().try_lock(&lock).unwrap());
    let before = past.tree();
    assert_eq!(portion(&past.now()), Swept { busy: true, ..Swept::default() });
    assert_eq!(past.tree(), before);
    drop(lock);
    assert_eq!(sweep(&past.now()).0.total(), 2);
}

/// P26: many at once remove everything once, and nothing else, also where no locks count.
#[test]
fn many_at_once() {
    for locks in [true, false] {
        let (alone, together) = (Past::new(), Past::new());
        furnish(&alone);
        copy(&alone, &together);
        sweep(&alone.now());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let fs = together.now().fs().clone();
                    let fs = if locks { fs } else { filedrop::adapters::fs::OsFs::shared() };
                    let store = LocalStore::open(fs, OsHost, &together.root).unwrap();
                    let mut broom =
                        Broom { dry_run: false, keep: None, budget: Duration::ZERO, each: &mut |_| {} };
                    loop {
                        let swept = store.sweep(&mut broom).unwrap();
                        assert_eq!(swept.failed, 0);
                        if !swept.unfinished && !swept.busy {
                            break;
                        }
                    }
                });
            }
        });
        assert_eq!(together.tree(), alone.tree(), "with locks: {locks}");
    }
}

/// More jobs of a day than are kept in memory at a time.
#[test]
fn more_than_a_window() {
    let past = Past::new();
    let day = many(&past, 25_000);
    let (swept, _) = sweep(&past.now());
    assert_eq!((swept.jobs, swept.outcomes), (25_000, 25_000));
    assert!(!past.has(format!("done/{day}")) && !past.has(format!("outcomes/{day}")));
}

/// Jobs that were done long ago, without all that it takes to do them.
fn many(past: &Past, jobs: usize) -> String {
    let then = Millis::new(OsHost.now().get() - LONG_AGO.as_millis() as u64).unwrap();
    let day = then.day();
    let [done, outcomes] = ["done", "outcomes"].map(|room| past.path(room).join(&day));
    fs::create_dir_all(&done).unwrap();
    fs::create_dir_all(&outcomes).unwrap();
    for _ in 0..jobs {
        let id = Id::mint(then, OsHost.entropy());
        let name = InboxName::job(id, then, Priority::default());
        for path in [done.join(name.archived()), outcomes.join(name.id.slot())] {
            fs::write(&path, "{}").unwrap();
            age(&path, LONG_AGO);
        }
    }
    day
}

/// What a consumer tells while it sweeps. Each portion is answered with another job.
struct Portions<'a> {
    drop: &'a DropFolder,
    sizes: Mutex<Vec<Swept>>,
    submitted: AtomicUsize,
    stopper: &'a Stopper,
}

impl Observer for Portions<'_> {
    fn notice(&self, event: &Event<'_>) {
        match event {
            Event::Swept(swept) => {
                self.sizes.lock().unwrap().push(**swept);
                if swept.unfinished {
                    self.drop.submit(Submission::new("new").data("1")).unwrap();
                    self.submitted.fetch_add(1, Ordering::Relaxed);
                } else {
                    self.stopper.stop();
                }
            }
            Event::Trouble { .. } => panic!("{event:?}"),
            _ => {}
        }
    }
}

struct Deaf;

impl filedrop::ports::Watch for Deaf {
    fn arm(&mut self, _: &Path) -> filedrop::Result<()> {
        Ok(())
    }
    fn hears(&self) -> bool {
        false
    }
}

fn consume(drop: &DropFolder, observer: &dyn Observer, stopper: &Stopper, drain: bool) -> consumer::Summary {
    let fs = filedrop::adapters::fs::OsFs::at(drop.path()).unwrap();
    let store = LocalStore::open(fs, OsHost, drop.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = ConsumerOptions {
        poll_interval: Duration::from_millis(10),
        first_sweep: Duration::ZERO,
        drain,
        ..ConsumerOptions::new(&OsHost)
    };
    consumer::run(Setup {
        store: &store,
        host: &OsHost,
        watch: Box::new(Deaf),
        chosen: Chosen { mode: WatchMode::Poll, why: "for the test".to_owned() },
        options: &options,
        handler: &Closure(async |_: Job| Ok::<_, String>(())),
        runtime: runtime.handle().clone(),
        observer,
        stopper,
    })
    .unwrap()
}

/// P26: a consumer sweeps in portions, and handles jobs between them. `FILEDROP_SWEEP_JOBS=100000` for more.
#[test]
fn a_consumer_sweeps_while_it_works() {
    let jobs = std::env::var("FILEDROP_SWEEP_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(2000);
    let past = Past::new();
    many(&past, jobs);
    let drop = DropFolder::open(&past.root).unwrap();
    let stopper = Stopper::default();
    let observer =
        Portions { drop: &drop, sizes: Mutex::default(), submitted: AtomicUsize::new(0), stopper: &stopper };
    let summary = consume(&drop, &observer, &stopper, false);
    let portions = observer.sizes.into_inner().unwrap();
    let swept: usize = portions.iter().map(|swept| swept.jobs).sum();
    assert_eq!((swept, portions.iter().map(|swept| swept.failed).sum::<usize>()), (jobs, 0));
    // Whoever submits while it ends is not waited for.
    let submitted = observer.submitted.into_inner();
    let rooms = drop.census().unwrap().rooms;
    assert_eq!(summary.succeeded as usize + rooms.inbox, submitted);
    assert!(submitted < 10 || summary.succeeded > 0, "jobs were handled between the portions");
    assert_eq!((rooms.done, rooms.outcomes), (summary.succeeded as usize, summary.succeeded as usize));
    if jobs >= 100_000 {
        assert!(portions.len() > 3, "100,000 are more than some portions: {portions:?}");
    }
}

/// P26: folders that only ever see drains are swept too, once each time.
#[test]
fn a_drain_sweeps_at_its_end() {
    let past = Past::new();
    let name = past.done(LONG_AGO);
    let drop = DropFolder::open(&past.root).unwrap();
    let id = drop.submit(Submission::new("new").data("1")).unwrap();
    let order = Mutex::new(Vec::new());
    struct Order<'a>(&'a Mutex<Vec<String>>);
    impl Observer for Order<'_> {
        fn notice(&self, event: &Event<'_>) {
            let word = match event {
                Event::Settled { .. } => "settled",
                Event::Swept(_) => "swept",
                Event::Drained => "drained",
                _ => return,
            };
            self.0.lock().unwrap().push(word.to_owned());
        }
    }
    let summary = consume(&drop, &Order(&order), &Stopper::default(), true);
    assert_eq!(summary.succeeded, 1);
    assert_eq!(*order.lock().unwrap(), ["settled", "swept", "drained"]);
    assert!(past.of(&name.id).is_empty());
    assert_eq!(past.of(&id).len(), 2);
}

/// P26: to look first shows what would go, and changes nothing.
#[test]
fn a_dry_run_changes_nothing() {
    let past = Past::new();
    furnish(&past);
    let times = |past: &Past| -> BTreeMap<PathBuf, std::time::SystemTime> {
        let paths = past.tree().into_keys();
        paths
            .map(|path| (path.clone(), fs::symlink_metadata(past.path(path)).unwrap().modified().unwrap()))
            .collect()
    };
    let before = (past.tree(), times(&past));
    let dry = crate::past::sweep_by(&past.now(), true, None);
    assert_eq!((past.tree(), times(&past)), before);
    let real = sweep(&past.now());
    assert_eq!(real, dry);
}
