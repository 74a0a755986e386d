//! Notifications are used up, or come too fast.

use std::fs::{self, File};

use rustix::process::Signal;

use crate::place::{NOTE, Place, Running, says_yes, skip};

/// A user namespace, in which a user has no more notifications than it says there. Nobody else's are touched.
const APART: [&str; 5] =
    ["unshare", "-Ur", "sh", "-c", "echo \"$0\" > /proc/sys/user/max_inotify_instances; exec \"$@\""];

/// How many watches, or watchers, a user has where this program runs.
fn allow(place: &Place, consumer: &Running, what: &str, most: u32) {
    let pid = consumer.id().as_raw_nonzero().to_string();
    let line = format!("echo {most} > /proc/sys/user/max_inotify_{what}");
    let enter = ["nsenter", "-t", &pid, "--user", "--preserve-credentials", "sh", "-c", &line];
    assert!(says_yes(&mut place.wrapped(&enter, "")), "{line}");
}

fn can_be_apart(place: &Place) -> bool {
    let can = says_yes(&mut place.wrapped(&APART, "1 true"));
    if !can {
        skip("this user may make no user namespace");
    }
    can
}

fn start_apart(place: &Place, instances: &str) -> Running {
    let by: Vec<&str> = APART.into_iter().chain([instances]).collect();
    Running::start(place.consuming(&by, "", NOTE))
}

/// None are left at the start: it looks again and again, says so, and listens once there are some.
#[test]
fn who_gets_no_notifications_looks_and_listens_later() {
    let place = Place::new();
    if !can_be_apart(&place) {
        return;
    }
    let consumer = start_apart(&place, "0");
    consumer.says(1, &["WARN cannot watch a folder", "fs.inotify.max_user_instances"]);
    place.succeeds(&place.submit("1"));
    consumer.tries(5);
    consumer.is_calm(1);
    allow(&place, &consumer, "instances", 10);
    consumer.says(1, &["INFO can watch a folder again"]);
    place.succeeds(&place.submit("2"));
    consumer.stop();
    assert_eq!(place.notes(), ["1 1", "2 1"]);
}

/// They run out later: its folder is another one, and may not be watched.
#[test]
fn who_loses_notifications_looks_and_listens_later() {
    let place = Place::new();
    if !can_be_apart(&place) {
        return;
    }
    let consumer = start_apart(&place, "10");
    consumer.says(1, &["registered"]);
    allow(&place, &consumer, "watches", 0);
    fs::remove_dir_all(&place.drop).unwrap();
    place.run("filedrop init DROP");
    consumer.says(1, &["WARN cannot watch a folder", "fs.inotify.max_user_watches"]);
    place.succeeds(&place.submit("1"));
    consumer.tries(5);
    allow(&place, &consumer, "watches", 10);
    consumer.says(1, &["INFO can watch a folder again"]);
    place.succeeds(&place.submit("2"));
    consumer.is_calm(4);
    consumer.stop();
    assert_eq!(place.notes(), ["1 1", "2 1"]);
}

/// More names at once than the kernel keeps notifications for. It drops the rest, and says that it did.
#[test]
fn a_burst_of_names_hides_no_job() {
    let place = Place::new();
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let most: u32 = most.trim().parse().unwrap();
    let consumer = place.consumer("", NOTE);
    consumer.says(1, &["registered"]);
    place.succeeds(&place.submit("100"));
    consumer.signal(Signal::STOP);
    crate::place::until("it is stopped", || consumer.is_stopped().then_some(()));
    let names = [".one", ".two"].map(|name| place.drop.join("inbox").join(name));
    File::create_new(&names[0]).unwrap();
    for nth in 0..most as usize + 1000 {
        fs::rename(&names[nth % 2], &names[(nth + 1) % 2]).unwrap();
    }
    let ids: Vec<String> = (0..20).map(|n| place.submit(&n.to_string())).collect();
    consumer.signal(Signal::CONT);
    ids.iter().for_each(|id| place.succeeds(id));
    consumer.stop();
    let expected: Vec<String> = (0..20).map(|n| format!("{n} 1")).collect();
    let mut notes = place.notes();
    notes.retain(|note| note != "100 1");
    notes.sort_by_key(|note| note.split(' ').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(notes, expected);
}
