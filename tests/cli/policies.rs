//! Priority, delay, expiry and attempts: what is asked for on the command line is what consumers do.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Running, wait_until};

fn submit(folder: &Folder, options: &str, data: &str) -> String {
    folder.run(&format!("producer submit DROP --type t {options} --data"), &[data]).with(0).line()
}

fn millis(time: &Value) -> u64 {
    filedrop::Millis::parse_rfc3339(time.as_str().expect("a time")).expect("RFC 3339").get()
}

/// Runs a consumer that stays, until these jobs have an outcome.
fn until_decided(folder: &Folder, options: &str, script: &str, ids: &[&str]) {
    let consumer =
        Running::start(folder.command(&format!("consumer run DROP {options} -- sh -c"), &[script]));
    for id in ids {
        wait_until("it is decided", || (!folder.story(id)["outcome"].is_null()).then_some(()));
    }
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
}

#[test]
fn options_stand_in_the_envelope() {
    let folder = Folder::new();
    let id = submit(&folder, "--priority 2 --delay 1h --expires 2h --max-attempts 3", "1");
    let story = folder.story(&id);
    let place = &story["places"][0];
    assert_eq!((&place["room"], &place["due"]), (&json!("delayed"), &story["notbefore"]));
    assert_eq!((&story["priority"], &story["maxattempts"]), (&json!(2), &json!(3)));
    let submitted = millis(&story["submitted"]);
    assert_eq!(millis(&story["notbefore"]) - submitted, 3_600_000);
    assert_eq!(millis(&story["expirytime"]) - submitted, 7_200_000);

    let id = submit(&folder, "--at 2100-01-01T01:00:00+01:00 --expires 2100-01-02T00:00:00Z", "1");
    let story = folder.story(&id);
    assert_eq!(story["notbefore"], "2100-01-01T00:00:00.000Z");
    assert_eq!(story["expirytime"], "2100-01-02T00:00:00.000Z");

    let id = submit(&folder, "--at 2000-01-01T00:00:00Z", "1");
    assert_eq!((&folder.story(&id)["places"][0]["room"], folder.job(&id).attempt), (&json!("inbox"), 1));
}

#[test]
fn a_deadline_that_cannot_be_met_is_refused() {
    let folder = Folder::new();
    for (options, said) in [
        ("--expires 2020-01-01T00:00:00Z", "is over already"),
        ("--at 2100-01-01T00:00:00Z --expires 1h", "would expire"),
    ] {
        for command in ["submit", "call"] {
            let ended = folder.run(&format!("producer {command} DROP --type t {options}"), &[]).with(65);
            assert!(ended.out.is_empty() && ended.err.contains(said), "{ended:?}");
        }
        folder.file("in.ndjson", "1\n");
        let words = format!("producer submit DROP --type t {options} --batch in.ndjson");
        let ended = folder.run(&words, &[]).with(65);
        assert!(ended.out.is_empty() && ended.err.contains(said), "{ended:?}");
    }
    assert!(folder.jobs("inbox").is_empty() && folder.names("delayed").is_empty());
}

#[test]
fn a_batch_takes_them_too() {
    let folder = Folder::new();
    let words =
        "producer submit DROP --type t --priority 7 --delay 1h --expires 3h --max-attempts 2 --batch -";
    let ended = folder.fed(words, b"1\n2\n").with(0);
    for id in ended.text().lines() {
        let story = folder.story(id);
        assert_eq!((&story["priority"], &story["maxattempts"]), (&json!(7), &json!(2)));
        assert_eq!(story["places"][0]["room"], "delayed");
        assert_eq!(millis(&story["expirytime"]) - millis(&story["notbefore"]), 7_200_000);
    }
}

#[test]
fn a_delayed_job_is_handled_when_it_is_due_and_not_before() {
    let folder = Folder::new();
    for watch in ["--watch auto", "--watch poll --poll-interval 10ms"] {
        let consumer =
            Running::start(folder.command(&format!("consumer run DROP {watch} -- date +%s%3N"), &[]));
        let id = submit(&folder, "--delay 300ms", "1");
        let due = millis(&folder.story(&id)["notbefore"]);
        let handled = folder.run("producer wait DROP", &[&id]).with(0).line();
        assert!(handled.parse::<u64>().unwrap() >= due, "handled at {handled}, due at {due}");
        consumer.signal(Signal::TERM);
        consumer.end().with(0);
    }
}

#[test]
fn a_drain_does_not_wait_for_what_is_not_due() {
    let folder = Folder::new();
    let id = submit(&folder, "--delay 1h", "1");
    folder.drain("cat");
    assert_eq!(folder.story(&id)["places"][0]["room"], "delayed");
}

