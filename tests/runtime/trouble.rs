//! A consumer goes on, whatever happens to its handler, its room or its folder.

use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use filedrop::actors::consumer::ConsumerOptions;
use filedrop::adapters::host::OsHost;
use filedrop::{DropFolder, ErrorKind, Exec, Id, Stopper, Submission, Subscription};

use crate::faulty::{Faulty, Verb};
use crate::{Diary, LONG, assert_tidy, folder, job, names, sh, until};

#[test]
fn a_handler_that_vanishes_condemns_no_job() {
    let (_place, drop) = folder();
    let program = drop.path().join("handler");
    std::fs::write(&program, "#!/bin/sh\n").unwrap();
    let e = Exec::find(&program, vec![]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NoHandler);
    assert!(e.to_string().contains("not executable"), "{e}");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = Exec::find(&program, vec![]).unwrap();
    std::fs::remove_file(&program).unwrap();
    let id = drop.submit(job("x")).unwrap();
    let diary = Arc::new(Diary::default());
    let consumer = drop.consumer().observer(diary.clone());
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(command));
    until("trouble", || diary.has("HandedBack").then_some(()));
    stopper.stop();
    let summary = running.join().unwrap().unwrap();
    assert!(summary.handed_back >= 1 && summary.failed == 0, "{summary:?}");
    let place = drop.locate(&id).unwrap().remove(0);
    assert_eq!((place.room, place.attempt), ("inbox", Some(1)));
    assert!(diary.has("start the handler"));
    assert_tidy(&drop);
}

#[test]
fn a_drain_whose_handler_vanished_ends_with_the_error() {
    let (_place, drop) = folder();
    let (program, interpreter) = (drop.path().join("handler"), drop.path().join("interpreter"));
    std::os::unix::fs::symlink("/bin/sh", &interpreter).unwrap();
    std::fs::write(&program, format!("#! {} -e\n", interpreter.display())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = Exec::find(&program, vec![]).unwrap();
    std::fs::remove_file(&interpreter).unwrap();
    let id = drop.submit(job("x")).unwrap();
    let e = drop.consumer().drain(true).run_command(command).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NoHandler);
    let why = format!("cannot run the handler: its interpreter {interpreter:?} is not there");
    assert!(e.to_string().starts_with(&why), "{e}");
    let place = drop.locate(&id).unwrap().remove(0);
    assert_eq!((place.room, place.attempt), ("inbox", Some(1)), "no attempt was counted");
}

/// A consumer of a shared file system that died with a claim, and cannot be judged by a lock.
fn dead_claim(drop: &DropFolder, lease_ms: u64) -> (Id, PathBuf) {
    let id = drop.submit(job("orphan")).unwrap();
    let room = drop.path().join("claimed/ghost-0123456789abcdef");
    std::fs::create_dir(&room).unwrap();
    let presence = format!(r#"{{"host":"elsewhere","pid":1,"lease_ms":{lease_ms},"lock":false,"beat":1}}"#);
    std::fs::write(room.with_extension("presence"), presence).unwrap();
    let place = drop.locate(&id).unwrap().remove(0);
    let name = place.path.file_name().unwrap();
    std::fs::rename(drop.path().join(&place.path), room.join(name)).unwrap();
    (id, room)
}

#[test]
fn a_drain_watches_the_silent_for_their_lease() {
    let (_place, drop) = folder();
    let (id, room) = dead_claim(&drop, 300);
    let summary = drop.consumer().drain(true).run_command(Exec::find("cat", vec![]).unwrap()).unwrap();
    assert_eq!(summary.succeeded, 1);
    let outcome = drop.outcome(&id).unwrap().unwrap();
    assert_eq!((outcome.attempt(), outcome.data()), (2, &b"orphan"[..]));
    assert!(!room.exists());
    assert_tidy(&drop);
}

#[test]
fn an_evicted_consumer_registers_anew_and_goes_on() {
    let (_place, drop) = folder();
    let diary = Arc::new(Diary::default());
    let consumer = drop.consumer().lease(Duration::from_millis(40)).observer(diary.clone());
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(Exec::find("cat", vec![]).unwrap()));
    let claimed = drop.path().join("claimed");
    until("its room", || (names(&claimed).len() == 2).then_some(()));
    // What others do who take it for dead.
    let room = claimed.join(&names(&claimed)[0]);
    std::fs::remove_dir(&room).unwrap();
    std::fs::remove_file(room.with_extension("presence")).unwrap();
    until("its eviction", || diary.has("Evicted").then_some(()));
    let id = drop.submit(job("x")).unwrap();
    drop.wait_each(&[id], LONG, &mut |_| ControlFlow::Continue(())).unwrap();
    stopper.stop();
    assert_eq!(running.join().unwrap().unwrap().succeeded, 1);
    assert_tidy(&drop);
}

