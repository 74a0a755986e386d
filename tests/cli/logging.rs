//! What is on stderr, in which form, and how much of it.

use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;

use crate::harness::{Ended, Folder, Running};
use crate::terminal::at_terminal;

/// Fails a job for good: it is not tried again, after a random pause, in the middle of another check.
const REJECT: &str = "exit 65";

/// Every line of stderr is one object; its level and its message.
#[track_caller]
fn lines(ended: &Ended) -> Vec<(String, String)> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned();
        text("timestamp").parse::<Timestamp>().expect("RFC 3339");
        (text("level"), text("message"))
    };
    ended.err.lines().map(line).collect()
}

fn levels(ended: &Ended) -> Vec<String> {
    let mut levels: Vec<String> = lines(ended).into_iter().map(|(level, _)| level).collect();
    levels.sort();
    levels.dedup();
    levels
}

#[test]
fn with_json_nothing_else_is_on_stderr() {
    let folder = Folder::new();
    folder.file("batch", "1\n{\n");
    folder.submit("1");
    for (words, code, level, message) in [
        ("filedrop init DROP", 0, "INFO", "DROP is a drop folder"),
        (
            "filedrop status nowhere",
            66,
            "ERROR",
            "there is no folder (make one with `filedrop init`): HERE/nowhere",
        ),
        ("filedrop status", 2, "ERROR", "the following required arguments were not provided:\n  <DROP>"),
        ("filedrop", 2, "ERROR", "'filedrop' requires a subcommand but one was not provided"),
        ("producer submit DROP --type t --batch batch", 65, "ERROR", "1 bad line; 1 submitted"),
        ("producer wait DROP unknown-id --timeout 10ms", 124, "INFO", "no such job in DROP: never submitted"),
        (
            "producer wait DROP unknown-id --timeout 10ms",
            124,
            "ERROR",
            "no outcome after 10ms, and no consumer is there",
        ),
        ("consumer run DROP --drain -- true", 0, "INFO", "watching"),
        (
            "consumer run DROP -- no-such-command",
            69,
            "ERROR",
            "the handler \"no-such-command\" was not found in PATH",
        ),
    ] {
        // It may stand before the command and after it.
        let (program, rest) = words.split_once(' ').unwrap_or((words, ""));
        let said = lines(&folder.run(&format!("{program} --log-format json {rest}"), &[]).with(code));
        let fits = |(l, m): &(String, String)| l == level && folder.normal(m, &[]).starts_with(message);
        assert!(said.iter().any(fits), "{words}: {said:?}");
    }
    let usage = lines(&folder.run("filedrop status DROP --log-format=json --nonsense", &[]).with(2));
    assert_eq!(usage.len(), 1);
    assert!(usage[0].1.starts_with("unexpected argument '--nonsense' found\n"), "{usage:?}");
    let text = folder.run("consumer run -- --log-format json", &[]).with(2);
    assert!(text.err.starts_with("error: "), "that is the handler's: {text:?}");
}

#[test]
fn fields_are_members() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let ended = folder.run("consumer run DROP --drain --log-format json -- sh -c", &[REJECT]).with(0);
    let failed = ended.err.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let failed: Vec<Value> = failed.filter(|line| line["level"] == "WARN").collect();
    assert_eq!(failed.len(), 1, "{ended:?}");
    assert_eq!((failed[0]["id"].as_str(), failed[0]["attempt"].as_u64()), (Some(&id[..]), Some(1)));
    assert_eq!(failed[0]["why"], "the handler rejected the job: exit status 65");
    assert!(failed[0]["took_ms"].is_u64(), "a number, and its unit: {ended:?}");
}

#[test]
fn a_handlers_words_are_not_the_consumers() {
    let folder = Folder::new();
    folder.submit("1");
    let script = "echo 'WARN cannot settle a job' >&2";
    let ended = folder.run("consumer run DROP --drain --log-format json -- sh -c", &[script]).with(0);
    let lines: Vec<Value> = ended.err.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (handlers, own): (Vec<&Value>, Vec<&Value>) =
        lines.iter().partition(|line| line["stream"] == "stderr");
    assert_eq!(handlers.len(), 1, "{ended:?}");
    assert_eq!(handlers[0]["message"], "WARN cannot settle a job");
    assert!(own.iter().all(|line| line["message"] != handlers[0]["message"]) && !own.is_empty(), "{ended:?}");
    folder.submit("2");
    let ended = folder.run("consumer run DROP --drain -- sh -c", &[script]).with(0);
    let said = ended.err.lines().find(|line| line.contains("cannot settle")).expect("it is logged");
    assert!(said.contains("stream=\"stderr\""), "{said}");
}

