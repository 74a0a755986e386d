//! One listener for all who wait: whom it tells, when it looks, and that it ends.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use filedrop::actors::producer::Dispatcher;
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::adapters::watch::watch;
use filedrop::ports::{Bell, Host as _};
use filedrop::words::Millis;
use filedrop::{Error, ErrorKind, Id, Outcome, Submission, WatchMode};
use tokio::task::JoinHandle;

use crate::watches::{
    HOUR, Waiting, Watches, answer, day, decide, decide_in, looked_for_all, new_id, until_async, wait,
};
use crate::{folder, job, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_share_one_watch_that_ends_with_the_last() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    for round in 1..=3 {
        let ids: Vec<Id> = (0..40).map(|_| new_id()).collect();
        let waiting: Vec<Waiting> = ids.iter().map(|id| wait(&dispatcher, id, None)).collect();
        let (all, clone) = (ids.clone(), dispatcher.clone());
        let each = std::thread::spawn(move || {
            let mut told = BTreeSet::new();
            clone.each(&all, None, &mut |outcome| {
                told.insert(outcome.job_id());
                ControlFlow::Continue(())
            })?;
            Ok::<_, Error>(told)
        });
        for id in &ids {
            decide(&drop, id, "1");
        }
        until_async(|| watches.bell.lock().unwrap().is_some()).await;
        watches.ring();
        for waiting in waiting {
            answer(waiting).await.unwrap();
        }
        assert_eq!(each.join().unwrap().unwrap(), ids.into_iter().collect());
        watches.until_closed().await;
        assert!(watches.made.load(Ordering::SeqCst) >= round);
    }
    assert_eq!(watches.most_open.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn only_those_whose_outcome_came_are_told() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    let ids = [new_id(), new_id(), new_id()];
    // Two wait for the last one.
    let [one, two, three, four] = [&ids[0], &ids[1], &ids[2], &ids[2]].map(|id| wait(&dispatcher, id, None));
    looked_for_all(&watches, &dispatcher, &drop).await;
    decide(&drop, &ids[2], "3");
    watches.ring();
    for waiting in [three, four] {
        assert_eq!(answer(waiting).await.unwrap().data(), b"3");
    }
    looked_for_all(&watches, &dispatcher, &drop).await;
    assert!(!one.is_finished() && !two.is_finished());
    one.abort();
    decide(&drop, &ids[1], "2");
    watches.ring();
    assert_eq!(answer(two).await.unwrap().data(), b"2");
    watches.until_closed().await;
}

#[tokio::test]
async fn what_was_decided_before_is_told_at_once() {
    let (_place, drop) = folder();
    for watches in [Watches::default(), Watches::that_hear()] {
        let dispatcher = watches.dispatcher(&drop, HOUR);
        let other = wait(&dispatcher, &new_id(), None);
        // Also if nobody looks again for an hour.
        for patience in [None, Some(Duration::ZERO)] {
            let id = new_id();
            decide(&drop, &id, "before");
            assert_eq!(dispatcher.outcome(&id, patience).await.unwrap().data(), b"before");
            let mut told = 0;
            let each = &mut |_| {
                told += 1;
                ControlFlow::Continue(())
            };
            dispatcher.each(std::slice::from_ref(&id), patience, each).unwrap();
            assert_eq!(told, 1);
        }
        other.abort();
    }
}

#[tokio::test]
async fn each_waits_as_long_as_it_asked_for() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    let ids = [new_id(), new_id()];
    let patient = wait(&dispatcher, &ids[0], None);
    let e = dispatcher.outcome(&ids[1], Some(Duration::from_millis(20))).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::TimedOut);
    assert!(e.to_string().contains(ids[1].as_str()) && !e.to_string().contains(ids[0].as_str()), "{e}");
    let e = dispatcher.each(&ids, Some(Duration::from_millis(20)), &mut |_| ControlFlow::Continue(()));
    assert!(e.unwrap_err().to_string().contains(ids[0].as_str()));
    // Decided when the time is over, and nobody rang: that is told, too.
    decide(&drop, &ids[1], "1");
    let (late, patience, start) = (new_id(), Duration::from_millis(20), Instant::now());
    let mut told = Vec::new();
    let slow = &mut |outcome: Outcome| {
        if told.is_empty() {
            until("the time is over", || (start.elapsed() > 2 * patience).then_some(()));
            decide(&drop, &late, "late");
        }
        told.push(outcome.job_id());
        ControlFlow::Continue(())
    };
    dispatcher.each(&[ids[1].clone(), late.clone()], Some(patience), slow).unwrap();
    assert_eq!(told, [ids[1].clone(), late]);
    assert!(!patient.is_finished());
    decide(&drop, &ids[0], "1");
    watches.ring();
    answer(patient).await.unwrap();
}

