//! No more files may be opened.

use crate::place::{NOTE, Place, Running, says_yes};

/// How many files it may have open.
fn allow(place: &Place, consumer: &Running, most: u32) {
    let (pid, most) = (consumer.id().as_raw_nonzero().to_string(), format!("--nofile={most}:"));
    assert!(says_yes(&mut place.wrapped(&["prlimit", "--pid", &pid, &most], "")), "prlimit, of util-linux");
}

/// The consumer says so once, and goes on when it may; no job is to blame.
#[test]
fn a_consumer_without_descriptors_waits() {
    let place = Place::new();
    let consumer = place.consumer("--concurrency 2", NOTE);
    consumer.says(1, &["registered"]);
    allow(&place, &consumer, 4);
    let ids: Vec<String> = (0..5).map(|n| place.submit(&n.to_string())).collect();
    consumer.tries(4);
    consumer.is_calm(4);
    allow(&place, &consumer, 1000);
    ids.iter().for_each(|id| place.succeeds(id));
    consumer.says(1, &["INFO can ", " again, after"]);
    consumer.stop();
    assert_eq!(place.notes(), ["0 1", "1 1", "2 1", "3 1", "4 1"]);
    place.is_tidy();
}

/// Enough for a consumer and its notifications, and for no handler of four: they take turns.
#[test]
fn few_descriptors_are_enough_for_few_handlers() {
    let place = Place::new();
    let ids: Vec<String> = (0..8).map(|n| place.submit(&n.to_string())).collect();
    let by = ["sh", "-c", "ulimit -n 32; exec \"$@\"", "sh"];
    let consumer = Running::start(place.consuming(&by, "--concurrency 4", NOTE));
    ids.iter().for_each(|id| place.succeeds(id));
    consumer.stop();
    assert_eq!(place.notes().len(), 8);
    assert!(place.notes().iter().all(|note| note.ends_with(" 1")), "{:?}", place.notes());
    place.is_tidy();
}
