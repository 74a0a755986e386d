//! `consumer run --worker`: processes that handle one job after the other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Folder, wait_until};

/// Does what a job's data says, and says who it is. It tells of its end in a file.
const WORKER: &str = r#"
echo up >> ups
while IFS= read -r line; do
    id=$(printf '%s\n' "$line" | sed -n 's/.*"event":{[^{}]*"id":"\([^"]*\)".*/\1/p')
    attempt=$(printf '%s\n' "$line" | sed -n 's/.*"attempt":\([0-9]*\).*/\1/p')
    what=$(printf '%s\n' "$line" | sed -n 's/.*"data":"\([^"]*\)"}}$/\1/p')
    [ "$attempt" = 1 ] || what=again
    case $what in
    pid) echo "{\"id\":\"$id\",\"data\":$$}" ;;
    again) echo "{\"id\":\"$id\",\"data\":\"again\"}" ;;
    dies) echo last words >&2; exit 3 ;;
    killed) kill -9 $$ ;;
    parent) sleep 600 & echo $! > orphan; kill -9 $$ ;;
    leaves) exit 0 ;;
    last) echo "{\"id\":\"$id\",\"data\":\"last\"}"; exit 0 ;;
    garbage) echo hello world ;;
    other) echo '{"id":"somebody-else"}' ;;
    mute) exec sleep 1000 ;;
    quits) exec >&-; sleep 0.1; exit 4 ;;
    silent) exec >&-; exec sleep 1000 ;;
    fails) echo busy >&2; echo "{\"id\":\"$id\",\"error\":\"no database\"}" ;;
    never) echo "{\"id\":\"$id\",\"error\":\"nonsense\",\"final\":true}" ;;
    text) printf '{"id":"%s","data":"a\\nb","datacontenttype":"text/plain"}\n' "$id" ;;
    file) printf '%s\n' "$line" | sed -n 's/.*"result_dir":"\([^"]*\)".*/\1/p' > dir; mkdir "$(cat dir)"; echo yes > "$(cat dir)/report.txt"; echo "{\"id\":\"$id\"}" ;;
    large) printf '{"id":"%s","data":"%05000d","datacontenttype":"text/plain"}\n' "$id" 7 ;;
    esac
done
echo down >> downs
"#;

fn submit(folder: &Folder, what: &str) -> String {
    folder.run("producer submit DROP --type t --data", &[&json!(what).to_string()]).with(0).line()
}

fn drain(folder: &Folder, more: &str) -> String {
    let command = format!("consumer run DROP --worker --drain --backoff 0s {more} -- sh -c");
    folder.run(&command, &[WORKER]).with(0).err
}

fn outcome(folder: &Folder, id: &str) -> Value {
    let ended = folder.run("producer wait DROP --timeout 0s --json", &[id]);
    serde_json::from_slice(&ended.out).unwrap_or_else(|e| panic!("{e}: {ended:?}"))
}

fn lines(folder: &Folder, file: &str) -> usize {
    std::fs::read_to_string(folder.beside(file)).unwrap_or_default().lines().count()
}

#[test]
fn a_process_handles_many_jobs() {
    let folder = Folder::new();
    let ids: Vec<_> = (0..30).map(|_| submit(&folder, "pid")).collect();
    drain(&folder, "--concurrency 3");
    let pids: BTreeSet<_> = ids.iter().map(|id| outcome(&folder, id)["data"].to_string()).collect();
    assert!((1..=3).contains(&pids.len()), "{pids:?}");
    // Each saw the end of its stdin.
    assert_eq!((lines(&folder, "ups"), lines(&folder, "downs")), (pids.len(), pids.len()));
}

#[test]
fn what_it_answers_is_the_outcome() {
    let folder = Folder::new();
    let [text, file, large] = ["text", "file", "large"].map(|what| submit(&folder, what));
    drain(&folder, "--max-output 4k");
    let text = outcome(&folder, &text);
    assert_eq!((&text["data"], &text["datacontenttype"]), (&json!("a\nb"), &json!("text/plain")));
    let fetched = folder.run("producer wait DROP --files", &["fetched", &file]).with(0);
    assert!(fetched.out.is_empty());
    let report = folder.beside("fetched").join(&file).join("report.txt");
    assert_eq!(std::fs::read_to_string(report).unwrap(), "yes\n");
    assert_eq!(folder.run("producer wait DROP", &[&large]).with(0).out.len(), 5000);
    assert!(outcome(&folder, &large)["dataref"].is_string(), "it does not fit the envelope");
    assert_eq!(lines(&folder, "ups"), 1);
}

