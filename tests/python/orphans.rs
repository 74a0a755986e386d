//! A sweep has what travels with a job in hand (P26), and Python wants it.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::{Place, Running, no_python};

/// Before it, the files are not there yet, and a submitter that misses them fails.
const FIRST_CALL: usize = 4;
const MOST_CALLS: usize = 40;

/// What there is in `payload/`.
fn payload(place: &Place) -> Option<PathBuf> {
    fs::read_dir(place.drop.join("payload")).unwrap().next().map(|entry| entry.unwrap().path())
}

fn take_aside(place: &Place) -> Option<PathBuf> {
    let path = payload(place)?;
    let name = path.file_name().unwrap().to_str().unwrap();
    fs::rename(&path, path.with_file_name(format!("{name}.0123456789abcdef.orphan"))).unwrap();
    Some(path)
}

/// Stops a submission with a file before its `nth` call, lets `meanwhile` happen, and tells whether it stopped, and what it said.
fn submit(place: &Place, id: Option<&str>, nth: usize, meanwhile: impl Fn()) -> (bool, String) {
    fs::write(place.beside("page.txt"), "page").unwrap();
    let line = json!({"attach": "page.txt", "id": id});
    fs::write(place.beside("line"), format!("{line}\n")).unwrap();
    let mut command = place.python("submit", &[]);
    command.stdin(fs::File::open(place.beside("line")).unwrap()).env("PAUSE_AT", nth.to_string());
    let mut submitting = Running::start(command);
    let first = submitting.line();
    if !first.contains("paused") {
        return (false, first);
    }
    meanwhile();
    fs::write(place.beside("go"), "").unwrap();
    (true, submitting.rest())
}

#[test]
fn a_submitter_brings_back_what_a_sweep_has_in_hand() {
    if no_python() {
        return;
    }
    for id in [None, Some("given")] {
        for nth in FIRST_CALL..MOST_CALLS {
            let place = Place::new();
            let (stopped, said) = submit(&place, id, nth, || drop(take_aside(&place)));
            if !stopped {
                assert!(nth > FIRST_CALL + 2, "it stopped before some of its calls");
                break;
            }
            assert!(said.contains("\"id\""), "call {nth}: {said}");
            let told = place.says("work", &[]);
            assert_eq!(told[0]["files"], json!({"page.txt": "page"}), "call {nth}: {:?}", place.files());
        }
    }
}

#[test]
fn a_submitter_whose_files_are_gone_does_not_say_that_the_job_is_there() {
    if no_python() {
        return;
    }
    for id in [None, Some("given")] {
        let place = Place::new();
        let (stopped, said) = submit(&place, id, FIRST_CALL + 1, || {
            fs::remove_dir_all(payload(&place).unwrap()).unwrap();
        });
        assert!(stopped && said.contains("\"uncertain\""), "{said}");
    }
    // Nor does who repeats it.
    let place = Place::new();
    fs::write(place.beside("page.txt"), "page").unwrap();
    place.run("producer submit -q DROP --type test --id given --attach", &["page.txt"]);
    assert_eq!(place.says_to("submit", &[json!({"id": "given"})])[0]["id"], "given");
    fs::remove_dir_all(payload(&place).unwrap()).unwrap();
    assert_eq!(place.says_to("submit", &[json!({"id": "given"})])[0]["uncertain"], "given");
}

/// A sweep may have died with it.
#[test]
fn a_worker_brings_back_what_a_sweep_left_aside() {
    if no_python() {
        return;
    }
    let place = Place::new();
    fs::write(place.beside("page.txt"), "page").unwrap();
    place.run("producer submit -q DROP --type test --attach", &["page.txt"]);
    let name = take_aside(&place).unwrap();
    assert_eq!(place.says("work", &[])[0]["files"], json!({"page.txt": "page"}));
    assert_eq!(payload(&place), Some(name));
    // What is all of a job's data is a file.
    let place = Place::new();
    let data = place.drop.join("payload/0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee.0123456789abcdef.data");
    fs::write(format!("{}.fedcba9876543210.orphan", data.display()), "data").unwrap();
    let job = json!({"specversion": "1.0", "id": "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee", "source": "/s", "type": "test",
        "dataref": "payload/0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee.0123456789abcdef.data"});
    let file = "5.1760000000000.0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee.1.job.json";
    fs::write(place.drop.join("inbox").join(file), job.to_string()).unwrap();
    assert_eq!(place.says("work", &[])[0]["data"], "data");
    assert_eq!(payload(&place), Some(data));
}
