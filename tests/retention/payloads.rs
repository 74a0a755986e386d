//! Files that travel with jobs.

use std::fs;
use std::os::unix::fs::symlink;

use filedrop::ports::Store as _;
use filedrop::words::Id;

use crate::past::{DAY, LONG_AGO, Past, age, attach, handle, submit, submit_given, sweep, sweep_by};

fn orphans(past: &Past, id: &str, days: u32) -> Id {
    let id: Id = id.parse().unwrap();
    for path in attach(past, &id) {
        age(&path, DAY * days + DAY / 24);
    }
    id
}

/// P23, P24, P26: of submissions that were given up, and of attempts that failed; when they have been there for a day, however long
/// before that they were written.
#[test]
fn what_nobody_refers_to() {
    let past = Past::new();
    let minted = submit(&past.ago(2 * DAY), |_| {});
    fs::remove_file(past.now().layout().ready(&minted)).unwrap();
    let ids = [orphans(&past, "given-up", 3), orphans(&past, minted.id.as_str(), 0)];
    assert_eq!(sweep(&past.later(DAY - DAY / 24)).0.total(), 0);
    let (swept, gone) = sweep(&past.later(DAY + DAY / 24));
    assert_eq!((swept.payloads, swept.total()), (4, 4), "{gone:?}");
    assert!(ids.iter().all(|id| past.of(id).is_empty()));
}

/// P26: a sweep died with them in hand. Who refers to them has them back at once, and nobody else needs them.
#[test]
fn what_a_sweep_left_aside() {
    let past = Past::new();
    let store = past.now();
    let aside = |id: &Id, end: &str| {
        for path in attach(&past, id) {
            let name = format!("{}.00000000000000cc.{end}", path.file_name().unwrap().to_str().unwrap());
            fs::rename(&path, path.with_file_name(name)).unwrap();
        }
    };
    let [needed, entry, given_up, begun] = [
        submit(&store, |_| {}).id,
        "entry".parse().unwrap(),
        "given-up".parse().unwrap(),
        "begun".parse().unwrap(),
    ];
    let name = submit_given(&store, "entry");
    fs::remove_file(store.layout().ready(&name)).unwrap();
    for id in [&needed, &entry, &given_up] {
        aside(id, "orphan");
    }
    aside(&begun, "spent");
    let listed = sweep_by(&store, true, None);
    let (swept, gone) = sweep(&store);
    assert_eq!((swept.payloads, swept.total()), (4, 4), "{gone:?}");
    assert_eq!(listed, (swept, gone));
    assert!([given_up, begun].iter().all(|id| past.of(id).is_empty()));
    for id in [&needed, &entry] {
        assert!(past.has(format!("payload/{id}.00000000000000aa/deep/er/a file")));
        assert!(past.has(format!("payload/{id}.00000000000000bb.data")));
    }
}

/// P26: wherever their job is: it may have an id of anybody's, and a day that nobody can tell.
#[test]
fn what_a_job_refers_to() {
    let past = Past::new();
    let store = past.now();
    let strange = |id: &str, room: &str| {
        let name = format!("5.{}.{id}.1.job.json", filedrop::ports::Host::now(store.host()));
        fs::write(past.path(room).join(name), "{}").unwrap();
        orphans(&past, id, 3)
    };
    let mut ids = vec![strange("ready", "inbox")];
    fs::create_dir_all(past.path("outcomes/2020-01-01")).unwrap();
    fs::create_dir_all(past.path("done/2020-01-01")).unwrap();
    fs::write(past.path("outcomes/2020-01-01/settled.outcome.json"), "{}").unwrap();
    fs::write(past.path("done/2020-01-01/5.1577836800000.archived.job.json"), "{}").unwrap();
    ids.extend(["settled", "archived"].map(|id| orphans(&past, id, 3)));
    let done = past.done(DAY);
    ids.push(orphans(&past, done.id.as_str(), 3));
    let given = submit_given(&store, "given-1");
    handle(&store, &given, Ok("1"));
    ids.push(orphans(&past, "given-1", 3));
    let before = past.tree();
    assert_eq!(sweep(&past.later(3 * DAY)).0.total(), 0);
    assert_eq!(past.tree(), before, "{ids:?}");
}

/// P20, P26: a submission of a given id may still be finished by whoever gives it again; then it needs its files.
#[test]
fn what_an_entry_may_need() {
    let past = Past::new();
    past.then(3 * DAY, |store| {
        let name = submit_given(store, "order-1");
        fs::remove_file(store.layout().ready(&name)).unwrap();
    });
    let id = orphans(&past, "order-1", 3);
    assert_eq!(sweep(&past.later(2 * DAY)).0.total(), 0);
    past.age(LONG_AGO);
    assert_eq!(sweep(&past.now()).0.ids, 1);
    assert_eq!(sweep(&past.later(2 * DAY)).0.payloads, 2);
    assert!(past.of(&id).is_empty());
}

/// P26: handlers leave all sorts of things. Of links only the links go, and only those.
#[test]
fn links_in_them_are_not_followed() {
    let past = Past::new();
    let elsewhere = past.root.parent().unwrap().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("precious"), "precious").unwrap();
    let name = past.done(LONG_AGO);
    let [files, _] = attach(&past, &name.id);
    symlink(&elsewhere, files.join("folder")).unwrap();
    symlink(elsewhere.join("precious"), files.join("deep/file")).unwrap();
    symlink("/nowhere", files.join("deep/er/nowhere")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(files.join("pipe")).status().unwrap().success());
    let mut deep = files.clone();
    for _ in 0..300 {
        deep = deep.join("d");
        fs::create_dir(&deep).unwrap();
    }
    let (swept, gone) = sweep(&past.now());
    assert_eq!((swept.jobs, swept.payloads), (1, 2), "{gone:?}");
    assert!(past.of(&name.id).is_empty());
    assert_eq!(fs::read(elsewhere.join("precious")).unwrap(), b"precious");
    assert_eq!(past.now().scan(1).unwrap().names.len(), 0);
}
