//! The examples do what they say.

use std::path::Path;
use std::process::Command;

/// What an example prints, in an empty folder.
fn run(name: &str) -> String {
    let tests = std::env::current_exe().expect("this test");
    let examples = tests.parent().and_then(Path::parent).expect("a target folder").join("examples");
    let place = tempfile::tempdir().expect("a folder");
    let ended =
        Command::new(examples.join(name)).current_dir(&place).output().expect("`cargo test` built it");
    assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).expect("text")
}

#[test]
fn common_data() {
    assert_eq!(run("common_data"), "10 orders are billed\n");
}

#[test]
fn request_response() {
    let said = run("request_response");
    assert_eq!(said, "order 1 costs 100\norder 2 costs 200\norder 3 costs 300\n3 answers\n");
}

#[test]
fn events() {
    let said = run("events");
    let lines = [
        "billing handles orders.created",
        "billing handled 1",
        "audit handles orders.created",
        "audit handles users.created",
        "audit handled 2",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn blocking_call() {
    assert_eq!(run("blocking_call"), "11\n12\n13\n14\n15\n");
}
