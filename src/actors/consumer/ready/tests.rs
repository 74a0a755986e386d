//! The window, what is held, and the end.

use std::cell::Cell;

use super::*;
use crate::words::{Id, Millis, Priority};

fn name(nth: u64) -> InboxName {
    let id: Id = format!("job-{nth:04}").parse().unwrap();
    InboxName::job(id, Millis::new(nth).unwrap(), Priority::default())
}

/// A scan of jobs that are never taken away, counted.
fn scan<'a>(jobs: std::ops::Range<u64>, scans: &'a Cell<u32>) -> impl Fn(usize) -> Result<Scan> + 'a {
    move |limit| {
        scans.set(scans.get() + 1);
        let names: Vec<_> = jobs.clone().take(limit).map(name).collect();
        let beyond = jobs.clone().count() - names.len();
        Ok(Scan { names, beyond, dropped: 0, misplaced: Vec::new() })
    }
}

fn next(ready: &Ready<()>, scan: impl Fn(usize) -> Result<Scan>) -> InboxName {
    match ready.next(scan, || {}) {
        Next::New(name) => name,
        _ => panic!("no name"),
    }
}

#[test]
fn a_window_costs_one_scan_and_gives_each_name_once() {
    let (ready, scans) = (Ready::new(), Cell::new(0));
    for nth in 0..WINDOW as u64 {
        assert_eq!(next(&ready, scan(0..1000, &scans)), name(nth));
    }
    assert_eq!(scans.get(), 1);
    // What is held is not given out again, although it is still seen; the window grows to look beyond it.
    assert_eq!(next(&ready, scan(0..1000, &scans)), name(WINDOW as u64));
    assert!(scans.get() > 1);
}

#[test]
fn a_change_is_seen_before_the_window_is_empty() {
    let (ready, scans) = (Ready::new(), Cell::new(0));
    assert_eq!(next(&ready, scan(10..20, &scans)), name(10));
    ready.mark();
    let start = Instant::now();
    while next(&ready, scan(0..1000, &scans)) != name(0) {
        assert!(start.elapsed() < Duration::from_secs(30), "the first name was never given out");
        ready.mark();
    }
}

#[test]
fn at_the_end_only_what_is_held_is_given_out_again() {
    let (ready, scans) = (Ready::new(), Cell::new(0));
    let held = next(&ready, scan(0..3, &scans));
    ready.again(Task::Take(held, ()), 1, Duration::ZERO);
    let claim = Claim { name: name(7), bytes: Vec::new(), path: "7".into() };
    let (id, now) = (&claim.name.id, claim.name.submitted);
    let why = crate::words::Problem::handler("");
    let outcome = crate::words::Outcome::unreadable(id, 1, id, "/", now, why);
    let conclusion = Conclusion::Settle(Box::new(outcome));
    let unsettled = Unsettled { room: (), claim, conclusion, began: Instant::now() };
    ready.again(Task::Settle(Box::new(unsettled)), 1, Duration::from_secs(3600));
    ready.close();
    ready.cut();
    let last = || match ready.next(scan(0..3, &scans), || {}) {
        Next::Again(Again { task: Task::Settle(_), tries: 1, .. }) => "to settle",
        Next::Again(Again { task: Task::Take(..), tries: 1, .. }) => "to let go",
        _ => "nothing",
    };
    let mut last = [last(), last()];
    last.sort_unstable();
    assert_eq!(last, ["to let go", "to settle"]);
    assert!(matches!(ready.next(scan(0..3, &scans), || {}), Next::Closed));
    assert_eq!(scans.get(), 1);
}

#[test]
fn a_scan_that_fails_is_told_and_repeated_after_a_pause() {
    let ready: Ready<()> = Ready::new();
    let fails = |_| Err(Error::new(crate::words::ErrorKind::Io, "no"));
    let told = ready.next(fails, || {});
    assert!(matches!(told, Next::Trouble(_, 1, pause) if pause == pause_after(1)));
    let scans = Cell::new(0);
    assert_eq!(next(&ready, scan(0..1, &scans)), name(0));
}
