//! `filedrop doctor`: what it finds on several file systems, alone and with another one, and that it leaves nothing.

mod mounts;

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Ended, Folder, Running, golden, program, wait_until};
use mounts::Mounted;

fn on(folder: &Path, more: &[&str]) -> Command {
    let mut command = program("filedrop");
    command.arg("doctor").arg(folder).args(more);
    command
}

fn examine(folder: &Path) -> (Ended, Value) {
    let ended = Running::start(on(folder, &["--json"])).end();
    assert_eq!(ended.err, "");
    let found = read(&ended);
    (ended, found)
}

fn read(ended: &Ended) -> Value {
    serde_json::from_str(&ended.line()).expect("JSON")
}

/// The words for what is at risk, or only those that break a promise.
fn risks(found: &Value, broken: bool) -> Vec<&str> {
    let risks = found["risks"].as_array().expect("a list").iter();
    let risks = risks.filter(|risk| !broken || risk["breaks_promise"] == true);
    risks.map(|risk| risk["what"].as_str().expect("a word")).collect()
}

fn chosen<'a>(found: &'a Value, what: &str) -> &'a str {
    let choices = found["chosen"].as_array().expect("a list").iter();
    let how = choices.filter(|choice| choice["what"] == what).map(|choice| choice["how"].as_str());
    how.flatten().next().expect("a choice")
}

/// What is there of probes.
fn probes(folder: &Path) -> Vec<std::path::PathBuf> {
    let names = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    names.filter(|path| path.extension().is_some_and(|suffix| suffix == "probe")).collect()
}

/// Numbers differ from run to run.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if plain.ends_with('N') => {}
            '.' if plain.ends_with('N') => {}
            '0'..='9' => plain.push('N'),
            c => plain.push(c),
        }
    }
    plain
}

#[test]
fn a_drop_folder_is_left_as_it_was() {
    let folder = Folder::new();
    folder.submit("1");
    let before = folder.tree();
    let (ended, found) = examine(&folder.path);
    let broken = risks(&found, true);
    assert_eq!(ended.code, Some(if broken.is_empty() { 0 } else { 1 }), "{found}");
    assert!(broken.iter().all(|what| ["memory", "journal", "power-cuts"].contains(what)), "{found}");
    for can in ["rename_replaces", "hard_links", "link_replaces_nothing"] {
        assert_eq!(found["names"][can]["works"], true, "{can}: {found}");
    }
    assert!(
        found["names"]["replaced"]["looks"].as_u64() > Some(0),
        "what nobody looked at shows nothing: {found}"
    );
    assert_eq!((&found["drop_folder"], &found["flushes"]["folders"]["works"]), (&true.into(), &true.into()));
    assert_eq!(folder.tree(), before);
    assert_eq!(folder.names("tmp"), [""; 0]);
}

