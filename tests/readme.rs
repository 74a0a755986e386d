//! What the README, and the documents that have examples, tell people to type, typed.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// The `sh` blocks of a document, in order.
fn blocks(document: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while lines.by_ref().any(|line| line == "```sh") {
        blocks
            .push(lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect());
    }
    blocks
}

#[test]
fn the_readme_does_what_it_says() {
    does_what_it_says("README.md");
}

#[test]
fn the_file_binding_does_what_it_says() {
    does_what_it_says("docs/cloudevents-file-binding.md");
}

/// Runs in an empty folder, in one shell, with the three programs on its PATH. A line `#=> text` promises a line of output.
#[track_caller]
fn does_what_it_says(document: &str) {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let script = blocks(&document).concat();
    assert!(script.contains("filedrop init"), "it has blocks to run");
    let place = tempfile::tempdir().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_producer")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-euc", &script]).current_dir(&place).env("PATH", path).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", output.status);
    let mut printed = stdout.lines();
    for promised in script.lines().filter_map(|line| line.strip_prefix("#=> ")) {
        assert!(
            printed.any(|line| line == promised),
            "no line {promised:?} in\n{stdout}\n--- stderr\n{stderr}"
        );
    }
}
