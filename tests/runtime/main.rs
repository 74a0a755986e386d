//! Producers, consumers and handlers on real folders.

#![allow(clippy::unwrap_used)]

mod alive;
mod collecting;
mod commands;
mod consuming;
mod dispatching;
mod draining;
mod dropped;
mod faulty;
mod held_back;
mod receipts;
mod returning;
mod stopping;
mod stubborn;
mod stuck;
mod together;
mod trouble;
mod waiting;
mod watches;
mod workspaces;

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Event, Exec, Observer, Outcome, Submission};
use tempfile::TempDir;

/// Longer than anything here takes, on the slowest machine.
const LONG: Option<Duration> = Some(Duration::from_secs(60));

fn folder() -> (TempDir, DropFolder) {
    let place = tempfile::tempdir().unwrap();
    let drop = DropFolder::init(place.path().join("drop")).unwrap();
    (place, drop)
}

fn job(data: &str) -> Submission {
    Submission::new("test").data(data)
}

fn sh(script: &str) -> Exec {
    Exec::find("sh", vec!["-c".into(), script.into()]).unwrap()
}

/// What a command made of a job.
fn run_one(drop: &DropFolder, job: Submission, command: Exec) -> Outcome {
    let id = drop.submit(job).unwrap();
    drop.consumer().max_attempts(1).drain(true).run_command(command).unwrap();
    drop.outcome(&id).unwrap().expect("it is decided")
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LONG.unwrap(), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Nothing is left behind by a consumer that ended well.
fn assert_tidy(drop: &DropFolder) {
    for room in ["claimed", "tmp"] {
        assert_eq!(names(&drop.path().join(room)), Vec::<String>::new(), "in {room}/");
    }
}

/// Keeps what happened, as text.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Observer for Diary {
    fn notice(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Diary {
    fn has(&self, what: &str) -> bool {
        self.count(what) > 0
    }

    fn count(&self, what: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|event| event.contains(what)).count()
    }
}

/// Kills the process whose id is in that file. Whether there was one.
fn kill(pid: &Path) -> bool {
    let pid = std::fs::read_to_string(pid).unwrap();
    std::process::Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success()
}