#[tokio::test]
async fn who_is_gone_is_waited_for_no_longer() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    let waiting: Vec<Waiting> = (0..20).map(|_| wait(&dispatcher, &new_id(), None)).collect();
    looked_for_all(&watches, &dispatcher, &drop).await;
    waiting.iter().for_each(JoinHandle::abort);
    watches.until_closed().await;
    // Who breaks is gone, too.
    let ids = [new_id(), new_id()];
    decide(&drop, &ids[0], "1");
    dispatcher.each(&ids, None, &mut |_| ControlFlow::Break(())).unwrap();
    watches.until_closed().await;
}

/// Midnight: who submitted just after it waits for a day that has no folder yet.
#[tokio::test]
async fn a_new_day_is_watched_when_its_folder_comes_and_when_it_comes_again() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    let tomorrow = Millis::new(OsHost.now().get() + 24 * 60 * 60 * 1000).unwrap();
    let id = Id::mint(tomorrow, OsHost.entropy());
    let (outcomes, day) = (drop.path().join("outcomes"), day(&drop, &id));
    let waiting = wait(&dispatcher, &id, None);
    until_async(|| watches.times_armed(&outcomes) > 0).await;
    assert_eq!(watches.times_armed(&day), 0);
    for times in 1..=2 {
        let before = watches.times_armed(&day);
        fs::create_dir(&day).unwrap();
        watches.ring();
        until_async(|| watches.times_armed(&day) > before).await;
        if times == 1 {
            fs::remove_dir(&day).unwrap();
        }
    }
    decide(&drop, &id, "tomorrow");
    watches.ring();
    assert_eq!(answer(waiting).await.unwrap().data(), b"tomorrow");
}

/// The same, by the notifications of the system.
#[tokio::test]
async fn a_folder_that_is_made_anew_is_heard() {
    let (_place, drop) = folder();
    let id = new_id();
    let fs = OsFs::at(drop.path()).unwrap();
    let store = LocalStore::open(fs.clone(), OsHost, drop.path()).unwrap();
    let watcher = move |bell: &Bell| watch(WatchMode::Notify, &fs, Path::new(""), bell);
    let dispatcher = Dispatcher::new(Arc::new(store), watcher, HOUR);
    let waiting = wait(&dispatcher, &id, None);
    for _ in 0..3 {
        fs::create_dir(day(&drop, &id)).unwrap();
        fs::remove_dir(day(&drop, &id)).unwrap();
    }
    decide(&drop, &id, "anew");
    assert_eq!(answer(waiting).await.unwrap().data(), b"anew");
}

#[tokio::test]
async fn a_given_id_is_waited_for_where_its_job_was_submitted() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    let given: Id = "order-4711".parse().unwrap();
    // One that nobody has submitted yet is awaited today.
    let today = drop.path().join("outcomes").join(OsHost.now().day());
    fs::create_dir_all(&today).unwrap();
    let waiting = wait(&dispatcher, &given, None);
    until_async(|| watches.times_armed(&today) > 0).await;
    drop.submit(Submission::new("test").id(given.clone()).data("given")).unwrap();
    let echo = async |job: filedrop::Job| Ok::<_, String>(job.data().to_vec());
    drop.consumer().drain(true).run(echo).await.unwrap();
    watches.ring();
    assert_eq!(answer(waiting).await.unwrap().data(), b"given");

    // An id that looks like a minted one, of another day than its job: found by the look everywhere.
    let odd = Id::mint(Millis::new(1_600_000_000_000).unwrap(), 7);
    let waiting = wait(&dispatcher, &odd, None);
    decide_in(&drop, &today, &odd, "odd");
    assert_eq!(answer(waiting).await.unwrap().data(), b"odd");
}

