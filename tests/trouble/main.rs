//! Programs of all roles in one folder, killed and stopped at random, with an observer that reads all that is visible. Who is struck
//! follows from a seed; it ends after so many kills and stops, on every machine. Then the folder is damaged, and the audit has to see
//! that. `tests/trouble/run --fs ext4 --minutes 60` is the full campaign.

#![allow(clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

#[test]
fn nothing_is_lost_or_decided_twice_whoever_is_killed_or_stopped() {
    let recent = "import sys; sys.exit(sys.version_info < (3, 9))";
    if !Command::new("python3").args(["-c", recent]).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no python3 (3.9 or newer) on the PATH to run the campaign with");
        return;
    }
    let place = tempfile::tempdir().expect("a temporary folder");
    let programs = Path::new(env!("CARGO_BIN_EXE_consumer")).parent().expect("a folder");
    let mut campaign = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trouble/run"));
    campaign.arg("--in").arg(place.path()).args(["--strikes", "80", "--prove", "--programs"]).arg(programs);
    let ended = campaign.output().expect("it starts");
    let (told, complaints) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{}\n{told}\n{complaints}", ended.status);
    eprintln!("{told}");
}
