//! Waiting for outcomes and for jobs: with hints, without, and with hints that never come.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use filedrop::actors::consumer::{self, ConsumerOptions, Setup};
use filedrop::actors::handler::Closure;
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Chosen, Watch};
use filedrop::{ErrorKind, Exec, Id, Job, Stopper, Submission, Subscription, WatchMode};

use crate::{Diary, LONG, assert_tidy, folder, job};

#[tokio::test]
async fn waiting_ends_in_time_and_says_for_whom() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let e = drop.wait(&id, Some(Duration::from_millis(20))).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::TimedOut);
    assert!(e.to_string().contains(id.as_str()));
    let e = drop.call(job("y"), Some(Duration::ZERO)).await.unwrap_err();
    assert!(e.to_string().contains("no outcome yet of 0"), "{e}");
}

#[tokio::test]
async fn who_stops_waiting_leaves_no_thread_behind() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    tokio::select! {
        _ = drop.wait(&id, None) => unreachable!("nobody handles it"),
        () = tokio::time::sleep(Duration::from_millis(20)) => {}
    }
    // The runtime's end would wait for the thread.
}

#[test]
fn outcomes_are_told_as_they_arrive() {
    let (_place, drop) = folder();
    let ids = drop.submit_all((0..20).map(|nth| job(&nth.to_string())).collect()).unwrap();
    let consumer = drop.consumer();
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(Exec::find("cat", vec![]).unwrap()));
    let mut told = BTreeMap::new();
    drop.wait_each(&ids, LONG, &mut |outcome| {
        told.insert(outcome.job_id(), outcome.data().to_vec());
        ControlFlow::Continue(())
    })
    .unwrap();
    stopper.stop();
    assert_eq!(running.join().unwrap().unwrap().succeeded, 20);
    for (nth, id) in ids.iter().enumerate() {
        assert_eq!(told[id], nth.to_string().as_bytes());
    }
    assert_tidy(&drop);
}

/// Says that it hears, and never rings: what a network file system does.
struct Promises;

impl Watch for Promises {
    fn arm(&mut self, _: &Path) -> filedrop::Result<()> {
        Ok(())
    }

    fn hears(&self) -> bool {
        true
    }
}

#[test]
fn rescan_finds_what_no_hint_told() {
    let (_place, drop) = folder();
    let store = LocalStore::open(OsFs::at(drop.path()).unwrap(), OsHost, drop.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = ConsumerOptions::new(&OsHost);
    let (diary, stopper) = (Diary::default(), Stopper::default());
    let chosen = Chosen { mode: WatchMode::Notify, why: "for the test".to_owned() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            consumer::run(Setup {
                store: &store,
                host: &OsHost,
                watch: Box::new(Promises),
                chosen,
                options: &options,
                handler: &Closure(async |_: Job| Ok::<_, String>(())),
                runtime: runtime.handle().clone(),
                observer: &diary,
                stopper: &stopper,
            })
            .unwrap()
        });
        // Twice, after its first look: nothing tells it of either.
        let wait = || {
            let id = drop.submit(job("x"))?;
            drop.wait_each(&[id], LONG, &mut |_| ControlFlow::Continue(()))
        };
        let waited = wait().and_then(|()| wait());
        stopper.stop();
        waited.unwrap();
    });
}

#[test]
fn polling_finds_everything_too() {
    let (_place, drop) = folder();
    let drop = drop.with_watch(WatchMode::Poll, Duration::from_millis(10));
    let diary = Arc::new(Diary::default());
    let consumer = drop.consumer().observer(diary.clone());
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(Exec::find("cat", vec![]).unwrap()));
    for _ in 0..3 {
        let id = drop.submit(job("x")).unwrap();
        drop.wait_each(&[id], LONG, &mut |_| ControlFlow::Continue(())).unwrap();
    }
    stopper.stop();
    running.join().unwrap().unwrap();
    assert!(diary.has("mode: Poll"));
}

#[tokio::test]
async fn who_waits_with_the_folder_of_a_group_is_told_what_that_group_decided() {
    let (_place, drop) = folder();
    let group: Id = "audit".parse().unwrap();
    drop.subscribe(&group, &Subscription::new([">".parse().unwrap()]).unwrap()).unwrap();
    let event = Submission::event("orders.created".parse().unwrap()).data("x");
    let id = drop.publish(event).unwrap();
    let echo = async |job: Job| Ok::<_, String>(job.data().to_vec());
    drop.subscriber(&group).unwrap().drain(true).run(echo).await.unwrap();
    let outcome = drop.group(&group).unwrap().wait(&id, LONG).await.unwrap();
    assert_eq!(outcome.data(), b"x");
    let e = drop.wait(&id, Some(Duration::ZERO)).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::TimedOut, "it is no job of the folder that the group is in");
}
