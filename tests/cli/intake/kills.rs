//! An intake that is killed at every call that changes something; the next one goes on (P30, P31, P32).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use super::{Yard, sha256};
use crate::harness::program;

/// What changes something, or makes it durable. Each is counted by itself.
const CALLS: [&str; 8] = ["fsync", "fdatasync", "rename", "renameat2", "mkdir", "linkat", "unlink", "rmdir"];

/// Runs it until the `nth` of these calls of its main thread, and kills it there. Whether it was killed.
fn killed_at(yard: &Yard, call: &str, nth: usize, more: &[&str]) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:signal=SIGKILL:when={nth}")]);
    command.arg(program("producer").get_program()).args(["intake".into(), OsString::from(&yard.folder.path)]);
    command.arg("--once").args(yard.args(more)).stdout(Stdio::null()).stderr(Stdio::null());
    !command.status().expect("strace is there").success()
}

/// A new file, or a new group, for each kill.
fn campaign(
    yard: &Yard,
    put: impl Fn(usize) -> Vec<(String, String)>,
    more: &[&str],
    subject: impl Fn(usize) -> String,
) {
    let mut round = 0;
    let mut kills = 0;
    for call in CALLS {
        for nth in 1.. {
            round += 1;
            for (name, text) in put(round) {
                yard.put(&name, &text);
            }
            if !killed_at(yard, call, nth, more) {
                break;
            }
            kills += 1;
            yard.once(more).with(0);
        }
    }
    assert!(kills > 30, "only {kills} kills");
    yard.once(more).with(0);
    assert_eq!(yard.names(), [""; 0]);
    yard.is_cleared();
    let jobs = yard.folder.jobs("inbox");
    let mut subjects: Vec<_> =
        jobs.iter().map(|job| job.envelope.text("subject").expect("one").to_owned()).collect();
    subjects.sort();
    let mut expected: Vec<_> = (1..=round).map(&subject).collect();
    expected.sort();
    assert_eq!(subjects, expected, "each is one job");
    let audited: BTreeSet<String> = yard.audit().iter().map(|line| line["path"].to_string()).collect();
    let put: BTreeSet<String> = (1..=round).flat_map(&put).map(|(name, _)| format!("{name:?}")).collect();
    assert_eq!(audited, put, "each is in the books");
    for nth in 1..=round {
        assert!(yard.receipt(&format!("{}.accepted", subject(nth))).is_some(), "{nth}");
    }
}

fn name(round: usize) -> String {
    format!("{round}.csv")
}

/// Each was handled once, and whole.
fn all_whole(yard: &Yard) {
    for (subject, got) in yard.handle() {
        let sum = sha256(&format!("text of {subject}"));
        assert_eq!(got, [(sum.clone(), sum)], "{subject}");
    }
}

#[test]
fn on_one_file_system() {
    let yard = Yard::new();
    campaign(&yard, |round| vec![(name(round), format!("text of {}", name(round)))], &[], name);
    all_whole(&yard);
}

#[test]
fn from_another_file_system() {
    let yard = Yard::elsewhere();
    campaign(&yard, |round| vec![(name(round), format!("text of {}", name(round)))], &[], name);
    all_whole(&yard);
}

#[test]
fn groups() {
    let yard = Yard::new();
    let group = |round: usize| {
        let names = [format!("{round}.a"), format!("{round}.b")];
        let lines: String = names.iter().map(|name| format!("{name},{}\n", sha256(name))).collect();
        let manifest = (format!("{round}.manifest"), format!("name,sha256\n{lines}"));
        let files = names.map(|name| (name.clone(), name));
        files.into_iter().chain([manifest]).collect()
    };
    let more = ["--group-by", "manifest", "--manifest", "*.manifest"];
    campaign(&yard, group, &more, |round| format!("{round}.manifest"));
    yard.folder.drain(
        r#"cd "$FILEDROP_PAYLOAD" && n=${FILEDROP_SUBJECT%.manifest} && [ "$(cat $n.a $n.b)" = "$n.a$n.b" ]"#,
    );
    assert_eq!(yard.folder.names("dead"), [""; 0], "each has all its files");
}
