//! Programs that know filedrop only from PROTOCOL.md, beside our own: `examples/submit.sh` and `examples/consumer.py`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use filedrop::{Disposition, DropFolder, Id, Submission};

const LONG: Duration = Duration::from_secs(120);

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// Whether a program that the examples need is there. In CI it has to be.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "CI skips nothing: {program} is not installed");
    if !found {
        let line = format!("skipped: {program} is not installed\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
    found
}

fn submit(drop: &DropFolder, data: &str) -> Id {
    let mut command = Command::new("sh");
    command.arg(example("submit.sh")).arg(drop.path()).args(["stranger", data]);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim_end().parse().unwrap()
}

fn python(drop: &DropFolder) -> Child {
    Command::new("python3").arg(example("consumer.py")).arg(drop.path()).spawn().unwrap()
}

/// The same program, with a handler that does something else first.
fn python_that(drop: &DropFolder, line: &str) -> Child {
    let program = std::fs::read_to_string(example("consumer.py")).unwrap();
    let changed = program.replace("    return hashlib", &format!("    {line}\n    return hashlib"));
    assert_ne!(changed, program, "the example has a handler");
    let script = drop.path().with_extension("py");
    std::fs::write(&script, changed).unwrap();
    Command::new("python3").arg(&script).arg(drop.path()).spawn().unwrap()
}

fn ours(drop: &DropFolder) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consumer"));
    command
        .arg("run")
        .arg(drop.path())
        .args(["--drain", "-q", "--concurrency", "2", "--", "sha256sum"])
        .spawn()
        .unwrap()
}

fn folder() -> (tempfile::TempDir, DropFolder) {
    let place = tempfile::tempdir().unwrap();
    let drop = DropFolder::init(place.path().join("drop")).unwrap();
    (place, drop)
}

/// P3 in sh: durable, found by its id, its data as it was given.
#[test]
fn a_job_from_a_shell_script_is_handled_by_ours() {
    let (_place, drop) = folder();
    let data = r#"{"n" : 1.50,"s":"a b'c"}"#;
    let id = submit(&drop, data);
    let place = drop.locate(&id).unwrap().remove(0);
    let name: filedrop::words::InboxName = place.path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!(id.minted_at(), Some(name.submitted), "a UUIDv7 of the millisecond in its name");
    let mut consumer = Command::new(env!("CARGO_BIN_EXE_consumer"));
    let status = consumer.arg("run").arg(drop.path()).args(["--drain", "-q", "--", "cat"]).status().unwrap();
    assert!(status.success());
    assert_eq!(drop.outcome(&id).unwrap().unwrap().data(), data.as_bytes());
    assert_eq!(drop.census().unwrap().rooms.tmp, 0, "the draft is gone");
}

/// A wrong command line has the exit code that it has of ours, and touches nothing.
#[test]
fn examples_say_how_they_are_used() {
    let (_place, drop) = folder();
    let (sh, python) = (example("submit.sh"), example("consumer.py"));
    let path = drop.path().to_str().unwrap();
    let mut wrong = vec![
        ("sh", &sh, vec![], "DROP TYPE JSON"),
        ("sh", &sh, vec!["drop", "type"], "DROP TYPE JSON"),
        ("sh", &sh, vec!["drop", "type", "1", "2"], "DROP TYPE JSON"),
        ("sh", &sh, vec![path, "a type", "1"], "bad type: a type"),
    ];
    if has("python3") {
        wrong.push(("python3", &python, vec![], "DROP"));
        wrong.push(("python3", &python, vec![path, "more"], "DROP"));
    }
    for (interpreter, script, args, usage) in wrong {
        let output = Command::new(interpreter).arg(script).args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let right = if usage.starts_with("bad") {
            usage.to_owned()
        } else {
            format!("usage: {} {usage}", script.display())
        };
        assert!(said.contains(&right) && said.lines().count() == 1, "{said}");
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]));
    }
    let rooms = drop.census().unwrap().rooms;
    assert_eq!((rooms.inbox, rooms.claimed, rooms.tmp), (0, 0, 0));
}

