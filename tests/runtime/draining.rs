//! A drain, which nobody watches: what it puts aside, and when it gives up.

use std::time::{Duration, Instant};

use filedrop::Stopper;
use filedrop::actors::consumer::ConsumerOptions;
use filedrop::adapters::host::OsHost;
use filedrop::edge::cli::Exit;

use crate::faulty::{Faulty, Noted, Verb, broken};
use crate::{Diary, folder, job};

fn drain() -> ConsumerOptions {
    ConsumerOptions { drain: true, ..ConsumerOptions::new(&OsHost) }
}

#[test]
fn a_job_that_cannot_be_taken_keeps_nobody_from_the_others() {
    let (_place, drop) = folder();
    // More than a window holds, and than are handled before the one is given up.
    let ids = drop.submit_all((0..600).map(|_| job("x")).collect()).unwrap();
    let stuck = &ids[3];
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Claim(id) if *id == stuck => Err(broken()),
        _ => Ok(()),
    });
    let diary = Diary::default();
    let e = store.consume(&drain(), &diary, &Stopper::default()).unwrap_err();
    assert!(e.to_string().contains("as asked for"), "{e}");
    assert!(diary.has("Drained"));
    let settled = ids.iter().filter(|id| drop.outcome(id).unwrap().is_some()).count();
    assert_eq!(settled, 599);
    assert_eq!(drop.locate(stuck).unwrap()[0].room, "inbox");
}

#[test]
fn an_outcome_that_cannot_be_settled_keeps_nobody_from_the_others() {
    let (_place, drop) = folder();
    let ids = drop.submit_all((0..20).map(|_| job("x")).collect()).unwrap();
    let stuck = &ids[0];
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Settle(id) if *id == stuck => Err(broken()),
        _ => Ok(()),
    });
    let diary = Diary::default();
    store.consume(&drain(), &diary, &Stopper::default()).unwrap_err();
    assert!(diary.has("Drained"));
    assert!(ids[1..].iter().all(|id| drop.outcome(id).unwrap().is_some()));
    let place = drop.locate(stuck).unwrap().remove(0);
    assert_eq!((place.room, place.attempt), ("inbox", Some(1)), "it is not counted as an attempt");
}

#[test]
fn a_drain_in_which_nothing_works_ends_before_it_has_tried_all() {
    let (_place, drop) = folder();
    let ids = drop.submit_all((0..200).map(|_| job("x")).collect()).unwrap();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Claim(_) => Err(broken()),
        _ => Ok(()),
    });
    let diary = Diary::default();
    let options = ConsumerOptions { concurrency: 8, ..drain() };
    store.consume(&options, &diary, &Stopper::default()).unwrap_err();
    assert!(!diary.has("Drained"));
    assert!(ids.iter().any(|id| !diary.has(id.as_str())), "it gave up before");
}

#[test]
fn the_patience_of_a_drain_is_as_long_as_it_says() {
    let (_place, drop) = folder();
    let tries = Noted::new();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Recover => {
            tries.note(Instant::now());
            Err(broken())
        }
        _ => Ok(()),
    });
    store.consume(&drain(), &Diary::default(), &Stopper::default()).unwrap_err();
    let tries = tries.all();
    assert_eq!(tries.len(), 6);
    for (nth, pair) in tries.windows(2).enumerate() {
        assert!(pair[1] - pair[0] >= Duration::from_millis(100 << nth), "after {} tries", nth + 1);
    }
}

/// What lies there may be complete: that nobody could look is no reason to call the folder empty.
#[test]
fn a_drain_that_cannot_look_at_what_was_dropped_has_failed() {
    let (_place, drop) = folder();
    std::fs::write(drop.path().join("inbox/x.csv"), "1;2").unwrap();
    let tries = Noted::new();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Look => {
            tries.note(());
            Err(broken())
        }
        _ => Ok(()),
    });
    let diary = Diary::default();
    let e = store.consume(&drain(), &diary, &Stopper::default()).unwrap_err();
    assert_eq!((e.to_string().contains("as asked for"), Exit::of(&e)), (true, Exit::Io), "{e}");
    assert!(!diary.has("Drained"));
    assert_eq!(tries.all().len(), 6, "it is patient, but not for ever");
}

#[test]
fn a_drain_that_can_look_again_ends_well() {
    let (_place, drop) = folder();
    std::fs::write(drop.path().join("inbox/x.csv"), "1;2").unwrap();
    let tries = Noted::new();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Look if tries.all().len() < 2 => {
            tries.note(());
            Err(broken())
        }
        _ => Ok(()),
    });
    let options = ConsumerOptions { quiet_period: Duration::ZERO, ..drain() };
    let summary = store.consume(&options, &Diary::default(), &Stopper::default()).unwrap();
    assert_eq!(summary.succeeded, 1);
}
