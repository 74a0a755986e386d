//! Outcomes as closures take them: well, not at all, or only later.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use filedrop::actors::collector::{self, CollectorOptions, Setup};
use filedrop::ports::{Chosen, Watch};
use filedrop::{
    Collected, Delivery, DropFolder, Error, ErrorKind, Id, Job, Outcome, Refusal, Stopper, Submission,
    WatchMode,
};

use crate::faulty::{Deaf, Faulty, Verb, broken};
use crate::{Diary, LONG, folder, names, until};

fn billing() -> Id {
    "billing".parse().unwrap()
}

/// So many answers that lie there.
async fn answered(drop: &DropFolder, jobs: usize) -> Vec<Id> {
    let ask = |nth: usize| Submission::new("ask").data(nth.to_string()).reply_to(&billing());
    let ids = drop.submit_all((0..jobs).map(ask).collect()).unwrap();
    drop.consumer().drain(true).run(async |job: Job| Ok::<_, String>(job.data().to_vec())).await.unwrap();
    ids
}

fn inbox(drop: &DropFolder) -> Vec<String> {
    names(&drop.path().join("replies/billing/inbox"))
}

/// It fails, it panics, and then it takes it.
#[tokio::test]
async fn what_a_closure_refuses_comes_again() {
    let (_place, drop) = folder();
    let ids = answered(&drop, 1).await;
    let collector = drop.collector(&billing()).unwrap().follow(true);
    let (diary, stopper, seen) = (Arc::new(Diary::default()), collector.stopper(), Arc::new(Mutex::new(0)));
    let times = seen.clone();
    let take = move |outcome: Outcome| {
        let (stopper, times) = (stopper.clone(), times.clone());
        async move {
            *times.lock().unwrap() += 1;
            let nth = *times.lock().unwrap();
            match nth {
                1 => Err("not today"),
                2 => panic!("as asked"),
                _ => {
                    assert_eq!(outcome.data(), b"0");
                    stopper.stop();
                    Ok(())
                }
            }
        }
    };
    let collected = collector.observer(diary.clone()).each(take).await.unwrap();
    assert_eq!(collected, Collected { succeeded: 1, refused: 2, ..Collected::default() });
    assert!(diary.has("not today") && diary.has("panicked") && diary.has("collection: 3"));
    assert!(inbox(&drop).is_empty());
    assert_eq!(drop.wait(&ids[0], None).await.unwrap().data(), b"0", "it can be looked at still");
}

/// One that does not follow tries each once, and says what was wrong; nothing waits for a lease.
#[tokio::test]
async fn others_go_on() {
    let (_place, drop) = folder();
    answered(&drop, 3).await;
    let mut seen = 0;
    let mut refuse_one = |delivery: &Delivery<'_>| {
        seen += 1;
        if delivery.outcome.data() == b"1" { Err(Refusal::because("not this one")) } else { Ok(()) }
    };
    let e = drop.collector(&billing()).unwrap().run(&mut refuse_one).unwrap_err();
    assert_eq!((e.kind(), &*e.to_string(), seen), (ErrorKind::Refused, "not this one", 3));
    assert_eq!(inbox(&drop).len(), 1);
    assert!(inbox(&drop)[0].ends_with(".2.outcome.json"), "{:?}", inbox(&drop));
    assert!(names(&drop.path().join("replies/billing/claimed")).is_empty());
}

/// What cannot be taken now is not counted; when it is over, it is over.
#[tokio::test]
async fn a_collector_waits_or_ends_as_it_is_told() {
    let (_place, drop) = folder();
    answered(&drop, 2).await;
    let mut answers = vec![Refusal::Over(Error::new(ErrorKind::Io, "over"))];
    answers.push(Refusal::NotNow(Error::new(ErrorKind::NoHandler, "not now")));
    let mut agains = Vec::new();
    let mut take = |delivery: &Delivery<'_>| {
        agains.push(delivery.again);
        Err(answers.pop().expect("no more are handed over"))
    };
    let e = drop.collector(&billing()).unwrap().follow(true).run(&mut take).unwrap_err();
    assert_eq!(e.to_string(), "over");
    assert_eq!(agains, [false, false], "the first was not counted");
    let mut collections: Vec<_> =
        inbox(&drop).iter().map(|name| name.split('.').rev().nth(2).unwrap().to_owned()).collect();
    collections.sort();
    assert_eq!(collections, ["1", "2"]);
}

#[tokio::test]
async fn a_future_that_is_dropped_gives_back_what_it_has_in_hand() {
    let (_place, drop) = folder();
    answered(&drop, 1).await;
    let (send, begun) = channel();
    let for_ever = move |_: Outcome| {
        send.send(()).unwrap();
        std::future::pending::<Result<(), String>>()
    };
    let collecting = tokio::spawn(drop.collector(&billing()).unwrap().each(for_ever));
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    collecting.abort();
    let drop = drop.clone();
    let back =
        move || until("it is back", || inbox(&drop).pop().filter(|name| name.ends_with(".2.outcome.json")));
    tokio::task::spawn_blocking(back).await.unwrap();
}

