//! What travels beside an envelope: files that are attached to a job, files and data that a handler leaves.

#![allow(clippy::unwrap_used)]

mod attaching;
mod fetching;
mod given;
mod last_words;
mod memory;
mod redriving;
mod results;
mod spilling;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Exec, Id, Job, Outcome, Submission};
use tempfile::TempDir;

/// Longer than anything here takes, on the slowest machine.
const LONG: Duration = Duration::from_secs(60);

struct Folder {
    place: TempDir,
    drop: DropFolder,
}

impl Folder {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let drop = DropFolder::init(place.path().join("drop")).unwrap();
        Self { place, drop }
    }

    /// A path beside the drop folder, on the same file system.
    fn beside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.place.path().join(name)
    }

    fn file(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.beside(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Below `payload/`, folders without what is in them.
    fn payload(&self) -> Vec<String> {
        names(&self.drop.path().join("payload"))
    }

    /// A job in the inbox.
    fn job(&self, id: &Id) -> Job {
        let place = self.drop.locate(id).unwrap().remove(0);
        assert_eq!(place.room, "inbox");
        Job::decode(id, 1, &std::fs::read(self.drop.path().join(place.path)).unwrap()).unwrap()
    }

    /// The files that travel with a job in the inbox.
    fn files(&self, id: &Id) -> Vec<PathBuf> {
        let check = self.job(id).files_ref().expect("files travel with it");
        assert_eq!(check.stamp.id, *id);
        self.drop.files(&check).unwrap().into_iter().map(|(path, _)| path).collect()
    }

    /// Handles what is there, each job once.
    fn drain(&self, command: Exec) {
        self.drop.consumer().max_attempts(1).drain(true).run_command(command).unwrap();
    }

    /// What a script made of a job.
    fn run(&self, script: &str) -> Outcome {
        self.run_command(sh(script))
    }

    fn run_command(&self, command: Exec) -> Outcome {
        let id = self.drop.submit(job()).unwrap();
        self.drain(command);
        self.drop.outcome(&id).unwrap().expect("it is decided")
    }

    /// All of an outcome's data.
    fn data(&self, outcome: &Outcome) -> Vec<u8> {
        let mut bytes = Vec::new();
        std::io::copy(&mut self.drop.read(outcome).unwrap(), &mut bytes).unwrap();
        bytes
    }

    /// Nothing is in `payload/` but what these refer to.
    fn assert_payload_is(&self, outcomes: &[&Outcome]) {
        let checks = outcomes.iter().flat_map(|outcome| [outcome.files_ref(), outcome.data_ref()]);
        let mut expected: Vec<_> = checks.flatten().map(|check| check.name()).collect();
        expected.sort();
        assert_eq!(self.payload(), expected);
    }
}

fn job() -> Submission {
    Submission::new("test").data("x")
}

fn sh(script: &str) -> Exec {
    Exec::find("sh", vec!["-c".into(), script.into()]).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

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
