//! The clock of one machine is set, by `libfaketime` in one process: wall-clock time jumps, monotonic time goes on.

use std::fs;
use std::path::PathBuf;

use crate::place::{NOTE, NOTE_LATER, Place, Running, skip, until};

/// Debian's package `faketime` puts it there.
fn library() -> Option<PathBuf> {
    let of = |lib: std::fs::DirEntry| lib.path().join("faketime/libfaketime.so.1");
    let there = fs::read_dir("/usr/lib").ok()?.flatten().map(of).find(|path| path.exists());
    if there.is_none() {
        skip("libfaketime is not installed (package faketime)");
    }
    there
}

/// A consumer with a clock of its own.
struct Wound {
    clock: PathBuf,
    running: Running,
}

impl Wound {
    fn start(place: &Place, options: &str, script: &str) -> Option<Self> {
        let library = library()?;
        let clock = place.beside("clock");
        fs::write(&clock, "+0").unwrap();
        let set = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        // Only from there on: what it shares with its children belongs to who begins it.
        let set = set.map(|(name, value)| format!("{name}={value}"));
        let by: Vec<&str> = std::iter::once("env").chain(set.iter().map(String::as_str)).collect();
        let command = place.consuming(&by, options, script);
        let running = Running::start(command);
        running.says(1, &["registered"]);
        Some(Self { clock, running })
    }

    /// Sets its clock so far from the machine's.
    fn set(&self, offset: &str) {
        let new = self.clock.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &self.clock).unwrap();
    }
}

/// While it handles a job its clock is set an hour forth and back: nobody else takes the job, and it is settled once.
#[test]
fn a_claim_outlives_a_clock_that_is_set() {
    let place = Place::new();
    let Some(wound) = Wound::start(&place, "", NOTE_LATER) else { return };
    let id = place.submit("1");
    until("a handler", || place.beside("begun").exists().then_some(()));
    let other = place.consumer("", NOTE);
    other.says(1, &["registered"]);
    for offset in ["+3600", "-3600", "+0"] {
        wound.set(offset);
        // It beats on, and the other has had the time to judge it: it has done a job that came after.
        place.succeeds(&place.submit("2"));
    }
    fs::write(place.beside("go"), "").unwrap();
    place.succeeds(&id);
    assert_eq!((wound.running.count(&["WARN"]), other.count(&["WARN"])), (0, 0));
    wound.running.stop();
    other.stop();
    assert_eq!(place.notes(), ["1 1", "2 1", "2 1", "2 1"]);
    place.is_tidy();
}

/// Delay and expiry go by the clock of whoever looks, as `PROTOCOL.md` says: nothing is lost for it, and nothing done twice.
#[test]
fn delay_and_expiry_go_by_the_clock_that_is_set() {
    let place = Place::new();
    let Some(wound) = Wound::start(&place, "", NOTE) else { return };
    // An hour slow: what was due half an hour ago by all others' clocks is not due there, and nothing is expired.
    wound.set("-3600");
    place.succeeds(&place.submit("1"));
    let later = place.run("producer submit DROP --type t --data 2 --delay 30m");
    let never = place.run("producer submit DROP --type t --data 3 --delay 45m --expires 50m");
    place.succeeds(&place.submit("4"));
    assert_eq!(fs::read_dir(place.drop.join("delayed")).unwrap().count(), 2);
    // An hour fast.
    wound.set("+3600");
    place.succeeds(&later);
    let waits = place.command(&format!("producer wait DROP {never} --timeout 120s"));
    let waiter = Running::start(waits);
    waiter.says(1, &["expired"]);
    waiter.ends_with(1);
    wound.set("+0");
    place.succeeds(&place.submit("5"));
    wound.running.stop();
    assert_eq!(place.notes(), ["1 1", "2 1", "4 1", "5 1"]);
}
