//! Causes, flows and traces: from a handler to what it submits, to its outcome, and on.

use std::process::Command;

use filedrop::{DropFolder, Envelope};
use serde_json::{Value, json};

use crate::harness::{Folder, Running, golden, program};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A handler that submits another job, elsewhere too, and tells its id.
fn handler(to: &Folder, more: &str) -> String {
    let producer = program("producer").get_program().to_string_lossy().into_owned();
    let to = to.path.display();
    format!(r#""{producer}" submit "{to}" --type next {more}"#)
}

fn envelope(folder: &Folder, id: &str) -> Envelope {
    let drop = DropFolder::open(&folder.path).expect("a drop folder");
    let story = drop.story(&id.parse().expect("an id")).expect("a look");
    story.expect("the job is there").envelope.expect("it can be read")
}

fn flow_of(envelope: &Envelope) -> [Option<&str>; 3] {
    ["causationid", "correlationid", "traceparent"].map(|name| envelope.text(name))
}

/// Submits with these variables, which a handler would have.
fn submit_with(folder: &Folder, variables: &[(&str, &str)], more: &[&str]) -> (String, String) {
    let mut command: Command = folder.command("producer submit DROP --type t", more);
    command.envs(variables.iter().copied());
    let ended = Running::start(command).end().with(0);
    (ended.line(), ended.err)
}

/// Root, child in another folder, grandchild in the first one again.
#[test]
fn what_a_handler_submits_follows_from_its_job() {
    let (first, second) = (Folder::new(), Folder::new());
    let root = submit_with(&first, &[], &["--trace-parent", TRACE, "--reply-to", "asker"]).0;
    assert_eq!(flow_of(&envelope(&first, &root)), [None, None, Some(TRACE)]);
    first.drain(&handler(&second, ""));
    let child = first.run("producer wait DROP", &[&root]).with(0).line();
    assert_eq!(flow_of(&envelope(&second, &child)), [Some(&*root), Some(&*root), Some(TRACE)]);
    second.drain(&handler(&first, "--batch - <<'E'\n1\nE"));
    let grandchild = second.run("producer wait DROP", &[&child]).with(0).line();
    assert_eq!(flow_of(&envelope(&first, &grandchild)), [Some(&*child), Some(&*root), Some(TRACE)]);

    // An outcome belongs to the flow, too; its cause is the job that it answers.
    first.drain(r#"printf '%s %s %s' "$FILEDROP_ID" "$FILEDROP_CORRELATION_ID" "$TRACEPARENT""#);
    let ended = first.run("producer wait DROP --json", &[&grandchild]).with(0);
    let outcome = Envelope::decode(ended.line().as_bytes()).expect("an envelope");
    assert_eq!(flow_of(&outcome), [Some(&*grandchild), Some(&*root), Some(TRACE)]);
    assert_eq!(outcome.data(), format!("{grandchild} {root} {TRACE}").as_bytes());

    let told: Value = first.story(&grandchild);
    let told = ["causationid", "correlationid", "traceparent"].map(|name| &told[name]);
    assert_eq!(told, [&json!(child), &json!(root), &json!(TRACE)]);
    assert_eq!(first.story(&root)["correlationid"], json!(root), "it began the flow");
    let shown = first.run("filedrop show DROP", &[&grandchild]).with(0);
    golden("show-flow.txt", &first.normal(shown.text(), &[&grandchild, &child, &root]));
}

/// What is said expressly counts more than the environment: options, and attributes of an envelope.
#[test]
fn what_is_given_wins() {
    let folder = Folder::new();
    let variables = [("FILEDROP_ID", "cause"), ("FILEDROP_CORRELATION_ID", "flow"), ("TRACEPARENT", TRACE)];
    let of = |more: &[&str]| envelope(&folder, &submit_with(&folder, &variables, more).0);
    let other = TRACE.replace("-01", "-00");
    assert_eq!(flow_of(&of(&["--correlation-id", "mine"])), [Some("cause"), Some("mine"), Some(TRACE)]);
    assert_eq!(flow_of(&of(&["--causation-id", "mine"])), [Some("mine"), Some("flow"), Some(TRACE)]);
    assert_eq!(flow_of(&of(&["--trace-parent", &other])), [Some("cause"), Some("flow"), Some(&*other)]);

    let lines = [
        r#"{"specversion":"1.0","source":"/t","type":"t","correlationid":"mine"}"#,
        r#"{"specversion":"1.0","source":"/t","type":"t","causationid":"mine","traceparent":"as it is"}"#,
    ];
    let batch = folder.file("batch", lines.join("\n"));
    let mut command = folder.command("producer submit DROP --envelopes --batch", &[&batch.to_string_lossy()]);
    command.envs(variables);
    let ended = Running::start(command).end().with(0);
    let found: Vec<_> = ended.text().lines().map(|id| envelope(&folder, id)).collect();
    assert_eq!(flow_of(&found[0]), [Some("cause"), Some("mine"), Some(TRACE)]);
    assert_eq!(flow_of(&found[1]), [Some("mine"), Some("flow"), Some("as it is")]);

    // Who knows its cause alone follows from what began a flow.
    let alone = envelope(&folder, &submit_with(&folder, &[("FILEDROP_ID", "cause")], &[]).0);
    assert_eq!(flow_of(&alone), [Some("cause"), Some("cause"), None]);
    let alone = envelope(&folder, &submit_with(&folder, &[], &["--causation-id", "X 1"]).0);
    assert_eq!(flow_of(&alone), [Some("X 1"), Some("X 1"), None]);
}

/// Anything may bear these names: it is told, and keeps nobody from submitting.
#[test]
fn what_is_no_id_is_ignored() {
    let folder = Folder::new();
    for (name, value) in
        [("FILEDROP_ID", "No Id"), ("FILEDROP_CORRELATION_ID", "two\nlines"), ("TRACEPARENT", "00-0-0-00")]
    {
        let (id, said) = submit_with(&folder, &[(name, value)], &[]);
        assert!(said.contains(&format!("ignoring ${name}")), "{said:?}");
        assert_eq!(flow_of(&envelope(&folder, &id)), [None; 3], "{name}");
        let (id, said) = submit_with(&folder, &[(name, "")], &[]);
        assert_eq!((flow_of(&envelope(&folder, &id)), &*said), ([None; 3], ""), "{name} is empty");
    }
    let ended = folder.run("producer submit DROP --type t --trace-parent", &["00-0-0-00"]).with(2);
    assert!(ended.err.contains("has to look like 00-"), "{ended:?}");
    for wrong in [["--correlation-id", ""], ["--causation-id", ""], ["--reply-to", "No Address"]] {
        folder.run("producer submit DROP --type t", &wrong).with(2);
    }
}

/// A call follows from a job, too; and a Return Address is for each line of a batch.
#[test]
fn calls_and_batches() {
    let folder = Folder::new();
    let mut call = folder.command("producer call DROP --type t --timeout 60s", &["--reply-to", "asker"]);
    call.env("FILEDROP_ID", "cause");
    let call = Running::start(call);
    let consumer = folder.start(
        "consumer run DROP -- sh -c",
        &[r#"grep -o '"causationid":"cause"' "$FILEDROP_JOB"; grep -o '"replyto":"asker"' "$FILEDROP_JOB""#],
    );
    let ended = call.end().with(0);
    assert_eq!(ended.text(), "\"causationid\":\"cause\"\n\"replyto\":\"asker\"\n");
    drop(consumer);
    folder.fed("producer submit DROP --type t --reply-to asker --batch -", b"1\n2\n").with(0);
    let addresses: Vec<_> = folder.jobs("inbox").iter().map(filedrop::Job::reply_to).collect();
    assert_eq!(addresses, [Some("asker".parse().unwrap()), Some("asker".parse().unwrap())]);
    let ended = folder.fed("producer submit DROP --reply-to asker --envelopes --batch -", b"");
    assert_eq!(ended.code, Some(2), "an envelope says it itself");
}