/// The outcome is in the room of one who lives and does not know: nobody else would look there.
#[tokio::test]
async fn a_claim_whose_answer_was_lost_goes_back() {
    let (_place, drop) = folder();
    answered(&drop, 1).await;
    let replies = DropFolder::open(drop.path().join("replies/billing")).unwrap();
    let lost = Mutex::new(true);
    let store = Faulty::new(&replies, |verb| match verb {
        Verb::Claimed if std::mem::take(&mut *lost.lock().unwrap()) => Err(broken()),
        _ => Ok(()),
    });
    let (stopper, diary) = (Stopper::default(), Diary::default());
    let mut again = None;
    let mut take = |delivery: &Delivery<'_>| {
        again = Some(delivery.again);
        stopper.stop();
        Ok(())
    };
    let poll_interval = std::time::Duration::from_millis(10);
    let setup = Setup {
        store: &store,
        watch: Box::new(Deaf),
        chosen: Chosen { mode: WatchMode::Poll, why: "for the test".to_owned() },
        options: &CollectorOptions {
            follow: true,
            poll_interval,
            ..CollectorOptions::new(&filedrop::adapters::host::OsHost)
        },
        observer: &diary,
        stopper: &stopper,
    };
    let collected = collector::run(setup, &mut take).unwrap();
    assert_eq!((collected.succeeded, again), (1, Some(true)), "{}", diary.has("as asked for"));
    assert!(inbox(&drop).is_empty() && names(&replies.path().join("claimed")).is_empty());
}

/// Runs a collector that follows.
fn follow(
    store: &Faulty<'_>,
    watch: Box<dyn Watch>,
    lease: Duration,
    observer: &Diary,
    stopper: &Stopper,
) -> Collected {
    let setup = Setup {
        store,
        watch,
        chosen: Chosen { mode: WatchMode::Auto, why: "for the test".to_owned() },
        options: &CollectorOptions {
            follow: true,
            lease,
            poll_interval: Duration::from_millis(10),
            ..CollectorOptions::new(&filedrop::adapters::host::OsHost)
        },
        observer,
        stopper,
    };
    collector::run(setup, &mut |_: &Delivery<'_>| Ok(())).unwrap()
}

/// Counts the times that it is armed: each folder once a round.
struct Counting(Arc<AtomicUsize>);

impl Watch for Counting {
    fn arm(&mut self, folder: &Path) -> filedrop::Result<()> {
        self.0.fetch_add(usize::from(folder.ends_with("inbox")), Ordering::SeqCst);
        Ok(())
    }

    fn hears(&self) -> bool {
        true
    }
}

/// Whatever rings: to recover means to look at every room and presence.
#[test]
fn recovery_follows_a_ring_but_not_every_ring() {
    const ROUNDS: usize = 400;
    let (_place, drop) = folder();
    let recovered = Mutex::new(0);
    let store = Faulty::new(&drop, |verb| {
        *recovered.lock().unwrap() += u32::from(matches!(verb, Verb::Recover));
        Ok(())
    });
    let (stopper, diary, rounds) = (Stopper::default(), Diary::default(), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let watch = Box::new(Counting(rounds.clone()));
        scope.spawn(|| follow(&store, watch, LONG.unwrap(), &diary, &stopper));
        until("many rounds", || {
            stopper.bell().ring();
            (rounds.load(Ordering::SeqCst) >= ROUNDS).then_some(())
        });
        stopper.stop();
    });
    let took = began.elapsed();
    let recovered = *recovered.lock().unwrap();
    // After a ring, and without one.
    let most = 2 + took.as_millis() / 20 + took.as_millis() / 1000;
    assert!(recovered >= 1 && u128::from(recovered) <= most, "{recovered} times in {took:?}");
}

#[test]
fn that_it_was_evicted_is_told_once_however_often_it_has_to_register() {
    let (_place, drop) = folder();
    let tries = AtomicUsize::new(0);
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Register if (1..=3).contains(&tries.fetch_add(1, Ordering::SeqCst)) => Err(broken()),
        _ => Ok(()),
    });
    let (stopper, diary) = (Stopper::default(), Diary::default());
    std::thread::scope(|scope| {
        scope.spawn(|| follow(&store, Box::new(Deaf), Duration::from_millis(40), &diary, &stopper));
        let claimed = drop.path().join("claimed");
        until("it has a room", || diary.has("Registered").then_some(()));
        let room = names(&claimed).remove(0);
        std::fs::remove_file(claimed.join(format!("{room}.presence"))).unwrap();
        until("it has another", || (diary.count("Registered") == 2).then_some(()));
        stopper.stop();
    });
    assert_eq!(diary.count("Evicted"), 1);
}
