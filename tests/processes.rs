//! Consumers as processes of their own, killed without a word.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Id, Place, Submission};
use tempfile::TempDir;

/// Longer than anything here takes, on the slowest machine; shorter than any lease here.
const LONG: Duration = Duration::from_secs(60);

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LONG, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn folder() -> (TempDir, DropFolder, Id) {
    let place = tempfile::tempdir().unwrap();
    let drop = DropFolder::init(place.path().join("drop")).unwrap();
    let id = drop.submit(Submission::new("test").data("x")).unwrap();
    (place, drop, id)
}

/// A consumer with a lease that does not run out here. It is killed, whatever becomes of the test.
struct Consumer(Child);

impl Consumer {
    fn start(drop: &DropFolder, options: &[&str], script: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consumer"));
        command.arg("run").arg(drop.path()).args(["--lease", "1h"]).args(options);
        command.args(["--", "sh", "-c", script]).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A script that writes the id of a process to `file`, whole or not at all.
fn writes(what: &str, file: &Path) -> String {
    format!("echo {what} > '{0}.new'; mv '{0}.new' '{0}'", file.display())
}

fn pid_in(file: &Path) -> String {
    until("a handler", || std::fs::read_to_string(file).ok()).trim().to_owned()
}

/// A process that is nobody's child here. It is killed, whatever becomes of the test.
struct Daemon(String);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-9", &self.0]).status();
    }
}

fn is_running(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended.
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn done(drop: &DropFolder, id: &Id) -> Option<Place> {
    drop.locate(id).unwrap().into_iter().find(|place| place.room == "done")
}

/// What outlives its consumer must not keep it alive in the eyes of others: the lock is not the children's.
#[test]
fn presence_lock_is_not_inherited() {
    let (place, drop, id) = folder();
    let pid = place.path().join("pid");
    // Leaves the group and the session, as daemons do, and holds whatever it was given open.
    let script = format!("setsid sleep 600 & {}; exec sleep 600", writes("$!", &pid));
    let mut first = Consumer::start(&drop, &[], &script);
    let daemon = Daemon(pid_in(&pid));
    let second = Consumer::start(&drop, &[], "echo $FILEDROP_ATTEMPT");
    until("the second consumer", || (drop.census().unwrap().consumers.len() == 2).then_some(()));
    first.kill();
    let outcome = until("the take-over", || drop.outcome(&id).unwrap());
    assert!(is_running(&daemon.0), "the test shows nothing if nobody is left");
    assert_eq!(outcome.data(), b"2\n");
    until("the archive", || done(&drop, &id));
    std::mem::drop(second);
}

/// The closing of a dead consumer's presence is a hint: nobody waits for a safety rescan, far less for a lease.
#[test]
fn a_death_is_noticed_at_once() {
    let (place, drop, id) = folder();
    let begun = place.path().join("begun");
    let mut first = Consumer::start(&drop, &[], &format!("{}; exec sleep 600", writes("$$", &begun)));
    let handler = pid_in(&begun);
    let _second = Consumer::start(&drop, &["--watch", "notify"], "echo $FILEDROP_ATTEMPT");
    until("the second consumer", || (drop.census().unwrap().consumers.len() == 2).then_some(()));
    first.kill();
    let outcome = until("the take-over", || drop.outcome(&id).unwrap());
    assert_eq!((outcome.attempt(), outcome.data()), (2, &b"2\n"[..]));
    until("the end of the handler", || (!is_running(&handler)).then_some(()));
}

/// Many kills at arbitrary moments: no job is lost, and each has one outcome.
#[test]
fn no_job_is_lost_however_often_consumers_are_killed() {
    const JOBS: usize = 60;
    let (place, drop, first) = folder();
    let jobs = (1..JOBS).map(|nth| Submission::new("test").data(nth.to_string())).collect();
    let mut ids = drop.submit_all(jobs).unwrap();
    ids.push(first);
    let handled = place.path().join("handled");
    std::fs::create_dir(&handled).unwrap();
    let script = format!("cat; echo > '{}'/$FILEDROP_ID.$FILEDROP_ATTEMPT", handled.display());
    let so_far = || std::fs::read_dir(&handled).unwrap().count();
    // Whoever is killed had handled dozens of jobs that were not settled yet: each time they are attempted again.
    let patient = ["--concurrency", "3", "--max-attempts", "20"];
    for round in 1..6 {
        let mut consumer = Consumer::start(&drop, &patient, &script);
        let enough = JOBS * round / 8;
        until("some jobs", || (so_far() >= enough).then_some(()));
        consumer.kill();
    }
    let mut last = Consumer::start(&drop, &[&["--drain"], &patient[..]].concat(), &script);
    assert!(last.0.wait().unwrap().success());
    for id in &ids {
        assert!(drop.outcome(id).unwrap().is_some(), "{id} has no outcome");
        assert!(done(&drop, id).is_some(), "{id} is not archived");
    }
    let census = drop.census().unwrap();
    assert_eq!((census.rooms.inbox, census.rooms.claimed, census.rooms.outcomes), (0, 0, JOBS));
    assert!(census.consumers.is_empty(), "{:?}", census.consumers);
}
