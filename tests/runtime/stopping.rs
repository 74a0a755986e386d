//! How a consumer ends before it has drained.

use std::sync::Arc;
use std::time::Duration;

use filedrop::{DropFolder, Job, Stopper};

use crate::{Diary, assert_tidy, folder, job, kill, sh, until};

/// Runs a command that says when it has begun, and lets `act` do something then.
fn while_running(drop: &DropFolder, script: &str, grace: Duration, act: impl FnOnce(&Stopper)) -> u64 {
    let begun = drop.path().join("begun");
    let script = format!("echo > '{}'; {script}", begun.display());
    let consumer = drop.consumer().grace(grace);
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(sh(&script)));
    until("the handler", || begun.exists().then_some(()));
    act(&stopper);
    let summary = running.join().unwrap().unwrap();
    assert_eq!(summary.failed + summary.left, 0);
    assert_tidy(drop);
    summary.handed_back
}

#[test]
fn a_gentle_stop_waits_for_the_handlers() {
    let (_place, drop) = folder();
    let ids = drop.submit_all(vec![job("x"), job("y")]).unwrap();
    let go = drop.path().join("go");
    let script = format!("until [ -e '{}' ]; do sleep 0.01; done; echo done", go.display());
    let handed_back = while_running(&drop, &script, Duration::from_secs(600), |stopper| {
        stopper.stop();
        std::fs::write(&go, "").unwrap();
    });
    assert_eq!(handed_back, 0);
    assert_eq!(drop.outcome(&ids[0]).unwrap().unwrap().data(), b"done\n");
    assert_eq!(drop.locate(&ids[1]).unwrap()[0].room, "inbox");
}

#[test]
fn after_the_grace_jobs_are_handed_back_uncounted() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let grace = Duration::from_millis(50);
    assert_eq!(while_running(&drop, "sleep 600", grace, Stopper::stop), 1);
    let place = drop.locate(&id).unwrap().remove(0);
    assert_eq!((place.room, place.attempt), ("inbox", Some(1)));
}

#[test]
fn a_stop_now_hands_back_at_once() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    assert_eq!(while_running(&drop, "sleep 600", Duration::from_secs(600), Stopper::stop_now), 1);
    let place = drop.locate(&id).unwrap().remove(0);
    assert_eq!((place.room, place.attempt), ("inbox", Some(1)));
}

#[test]
fn a_handler_killed_while_its_consumer_stops_is_no_failure() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let pid = drop.path().join("pid");
    let script = format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec sleep 600", pid.display());
    let handed_back = while_running(&drop, &script, Duration::from_secs(600), |stopper| {
        until("its pid", || pid.exists().then_some(()));
        stopper.stop();
        assert!(kill(&pid));
    });
    assert_eq!(handed_back, 1);
    assert_eq!(drop.locate(&id).unwrap()[0].attempt, Some(1));
}

#[tokio::test]
async fn who_drops_the_future_stops_the_consumer() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let diary = Arc::new(Diary::default());
    let consumer = drop.consumer().observer(diary.clone());
    let running = tokio::spawn(consumer.run(async |_: Job| {
        std::future::pending::<()>().await;
        Ok::<_, String>(())
    }));
    let waiting = diary.clone();
    let claimed = move || until("the claim", || waiting.has("Claimed").then_some(()));
    tokio::task::spawn_blocking(claimed).await.unwrap();
    running.abort();
    assert!(running.await.is_err());
    let place = || drop.locate(&id).unwrap().into_iter().next();
    let back = until("the job", || place().filter(|place| place.room == "inbox"));
    assert_eq!(back.attempt, Some(1));
}