#[test]
fn what_no_handler_saw_took_no_time() {
    let folder = Folder::new();
    std::fs::write(folder.path.join("inbox/5.1700000000000.odd.1.job.json"), "{").unwrap();
    let ended = folder.run("consumer run DROP --drain --log-format json -- cat", &[]).with(0);
    let lines = ended.err.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let failed: Vec<Value> = lines.filter(|line| line["message"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{ended:?}");
    assert_eq!(failed[0].get("took_ms"), None, "{ended:?}");
}

#[test]
fn stdout_is_as_ever() {
    let folder = Folder::new();
    let id = folder.run("producer submit DROP --type t --data 1 --log-format json", &[]).with(0).line();
    folder.drain("printf 'a\\0b'");
    assert_eq!(folder.run("producer wait DROP --log-format json", &[&id]).with(0).out, b"a\0b");
    assert_eq!(
        folder.run("filedrop --help --log-format json", &[]).with(0).out,
        folder.run("filedrop --help", &[]).with(0).out
    );
}

#[test]
fn how_much_is_said() {
    let folder = Folder::new();
    for (more, rust_log, expected) in [
        ("", None, &["INFO", "WARN"][..]),
        ("-q", None, &["WARN"]),
        ("-v", None, &["DEBUG", "INFO", "WARN"]),
        ("", Some(""), &["INFO", "WARN"]),
        ("", Some("error"), &[]),
        ("-q", Some("filedrop=debug"), &["DEBUG", "INFO", "WARN"]),
        ("-v", Some("off"), &[]),
        ("-q", Some("filedrop=loud"), &["ERROR", "WARN"]),
    ] {
        folder.submit("1");
        let words = format!("consumer run DROP --drain --log-format json {more} -- sh -c");
        let mut command = folder.command(&words, &[REJECT]);
        command.envs(rust_log.map(|filter| ("RUST_LOG", filter)));
        let ended = Running::start(command).end().with(0);
        assert_eq!(levels(&ended), expected, "{more} {rust_log:?}: {ended:?}");
    }
    assert_eq!(folder.run("filedrop init DROP -q --log-format json", &[]).with(0).err, "");
    // What a program has to say is no log line.
    let mut command = folder.command("filedrop status nowhere -q", &[]);
    command.env("RUST_LOG", "off");
    assert!(Running::start(command).end().with(66).err.starts_with("filedrop: there is no folder"));
}

/// A consumer's command line that logs, with this among its options and this in `NO_COLOR`.
fn logs(folder: &Folder, more: &str, no_color: Option<&str>) -> Command {
    let mut command = folder.command(&format!("consumer run DROP --drain {more} -- true"), &[]);
    match no_color {
        Some(value) => command.env("NO_COLOR", value),
        None => command.env_remove("NO_COLOR"),
    };
    command
}

#[test]
fn colours_on_a_terminal() {
    let folder = Folder::new();
    for (more, no_color, coloured) in [
        ("", None, true),
        ("", Some(""), true),
        ("", Some("1"), false),
        ("--color auto", Some("1"), false),
        ("--color never", None, false),
        ("--color always", Some("1"), true),
        ("--color always --log-format json", None, false),
    ] {
        let ended = at_terminal(logs(&folder, more, no_color), 24, 80).end().with(0);
        assert!(ended.text().contains("watching"), "{ended:?}");
        assert_eq!(ended.text().contains('\x1b'), coloured, "{more} {no_color:?}: {}", ended.text());
    }
}

#[test]
fn colours_elsewhere_only_if_asked_for() {
    let folder = Folder::new();
    for (more, coloured) in [("", false), ("--color auto", false), ("--color always", true)] {
        let ended = Running::start(logs(&folder, more, None)).end().with(0);
        assert_eq!(ended.err.contains('\x1b'), coloured, "{more}: {}", ended.err);
        let help = folder.run(&format!("filedrop status --help {more}"), &[]).with(0);
        assert_eq!(help.text().contains('\x1b'), coloured, "{more}: {}", help.text());
        let wrong = folder.run(&format!("filedrop status {}", more.replace(' ', "=")), &[]).with(2);
        assert_eq!(wrong.err.contains('\x1b'), coloured, "{more}: {}", wrong.err);
    }
    let handlers = folder.run("consumer run -- a --color always", &[]).with(2);
    assert!(!handlers.err.contains('\x1b'), "that is the handler's: {handlers:?}");
}
