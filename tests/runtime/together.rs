//! Jobs that are settled together, while their consumer handles others.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use filedrop::actors::consumer::ConsumerOptions;
use filedrop::actors::handler::Closure;
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::{DropFolder, Id, Job, Observer, Stopper, Summary};

use crate::stubborn::{consume_with, stubborn};
use crate::{Diary, assert_tidy, folder, job, names, until};

const JOBS: usize = 20;

/// What is known of a consumer that handles one job at a time.
#[derive(Default)]
struct Known {
    handled: AtomicUsize,
    /// Flushes of folders of slots.
    flushed: AtomicUsize,
    /// The first of these has been held up.
    held_up: AtomicBool,
    stopper: Stopper,
}

impl Known {
    fn handled(&self) -> usize {
        self.handled.load(Ordering::Acquire)
    }

    /// Handles what is there. `until` it is so, the first outcomes do not become durable; other calls may `fail`.
    fn consume(
        &self,
        drop: &DropFolder,
        until: impl Fn(&Self) -> bool + Send + Sync,
        fail: impl Fn(&str, &Path) -> io::Result<()> + Send + Sync,
        observer: &dyn Observer,
    ) -> Summary {
        let fault = |call: &str, path: &Path| {
            fail(call, path)?;
            if call == "flush_dir" && path.parent().is_some_and(|parent| parent.ends_with("outcomes")) {
                self.flushed.fetch_add(1, Ordering::AcqRel);
                if !self.held_up.swap(true, Ordering::AcqRel) {
                    crate::until("others are handled", || until(self).then_some(()));
                }
            }
            Ok(())
        };
        let store = stubborn(drop, OsFs::at(drop.path()).unwrap(), fault);
        let options = ConsumerOptions { drain: true, ..ConsumerOptions::new(&OsHost) };
        let handle = async |_: Job| {
            self.handled.fetch_add(1, Ordering::AcqRel);
            Ok::<_, String>(())
        };
        consume_with(&store, &options, &Closure(handle), observer, &self.stopper).unwrap()
    }
}

fn submitted(drop: &DropFolder) -> Vec<Id> {
    drop.submit_all((0..JOBS).map(|nth| job(&nth.to_string())).collect()).unwrap()
}

#[test]
fn a_worker_goes_on_while_what_it_handled_is_settled() {
    let (_place, drop) = folder();
    let ids = submitted(&drop);
    let known = Known::default();
    let summary = known.consume(&drop, |known| known.handled() >= JOBS - 1, |_, _| Ok(()), &());
    assert_eq!((summary.succeeded as usize, known.handled()), (JOBS, JOBS));
    let flushed = known.flushed.into_inner();
    assert!(flushed < JOBS, "{flushed} flushes of one folder for {JOBS} jobs");
    assert!(ids.iter().all(|id| drop.outcome(id).unwrap().is_some()));
    assert_tidy(&drop);
}

#[test]
fn what_was_handled_is_settled_before_a_consumer_ends() {
    let (_place, drop) = folder();
    submitted(&drop);
    let known = Known::default();
    let stop = |known: &Known| {
        let enough = known.handled() >= JOBS / 2;
        if enough {
            known.stopper.stop();
        }
        enough
    };
    let summary = known.consume(&drop, stop, |_, _| Ok(()), &());
    assert_eq!(summary.succeeded as usize, known.handled());
    assert_eq!(summary.handed_back + summary.left, 0);
    assert_eq!(names(&drop.path().join("inbox")).len(), JOBS - known.handled());
    assert_tidy(&drop);
}

