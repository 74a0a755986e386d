//! Entries of given ids, and their drafts.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use filedrop::ports::{Fs as _, NewJob, Store as _, Submitted};
use filedrop::words::{InboxName, Job, Payload, Priority, Problem};

use crate::past::{DAY, LONG_AGO, Past, Store, age, handle, submit_given, sweep};

const DRAFT: &str = "ids/-1/order-1.00000000000000aa";
const ENTRY: &str = "ids/-1/order-1";

/// Gives an id, and says what was answered.
fn give(store: &Store, id: &str) -> Submitted {
    let id: filedrop::Id = id.parse().unwrap();
    let now = filedrop::ports::Host::now(store.host());
    let mut envelope = Job::envelope(&id, "/test", "again", now);
    envelope.payload = Some(Payload::detect("2"));
    let name = InboxName::job(id, now, Priority::default());
    let job = NewJob { name, bytes: envelope.encode().unwrap(), due: None, given: true, topic: None };
    store.submit(&[job]).unwrap()[0]
}

/// A submitter that died so long ago, after it had linked its draft to the entry.
fn unfinished(past: &Past, days: u32) {
    past.then(DAY * days, |store| {
        let name = submit_given(store, "order-1");
        fs::rename(store.layout().ready(&name), past.path(DRAFT)).unwrap();
    });
    assert_eq!(fs::metadata(past.path(ENTRY)).unwrap().nlink(), 2);
}

/// P20, P26: nobody was told that it is there. Its draft goes when it is a day old, its entry when nothing could refer to it.
#[test]
fn a_submission_that_was_never_finished() {
    let past = Past::new();
    unfinished(&past, 0);
    assert_eq!(sweep(&past.now()).0.total(), 0, "it may be under way");
    past.age(2 * DAY);
    let (swept, gone) = sweep(&past.now());
    assert_eq!((swept.drafts, swept.total(), &gone[..]), (1, 1, &[DRAFT.to_owned()][..]));
    assert_eq!(sweep(&past.now()).0.total(), 0);
    past.age(6 * DAY);
    let (swept, gone) = sweep(&past.now());
    assert_eq!((swept.ids, swept.total(), &gone[..]), (1, 1, &[ENTRY.to_owned()][..]));
    assert_eq!(give(&past.now(), "order-1"), Submitted::New);
}

/// P20: given again before that, it becomes one job.
#[test]
fn a_submission_that_is_finished_by_another() {
    for swept_first in [false, true] {
        let past = Past::new();
        unfinished(&past, 2);
        if swept_first {
            assert_eq!(sweep(&past.now()).0.drafts, 1);
        }
        let expected = if swept_first { Submitted::New } else { Submitted::Before };
        assert_eq!(give(&past.now(), "order-1"), expected);
        assert_eq!(past.now().scan(10).unwrap().names.len(), 1);
        assert_eq!(sweep(&past.now()).0.total(), 0);
        assert_eq!(give(&past.now(), "order-1"), Submitted::Before);
    }
}

/// P16: a draft that is not its entry's file was never more than that.
#[test]
fn a_draft_that_came_second() {
    let past = Past::new();
    past.then(2 * DAY, |store| submit_given(store, "order-1"));
    fs::write(past.path(DRAFT), "half").unwrap();
    assert_eq!(sweep(&past.now()).0.total(), 0);
    age(&past.path(DRAFT), 2 * DAY);
    assert_eq!(sweep(&past.now()).0.drafts, 1);
    assert!(past.has(ENTRY) && past.now().scan(10).unwrap().names.len() == 1);
}

/// P26: as long as its draft is there, which could become the job once more, a job that is done stays.
#[test]
fn a_draft_beside_a_job_that_is_done() {
    let past = Past::new();
    let name = past.then(LONG_AGO, |store| {
        let name = submit_given(store, "order-1");
        fs::hard_link(store.layout().ready(&name), past.path(DRAFT)).unwrap();
        handle(store, &name, Ok("1"));
        name
    });
    assert_eq!(past.of(&name.id).len(), 4);
    let (swept, gone) = sweep(&past.now());
    assert_eq!((swept.drafts, swept.total(), gone), (1, 1, vec![DRAFT.to_owned()]));
    assert_eq!(sweep(&past.now()).0.total(), 3);
    assert_eq!(give(&past.now(), "order-1"), Submitted::New, "all is forgotten");
}

/// P26: one file under two names is one that somebody needs; so is one whose job is a dead letter, or has a young outcome.
#[test]
fn entries_that_stay() {
    let past = Past::new();
    past.then(LONG_AGO, |store| {
        submit_given(store, "ready-1");
        let dead = submit_given(store, "dead-1");
        handle(store, &dead, Err(Problem::rejected("no")));
        let purged = submit_given(store, "purged-1");
        handle(store, &purged, Err(Problem::rejected("no")));
        for file in [purged.archived(), purged.reason()] {
            fs::remove_file(past.path("dead").join(file)).unwrap();
        }
        // Its outcome is young: it had to wait.
        fs::File::open(store.layout().slot(&purged)).unwrap();
    });
    let purged = past.of(&"purged-1".parse().unwrap());
    let slot = purged.iter().find(|path| path.ends_with(".outcome.json")).unwrap();
    let young = fs::FileTimes::new().set_modified(std::time::SystemTime::now());
    fs::File::open(past.path(slot)).unwrap().set_times(young).unwrap();
    let before = past.tree();
    assert_eq!(sweep(&past.now()).0.total(), 0);
    assert_eq!(past.tree(), before);
    age(&past.path(slot), LONG_AGO);
    let (swept, _) = sweep(&past.now());
    assert_eq!((swept.outcomes, swept.ids, swept.total()), (1, 1, 2));
}

/// P26: whoever is at an entry at the moment holds its lock.
#[test]
fn an_entry_that_somebody_is_at() {
    let past = Past::new();
    past.then(LONG_AGO, |store| {
        let name = submit_given(store, "order-1");
        handle(store, &name, Ok("1"));
    });
    let store = past.now();
    let held = store.fs().open(&past.path(ENTRY)).unwrap();
    assert!(store.fs().try_lock(&held).unwrap());
    let (swept, _) = sweep(&past.now());
    assert_eq!((swept.jobs, swept.outcomes, swept.ids), (1, 1, 0));
    drop(held);
    assert_eq!(sweep(&past.now()).0.ids, 1);
}

/// P20, P26: within its time an id that is given again is the old job, after it a new one.
#[test]
fn an_id_is_remembered_as_long_as_its_job() {
    let past = Past::new();
    for (age, id) in [(6 * DAY, "young-1"), (9 * DAY, "old-1")] {
        past.then(age, |store| {
            let name = submit_given(store, id);
            handle(store, &name, Ok("1"));
        });
        assert_eq!(give(&past.now(), id), Submitted::Before, "nobody has swept yet");
    }
    sweep(&past.now());
    assert_eq!(give(&past.now(), "young-1"), Submitted::Before);
    assert_eq!(give(&past.now(), "old-1"), Submitted::New);
    assert_eq!(past.now().scan(10).unwrap().names.len(), 1);
}