#[test]
fn a_job_that_expires_is_not_handled_and_its_producer_hears_why() {
    let folder = Folder::new();
    let id = submit(&folder, "--expires 1ms", "1");
    folder.drain("touch handled");
    assert!(!folder.beside("handled").exists());
    assert_eq!(folder.story(&id)["outcome"]["outcome"], "expired");
    let ended = folder.run("producer wait DROP", &[&id]).with(1);
    assert!(ended.out.is_empty(), "{ended:?}");
    let said = folder.normal(&ended.err, &[&id]);
    let expected = "producer: job ID1 expired (no attempt): the job expired: it was to be handled before TIME, and claimed at TIME\n";
    assert_eq!(said, expected);
}

#[test]
fn the_urgent_are_handled_first() {
    let folder = Folder::new();
    for priority in ["9", "5", "0", "5", "1"] {
        submit(&folder, &format!("--priority {priority}"), priority);
    }
    folder.drain("cat >> order");
    assert_eq!(std::fs::read(folder.beside("order")).unwrap(), b"01559");
}

#[test]
fn a_handler_that_fails_twice_and_then_succeeds() {
    let folder = Folder::new();
    let id = submit(&folder, "", "1");
    until_decided(
        &folder,
        "--backoff 10ms",
        "[ $FILEDROP_ATTEMPT = 3 ] || exit $FILEDROP_ATTEMPT; echo good",
        &[&id],
    );
    assert_eq!(folder.run("producer wait DROP", &[&id]).with(0).line(), "good");
    let story = folder.story(&id);
    let why: Vec<&Value> =
        story["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["problem"]["detail"]).collect();
    assert_eq!(why, ["exit status 1", "exit status 2"]);
    assert_eq!(
        (&story["outcome"]["outcome"], &story["outcome"]["attempt"]),
        (&json!("succeeded"), &json!(3))
    );
}

#[test]
fn exit_status_65_is_final() {
    let folder = Folder::new();
    let id = submit(&folder, "", "1");
    until_decided(&folder, "--backoff 0s", "echo >> attempts; exit 65", &[&id]);
    assert_eq!(std::fs::read(folder.beside("attempts")).unwrap(), b"\n");
    let story = folder.story(&id);
    assert_eq!(story["outcome"]["data"]["type"], "urn:filedrop:problem:rejected");
    assert_eq!(story["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn the_jobs_own_number_of_attempts_counts_more_than_the_consumers() {
    let folder = Folder::new();
    let (twice, once) = (submit(&folder, "--max-attempts 2", "2"), submit(&folder, "--max-attempts 1", "1"));
    until_decided(&folder, "--max-attempts 1 --backoff 0s", "cat >> attempts; exit 1", &[&twice, &once]);
    let five = submit(&folder, "--max-attempts 1", "3");
    until_decided(&folder, "--max-attempts 5 --backoff 0s", "cat >> attempts; exit 1", &[&five]);
    let mut attempts = std::fs::read(folder.beside("attempts")).unwrap();
    attempts.sort_unstable();
    assert_eq!(attempts, b"1223");
}

/// Whatever number a stranger writes there, nobody looks for so many records.
#[test]
fn an_attempt_beyond_all_measure_is_given_up_at_once() {
    let folder = Folder::new();
    let job = br#"{"specversion":"1.0","id":"much","source":"/s","type":"t"}"#;
    std::fs::write(folder.path.join("inbox/5.1700000000000.much.4294967295.job.json"), job).unwrap();
    folder.drain("cat");
    let ended = folder.run("producer wait DROP", &["much"]).with(1);
    assert!(ended.err.contains("its attempts are used up"), "{ended:?}");
    assert_eq!(folder.story("much")["attempts"], json!([]));
}

/// A delay is either kept or refused, never cut short.
#[test]
fn a_time_that_no_name_can_hold_is_refused() {
    use filedrop::{ErrorKind, Submission};
    let folder = Folder::new();
    let drop = filedrop::DropFolder::open(&folder.path).unwrap();
    let far = std::time::Duration::from_secs(300 * 365 * 24 * 60 * 60);
    for job in [Submission::new("t").delay(far), Submission::new("t").expires_after(std::time::Duration::MAX)]
    {
        let refused = drop.submit(job).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.to_string().contains("2286-11-20"), "{refused}");
    }
    assert!(folder.jobs("inbox").is_empty() && folder.names("delayed").is_empty());
    folder.run("producer submit DROP --type t --delay 73000d --expires", &["2286-11-20T00:00:00Z"]).with(0);
    assert_eq!(folder.names("delayed").len(), 1);
}