#[test]
fn what_is_no_folder_is_said_so() {
    let folder = Folder::new();
    folder.file("file", "x");
    for path in ["none", "file"] {
        let ended = folder.run("filedrop doctor", &[path]).with(66);
        assert!(ended.err.contains("no such folder") && ended.out.is_empty(), "{ended:?}");
    }
    folder.run("filedrop doctor DROP --within 1s", &[]).with(2);
    fs::write(folder.path.join("filedrop.json"), r#"{"protocol":7}"#).unwrap();
    assert!(folder.run("filedrop doctor DROP", &[]).with(78).err.contains("protocol 7"));
}

#[test]
fn in_words_and_in_memory() {
    let folder = Folder::new();
    let Some(disk) = Mounted::tmpfs(folder.beside("disk")) else { return };
    let ended = Running::start(on(&disk.at, &[])).end().with(1);
    let text = ended.text().replace(disk.at.to_str().expect("text"), "DISK");
    // Kernels differ in what they say of the options.
    let lines = text.lines().map(|line| line.split_once(" (rw,").map_or(line, |(before, _)| before));
    let text: String = lines.map(|line| without_numbers(line) + "\n").collect();
    golden("doctor-tmpfs.txt", &text);
    assert_eq!(fs::read_dir(&disk.at).unwrap().count(), 0);
}

#[test]
fn a_disk_with_a_journal_keeps_every_promise_and_one_without_does_not() {
    let folder = Folder::new();
    let Some(disk) = Mounted::ext4(folder.beside("disk"), true) else { return };
    Running::start(on(&disk.at, &[])).end().with(0);
    let (ended, found) = examine(&disk.at);
    assert_eq!((ended.code, found["surroundings"]["journal"].as_bool()), (Some(0), Some(true)), "{found}");
    assert_eq!(
        ["watch", "presence", "writers"].map(|what| chosen(&found, what)),
        ["notifications", "lock", "kernel"]
    );
    for told in ["create_us", "rename_us", "close_us"] {
        assert!(found["notifications"][told].is_u64(), "{found}");
    }
    let Some(disk) = Mounted::ext4(folder.beside("other"), false) else { return };
    let (ended, found) = examine(&disk.at);
    assert_eq!((ended.code, risks(&found, true)), (Some(1), vec!["journal"]), "{found}");
}

#[test]
fn a_disk_without_links_cannot_be_a_drop_folder() {
    let folder = Folder::new();
    let Some(disk) = Mounted::exfat(folder.beside("disk")) else { return };
    let (ended, found) = examine(&disk.at);
    let broken = risks(&found, true);
    assert!(
        ended.code == Some(1) && broken.contains(&"hard-links") && !broken.contains(&"link-replaces"),
        "{found}"
    );
    assert_eq!((&found["names"]["folds_case"], chosen(&found, "drafts")), (&true.into(), "named"), "{found}");
    assert_eq!((chosen(&found, "presence"), chosen(&found, "watch")), ("lease", "polling"), "{found}");
    let words = Running::start(on(&disk.at, &[])).end().with(1);
    assert!(words.text().contains("RISK  no hard links: this cannot be a drop folder"), "{words:?}");
    let mut init = program("filedrop");
    init.arg("init").arg(disk.at.join("drop"));
    Running::start(init).end().with(78);
    assert!(probes(&disk.at).is_empty());
}

/// Starts two, and returns what each says of the other.
fn pair(first: Command, second: Command) -> [(Ended, Value); 2] {
    let running = [first, second].map(Running::start);
    running.map(|one| {
        let ended = one.end();
        let found = read(&ended);
        (ended, found)
    })
}

fn is_fair(race: &Value) -> bool {
    let count = |what: &str| race[what].as_u64().expect("a number");
    (count("both"), count("nobody")) == (0, 0) && count("ours") + count("theirs") == count("names")
}

/// As on two hosts, as far as one kernel can be two.
#[test]
fn two_find_each_other_and_agree() {
    let folder = Folder::new();
    let host = |name: &str| {
        let mut command = Command::new("unshare");
        let script = format!("hostname {name} && exec \"$@\"");
        command.args(["--uts", "--pid", "--fork", "--mount-proc", "sh", "-c", &script, "sh"]);
        let doctor = on(&folder.path, &["--json", "--peer"]);
        command.arg(doctor.get_program()).args(doctor.get_args());
        command
    };
    let may = Command::new("unshare").args(["--uts", "--pid", "--fork", "--mount-proc", "true"]).status();
    let two = match may {
        Ok(status) if status.success() => pair(host("mill"), host("barn")),
        _ => {
            assert!(std::env::var_os("CI").is_none(), "CI can have two host names");
            pair(on(&folder.path, &["--json", "--peer"]), on(&folder.path, &["--json", "--peer"]))
        }
    };
    for (_, found) in &two {
        let peer = &found["peer"];
        assert!(
            ["lock_seen", "lock_freed", "same_machine", "told"].iter().all(|what| peer[what] == true),
            "{peer}"
        );
        assert!(is_fair(&peer["links"]) && is_fair(&peer["renames"]), "{peer}");
        assert!(!risks(found, false).iter().any(|what| what.starts_with("peer-")), "{found}");
    }
    for race in ["links", "renames"] {
        let [(_, first), (_, second)] = &two;
        assert_eq!(first["peer"][race]["ours"], second["peer"][race]["theirs"], "they agree");
    }
    if matches!(may, Ok(status) if status.success()) {
        assert_eq!(two.each_ref().map(|(_, found)| &found["peer"]["host"]), ["barn", "mill"]);
    }
    assert_eq!(folder.names("tmp"), [""; 0]);
}

/// A file system that is a program: through it nobody is told of what is done beside it, and a lock is seen on one side only. Alone
/// a probe cannot know that: of its own doings it is told.
#[test]
fn what_is_not_told_through_a_program_is_measured_and_polled() {
    let folder = Folder::new();
    let Some(mirror) = Mounted::mirror(&folder.path, folder.beside("mirror")) else { return };
    let alone = examine(&mirror.at).1;
    assert!(alone["notifications"]["rename_us"].is_u64(), "of its own doings: {alone}");
    assert!(risks(&alone, false).contains(&"not-tried"), "{alone}");

    let args = ["--json", "--peer"];
    let [(_, inside), (_, beside)] = pair(on(&mirror.at, &args), on(&folder.path, &args));
    assert_eq!(["watch", "presence"].map(|what| chosen(&inside, what)), ["polling", "lease"], "{inside}");
    let peer = &inside["peer"];
    assert_eq!((&peer["told"], &peer["lock_seen"]), (&false.into(), &false.into()), "{peer}");
    assert!(is_fair(&peer["links"]) && is_fair(&peer["renames"]), "{peer}");
    assert_eq!(beside["peer"]["told"], true, "the program does all of it there: {beside}");
    assert_eq!(beside["peer"]["trusts_locks"], false, "{beside}");
    assert!(
        !risks(&beside, true).contains(&"peer-locks"),
        "who does not trust locks is not betrayed: {beside}"
    );
    assert!(risks(&inside, false).contains(&"polling"), "{inside}");

    // What it says is what a consumer does.
    let mut consumer = program("consumer");
    consumer.arg("run").arg(&mirror.at).args(["-v", "--poll-interval", "20ms", "--", "tr", "a", "b"]);
    let mut consumer = Running::start(consumer);
    consumer.wait_for_words("watching mode=Poll");
    let id = folder.submit("\"a\"");
    assert_eq!(folder.run("producer wait DROP --timeout 60s", &[&id]).with(0).out, b"\"b\"");
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
}

#[test]
fn who_is_alone_or_stopped_leaves_nothing() {
    let folder = Folder::new();
    let ended = folder.run("filedrop doctor DROP --peer --within 50ms", &[]).with(124);
    assert!(ended.err.contains("no other `filedrop doctor --peer` came"), "{ended:?}");
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut doctor = folder.start("filedrop doctor DROP --peer", &[]);
        doctor.wait_for_words("waiting for another");
        wait_until("it is there", || (!probes(&folder.path.join("tmp")).is_empty()).then_some(()));
        doctor.signal(signal);
        assert!(doctor.end().with(code).err.contains("stopped by SIG"));
        assert_eq!(folder.names("tmp"), [""; 0]);
    }
}

