//! A handler cannot be started for a while: one job at a time finds out when it can. What one wrote cannot be kept: others go first.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use filedrop::actors::consumer::ConsumerOptions;
use filedrop::actors::handler::{Call, Ended, Handler};
use filedrop::adapters::host::OsHost;
use filedrop::{DropFolder, Error, ErrorKind, Event, Id, Observer, Payload, Result, Stopper, Summary};
use tokio::sync::Barrier;

use crate::faulty::Faulty;
use crate::{Diary, LONG, assert_tidy, folder, job, until};

const JOBS: usize = 32;
/// The pause between two jobs that are to find out, when the handler is there at last.
const PAUSE: Duration = Duration::from_millis(400);

/// Cannot be started until the pauses are so long. Then each call takes until all jobs are in hand.
struct Deployment {
    pause: Mutex<Duration>,
    all: Barrier,
    /// When the first handler has started, and when all had.
    times: Mutex<Vec<Instant>>,
}

impl Handler for Deployment {
    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(async move {
            if *self.pause.lock().unwrap() < PAUSE {
                return Ended::NotStarted(Error::new(ErrorKind::NoHandler, "not deployed yet"));
            }
            let began = Instant::now();
            call.started.tell();
            tokio::time::timeout(LONG.unwrap(), self.all.wait()).await.expect("all are begun");
            self.times.lock().unwrap().extend([began, Instant::now()]);
            Ended::Done(Payload::detect("done"))
        })
    }
}

impl Observer for Deployment {
    fn notice(&self, event: &Event<'_>) {
        if let Event::Trouble { retry_in: Some(pause), .. } = event {
            let mut longest = self.pause.lock().unwrap();
            *longest = longest.max(pause.saturating_add(PAUSE / 8));
        }
    }
}

#[test]
fn a_handler_that_started_holds_nobody_back_however_long_it_runs() {
    let (_place, drop) = folder();
    drop.submit_all((0..JOBS).map(|_| job("x")).collect()).unwrap();
    let deployment = Deployment { pause: Mutex::default(), all: Barrier::new(JOBS), times: Mutex::default() };
    let options = ConsumerOptions { concurrency: JOBS, drain: true, ..ConsumerOptions::new(&OsHost) };
    let store = Faulty::new(&drop, |_| Ok(()));
    let summary = store.consume_with(&deployment, &options, &deployment, &Stopper::default()).unwrap();
    assert_eq!((summary.succeeded, summary.failed), (JOBS as u64, 0));
    let times = deployment.times.lock().unwrap();
    let took = *times.iter().max().unwrap() - *times.iter().min().unwrap();
    let one_by_one = PAUSE * (JOBS as u32 - 1);
    assert!(took < one_by_one / 2, "they were begun within {took:?}; one a pause takes {one_by_one:?}");
    assert_tidy(&drop);
}

/// A disk that has no space for what the handler of one job writes, until somebody makes some.
#[derive(Default)]
struct LittleSpace(AtomicBool);

impl Handler for LittleSpace {
    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(async move {
            call.started.tell();
            if call.job.data() != b"large" || self.0.load(Ordering::SeqCst) {
                return Ended::Done(Payload::detect("done"));
            }
            let full = std::io::ErrorKind::StorageFull.into();
            Ended::NotKept(Error::io("write what the handler writes", "payload", full))
        })
    }
}

/// A test that fails must not wait for its consumer for ever.
struct Stops<'a>(&'a Stopper);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.stop_now();
    }
}

/// The job that needs more space than there is, first of all, and many that need little.
fn one_is_large(drop: &DropFolder) -> (Id, Vec<Id>) {
    (drop.submit(job("large")).unwrap(), drop.submit_all((0..JOBS).map(|_| job("x")).collect()).unwrap())
}

fn consume(
    drop: &DropFolder,
    handler: &LittleSpace,
    drain: bool,
    diary: &Diary,
    stopper: &Stopper,
) -> Result<Summary> {
    let options = ConsumerOptions { drain, ..ConsumerOptions::new(&OsHost) };
    Faulty::new(drop, |_| Ok(())).consume_with(handler, &options, diary, stopper)
}

#[test]
fn a_job_for_which_there_is_no_space_lets_the_others_go_first() {
    let (_place, drop) = folder();
    let (large, others) = one_is_large(&drop);
    let (handler, diary, stopper) = (LittleSpace::default(), Diary::default(), Stopper::default());
    let summary = std::thread::scope(|scope| {
        let _stops = Stops(&stopper);
        let running = scope.spawn(|| consume(&drop, &handler, false, &diary, &stopper));
        until("the others", || others.iter().all(|id| drop.outcome(id).unwrap().is_some()).then_some(()));
        until("another try", || (diary.count("other jobs go first") > 1).then_some(()));
        handler.0.store(true, Ordering::SeqCst);
        until("the large one", || drop.outcome(&large).unwrap());
        stopper.stop();
        running.join().unwrap().unwrap()
    });
    assert_eq!((summary.succeeded, summary.failed, summary.left), (JOBS as u64 + 1, 0, 0));
    assert_eq!(drop.outcome(&large).unwrap().unwrap().attempt(), 1, "it was never counted");
    assert_eq!(diary.count("news: true"), 1, "it is told of once");
    assert_tidy(&drop);
}

#[test]
fn a_drain_does_the_others_and_ends_with_the_error() {
    let (_place, drop) = folder();
    let (large, others) = one_is_large(&drop);
    let (handler, diary, stopper) = (LittleSpace::default(), Diary::default(), Stopper::default());
    let e = consume(&drop, &handler, true, &diary, &stopper).unwrap_err();
    assert!(e.kind() == ErrorKind::Io && e.to_string().contains("write what the handler writes"), "{e}");
    assert!(others.iter().all(|id| drop.outcome(id).unwrap().is_some()));
    let place = drop.locate(&large).unwrap().remove(0);
    assert_eq!((place.room, place.attempt), ("inbox", Some(1)));
    assert!(
        diary.count("retry_in: None") == 1 && !diary.has("Over"),
        "there is no more space than there was"
    );
    assert_tidy(&drop);
}
