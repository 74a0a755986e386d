//! The folder that files are taken from, and those in it (P30).

use std::fs;

use rustix::process::Signal;

use super::Yard;
use crate::harness::wait_until;

const FAST: [&str; 4] = ["--watch", "poll", "--poll-interval", "20ms"];

/// By a partner who clears up; or another is mounted there.
#[test]
fn a_folder_that_is_made_again_is_taken_from_again() {
    let yard = Yard::new();
    let mut intake = yard.folder.start("producer intake DROP", &yard.args(&FAST));
    yard.put("first.csv", "1");
    wait_until("it is at work", || yard.receipt("first.csv.accepted"));
    fs::rename(&yard.from, yard.folder.beside("was in")).unwrap();
    intake.wait_for_words("beginning anew");
    intake.wait_for_words("there is no such folder to take files from");
    fs::create_dir(&yard.from).unwrap();
    yard.put("second.csv", "2");
    wait_until("it is at work there", || yard.receipt("second.csv.accepted"));
    fs::rename(&yard.from, yard.folder.beside("was in, too")).unwrap();
    fs::rename(yard.folder.beside("was in"), &yard.from).unwrap();
    yard.put("third.csv", "3");
    wait_until("and in the first one, when it is back", || yard.receipt("third.csv.accepted"));
    intake.signal(Signal::TERM);
    let ended = intake.end().with(0);
    let told = |what: &str| ended.err.matches(what).count();
    assert!((2..=3).contains(&told("beginning anew")), "{ended:?}");
    assert!((1..=2).contains(&told("cannot begin anew")), "once for each absence: {ended:?}");
    assert_eq!(yard.folder.jobs("inbox").len(), 3);
    yard.is_cleared();
}

#[test]
fn one_that_is_stopped_while_its_folder_is_gone_ends() {
    let yard = Yard::new();
    let mut intake = yard.folder.start("producer intake DROP", &yard.args(&FAST));
    yard.put("first.csv", "1");
    wait_until("it is at work", || yard.receipt("first.csv.accepted"));
    fs::rename(&yard.from, yard.folder.beside("was in")).unwrap();
    intake.wait_for_words("cannot begin anew");
    intake.signal(Signal::TERM);
    intake.end().with(0);
}

/// While it waits for a file to be quiet.
#[test]
fn one_that_works_once_says_that_its_folder_is_gone() {
    let yard = Yard::new();
    yard.put("first.csv", "1");
    let args = yard.args(&["--once", "--quiet-period", "30s", "--watch", "poll", "--poll-interval", "20ms"]);
    let intake = yard.folder.start("producer intake DROP", &args);
    wait_until("it is at work", || yard.from.join(".filedrop/lock").exists().then_some(()));
    fs::rename(&yard.from, yard.folder.beside("was in")).unwrap();
    let ended = intake.end().with(66);
    assert!(ended.err.contains("there is no such folder to take files from"), "{ended:?}");
}

/// Its owner may make one anywhere, also below the folder that files are taken from.
#[test]
fn a_drop_folder_further_down_is_left_alone() {
    let yard = Yard::new();
    yard.folder.run("filedrop init in/a/team", &[]).with(0);
    let before = yard.folder.names(yard.from.join("a/team").to_str().unwrap());
    yard.put("a/team/inbox/theirs.csv", "theirs");
    yard.put("a/ours.csv", "ours");
    let ended = yard.once(&["--keep-tree"]).with(0);
    assert_eq!(ended.err.matches("this is a drop folder").count(), 1, "{ended:?}");
    assert!(ended.err.contains("a/team"), "{ended:?}");
    assert_eq!(yard.folder.names(yard.from.join("a/team").to_str().unwrap()), before);
    assert!(yard.from.join("a/team/inbox/theirs.csv").exists());
    assert_eq!(yard.audit().len(), 1);
    yard.folder.run("filedrop status in/a/team", &[]).with(0);
}
