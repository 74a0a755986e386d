//! A consumer says that it is alive, whatever else it does; and takes nothing while it cannot say so.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use filedrop::actors::consumer::ConsumerOptions;
use filedrop::adapters::host::OsHost;
use filedrop::{ErrorKind, Event, Observer, Stopper};

use crate::faulty::{Faulty, Noted, Verb, broken};
use crate::{Diary, LONG, assert_tidy, folder, job, until};

fn lease(lease: u64) -> ConsumerOptions {
    ConsumerOptions { lease: Duration::from_millis(lease), ..ConsumerOptions::new(&OsHost) }
}

#[test]
fn a_slow_recovery_silences_nobody() {
    let (_place, drop) = folder();
    let beats = AtomicUsize::new(0);
    let store = Faulty::new(&drop, |verb| {
        match verb {
            Verb::Alive => _ = beats.fetch_add(1, Ordering::SeqCst),
            Verb::Recover => until("beats", || (beats.load(Ordering::SeqCst) >= 8).then_some(())),
            _ => {}
        }
        Ok(())
    });
    let options = ConsumerOptions { drain: true, ..lease(200) };
    store.consume(&options, &(), &Stopper::default()).unwrap();
    assert_tidy(&drop);
}

#[test]
fn who_cannot_beat_takes_nothing_until_it_can() {
    let (_place, drop) = folder();
    let silent = AtomicBool::new(true);
    let verbs = Noted::new();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Beat if silent.load(Ordering::SeqCst) => {
            verbs.note("silence");
            Err(broken())
        }
        Verb::Alive | Verb::Claim(_) => {
            verbs.note(if matches!(verb, Verb::Alive) { "beat" } else { "claim" });
            Ok(())
        }
        _ => Ok(()),
    });
    let silences = || verbs.all().iter().filter(|verb| **verb == "silence").count();
    let (options, stopper) = (lease(200), Stopper::default());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| store.consume(&options, &(), &stopper));
        // Four in a lease: then its registration is too old.
        until("its lease is over", || (silences() >= 4).then_some(()));
        let id = drop.submit(job("x")).unwrap();
        // Time enough for a scan, which is due every 10 ms.
        until("more silence", || (silences() >= 8).then_some(()));
        silent.store(false, Ordering::SeqCst);
        drop.wait_each(&[id], LONG, &mut |_| ControlFlow::Continue(())).unwrap();
        stopper.stop();
        assert_eq!(running.join().unwrap().unwrap().succeeded, 1);
    });
    let verbs = verbs.all();
    let at = |what| verbs.iter().position(|verb| *verb == what).unwrap();
    assert!(at("beat") < at("claim"), "{verbs:?}");
    assert_tidy(&drop);
}

#[test]
fn a_drain_that_cannot_beat_ends_with_the_error() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Beat | Verb::Claim(_) => Err(broken()),
        _ => Ok(()),
    });
    let options = ConsumerOptions { drain: true, ..lease(40) };
    let e = store.consume(&options, &(), &Stopper::default()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io);
    assert_eq!(drop.locate(&id).unwrap()[0].room, "inbox");
}

/// Notes what it is told, and panics.
#[derive(Default)]
struct Panics(Diary);

impl Observer for Panics {
    fn notice(&self, event: &Event<'_>) {
        self.0.notice(event);
        panic!("as asked for");
    }
}

#[test]
fn an_observer_that_panics_harms_nobody() {
    let (_place, drop) = folder();
    let ids = drop.submit_all((0..3).map(|_| job("x")).collect()).unwrap();
    let store = Faulty::new(&drop, |_| Ok(()));
    let options = ConsumerOptions { drain: true, ..ConsumerOptions::new(&OsHost) };
    let observer = Panics::default();
    let summary = store.consume(&options, &observer, &Stopper::default()).unwrap();
    assert_eq!(summary.succeeded, 3);
    assert!(ids.iter().all(|id| observer.0.has(id.as_str())) && observer.0.has("Drained"));
    assert_tidy(&drop);
}
