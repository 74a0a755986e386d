//! Python is killed, or stops, before each of its calls that change a file or make it durable, one after the other; our
//! programs, or another Python, do the rest.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Place, Running, no_python};

/// Far more calls than anything here needs.
const MOST_CALLS: usize = 200;

/// Runs it until it gets through, killed one call later each time. `what` is checked after each.
#[track_caller]
pub(crate) fn at_each_call(
    command: impl Fn(&Place) -> std::process::Command,
    prepare: impl Fn(&Place),
    check: impl Fn(&Place, usize),
) {
    for nth in 1..MOST_CALLS {
        let place = Place::new();
        prepare(&place);
        let mut command = command(&place);
        let ended = command.env("CRASH_AT", nth.to_string()).stdout(Stdio::null()).status().unwrap();
        assert!(matches!(ended.code(), Some(0 | 99)), "call {nth}: {ended}");
        check(&place, nth);
        if ended.success() {
            assert!(nth > 3, "it was killed before some of its calls");
            return;
        }
    }
    panic!("it never got through");
}

/// P4 to P17: whatever a worker in Python leaves, there is one outcome, delivered once.
#[test]
fn a_worker_that_dies_before_each_of_its_calls() {
    if no_python() {
        return;
    }
    let asked =
        r#"{"specversion":"1.0","id":"asked","source":"/s","type":"test","replyto":"acme","data":"x"}"#;
    let prepare = |place: &Place| drop(place.submit_envelopes(&[asked.to_owned()]));
    let worker = |place: &Place| place.python("work", &[]);
    at_each_call(worker, prepare, |place, nth| {
        // The next ones are ours and Python's by turns; one may find that nobody can tell yet.
        if nth % 2 == 0 {
            place.run("consumer run DROP --drain -q -- cat", &[]);
        } else {
            place.says("work", &[]);
        }
        place.run("consumer run DROP --drain -q -- cat", &[]);
        let told = place.says("collect", &["acme"]);
        assert_eq!(told.len(), 1, "call {nth}: {:?}", place.files());
        assert_eq!(
            (&told[0]["id"], &told[0]["outcome"]),
            (&json!("asked"), &json!("succeeded")),
            "call {nth}"
        );
        assert_eq!((place.in_room("outcomes").len(), place.in_room("done").len()), (1, 1), "call {nth}");
        place.is_at_rest();
    });
}

/// P15: each outcome is settled once, and nobody loses it.
#[test]
fn a_collector_that_dies_before_each_of_its_calls() {
    if no_python() {
        return;
    }
    let asked =
        r#"{"specversion":"1.0","id":"asked","source":"/s","type":"test","replyto":"acme","data":"x"}"#;
    let prepare = |place: &Place| {
        place.submit_envelopes(&[asked.to_owned()]);
        place.run("consumer run DROP --drain -q -- cat", &[]);
        std::fs::create_dir(place.beside("out")).unwrap();
    };
    let collector = |place: &Place| place.python("collect", &["acme"]);
    at_each_call(collector, prepare, |place, nth| {
        place.run("producer collect -q DROP --as acme --to out", &[]);
        let within = "replies/acme/done/";
        let left: Vec<String> =
            place.in_room("replies").into_iter().filter(|path| !path.contains("/tmp/")).collect();
        let archived = left.iter().filter(|path| path.starts_with(within)).count();
        assert_eq!((left.len(), archived), (2, 1), "call {nth}: {left:?}");
    });
}

/// P3, P20: a job of a given id is there once when it was submitted again, whoever does that.
#[test]
fn a_submission_that_dies_before_each_of_its_calls() {
    if no_python() {
        return;
    }
    for id in ["given", "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"] {
        let submit = |place: &Place| {
            let line = place.beside("line");
            std::fs::write(&line, format!("{}\n", json!({"id": id, "data": 1}))).unwrap();
            let mut command = place.python("submit", &[]);
            command.stdin(std::fs::File::open(line).unwrap());
            command
        };
        at_each_call(
            submit,
            |_| {},
            |place, nth| {
                if nth % 2 == 0 {
                    let again: Vec<Value> = place.says_to("submit", &[json!({"id": id, "data": 1})]);
                    assert_eq!(again[0]["id"], id);
                } else {
                    place.run("producer submit -q DROP --type test --data 1 --id", &[id]);
                }
                assert_eq!(place.in_room("inbox").len(), 1, "call {nth}: {:?}", place.files());
                assert_eq!(place.in_room("ids").iter().filter(|path| path.ends_with(id)).count(), 1);
            },
        );
    }
}

/// P20: two give an id, and one of them stops before each of its calls, until the other has done all.
#[test]
fn a_submission_that_stops_before_each_of_its_calls() {
    if no_python() {
        return;
    }
    for nth in 1..MOST_CALLS {
        let place = Place::new();
        std::fs::write(place.beside("line"), format!("{}\n", json!({"id": "given", "data": 1}))).unwrap();
        let mut command = place.python("submit", &[]);
        command.stdin(std::fs::File::open(place.beside("line")).unwrap()).env("PAUSE_AT", nth.to_string());
        let mut submitting = Running::start(command);
        let paused = submitting.line().contains("paused");
        place.run("producer submit -q DROP --type test --data 1 --id given", &[]);
        if nth % 2 == 0 {
            place.run("consumer run DROP --drain -q -- cat", &[]);
        }
        std::fs::write(place.beside("go"), "").unwrap();
        submitting.rest();
        let jobs = [place.in_room("inbox"), place.in_room("done")].concat();
        assert_eq!(jobs.len(), 1, "call {nth}: {:?}", place.files());
        assert_eq!(place.in_room("ids"), ["ids/en/given"], "call {nth}");
        if !paused {
            assert!(nth > 3, "it stopped before some of its calls");
            return;
        }
    }
    panic!("it never got through");
}
