//! A thousand good jobs, first alone, then among everything bad.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use filedrop::{Disposition, DropFolder};
use serde_json::Value;

use crate::bad::{Bad, amiss, is_junk};
use crate::good;
use crate::outside::{Outside, SECRET};
use crate::place::{Place, say};

/// What a consumer may need at its peak, in KiB.
const MOST: u64 = 64 << 10;

/// Envelopes, and as many bare files.
const EACH: usize = 500;

fn junk() -> usize {
    std::env::var("FILEDROP_HOSTILE_JUNK").map_or(20_000, |junk| junk.parse().expect("a number of files"))
}

/// How long the good jobs take if there is nothing else, and the most memory.
fn alone() -> (Duration, u64) {
    let place = Place::of_another();
    let expected = good::submit(&place, EACH);
    let mut consumer = place.consume();
    let took = consumer.until(|place| unsettled(place, expected.len(), &Bad::default()));
    let peak = consumer.end();
    assert_once(&place, &expected);
    (took, peak)
}

/// What is not settled yet, of so many jobs, beside what is to stay.
fn unsettled(place: &Place, jobs: usize, bad: &Bad) -> Option<String> {
    let days = place.names("done");
    let done: usize = days.iter().map(|day| place.names(&format!("done/{}", day.display())).len()).sum();
    let settled = done + (place.names("dead").len() + place.names("invalid").len()) / 2;
    if settled < jobs {
        return Some(format!("{settled} of {jobs} jobs settled"));
    }
    let amiss = amiss(bad, place.names("inbox"));
    (!amiss.is_empty()).then(|| format!("amiss in the inbox: {amiss:?}"))
}

/// Each was handled in its first attempt, and nothing else was.
fn assert_once(place: &Place, expected: &BTreeSet<Vec<u8>>) {
    let handled = place.handled();
    for (data, attempts) in &handled {
        let text = String::from_utf8_lossy(data);
        assert!(expected.contains(data), "nobody meant this to be handled: {text:?}");
        let first = if text == "changesmore\n" { 2 } else { 1 };
        assert_eq!(*attempts, [first], "{text:?}");
    }
    let lost: Vec<_> = expected.iter().filter(|data| !handled.contains_key(*data)).collect();
    assert!(lost.is_empty(), "not handled: {:?}", lost.iter().map(|data| String::from_utf8_lossy(data)));
}

#[test]
fn good_jobs_are_handled_once_among_everything_bad() {
    let (alone, peak_alone) = alone();
    let place = Place::of_another();
    let mut outside = Outside::new(&place);
    let bad = Bad::put(&place, &outside, junk());
    let mut expected = good::submit(&place, EACH);
    let changes = place.inbox().join("changes.txt");
    fs::write(&changes, "changes").unwrap();
    place.give(&changes);
    outside.remember();
    expected.extend(bad.handled.iter().cloned());
    // Its handler changes it in the first attempt, which does not count for that; the second is of what it is by then.
    let jobs = expected.len() + 1;
    expected.extend([b"changes".to_vec(), b"changesmore\n".to_vec()]);

    let mut consumer = place.consume();
    let bad_jobs = bad.invalid.len() + bad.dead.len();
    let took = consumer.until(|place| unsettled(place, jobs + bad_jobs, &bad));
    let peak = consumer.end();
    say(&format!(
        "hostile: {jobs} jobs took {:.1} s and {peak} KiB among {} worthless files and {} bad ones; {:.1} s and {peak_alone} KiB alone",
        took.as_secs_f64(),
        bad.junk,
        bad.left.len() + bad_jobs,
        alone.as_secs_f64(),
    ));

    assert_once(&place, &expected);
    assert!(!place.handled().contains_key(SECRET.as_bytes()));
    assert_eq!(fs::read_to_string(place.root.join("linked")).unwrap(), "linked");
    assert_ended(&place, &bad);
    let junk = place.names("inbox").iter().filter(|name| is_junk(Path::new(name))).count();
    assert_eq!(junk, bad.junk, "what nobody means to be taken stays");
    assert!(peak <= MOST, "the consumer needed {peak} KiB");
    place.filedrop(&["status"]);
    assert_explained(&place, &bad);
    outside.assert_untouched();
}

/// What is left is told of, each with its true reason, and nothing else is.
fn assert_explained(place: &Place, bad: &Bad) {
    let told = place.filedrop(&["explain", "--json"]);
    let told = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut told: BTreeMap<_, _> = told.map(|line| (text(&line, "name"), text(&line, "reason"))).collect();
    assert_eq!(told.len(), bad.left.len() + bad.junk);
    told.retain(|name, reason| !is_junk(Path::new(name)) || reason != "temporary");
    let left = bad.left.iter().map(|(name, reason)| (name.clone(), (*reason).to_owned()));
    assert_eq!(told, left.collect());
}

fn text(line: &Value, member: &str) -> String {
    line[member].as_str().unwrap_or_else(|| panic!("{line} has no {member}")).to_owned()
}

/// What was a job in name is settled, with its reason.
fn assert_ended(place: &Place, bad: &Bad) {
    let drop = DropFolder::open(&place.drop).unwrap();
    for (ids, room) in [(&bad.invalid, "invalid"), (&bad.dead, "dead")] {
        let there: BTreeSet<_> = place.names(room).into_iter().collect();
        assert_eq!(there.len(), 2 * ids.len(), "{room}: {there:?}");
        for id in ids {
            for kind in ["job", "reason"] {
                let name = format!("5.1764000000000.{id}.{kind}.json");
                assert!(there.contains(std::ffi::OsStr::new(&name)), "{name} is not in {room}/");
            }
            let outcome = drop.outcome(id).unwrap().unwrap();
            let problem = outcome.problem().unwrap();
            assert_eq!(outcome.disposition, Disposition::Failed);
            assert_eq!(problem.kind.ends_with(":invalid"), room == "invalid", "{id}: {problem:?}");
        }
    }
    let census = drop.census().unwrap();
    assert_eq!((census.rooms.claimed, census.rooms.delayed, census.rooms.tmp), (0, 0, 0));
    assert!(census.consumers.is_empty(), "it has left: {:?}", census.consumers);
}
