//! `consumer run`: how it starts, stops, and what it says.

use rustix::process::Signal;

use crate::harness::{Folder, Running, wait_until};

/// Says that it runs, and waits for permission to end.
const WAITS: &str = "touch started; until [ -e go ]; do sleep 0.01; done; printf done";

fn started(folder: &Folder) {
    wait_until("a handler runs", || folder.beside("started").exists().then_some(()));
}

#[test]
fn a_handler_that_cannot_be_run_is_said_before_any_claim() {
    let folder = Folder::new();
    folder.submit("1");
    folder.file("not-executable", "#!/bin/sh\n");
    for command in ["no-such-command", "./no-such-command", "./not-executable", "."] {
        let ended = folder.run("consumer run DROP --drain --", &[command]).with(69);
        assert!(ended.err.contains(command), "{ended:?}");
        let jobs = folder.jobs("inbox");
        assert_eq!((jobs.len(), jobs[0].attempt), (1, 1));
        assert_eq!(folder.names("claimed"), [""; 0]);
    }
}

#[test]
fn a_drain_exits_with_0_whatever_became_of_the_jobs() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2"), folder.submit("3")];
    let ended = folder
        .run("consumer run DROP --drain --max-attempts 1 --concurrency 2 -- sh -c", &["[ $(cat) = 2 ]"])
        .with(0);
    assert!(ended.out.is_empty(), "{ended:?}");
    assert!(
        ended.err.contains("WARN") && ended.err.contains(&ids[0]),
        "a failure is a warning: {}",
        ended.err
    );
    assert!(!ended.err.contains('\u{1b}'), "no colours in a pipe: {}", ended.err);
    assert!(folder.jobs("inbox").is_empty());
    for (id, code) in ids.iter().zip([1, 0, 1]) {
        folder.run("producer wait DROP --timeout 0s", &[id]).with(code);
    }
    folder.run("consumer run DROP --drain --max-attempts 1 -- false", &[]).with(0);
}

#[test]
fn no_shell_is_involved() {
    let folder = Folder::new();
    let id = folder.submit("1");
    folder.run("consumer run DROP --drain -- echo", &["$HOME; *", "a  b"]).with(0);
    assert_eq!(folder.run("producer wait DROP", &[&id]).with(0).out, b"$HOME; * a  b\n");
}

#[test]
fn what_it_says_and_how_to_have_more_or_less_of_it() {
    let folder = Folder::new();
    let run = |more: &str, rust_log: &str| {
        let id = folder.submit("1");
        let words = format!("consumer run DROP --drain --max-attempts 1 {more} --watch poll -- false");
        let mut command = folder.command(&words, &[]);
        if !rust_log.is_empty() {
            command.env("RUST_LOG", rust_log);
        }
        (id, Running::start(command).end().with(0).err)
    };
    let (id, usual) = run("", "");
    assert!(
        usual.contains("watching mode=Poll why=") && usual.contains(&id) && !usual.contains("DEBUG"),
        "{usual}"
    );
    let (id, more) = run("-v", "");
    assert!(more.contains("DEBUG") && more.contains(&id), "{more}");
    let (id, less) = run("-q", "");
    assert!(
        less.lines().count() == 1 && less.contains("failed") && less.contains(&id),
        "only what failed: {less}"
    );
    assert_eq!(run("-v", "off").1, "");
    assert!(run("-q", "debug").1.contains("DEBUG"));
}

#[test]
fn the_first_signal_lets_the_handlers_finish() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new();
        let ids = [folder.submit("1"), folder.submit("2")];
        let mut consumer = Running::start(folder.command("consumer run DROP --grace 1h -- sh -c", &[WAITS]));
        started(&folder);
        consumer.signal(signal);
        consumer.wait_for_words("stopping when the handlers are done");
        folder.file("go", "");
        consumer.end().with(0);
        assert_eq!(folder.run("producer wait DROP --timeout 0s", &[&ids[0]]).with(0).out, b"done");
        assert_eq!(folder.jobs("inbox").len(), 1, "the other was not claimed, or handed back");
        assert_eq!(folder.job(&ids[1]).attempt, 1);
        assert_eq!(folder.names("claimed"), [""; 0]);
    }
}

#[test]
fn the_second_signal_ends_them_at_once() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let mut consumer = Running::start(folder.command("consumer run DROP --grace 1h -- sh -c", &[WAITS]));
    started(&folder);
    consumer.signal(Signal::TERM);
    consumer.wait_for_words("stopping when the handlers are done");
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
    assert_eq!(folder.job(&id).attempt, 1, "handed back, as if it had never been claimed");
    assert_eq!(folder.names("claimed"), [""; 0]);
}

