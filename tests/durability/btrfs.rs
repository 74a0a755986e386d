//! On btrfs what was flushed before it had a name is empty after a power cut (Linux 6.1; see `tests/powercut`).

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::trace::{Call, strace};

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
            let why = "btrfs cannot be mounted here (that takes root, and mkfs.btrfs)";
            assert!(std::env::var_os("CI").is_none(), "{why}");
            // Past the harness, which would show it only if the test failed.
            writeln!(std::io::stderr(), "SKIPPED: {why}").expect("stderr is open");
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

/// P2.
#[test]
fn every_draft_has_a_name() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = Disk::mount(place.path()) else { return };
    let drop = disk.at.canonicalize().expect("it is there").join("drop");
    let path = drop.to_str().expect("text");
    let (producer, consumer) = (env!("CARGO_BIN_EXE_producer"), env!("CARGO_BIN_EXE_consumer"));
    let steps: [&[&str]; 3] = [
        &[env!("CARGO_BIN_EXE_filedrop"), "init", "-q", path],
        &[producer, "submit", path, "--type", "t", "--data", "1"],
        &[consumer, "run", "-q", path, "--drain", "--", "cat"],
    ];
    for step in steps {
        let Some(traced) = strace(step, &[]) else { return };
        let trace = traced.well().trace;
        assert!(!trace.calls.iter().any(Call::is_unnamed), "{step:?}: {trace}");
        assert!(trace.calls.iter().any(Call::flushes), "it did something: {trace}");
    }
}
