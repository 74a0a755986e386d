//! On btrfs what was flushed before it had a name is empty after a power cut, and a folder that two flush at once may be durable for one of
//! them only (Linux 6.1; see `tests/powercut`).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skip;
use crate::trace::{Call, Trace, Traced, strace};

/// The least that it asks for.
const BYTES: u64 = 128 << 20;

/// A file system in a file. `None` where nobody may mount one.
struct Disk {
    at: PathBuf,
}

impl Disk {
    fn mount(place: &Path) -> Option<Self> {
        let (image, at) = (place.join("image"), place.join("disk"));
        File::create(&image).and_then(|file| file.set_len(BYTES)).expect("a sparse file");
        std::fs::create_dir(&at).expect("a folder");
        let mounted = says_yes(Command::new("mkfs.btrfs").arg("-q").arg(&image))
            && says_yes(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at));
        if !mounted {
            skip("btrfs cannot be mounted here (that takes root, and mkfs.btrfs)");
        }
        mounted.then_some(Self { at })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        says_yes(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

fn says_yes(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

const FILEDROP: &str = env!("CARGO_BIN_EXE_filedrop");
const PRODUCER: &str = env!("CARGO_BIN_EXE_producer");
const CONSUMER: &str = env!("CARGO_BIN_EXE_consumer");

/// P2.
#[test]
fn every_draft_has_a_name() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = Disk::mount(place.path()) else { return };
    let drop = disk.at.canonicalize().expect("it is there").join("drop");
    let path = drop.to_str().expect("text");
    let steps: [&[&str]; 3] = [
        &[FILEDROP, "init", "-q", path],
        &[PRODUCER, "submit", path, "--type", "t", "--data", "1"],
        &[CONSUMER, "run", "-q", path, "--drain", "--", "cat"],
    ];
    for step in steps {
        let Some(traced) = strace(step, &[]) else { return };
        let trace = traced.well().trace;
        assert!(!trace.calls.iter().any(Call::is_unnamed), "{step:?}: {trace}");
        assert!(trace.calls.iter().any(Call::flushes), "it did something: {trace}");
    }
}

/// What is done with an open folder, beside closing it: by one thread at a time here.
fn done_with(trace: &Trace, folder: &Path) -> Vec<String> {
    let with = trace.calls.iter().filter(|call| call.is_with(folder) && call.ok && call.name != "close");
    with.map(|call| call.name.clone()).collect()
}

/// P3, P10, P14: no flush of another that has not come to its end counts for ours.
#[test]
fn a_folder_is_changed_and_flushed_again() {
    const TWICE: [&str; 3] = ["fsync", "utimensat", "fsync"];
    let place = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = Disk::mount(place.path()) else { return };
    let at = disk.at.canonicalize().expect("it is there");
    let drop = at.join("drop");
    let path = drop.to_str().expect("text");
    let run = |command: &[&str]| strace(command, &[]).map(Traced::well);
    let Some(_) = run(&[FILEDROP, "init", "-q", path]) else { return };
    let Some(submitted) = run(&[PRODUCER, "submit", path, "--type", "t", "--data", "1"]) else { return };
    assert_eq!(done_with(&submitted.trace, &drop.join("inbox")), TWICE, "{}", submitted.trace);

    let Some(drained) = run(&[CONSUMER, "run", "-q", path, "--drain", "--", "cat"]) else { return };
    let mut days = std::fs::read_dir(drop.join("outcomes")).expect("it is there");
    let day = days.next().expect("one").expect("a folder").path();
    assert_eq!(done_with(&drained.trace, &day), TWICE, "{}", drained.trace);

    let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");
    let script = "import sys; sys.path.insert(0, sys.argv[1]); import filedrop; filedrop.DropFolder(sys.argv[2]).submit('t', 1)";
    let Some(python) = run(&["python3", "-B", "-c", script, clients, path]) else { return };
    assert_eq!(done_with(&python.trace, &drop.join("inbox")), TWICE, "{}", python.trace);

    // Who may not change it flushes all that there is.
    assert!(says_yes(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&at)), "it is ours");
    let Some(shown) = run(&[FILEDROP, "show", path, submitted.out.trim()]) else { return };
    assert_eq!(done_with(&shown.trace, &day), ["fsync", "syncfs"], "{}", shown.trace);
}
