//! The rules of the house that a machine can check.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, with its path from the root.
fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    found
}

/// The code of a file: no comments, no doc tests, no unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A group may name itself and those before it. Only the façade, `lib.rs` and `edge` put adapters together with the rest.
#[test]
fn dependencies_point_one_way() {
    const ORDER: [&str; 4] = ["words", "ports", "actors", "adapters"];
    let mut checked = 0;
    for (path, text) in sources("src") {
        let group = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
        let Some(rank) = ORDER.iter().position(|name| *name == group) else { continue };
        checked += 1;
        let forbidden: Vec<&str> = match group {
            // Adapters implement ports; they know nothing of who uses them.
            "adapters" => vec!["actors", "edge", "folder"],
            _ => ORDER[rank + 1..].iter().copied().chain(["edge", "folder"]).collect(),
        };
        for name in forbidden {
            let code = code(&text);
            assert!(!code.contains(&format!("crate::{name}")), "{} names {name}", path.display());
        }
    }
    assert!(checked > 30, "the check found the files");
}

/// Words are pure: no file, no clock, no thread.
#[test]
fn words_are_pure() {
    for (path, text) in sources("src/words") {
        for impure in
            ["std::fs", "std::time::Instant", "SystemTime", "std::thread", "std::env", "std::process"]
        {
            assert!(!code(&text).contains(impure), "{} uses {impure}", path.display());
        }
    }
}

#[test]
fn files_hold_one_idea() {
    for (path, text) in ["src", "bin", "tests"].into_iter().flat_map(sources) {
        let lines = text.lines().count();
        assert!(lines <= 420, "{} has {lines} lines", path.display());
    }
}

/// Every row of PROTOCOL.md is named by a test, and tests name no other.
#[test]
fn every_row_of_the_protocol_is_named_by_a_test() {
    let protocol = fs::read_to_string(root().join("PROTOCOL.md")).unwrap();
    let rows: BTreeSet<String> = protocol
        .lines()
        .filter_map(|line| line.strip_prefix("| P")?.split_once(" |"))
        .map(|(number, _)| format!("P{number}"))
        .collect();
    assert!(rows.len() >= 15, "the table was found");
    let mut named = BTreeSet::new();
    for (path, text) in sources("tests") {
        if path.ends_with("tidy.rs") {
            continue;
        }
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            if let Some(number) = word.strip_prefix('P')
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
            {
                assert!(rows.contains(word), "{} names {word}, which is no row", path.display());
                named.insert(word.to_owned());
            }
        }
    }
    let forgotten: Vec<_> = rows.difference(&named).collect();
    assert!(forgotten.is_empty(), "no test names {forgotten:?}");
}

/// Each deliberate fault still fits the source, its test is there, and ARCHITECTURE.md has all of them. Builds nothing.
#[test]
fn deliberate_faults_fit_the_source() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|python| python.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI skips nothing: python3 is not installed");
        return;
    }
    let fits = Command::new("python3").arg(root().join("tests/faults/run")).arg("--fits").output().unwrap();
    assert!(fits.status.success(), "{}", String::from_utf8_lossy(&fits.stderr));
}

/// Four pages of 500 words for whoever writes a small program, two more for the policies, one for events, and one and a half for
/// bare files.
#[test]
fn the_protocol_is_short() {
    let protocol = fs::read_to_string(root().join("PROTOCOL.md")).unwrap();
    let (before, rest) = protocol.split_once("## Policies").unwrap();
    let (policies, rest) = rest.split_once("## Events").unwrap();
    let (events, rest) = rest.split_once("## Files of strangers").unwrap();
    let (strangers, after) = rest.split_once("## What is promised").unwrap();
    let words =
        |text: &str| text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
    let counts = [words(before) + words(after), words(policies), words(events), words(strangers)];
    let fits = counts.iter().zip([2000, 1000, 500, 750]).all(|(count, most)| *count <= most);
    assert!(fits, "PROTOCOL.md has {counts:?} words");
}

/// ARCHITECTURE.md says what proves what: the proofs are where it says, and it counts the calls of `Fs` right.
#[test]
fn what_the_architecture_names_is_there() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut found = 0;
    // What is between backticks.
    for quoted in page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
        let path = quoted.split(' ').next().unwrap();
        if ["tests/", "fuzz/", "docs/"].iter().any(|folder| path.starts_with(folder)) && !path.contains('{') {
            let there = root().join(path);
            let is_there = if path.ends_with('/') { there.is_dir() } else { there.exists() };
            assert!(is_there, "ARCHITECTURE.md names {path}, which is not there");
            found += 1;
        }
    }
    assert!(found > 40, "the table was found");
    let port = fs::read_to_string(root().join("src/ports/fs.rs")).unwrap();
    let (_, port) = port.split_once("pub trait Fs").unwrap();
    let (port, _) = port.split_once("\n}\n").unwrap();
    let calls = port.lines().filter(|line| line.starts_with("    fn ")).count();
    assert!(page.contains(&format!("Fs ({calls} calls)")), "there are {calls}");
}

/// No stubs, no print-outs, and no other unsafe code than what says why it is sound.
#[test]
fn nothing_is_left_lying_about() {
    for (path, text) in ["src", "bin"].into_iter().flat_map(sources) {
        for leftover in ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "XXX"] {
            assert!(!text.contains(leftover), "{} has a {leftover}", path.display());
        }
        let unsound = text.matches("unsafe {").count() > text.matches("SAFETY:").count();
        assert!(!unsound, "{} has unsafe code without a SAFETY comment", path.display());
    }
}
