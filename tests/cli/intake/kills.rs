//! An intake that is killed at every call that changes something; the next one goes on (P30, P31, P32).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
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
    calls: &[&str],
    put: impl Fn(usize) -> Vec<(String, String)>,
    more: &[&str],
    subjects: impl Fn(usize) -> Vec<String>,
) {
    let mut round = 0;
    let mut kills = 0;
    for call in calls {
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
    assert!(kills > 10, "only {kills} kills");
    yard.once(more).with(0);
    assert_eq!(yard.names(), [""; 0]);
    yard.is_cleared();
    let jobs = yard.folder.jobs("inbox");
    let mut found: Vec<_> =
        jobs.iter().map(|job| job.envelope.text("subject").expect("one").to_owned()).collect();
    found.sort();
    let mut expected: Vec<_> = (1..=round).flat_map(&subjects).collect();
    expected.sort();
    assert_eq!(found, expected, "each is one job");
    let audited: BTreeSet<String> = yard.audit().iter().map(|line| line["path"].to_string()).collect();
    let put: BTreeSet<String> = (1..=round).flat_map(&put).map(|(name, _)| format!("{name:?}")).collect();
    assert_eq!(audited, put, "each is in the books");
    for subject in &expected {
        assert!(yard.receipt(&format!("{subject}.accepted")).is_some(), "{subject}");
    }
}

fn name(round: usize) -> String {
    format!("{round}.csv")
}

fn texts(names: Vec<String>) -> Vec<(String, String)> {
    names.into_iter().map(|name| (name.clone(), format!("text of {name}"))).collect()
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
    campaign(&yard, &CALLS, |round| texts(vec![name(round)]), &[], |round| vec![name(round)]);
    all_whole(&yard);
}

#[test]
fn from_another_file_system() {
    let yard = Yard::elsewhere();
    campaign(&yard, &CALLS, |round| texts(vec![name(round)]), &[], |round| vec![name(round)]);
    all_whole(&yard);
}

/// What it had brought to its room becomes a job without it; it keeps the books when it is back.
#[test]
fn consumers_go_on_without_it() {
    let yard = Yard::new();
    let mut without = 0;
    let mut rounds = 0;
    for nth in 1.. {
        rounds += 1;
        yard.put(&name(nth), &format!("text of {}", name(nth)));
        if !killed_at(&yard, "fsync", nth, &[]) {
            break;
        }
        without += usize::from(yard.handle().contains_key(&name(nth)));
        yard.once(&[]).with(0);
        yard.handle();
        yard.once(&[]).with(0);
        assert!(yard.receipt(&format!("{}.done", name(nth))).is_some(), "{nth}");
    }
    assert!(without > 2, "they handled {without} of {rounds}");
    all_whole(&yard);
    assert_eq!(yard.handle().len(), rounds);
}

/// On several threads.
#[test]
fn many_at_a_time() {
    let yard = Yard::new();
    let names = |round: usize| (0..3).map(|nth| format!("{round}-{nth}.csv")).collect::<Vec<_>>();
    campaign(&yard, &["fsync", "rename", "linkat"], |round| texts(names(round)), &[], names);
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
    campaign(&yard, &CALLS, group, &more, |round| vec![format!("{round}.manifest")]);
    yard.folder.drain(
        r#"cd "$FILEDROP_PAYLOAD" && n=${FILEDROP_SUBJECT%.manifest} && [ "$(cat $n.a $n.b)" = "$n.a$n.b" ]"#,
    );
    assert_eq!(yard.folder.names("dead"), [""; 0], "each has all its files");
}

/// The next intake puts back what had no plan yet: into the folder that it was in, and through no link that is there instead.
#[test]
fn what_goes_back_follows_no_link() {
    let yard = Yard::new();
    let (outside, sub, away) =
        (yard.folder.beside("outside"), yard.from.join("sub"), yard.folder.beside("away"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&sub).unwrap();
    let mut rounds = 0;
    for nth in 1.. {
        rounds += 1;
        yard.put(&format!("sub/{}", name(nth)), "text");
        let killed = killed_at(&yard, "fsync", nth, &["--keep-tree"]);
        fs::rename(&sub, &away).unwrap();
        symlink(&outside, &sub).unwrap();
        let ended = yard.once(&["--keep-tree"]);
        assert!(matches!(ended.code, Some(0 | 74)), "{ended:?}");
        assert_eq!(yard.folder.names(outside.to_str().unwrap()), [""; 0], "killed at fsync {nth}");
        fs::remove_file(&sub).unwrap();
        fs::rename(&away, &sub).unwrap();
        if !killed {
            break;
        }
    }
    yard.once(&["--keep-tree"]).with(0);
    assert_eq!(yard.folder.jobs("inbox").len(), rounds);
    yard.is_cleared();
}

/// A partner tidies up in between: what was in a folder that is gone goes back to one that is made again, and becomes a job.
#[test]
fn a_folder_that_is_removed_meanwhile_holds_up_nothing() {
    let yard = Yard::new();
    let mut made_again = 0;
    for nth in 1.. {
        fs::create_dir_all(yard.from.join("a/b")).unwrap();
        let path = yard.put(&format!("a/b/{}", name(nth)), "text");
        let killed = killed_at(&yard, "fsync", nth, &["--keep-tree"]);
        let taken = !path.exists();
        fs::remove_dir_all(yard.from.join("a")).unwrap();
        let before = yard.audit().len();
        yard.once(&["--keep-tree"]).with(0);
        if !killed {
            break;
        }
        made_again += usize::from(yard.from.join("a/b").exists());
        let told = yard.audit().iter().any(|line| line["path"] == format!("a/b/{}", name(nth)));
        assert_eq!(told, taken, "killed at fsync {nth}, after {before} lines");
    }
    assert!(made_again > 0, "something went back");
    yard.is_cleared();
}
