//! What must hold when all is done, read from the files and not through the library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use filedrop::{InboxName, Outcome};

use crate::consumers::{Place, names};

/// How often handlers ran.
pub(crate) struct Runs {
    pub(crate) all: usize,
    /// Jobs whose handler ran more than once.
    pub(crate) repeated: usize,
}

/// Each job was handled, and no attempt of it twice: the attempt is what a handler can fence with.
pub(crate) fn runs(place: &Place, ids: &[String]) -> Runs {
    let log = place.log();
    let mut attempts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in &log {
        let (id, attempt) = line.split_once(' ').expect("an id and an attempt");
        assert!(attempts.entry(id).or_default().insert(attempt), "attempt {attempt} of {id} ran twice");
    }
    let handled: BTreeSet<&str> = attempts.keys().copied().collect();
    same("what was submitted and what was handled", &ids.iter().map(String::as_str).collect(), &handled);
    Runs { all: log.len(), repeated: attempts.values().filter(|attempts| attempts.len() > 1).count() }
}

/// Every job has exactly one outcome, and lies in `done/`; nothing else is left.
pub(crate) fn at_rest(place: &Place, jobs: &BTreeMap<String, String>) {
    let mut outcomes: BTreeMap<String, String> = BTreeMap::new();
    for (day, name) in in_days(place, "outcomes") {
        let id = name.strip_suffix(".outcome.json").unwrap_or_else(|| panic!("{name} is no outcome"));
        let bytes = std::fs::read(place.drop.join("outcomes").join(&day).join(&name)).expect("an outcome");
        let outcome = Outcome::decode(&bytes).unwrap_or_else(|e| panic!("{day}/{name}: {e}"));
        assert_eq!(outcome.job_id().as_str(), id, "{day}/{name} is the outcome of another job");
        let data = String::from_utf8(outcome.data().to_vec()).expect("text");
        let other = outcomes.insert(id.to_owned(), data);
        assert_eq!(other, None, "a second outcome of {id}, in {day}");
    }
    same("what was submitted and the outcomes", &jobs.iter().collect(), &outcomes.iter().collect());

    let archived = in_days(place, "done").into_iter().map(|(_, name)| {
        InboxName::parse_archived(&name).unwrap_or_else(|e| panic!("{name} in done/: {e}")).id.to_string()
    });
    let archived: Vec<String> = archived.collect();
    assert_eq!(archived.len(), jobs.len(), "jobs in done/");
    same("what was submitted and what is in done/", &jobs.keys().collect(), &archived.iter().collect());

    // In `tmp/` may lie what a consumer was writing when it was killed; the sweep removes it when it is a day old.
    let elsewhere: Vec<_> = files(&place.drop)
        .into_iter()
        .filter(|path| !["outcomes/", "done/", "tmp/"].iter().any(|room| path.starts_with(room)))
        .collect();
    assert_eq!(elsewhere, ["filedrop.json"], "claims, staged outcomes, presences, jobs in other rooms");
    assert_eq!(names(&place.drop.join("claimed")), [""; 0], "rooms of the dead");

    let status = place.status();
    for (room, count) in status["rooms"].as_object().expect("rooms") {
        let expected = if ["outcomes", "done"].contains(&room.as_str()) { jobs.len() } else { 0 };
        assert!(room == "tmp" || *count == expected, "`filedrop status` says {count} jobs in {room}");
    }
    assert_eq!(status["consumers"], serde_json::json!([]), "`filedrop status`");
}

/// Shows but a few of the differences: there may be thousands.
#[track_caller]
fn same<T: Ord + std::fmt::Debug>(what: &str, expected: &BTreeSet<T>, found: &BTreeSet<T>) {
    let missing: Vec<_> = expected.difference(found).take(3).collect();
    let too_much: Vec<_> = found.difference(expected).take(3).collect();
    assert!(expected == found, "{what} are not the same: missing {missing:?}, too much {too_much:?}");
}

fn in_days(place: &Place, room: &str) -> Vec<(String, String)> {
    let days = names(&place.drop.join(room));
    let in_day = |day: &String| {
        let day = day.clone();
        names(&place.drop.join(room).join(&day)).into_iter().map(move |name| (day.clone(), name))
    };
    days.iter().flat_map(in_day).collect()
}

/// Every file below a folder.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in names(&folder) {
            let path = folder.join(name);
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).expect("below it").to_string_lossy().into_owned());
            }
        }
    }
    found
}