/// It is tried again, and the others are not.
#[test]
fn one_that_cannot_be_settled_keeps_none_of_the_others() {
    let (_place, drop) = folder();
    let ids = submitted(&drop);
    let (known, diary, failed) = (Known::default(), Diary::default(), AtomicBool::new(false));
    let one = ids[JOBS / 2].to_string();
    let fail = |call: &str, path: &Path| {
        let is_it = call == "rename" && path.display().to_string().contains(&one);
        // It goes from the room to the archive.
        let archives = is_it && !path.parent().is_some_and(|parent| parent.ends_with("inbox"));
        if archives && !failed.swap(true, Ordering::AcqRel) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    };
    let summary = known.consume(&drop, |known| known.handled() >= JOBS - 1, fail, &diary);
    assert!(failed.into_inner(), "it failed once");
    assert_eq!((summary.succeeded as usize, known.handled.into_inner()), (JOBS, JOBS));
    assert!(diary.has("settle a job"), "it is told of");
    assert_eq!(diary.count("Settled {"), JOBS, "each is told of once");
    assert_tidy(&drop);
}

/// Says to the process that runs [`play`] where the drop folder is.
const DROP: &str = "FILEDROP_DROP_OF_A_VICTIM";
/// What a consumer has handled and not settled, when it does not come to settle anything: at least, and at most.
const UNSETTLED: std::ops::RangeInclusive<usize> = 33..=64;

/// It is killed, whatever becomes of the test.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line for each time that a handler ran, beside the drop folder.
fn log(drop: &DropFolder) -> PathBuf {
    drop.path().with_extension("log")
}

fn handle_and_log(drop: &DropFolder) -> impl Fn(&Job) + Send + Sync {
    let mut log = File::options().create(true).append(true).open(log(drop)).unwrap();
    let log = std::sync::Mutex::new(move |job: &Job| writeln!(log, "{} {}", job.id, job.attempt).unwrap());
    move |job| log.lock().unwrap()(job)
}

/// A consumer whose outcomes never become durable.
#[test]
#[ignore = "another test runs it, and kills it"]
fn play() {
    let drop = DropFolder::open(std::env::var(DROP).expect("who kills it")).unwrap();
    let stuck = |call: &str, path: &Path| {
        let is_it = call == "flush_dir" && path.parent().is_some_and(|parent| parent.ends_with("outcomes"));
        if is_it {
            loop {
                std::thread::park();
            }
        }
        Ok(())
    };
    let store = stubborn(&drop, OsFs::at(drop.path()).unwrap(), stuck);
    let logs = handle_and_log(&drop);
    let handler = Closure(move |job: Job| {
        logs(&job);
        async { Ok::<_, String>(()) }
    });
    let options = ConsumerOptions::new(&OsHost);
    consume_with(&store, &options, &handler, &(), &Stopper::default()).unwrap();
}

/// What was handled and not settled is handled again, and that is bounded.
#[test]
fn a_consumer_that_is_killed_had_not_handled_many_without_settling_them() {
    const MANY: usize = 150;
    let (_place, drop) = folder();
    drop.submit_all((0..MANY).map(|nth| job(&nth.to_string())).collect()).unwrap();
    let log = log(&drop);
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "together::play", "--ignored"]).env(DROP, drop.path());
    let victim = Victim(victim.stdout(Stdio::null()).spawn().unwrap());
    let runs = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    until("it has handled what it may", || (runs() >= *UNSETTLED.start()).then_some(()));
    std::mem::drop(victim);
    let before = runs();
    assert!(UNSETTLED.contains(&before), "it had handled {before}");

    let logs = handle_and_log(&drop);
    let handler = Closure(move |job: Job| {
        logs(&job);
        async { Ok::<_, String>(()) }
    });
    let store = stubborn(&drop, OsFs::at(drop.path()).unwrap(), |_, _| Ok(()));
    let options = ConsumerOptions { drain: true, ..ConsumerOptions::new(&OsHost) };
    let summary = consume_with(&store, &options, &handler, &(), &Stopper::default()).unwrap();
    // Some may have had their slot: a link is there before it is durable.
    let decided = MANY - summary.succeeded as usize;
    assert!(decided <= before && runs() == MANY + before - decided, "{decided} of {before}, {} runs", runs());
    assert_tidy(&drop);
}