#[test]
fn a_full_folder_stops_no_consumer() {
    let (_place, drop) = folder();
    // Nothing can be put where outcomes go, until somebody mends it.
    let outcomes = drop.path().join("outcomes");
    std::fs::remove_dir(&outcomes).unwrap();
    std::fs::write(&outcomes, "").unwrap();
    let id = drop.submit(job("x")).unwrap();
    let diary = Arc::new(Diary::default());
    let consumer = drop.consumer().observer(diary.clone());
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(Exec::find("cat", vec![]).unwrap()));
    until("trouble", || diary.has("Trouble").then_some(()));
    std::fs::remove_file(&outcomes).unwrap();
    std::fs::create_dir(&outcomes).unwrap();
    drop.wait_each(&[id], LONG, &mut |_| ControlFlow::Continue(())).unwrap();
    stopper.stop();
    let summary = running.join().unwrap().unwrap();
    assert_eq!((summary.succeeded, summary.left), (1, 0));
}

#[test]
fn a_reply_that_cannot_be_delivered_blocks_nobody() {
    let (_place, drop) = folder();
    let obstacle = drop.path().join("replies/shop");
    std::fs::write(&obstacle, "").unwrap();
    let envelope = r#"{"specversion":"1.0","id":"asks","source":"/t","type":"t","replyto":"shop","data":1}"#;
    std::fs::write(drop.path().join("inbox/0.1700000000000.asks.1.job.json"), envelope).unwrap();
    let diary = Arc::new(Diary::default());
    let consumer = drop.consumer().observer(diary.clone());
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(Exec::find("cat", vec![]).unwrap()));
    until("trouble", || diary.has("settle a job").then_some(()));
    let id = drop.submit(job("x")).unwrap();
    drop.wait_each(&[id], LONG, &mut |_| ControlFlow::Continue(())).unwrap();
    std::fs::remove_file(&obstacle).unwrap();
    let inbox = obstacle.join("inbox");
    let delivered = || std::fs::read_dir(&inbox).is_ok_and(|inbox| inbox.count() == 1).then_some(());
    until("the reply", delivered);
    stopper.stop();
    let summary = running.join().unwrap().unwrap();
    assert_eq!((summary.succeeded, summary.left), (2, 0));
    assert_tidy(&drop);
}

#[test]
fn what_cannot_be_settled_is_handed_back_at_the_end() {
    let (_place, drop) = folder();
    let outcomes = drop.path().join("outcomes");
    let id = drop.submit(job("x")).unwrap();
    let diary = Arc::new(Diary::default());
    let consumer = drop.consumer().grace(Duration::from_millis(50)).observer(diary.clone());
    let stopper = consumer.stopper();
    let breaks = sh("cat; rmdir \"$FILEDROP_DROP/outcomes\"; echo > \"$FILEDROP_DROP/outcomes\"");
    let running = std::thread::spawn(move || consumer.run_command(breaks));
    until("trouble", || diary.has("settle a job").then_some(()));
    stopper.stop();
    let summary = running.join().unwrap().unwrap();
    assert_eq!((summary.handed_back, summary.left), (1, 0));
    std::fs::remove_file(&outcomes).unwrap();
    std::fs::create_dir(&outcomes).unwrap();
    // The next one takes it over: its owner's lock is free, or will be in a moment, if another test's child has just been
    // forked in this process and has not got to its exec yet.
    let cat = || Exec::find("cat", vec![]).unwrap();
    let take_over = || drop.consumer().drain(true).run_command(cat()).unwrap().succeeded == 1;
    until("the take-over", || take_over().then_some(()));
    assert_eq!(drop.outcome(&id).unwrap().unwrap().attempt(), 1, "it is not counted as an attempt");
    assert_tidy(&drop);
}

/// Each consumer, of every group, tries it each second.
#[test]
fn an_event_that_cannot_be_delivered_is_told_of_once() {
    let (_place, drop) = folder();
    let group = "billing".parse().unwrap();
    drop.subscribe(&group, &Subscription::new(["orders".parse().unwrap()]).unwrap()).unwrap();
    let inbox = drop.path().join("subscribers/billing/inbox");
    std::fs::remove_dir(&inbox).unwrap();
    std::fs::write(&inbox, "somebody's file").unwrap();
    drop.publish(Submission::event("orders".parse().unwrap())).unwrap();
    // A folder that has the job's name is in the way, and can go at one blow.
    let event = names(&drop.path().join("outbox/inbox")).remove(0);
    let job: Vec<_> = event.split('.').take(3).collect();
    let place = inbox.join(format!("{}.1.job.json", job.join(".")));
    std::fs::remove_file(&inbox).unwrap();
    std::fs::create_dir_all(&place).unwrap();
    let recoveries = AtomicUsize::new(0);
    let store = Faulty::new(&drop, |verb| {
        recoveries.fetch_add(usize::from(matches!(verb, Verb::Recover)), Ordering::SeqCst);
        Ok(())
    });
    let (diary, stopper) = (Diary::default(), Stopper::default());
    std::thread::scope(|scope| {
        scope.spawn(|| store.consume(&ConsumerOptions::new(&OsHost), &diary, &stopper).unwrap());
        until("some tries", || (recoveries.load(Ordering::SeqCst) >= 5).then_some(()));
        std::fs::remove_dir(&place).unwrap();
        until("its delivery", || place.is_file().then_some(()));
        stopper.stop();
    });
    assert_eq!(diary.count("cannot be delivered"), 1);
}
