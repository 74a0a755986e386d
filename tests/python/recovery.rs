//! One side is killed in the middle of a job, the other takes it over.

use serde_json::{Value, json};

use crate::harness::{Place, Running, no_python, until};

/// P13: the lock of a Python worker is free when it dies.
#[test]
fn ours_takes_over_from_a_python_that_was_killed() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let id = place.submit("x");
    let mut worker = Running::start(place.python("work", &["handler=hang", "stay"]));
    let handling: Value = serde_json::from_str(&worker.line()).unwrap();
    assert_eq!((&handling["handling"], &handling["attempt"]), (&json!(id), &json!(1)));
    // While it lives, nobody takes it: a drain has nothing to do.
    place.run("consumer run DROP --drain -q -- false", &[]);
    worker.kill();
    place.run("consumer run DROP --drain -q -- sh -c", &["echo attempt $FILEDROP_ATTEMPT"]);
    assert_eq!(place.run("producer wait DROP", &[&id]), "attempt 2\n");
    place.is_at_rest();
}

/// P13: the other way round.
#[test]
fn python_takes_over_from_one_of_ours_that_was_killed() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let id = place.submit("x");
    let consumer = Running::start(place.ours("consumer run DROP -q -- sh -c", &["echo > begun; sleep 3600"]));
    until("the handler begins", || place.beside("begun").exists().then_some(()));
    assert_eq!(place.says("work", &[])[0]["succeeded"], 0, "it lives");
    consumer.kill();
    let told = place.says("work", &[]);
    assert_eq!((&told[0]["handling"], &told[0]["attempt"]), (&json!(id), &json!(2)), "{told:?}");
    assert_eq!(place.run("producer wait DROP", &[&id]), "X");
    place.is_at_rest();
}

/// A consumer without a lock is judged by its silence, on both sides (P5, P13).
#[test]
fn python_judges_by_silence() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let room = place.drop.join("claimed/silent-0123456789abcdef");
    std::fs::create_dir(&room).unwrap();
    let presence = r#"{"host":"elsewhere","pid":1,"lease_ms":300,"lock":false,"beat":1}"#;
    std::fs::write(room.with_extension("presence"), presence).unwrap();
    let job = r#"{"specversion":"1.0","id":"job","source":"/s","type":"test","data":"x"}"#;
    std::fs::write(room.join("5.1764000000000.job.1.job.json"), job).unwrap();
    let told = place.says("work", &[]);
    assert_eq!((&told[0]["handling"], &told[0]["attempt"]), (&json!("job"), &json!(2)), "{told:?}");
    place.is_at_rest();
}

/// P4, P17: who is taken for dead while its process is stopped keeps nobody waiting, and its own answer does not count twice.
#[test]
fn a_python_that_was_stopped_for_long() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let id = place.submit("x");
    let mut worker = Running::start(place.python("work", &["handler=wait", "lease=0.5", "stay"]));
    worker.line();
    worker.stop();
    let other =
        Running::start(place.ours("consumer run DROP -q -- sh -c", &["echo attempt $FILEDROP_ATTEMPT"]));
    until("another takes it over", || (!place.in_room("done").is_empty()).then_some(()));
    other.kill();
    worker.go_on();
    std::fs::write(place.beside("go"), "").unwrap();
    let again = place.submit("y");
    assert_eq!(place.run("producer wait DROP", &[&again]), "Y", "it works on, in a new room or its own");
    assert_eq!(place.run("producer wait DROP", &[&id]), "attempt 2\n", "the first outcome stands");
    worker.kill();
    place.run("consumer run DROP --drain -q -- cat", &[]);
    place.is_at_rest();
    assert_eq!(place.in_room("done").len(), 2);
}

/// A Python worker that has a job in hand, until the file `go` is there, and registers anew soon.
fn waiting_worker(place: &Place) -> Running {
    submit_given(place, "x");
    let mut worker = Running::start(place.python("work", &["handler=wait", "lease=0.5", "stay"]));
    worker.line();
    worker
}

fn submit_given(place: &Place, text: &str) {
    place.says_to("submit", &[json!({"id": "given", "text": text})]);
}

/// Lets that worker go on, and waits for the outcome of the job here.
fn outcome(place: &Place) -> String {
    std::fs::write(place.beside("go"), "").unwrap();
    place.run("producer wait DROP given", &[])
}

/// A job in hand, and another drop folder in the place of the one that it came from: its outcome would be another job's there.
#[test]
fn a_python_settles_nothing_in_another_folder() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let worker = waiting_worker(&place);
    let rooms = || std::fs::read_dir(place.drop.join("claimed")).map_or(0, Iterator::count);
    std::fs::rename(&place.drop, place.beside("first")).unwrap();
    place.run("filedrop init -q DROP", &[]);
    submit_given(&place, "y");
    until("it registers anew", || (rooms() == 2).then_some(()));
    assert_eq!(outcome(&place), "Y");
    worker.kill();
    std::fs::rename(&place.drop, place.beside("second")).unwrap();
    std::fs::rename(place.beside("first"), &place.drop).unwrap();
    assert_eq!(place.says("work", &[])[0]["attempt"], 2);
    assert_eq!(outcome(&place), "X");
}

/// The number of a folder that is removed is given to the next one, on ext4 nearly always.
#[test]
fn a_python_settles_nothing_in_a_folder_that_was_made_anew() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let worker = waiting_worker(&place);
    std::fs::remove_dir_all(&place.drop).unwrap();
    place.run("filedrop init -q DROP", &[]);
    submit_given(&place, "y");
    assert_eq!(outcome(&place), "Y");
    worker.kill();
}