/// P4–P11 and P17 in Python, in one folder with ours, with jobs from sh and from ours.
#[test]
fn strangers_and_ours_compete_for_jobs_of_both() {
    if !has("python3") {
        return;
    }
    let (_place, drop) = folder();
    let mut ids: Vec<Id> = (0..10).map(|n| submit(&drop, &format!(r#"{{"n":{n}}}"#))).collect();
    let jobs = (0..40).map(|n| Submission::new("ours").data(format!("[{n}]"))).collect();
    ids.extend(drop.submit_all(jobs).unwrap());
    let mut consumers = vec![python(&drop), ours(&drop), python(&drop), ours(&drop)];
    for consumer in &mut consumers {
        assert!(consumer.wait().unwrap().success());
    }
    // Whoever was last may have left before another's last job was given back or recovered; nobody's is here.
    let mut settled = 0;
    drop.wait_each(&ids, Some(LONG), &mut |outcome| {
        assert_eq!(outcome.disposition, Disposition::Succeeded);
        settled += 1;
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    let census = drop.census().unwrap();
    assert_eq!((settled, census.rooms.done, census.rooms.outcomes), (50, 50, 50));
    assert_eq!((census.rooms.inbox, census.rooms.claimed, census.rooms.tmp), (0, 0, 0));
    assert!(census.consumers.is_empty(), "all have left: {:?}", census.consumers);
}

/// A stranger alone settles what it takes, and ours reads its outcomes.
#[test]
fn outcomes_from_python_are_read_by_ours() {
    if !has("python3") {
        return;
    }
    let (_place, drop) = folder();
    let ids: Vec<Id> =
        (0..5).map(|n| drop.submit(Submission::new("x").data(format!("{n}"))).unwrap()).collect();
    assert!(python(&drop).wait().unwrap().success());
    for id in &ids {
        let outcome = drop.outcome(id).unwrap().unwrap();
        assert_eq!((outcome.job_id(), outcome.disposition), (id.clone(), Disposition::Succeeded));
    }
    assert_eq!(drop.census().unwrap().rooms.done, 5);
}

/// P13: a stranger dies with a claim in its room; ours sees its lock free and takes over at once, though its lease is long.
#[test]
fn ours_take_over_from_a_stranger_that_was_killed() {
    if !has("python3") {
        return;
    }
    let (_place, drop) = folder();
    let id = drop.submit(Submission::new("x").data("1")).unwrap();
    let mut stranger = python_that(&drop, "time.sleep(3600)");
    let start = std::time::Instant::now();
    while drop.census().unwrap().rooms.claimed == 0 {
        assert!(start.elapsed() < LONG, "the stranger claims the job");
        std::thread::sleep(Duration::from_millis(5));
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(ours(&drop).wait().unwrap().success());
    let outcome = drop.outcome(&id).unwrap().unwrap();
    assert_eq!((outcome.attempt(), outcome.disposition), (2, Disposition::Succeeded));
    assert!(drop.census().unwrap().consumers.is_empty());
}

/// P10, P11: a stranger's failure is read and counted as ours are.
#[test]
fn a_failure_in_python_is_a_dead_letter() {
    if !has("python3") {
        return;
    }
    let (_place, drop) = folder();
    let id = drop.submit(Submission::new("x").data("1")).unwrap();
    assert!(python_that(&drop, "raise ValueError('as asked')").wait().unwrap().success());
    let outcome = drop.outcome(&id).unwrap().unwrap();
    let problem = outcome.problem().unwrap();
    assert_eq!(
        (outcome.disposition, problem.detail.as_str()),
        (Disposition::Failed, "ValueError('as asked')")
    );
    assert_eq!(std::fs::read_dir(drop.path().join("dead")).unwrap().count(), 2, "the job and its reason");
}