/// P16: what a killed one leaves is in nobody's way, and goes after a day.
#[test]
fn what_a_killed_one_leaves_is_swept() {
    let folder = Folder::new();
    let mut doctor = folder.start("filedrop doctor DROP --peer", &[]);
    doctor.wait_for_words("waiting for another");
    let tmp = folder.path.join("tmp");
    let left = wait_until("it is there", || probes(&tmp).pop().filter(|probe| probe.join("hello").exists()));
    doctor.signal(Signal::KILL);
    doctor.end();
    folder.submit("1");
    folder.drain("cat");
    folder.run("filedrop gc DROP", &[]).with(0);
    assert!(left.join("hello").exists(), "it is young");
    let old = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    File::open(&left).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
    assert!(folder.run("filedrop gc DROP --dry-run", &[]).with(0).text().contains(".probe"));
    assert!(left.exists());
    folder.run("filedrop gc DROP", &[]).with(0);
    assert_eq!(folder.names("tmp"), [""; 0]);
    let rooms = folder.run("filedrop status DROP --json", &[]).with(0).line();
    let rooms: Value = serde_json::from_str(&rooms).unwrap();
    assert_eq!((&rooms["rooms"]["done"], &rooms["rooms"]["inbox"]), (&1.into(), &0.into()));
}

/// Every folder of a drop folder's is looked at, those of nested ones too.
#[test]
fn a_room_that_cannot_be_used_is_told() {
    let folder = Folder::new();
    folder.run("filedrop topics DROP add billing orders", &[]).with(0);
    folder.run("producer publish DROP --topic orders --data 1", &[]).with(0);
    folder.run("producer submit DROP --type t --reply-to shop", &[]).with(0);
    folder.drain("cat");
    let rooms = |found: &Value| risks(found, true).iter().filter(|what| **what == "room").count();
    let (_, found) = examine(&folder.path);
    assert_eq!((rooms(&found), &found["unusable"]), (0, &Value::Array(Vec::new())), "{found}");

    fs::remove_dir(folder.path.join("ids")).unwrap();
    fs::remove_dir(folder.path.join("subscribers/billing/invalid")).unwrap();
    fs::remove_dir(folder.path.join("dead")).unwrap();
    fs::write(folder.path.join("dead"), "").unwrap();
    let mounted = if rustix::process::geteuid().is_root() {
        fs::remove_dir(folder.path.join("invalid")).unwrap();
        Mounted::tmpfs(folder.path.join("invalid"))
    } else {
        None
    };
    let (ended, found) = examine(&folder.path);
    assert_eq!((ended.code, rooms(&found)), (Some(1), 3 + usize::from(mounted.is_some())), "{found}");
    let told = Running::start(on(&folder.path, &[])).end().with(1).text().to_owned();
    let line = |path: &str, why: &str| {
        let path = folder.path.join(path);
        let line = format!("RISK  {} {why}", path.display());
        assert!(told.lines().any(|there| there.starts_with(&line)), "{line:?} is not in:\n{told}");
    };
    line("ids", "is not there");
    line("subscribers/billing/invalid", "is not there");
    line("dead", "is no folder");
    if mounted.is_some() {
        line("invalid", "is another file system or mount");
    }
    drop(mounted);
    fs::remove_file(folder.path.join("dead")).unwrap();
    folder.run("filedrop init DROP", &[]).with(0);
    fs::create_dir(folder.path.join("subscribers/billing/invalid")).unwrap();
    let (_, found) = examine(&folder.path);
    assert_eq!(rooms(&found), 0, "{found}");
}