#[tokio::test]
async fn a_lost_hint_costs_time_and_nothing_else() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    let id = new_id();
    let waiting = wait(&dispatcher, &id, None);
    looked_for_all(&watches, &dispatcher, &drop).await;
    decide(&drop, &id, "nobody rang");
    assert_eq!(answer(waiting).await.unwrap().data(), b"nobody rang");
}

#[tokio::test]
async fn notifications_that_are_used_up_leave_polling() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, Duration::from_millis(5));
    let ids = [new_id(), new_id()];
    let waiting = ids.each_ref().map(|id| wait(&dispatcher, id, None));
    looked_for_all(&watches, &dispatcher, &drop).await;
    watches.used_up.store(true, Ordering::SeqCst);
    for (id, waiting) in ids.iter().zip(waiting) {
        watches.ring();
        decide(&drop, id, "1");
        answer(waiting).await.unwrap();
    }
    watches.until_closed().await;

    // None to begin with, where they were demanded: all are told, and who comes later has another try.
    let refused = [wait(&dispatcher, &new_id(), None), wait(&dispatcher, &new_id(), None)];
    for refused in refused {
        assert_eq!(answer(refused).await.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    watches.used_up.store(false, Ordering::SeqCst);
    let waiting = wait(&dispatcher, &new_id(), None);
    looked_for_all(&watches, &dispatcher, &drop).await;
    waiting.abort();
    watches.until_closed().await;
}

/// An error of one concerns those who wait for that one.
#[tokio::test]
async fn what_is_no_outcome_is_an_error_for_all_who_wait_for_it() {
    let (_place, drop) = folder();
    let watches = Watches::that_hear();
    let dispatcher = watches.dispatcher(&drop, HOUR);
    let (bad, good) = (new_id(), new_id());
    let [one, two, other] = [&bad, &bad, &good].map(|id| wait(&dispatcher, id, None));
    looked_for_all(&watches, &dispatcher, &drop).await;
    fs::write(day(&drop, &bad).join(format!("{bad}.outcome.json")), "no outcome").unwrap();
    watches.ring();
    for waiting in [one, two] {
        let e = answer(waiting).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Invalid);
        assert!(e.path().unwrap().ends_with(format!("{bad}.outcome.json")), "{e}");
    }
    decide(&drop, &good, "1");
    watches.ring();
    answer(other).await.unwrap();
}

/// More than is held for one who takes its time. A deaf watch looks again only in an hour, so it is the taking that brings the rest.
#[test]
fn large_outcomes_come_as_they_are_taken() {
    let (_place, drop) = folder();
    let dispatcher = Watches::default().dispatcher(&drop, HOUR);
    let ids: Vec<Id> = (0..6).map(|_| new_id()).collect();
    let large = "x".repeat(8 << 20);
    ids.iter().for_each(|id| decide(&drop, id, &large));
    let mut told = Vec::new();
    dispatcher
        .each(&ids, None, &mut |outcome| {
            assert_eq!(outcome.data().len(), large.len());
            told.push(outcome.job_id());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(told.len(), ids.len());
    assert_eq!(BTreeSet::from_iter(told), BTreeSet::from_iter(ids));
}

/// Nobody needs a runtime to wait.
#[test]
fn any_executor_will_do() {
    let (_place, drop) = folder();
    let id = drop.submit(job("1")).unwrap();
    decide(&drop, &id, "1");
    let mut waiting = std::pin::pin!(drop.wait(&id, None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let outcome = until("the outcome", || match waiting.as_mut().poll(&mut context) {
        std::task::Poll::Ready(outcome) => Some(outcome),
        std::task::Poll::Pending => None,
    });
    assert_eq!(outcome.unwrap().data(), b"1");
}
