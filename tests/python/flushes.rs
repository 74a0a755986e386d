//! In which order Python flushes: a file before it has a name, a name before what follows from it (R1, R5, R6).

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Place, no_python};

/// What it does to files, by the rooms that they are in; each name is `*`.
fn traced(mut command: Command, input: &str) -> Vec<String> {
    command.env("TRACE", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said.lines().map(str::to_owned).collect()
}

/// P3.
#[test]
fn of_a_submission() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let done = traced(place.python("submit", &[]), "{\"data\":1}\n");
    assert_eq!(done, ["fsync tmp/*", "rename tmp/* inbox/*", "fsync inbox"]);
}

/// P20: the entry is durable before the job is there.
#[test]
fn of_a_given_id() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let done = traced(place.python("submit", &[]), "{\"data\":1,\"id\":\"given\"}\n");
    let expected = [
        "mkdir ids/*",
        "fsync ids",
        "fsync tmp/*",
        "rename tmp/* ids/*/*",
        "link ids/*/* ids/*/*",
        "fsync ids/*",
        "rename ids/*/* inbox/*",
        "fsync inbox",
    ];
    assert_eq!(done, expected);
}

/// P4, P6, P9 to P12, P17; and P15.
#[test]
fn of_an_outcome_that_is_delivered_and_collected() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let asked = r#"{"specversion":"1.0","id":"asked","source":"/s","type":"test","replyto":"acme"}"#;
    place.submit_envelopes(&[asked.to_owned()]);
    let done = traced(place.python("work", &[]), "");
    let registered = ["fsync tmp/*", "rename tmp/* claimed/*", "mkdir claimed/*", "fsync claimed"];
    let claimed = ["rename inbox/* claimed/*/*"];
    let staged = ["fsync tmp/*", "rename tmp/* claimed/*/*", "fsync claimed/*"];
    let decided = ["mkdir outcomes/*", "fsync outcomes", "link claimed/*/* outcomes/*/*", "fsync outcomes/*"];
    let delivered = ["rename claimed/*/* replies/*/*/*", "fsync replies/*/*", "fsync claimed/*"];
    let archived = ["mkdir done/*", "fsync done", "rename claimed/*/* done/*/*"];
    let left = ["fsync claimed/*", "rmdir claimed/*"];
    let expected: Vec<&str> =
        [&registered[..], &claimed, &staged, &decided, &delivered, &archived, &left].concat();
    // How the address's own folder is made lies between; the last of that is that it is durable.
    let first = done.iter().position(|call| call == "mkdir replies/*").unwrap();
    let end = done.iter().position(|call| call.starts_with("rename claimed/*/* replies")).unwrap();
    assert_eq!(done[end - 1], "fsync replies/*");
    let rest: Vec<&str> = done[..first].iter().chain(&done[end..]).map(String::as_str).collect();
    assert_eq!(rest, expected);

    let done = traced(place.python("collect", &["acme"]), "");
    let settled = ["link replies/*/*/*/* replies/*/*/*/*", "fsync replies/*/*/*", "fsync replies/*/*/*"];
    let at = done.iter().position(|call| call.starts_with("link")).unwrap();
    assert_eq!(done[at..at + 3], settled, "{done:?}");
    assert!(
        done[at - 2..at].iter().any(|call| call.starts_with("fsync")),
        "the archive's day, before: {done:?}"
    );
}