#[test]
fn what_fails_one_job_fails_no_other() {
    let folder = Folder::new();
    for (what, why) in [
        ("dies", "exit status 3"),
        ("killed", "SIGKILL"),
        ("garbage", "hello world"),
        ("other", "somebody-else"),
        ("mute", "was ended after 300ms"),
        ("fails", "no database"),
    ] {
        let (bad, good) = (submit(&folder, what), submit(&folder, "pid"));
        let said = drain(&folder, "--handler-timeout 300ms");
        assert_eq!(outcome(&folder, &bad)["data"], "again", "{what}: {said}");
        assert_eq!(outcome(&folder, &good)["outcome"], "succeeded");
        let show = folder.run("filedrop show DROP", &[&bad]).with(0);
        assert!(show.text().contains(why), "{what}: {}", show.text());
    }
    let never = submit(&folder, "never");
    let said = drain(&folder, "");
    let outcome = outcome(&folder, &never);
    assert_eq!((&outcome["outcome"], &outcome["attempt"]), (&json!("failed"), &json!(1)), "{said}");
    assert!(outcome["data"]["detail"].as_str().unwrap().contains("nonsense"));
}

/// What it leaves behind may hold its stdout open for ever, and the job has no time limit.
#[test]
fn its_death_is_seen_whatever_it_leaves_behind() {
    let folder = Folder::new();
    let id = submit(&folder, "parent");
    let said = drain(&folder, "");
    let orphan = std::fs::read_to_string(folder.beside("orphan")).unwrap();
    let orphan = Pid::from_raw(orphan.trim().parse().unwrap()).unwrap();
    kill_process(orphan, Signal::KILL).expect("it goes on");
    assert_eq!(outcome(&folder, &id)["data"], "again", "{said}");
    let show = folder.run("filedrop show DROP", &[&id]).with(0);
    assert!(show.text().contains("SIGKILL"), "{}", show.text());
}

/// One that closes its stdout before it ends has ended by its exit status; one that goes on without is ended.
#[test]
fn who_closes_its_stdout_answers_no_more() {
    let folder = Folder::new();
    for (what, why) in [("quits", "exit status 4"), ("silent", "cannot be told")] {
        let id = submit(&folder, what);
        let said = drain(&folder, "");
        assert_eq!(outcome(&folder, &id)["data"], "again", "{what}: {said}");
        let show = folder.run("filedrop show DROP", &[&id]).with(0);
        assert!(show.text().contains(why), "{what}: {}", show.text());
    }
}

/// What it writes to stderr is logged, and told of the job that it belongs to.
#[test]
fn last_words_are_told() {
    let folder = Folder::new();
    let (dies, fails) = (submit(&folder, "dies"), submit(&folder, "fails"));
    let said = drain(&folder, "--max-attempts 1");
    assert!(said.contains("last words") && said.contains("busy"), "{said}");
    for (id, words) in [(dies, "last words"), (fails, "busy")] {
        assert_eq!(outcome(&folder, &id)["data"]["stderr"], words);
    }
}

/// Some end after so many jobs, lest they leak. That costs no job an attempt.
#[test]
fn a_process_may_end_after_an_answer() {
    let folder = Folder::new();
    let ids: Vec<_> = (0..10).map(|_| submit(&folder, "last")).collect();
    drain(&folder, "--max-attempts 1");
    for id in &ids {
        assert_eq!(outcome(&folder, id)["data"], "last");
    }
    assert_eq!(lines(&folder, "ups"), ids.len());
    let leaves = submit(&folder, "leaves");
    drain(&folder, "--max-attempts 1");
    let detail = outcome(&folder, &leaves)["data"]["detail"].to_string();
    assert!(detail.contains("before it answered to any job"), "{detail}");
}

/// A stop that cannot wait ends the process, and the job goes back uncounted.
#[test]
fn a_stop_ends_processes() {
    let folder = Folder::new();
    let mute = submit(&folder, "mute");
    let consumer = folder.start("consumer run DROP --worker --grace 0s -- sh -c", &[WORKER]);
    wait_until("it has the job", || {
        (lines(&folder, "ups") == 1 && folder.names("inbox").is_empty()).then_some(())
    });
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
    assert_eq!(folder.jobs("inbox")[0].attempt, 1);
    assert_eq!(folder.jobs("inbox")[0].id.as_str(), mute);
}

#[test]
fn a_program_that_cannot_be_started_costs_no_job_an_attempt() {
    let folder = Folder::new();
    submit(&folder, "pid");
    folder.run("consumer run DROP --worker --drain -- no-such-program", &[]).with(69);
    assert_eq!(folder.jobs("inbox")[0].attempt, 1);
}

fn example(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).display().to_string()
}

#[test]
fn the_examples_work() {
    let folder = Folder::new();
    let book = folder.beside("book.ndjson");
    let id = folder.run("producer submit DROP --type order --data", &[r#"{"n":1}"#]).with(0).line();
    folder.run("consumer run DROP --worker --drain -- python3", &[&example("worker.py")]).with(0);
    assert_eq!(outcome(&folder, &id)["data"], json!({"type": "order", "was": {"n": 1}}));
    for n in 1..=2 {
        let id = folder.run("producer submit DROP --type order --data", &[r#"{"a":[{}]}"#]).with(0).line();
        folder.run("consumer run DROP --worker --drain -- sh", &[&example("worker.sh")]).with(0);
        assert_eq!(outcome(&folder, &id)["data"], n);
    }
    assert_eq!(std::fs::read_to_string(book).unwrap(), "{\"a\":[{}]}\n{\"a\":[{}]}\n");
}
