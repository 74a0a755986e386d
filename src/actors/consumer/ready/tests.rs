//! The window, what is held, and the end.

use std::cell::{Cell, RefCell};

use super::*;
use crate::actors::consumer::Conclusion;
use crate::actors::consumer::task::Unsettled;
use crate::ports::Claim;
use crate::words::{Error, Id, Millis, Priority};

fn name(nth: u64) -> InboxName {
    let id: Id = format!("job-{nth:04}").parse().unwrap();
    InboxName::job(id, Millis::new(nth).unwrap(), Priority::default())
}

/// A scan of jobs that are never taken away, counted. The folder tells the last ones first.
fn scan<'a>(jobs: std::ops::Range<u64>, scans: &'a Cell<u32>) -> impl Fn(usize, usize) -> Result<Scan> + 'a {
    move |limit, most| {
        scans.set(scans.get() + 1);
        let mut names: Vec<_> = jobs.clone().rev().take(most).map(name).collect();
        let (seen, cut_short) = (names.len(), names.len() < jobs.clone().count());
        names.reverse();
        names.truncate(limit);
        Ok(Scan { beyond: seen - names.len(), names, seen, cut_short, ..Scan::default() })
    }
}

fn next(ready: &Ready<()>, scan: impl Fn(usize, usize) -> Result<Scan>) -> InboxName {
    match ready.next(scan, || {}) {
        Next::New(name) => name,
        _ => panic!("no name"),
    }
}

/// A job of so many bytes, and its outcome.
fn handled(name: InboxName, size: usize) -> Box<Unsettled<()>> {
    let claim = Claim { name, bytes: vec![b' '; size], path: "7".into(), origin: None };
    let (id, now) = (&claim.name.id, claim.name.submitted);
    let why = crate::words::Problem::handler("");
    let outcome = crate::words::Outcome::unreadable(id, 1, id, "/", now, why);
    let conclusion = Conclusion::Settle(Box::new(outcome));
    Box::new(Unsettled { room: (), claim, conclusion, began: Instant::now() })
}

#[test]
fn what_was_handled_is_taken_over_as_far_as_there_is_space_and_more_to_handle() {
    let (ready, scans) = (Ready::new(7), Cell::new(0));
    let scan = scan(0..200, &scans);
    let names = RefCell::new((0..100).map(|_| next(&ready, &scan)).collect::<Vec<_>>());
    let handle = |size| ready.hand_over(handled(names.borrow_mut().pop().unwrap(), size)).is_none();
    assert!(!handle(0), "nobody is there to settle it");
    ready.is_attended();
    assert!((0..handed::MOST).all(|_| handle(0)));
    assert!(!ready.lock().may_begin(Instant::now()), "it has to be settled first");
    assert_eq!(ready.next_handed().map(|handed| handed.len()), Some(handed::MOST));
    let state = ready.lock();
    assert!(state.may_begin(Instant::now()) && !state.handed.is_empty(), "these are being settled");
    drop(state);
    assert!(handle(handed::MOST_BYTES - (64 << 10)) && !ready.lock().handed.fits(64 << 10), "it is large");
    assert_eq!(ready.next_handed().map(|handed| handed.len()), Some(1));
    assert!(!handle(handed::MOST_BYTES), "with its outcome it is too large to wait");
    assert!(handle(0));
    ready.close();
    assert!(handle(0), "it overtakes nobody");
    assert_eq!(ready.next_handed().map(|handed| handed.len()), Some(2));
    ready.settled();
    assert!(!handle(0), "at the end each settles its own");
    assert!(ready.next_handed().is_none());
}

#[test]
fn who_has_nothing_else_to_handle_settles_at_once() {
    let (ready, scans) = (Ready::new(7), Cell::new(0));
    ready.is_attended();
    let mine = next(&ready, scan(0..1, &scans));
    assert!(ready.hand_over(handled(mine, 0)).is_some());
}

#[test]
fn a_window_costs_one_scan_and_gives_each_name_once() {
    let (ready, scans) = (Ready::new(7), Cell::new(0));
    ready.lock().limit = 256;
    for nth in 0..256 {
        assert_eq!(next(&ready, scan(0..1000, &scans)), name(nth));
    }
    assert_eq!(scans.get(), 1);
    // What is held is not given out again, although it is still seen; the window grows to look beyond it.
    assert_eq!(next(&ready, scan(0..1000, &scans)), name(256));
    assert_eq!(scans.get(), 3);
}

#[test]
fn the_first_scan_of_a_long_inbox_is_short_and_the_next_ones_see_more() {
    let (ready, scans, bounds) = (Ready::new(7), Cell::new(0), RefCell::new(Vec::new()));
    let jobs = 100_000;
    let counted = |limit, most| {
        bounds.borrow_mut().push(most);
        scan(0..jobs, &scans)(limit, most)
    };
    // The first of those that it saw.
    assert_eq!(next(&ready, counted), name(jobs - GLANCE as u64));
    let start = Instant::now();
    while next(&ready, counted) != name(0) {
        assert!(start.elapsed() < Duration::from_secs(60), "the first name was never given out");
    }
    assert_eq!(*bounds.borrow(), [1, 4, 16, 64].map(|wide| GLANCE * wide));
    // Those were all: nothing is to be looked for until something changes.
    assert!(!ready.lock().wants_scan(Instant::now() + Duration::from_secs(3600)));
    assert_eq!(ready.lock().most, jobs as usize * WIDER);
}

#[test]
fn who_lost_names_looks_again_but_not_at_once() {
    let (ready, scans) = (Ready::new(7), Cell::new(0));
    let lose = |name: &InboxName| {
        ready.tried(name, true);
        ready.done(name);
    };
    let mut tried = 0;
    lose(&next(&ready, scan(0..2000, &scans)));
    // The others are passed over, and there is a time to look for them.
    let (again, is_idle) = loop {
        let (empty, again) = {
            let state = ready.lock();
            (state.window.is_empty(), state.look_again())
        };
        if empty {
            break (again.unwrap(), ready.activity().1);
        }
        ready.lock().scanned.as_mut().unwrap().at = Instant::now() + Duration::from_secs(3600);
        lose(&next(&ready, scan(0..2000, &scans)));
        tried += 1;
    };
    assert!(tried < 20 && !is_idle, "{tried}");
    let state = ready.lock();
    assert!(!state.wants_scan(again - Duration::from_nanos(1)) && state.wants_scan(again));
}

#[test]
fn a_change_is_seen_before_the_window_is_empty() {
    let (ready, scans) = (Ready::new(7), Cell::new(0));
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
    let (ready, scans) = (Ready::new(7), Cell::new(0));
    let held = next(&ready, scan(0..3, &scans));
    ready.again(Task::Take(held, ()), 1, Duration::ZERO);
    ready.again(Task::Settle(handled(name(7), 0)), 1, Duration::from_secs(3600));
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
    let ready: Ready<()> = Ready::new(7);
    let fails = |_, _| Err(Error::new(crate::words::ErrorKind::Io, "no"));
    let told = ready.next(fails, || {});
    assert!(matches!(told, Next::Trouble(_, 1, pause) if pause == pause_after(1)));
    let scans = Cell::new(0);
    assert_eq!(next(&ready, scan(0..1, &scans)), name(0));
}