#[test]
fn a_stop_that_leaves_a_claim_says_so() {
    let folder = Folder::new();
    folder.submit("1");
    // Neither its outcome nor its return can be written.
    let breaks = "cd \"$FILEDROP_DROP\" && rmdir outcomes inbox && touch outcomes inbox";
    let mut consumer = Running::start(folder.command("consumer run DROP --grace 50ms -- sh -c", &[breaks]));
    consumer.wait_for_words("cannot settle a job");
    consumer.signal(Signal::TERM);
    let ended = consumer.end().with(0);
    let done = ended.err.lines().last().unwrap();
    assert!(ended.err.contains("left=1") && !ended.err.contains("superseded"), "{done}");
}

#[test]
fn the_grace_ends_too() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let consumer = Running::start(folder.command("consumer run DROP --grace 0s -- sh -c", &[WAITS]));
    started(&folder);
    consumer.signal(Signal::INT);
    consumer.end().with(0);
    assert_eq!(folder.job(&id).attempt, 1);
}

#[test]
fn a_handler_that_takes_too_long_fails() {
    let folder = Folder::new();
    let id = folder.submit("1");
    folder
        .run("consumer run DROP --drain --max-attempts 1 --handler-timeout 50ms -- sleep 1000", &[])
        .with(0);
    let ended = folder.run("producer wait DROP --timeout 0s", &[&id]).with(1);
    assert!(ended.err.contains("the handler took too long"), "{ended:?}");
}

#[test]
fn concurrency_is_how_many_run_at_a_time() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2"), folder.submit("3")];
    // Each ends only when all three have begun.
    let script = "touch begun-$(cat); until [ $(ls begun-* | wc -l) -eq 3 ]; do sleep 0.01; done";
    folder.run("consumer run DROP --drain --concurrency 3 --handler-timeout 50s -- sh -c", &[script]).with(0);
    folder.run("producer wait DROP --timeout 0s", &ids.each_ref().map(String::as_str)).with(0);
}

#[test]
fn an_envelope_that_is_too_large_is_invalid_and_stops_nobody() {
    let folder = Folder::new();
    let large = folder.submit(&format!("\"{}\"", "x".repeat(2000)));
    let small = folder.submit("1");
    folder.run("consumer run DROP --drain --max-bytes 1024 -- cat", &[]).with(0);
    folder.run("producer wait DROP", &[&small]).with(0);
    let ended = folder.run("producer wait DROP", &[&large]).with(1);
    assert!(ended.err.contains("and this consumer takes 1024"), "{ended:?}");
    assert_eq!(folder.names("invalid").len(), 2, "the job and its reason");
    let ended = folder.run("consumer run DROP --drain --max-bytes 16777217 -- cat", &[]).with(2);
    assert!(ended.err.contains("from 1KiB to 16MiB"), "{ended:?}");
}

#[test]
fn sizes_have_units() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let script = "head -c 2000 /dev/zero";
    let words = "consumer run DROP --drain --max-bytes 1k --max-output 2k -- sh -c";
    folder.run(words, &[script]).with(0);
    assert!(folder.story(&id)["results"].as_array().unwrap().is_empty(), "2000 bytes are less than 2k");
    let id = folder.submit("1");
    folder.run(&words.replace("2k", "1KiB"), &[script]).with(0);
    assert_eq!(folder.story(&id)["results"][0]["size"], 2000);
    let id = folder.submit(&format!("\"{}\"", "x".repeat(1024)));
    folder.run(words, &[script]).with(0);
    assert_eq!(folder.story(&id)["outcome"]["data"]["type"], "urn:filedrop:problem:invalid");
}

/// It does not wait for them, and says whose they are.
#[test]
fn a_drain_says_what_other_consumers_have_in_hand() {
    let folder = Folder::new();
    folder.submit("1");
    let other = Running::start(folder.command("consumer run DROP -- sh -c", &[WAITS]));
    started(&folder);
    let ended = folder.run("consumer run DROP --drain -- cat", &[]).with(0);
    assert!(
        ended.err.contains("left what another consumer has in hand") && ended.err.contains("jobs=1"),
        "{ended:?}"
    );
    folder.file("go", "");
    other.signal(Signal::TERM);
    other.end().with(0);
    let ended = folder.run("consumer run DROP --drain -- cat", &[]).with(0);
    assert!(!ended.err.contains("in hand"), "{ended:?}");
}
