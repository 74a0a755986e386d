//! A handler cannot be started for a while: one job at a time finds out when it can.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use filedrop::actors::consumer::ConsumerOptions;
use filedrop::actors::handler::{Call, Ended, Handler};
use filedrop::adapters::host::OsHost;
use filedrop::{Error, ErrorKind, Event, Observer, Payload, Stopper};
use tokio::sync::Barrier;

use crate::faulty::Faulty;
use crate::{LONG, assert_tidy, folder, job};

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
