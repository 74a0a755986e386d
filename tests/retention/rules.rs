//! What goes.

use std::fs;
use std::time::Duration;

use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Claimed, Host as _, Store as _, Swept};
use filedrop::words::{Attempt, DEFAULT_LEASE, Id, Millis, Problem};

use crate::past::{DAY, LONG_AGO, Past, Store, age, attach, handle, submit, submit_given, sweep, sweep_by};

/// A job that failed once, was handled again, has files, data and a given id, and was done so long ago.
fn with_all(past: &Past, ago: Duration, id: &str) -> filedrop::InboxName {
    past.then(ago, |store| {
        let name = submit_given(store, id);
        let room = store.register(&"test".parse().unwrap(), DEFAULT_LEASE).unwrap();
        let Claimed::Taken(claim) = store.claim(&room, &name).unwrap() else { panic!("it is ready") };
        let attempt = Attempt {
            attempt: 1,
            consumer: "test".to_owned(),
            began: store.host().now().rfc3339(),
            ended: store.host().now().rfc3339(),
            problem: Problem::handler("once"),
            next: None,
        };
        store.postpone(&room, &claim, Millis::MIN, &attempt).unwrap();
        store.retire(room).unwrap();
        assert_eq!(store.promote(10).unwrap().moved, 1);
        attach(past, &name.id);
        handle(store, &name.next_attempt(), Ok("1"));
        name
    })
}

/// P26: all that belongs to a job that was kept long enough, and with the last of a day the day itself.
#[test]
fn a_job_goes_with_all_that_belongs_to_it() {
    let past = Past::new();
    let fresh = past.tree();
    let name = with_all(&past, LONG_AGO, "order-1");
    assert_eq!(past.of(&name.id).len(), 9, "files and folders: {:?}", past.of(&name.id));
    let (swept, gone) = sweep(&past.now());
    let (day, archived) = (name.day(), name.archived());
    let expected = [
        format!("done/{day}/{archived}"),
        "ids/-1/order-1".to_owned(),
        format!("outcomes/{day}/order-1.1.attempt.json"),
        format!("outcomes/{day}/order-1.outcome.json"),
        "payload/order-1.00000000000000aa".to_owned(),
        "payload/order-1.00000000000000bb.data".to_owned(),
    ];
    assert_eq!(gone, expected);
    let counts = Swept { jobs: 1, outcomes: 2, payloads: 2, ids: 1, ..Swept::default() };
    assert_eq!(swept, counts);
    // Shelves stay.
    let mut left = past.tree();
    assert!(left.remove(std::path::Path::new("ids/-1")).is_some());
    assert_eq!(left, fresh);
    assert_eq!(sweep(&past.now()), (Swept::default(), Vec::new()), "nothing more to do");
}

/// P26: the age is that of the outcome, however long the job had to wait for it.
#[test]
fn the_age_of_a_job_is_that_of_its_outcome() {
    let past = Past::new();
    let waited = past.then(2 * LONG_AGO, |store| submit(store, |_| {}));
    past.then(6 * DAY, |store| handle(store, &waited, Ok("1")));
    let old = past.done(LONG_AGO);
    let (swept, _) = sweep(&past.now());
    assert_eq!((swept.jobs, swept.outcomes), (1, 1));
    assert!(past.of(&old.id).is_empty());
    assert_eq!(past.of(&waited.id).len(), 2, "job and outcome");
    past.age(2 * DAY);
    assert_eq!(sweep(&past.now()).0.jobs, 1);
    assert!(past.of(&waited.id).is_empty());
}

/// P26: a power cut, or an interrupted sweep, may have left one without the other.
#[test]
fn parts_of_a_job_go_by_their_own_age() {
    let past = Past::new();
    let [no_slot, no_job] = [past.done(LONG_AGO), past.done(LONG_AGO)];
    let [young_job, young_slot] = [past.done(DAY), past.done(DAY)];
    for name in [&no_slot, &young_job] {
        fs::remove_file(past.now().layout().slot(name)).unwrap();
    }
    for name in [&no_job, &young_slot] {
        fs::remove_file(past.now().layout().archived(name)).unwrap();
    }
    let day = past.path("outcomes").join(no_job.day());
    for (record, old) in [("alone.1.attempt.json", true), ("alone-too.3.attempt.json", false)] {
        fs::write(day.join(record), "{}").unwrap();
        age(&day.join(record), if old { LONG_AGO } else { DAY });
    }
    let (swept, _) = sweep(&past.now());
    assert_eq!((swept.jobs, swept.outcomes), (1, 2));
    assert!(past.of(&no_slot.id).is_empty() && past.of(&no_job.id).is_empty());
    assert_eq!((past.of(&young_job.id).len(), past.of(&young_slot.id).len()), (1, 1));
    assert_eq!(fs::read_dir(&day).unwrap().count(), 1, "the young record, and so the day");
}

/// Clocks differ: what seems to come from the future is young, and so is a day that has not come.
#[test]
fn the_future_is_young() {
    let past = Past::new();
    let name = past.done(LONG_AGO);
    let slot = past.now().layout().slot(&name);
    let ahead = std::time::SystemTime::now() + 30 * DAY;
    let file = fs::File::open(&slot).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(ahead)).unwrap();
    assert_eq!(sweep(&past.now()).0.total(), 0);
    assert_eq!(past.of(&name.id).len(), 2);
}

/// P26: how long is written in the folder, or said for once.
#[test]
fn how_long_can_be_said() {
    let past = Past::new();
    let name = past.done(3 * DAY);
    assert_eq!(sweep(&past.now()).0.total(), 0);
    assert_eq!(sweep_by(&past.now(), false, Some(4 * DAY)).0.total(), 0);
    assert_eq!(sweep_by(&past.now(), false, Some(2 * DAY)).0.total(), 2);
    assert!(past.of(&name.id).is_empty());
}

/// P16: drafts that look a day old, also of Return Addresses; and folders that were to be shared by a group.
#[test]
fn litter_goes_when_it_is_a_day_old() {
    let past = Past::new();
    past.then(DAY / 2, |store| replied(&past, store, "asker"));
    for (nth, tmp) in ["tmp", "replies/asker/tmp"].iter().enumerate() {
        let tmp = past.path(tmp);
        for (name, by) in [("old", DAY + DAY / 24), ("young", DAY - DAY / 24)] {
            fs::write(tmp.join(name), "half").unwrap();
            fs::create_dir(tmp.join(format!("{name}-folder"))).unwrap();
            fs::create_dir_all(tmp.join(format!("{name}-full/x"))).unwrap();
            for what in ["", "-folder", "-full"] {
                age(&tmp.join(format!("{name}{what}")), by);
            }
        }
        let dry = sweep_by(&past.now(), true, None);
        assert_eq!(sweep(&past.now()), dry);
        assert_eq!(dry.0, Swept { drafts: 2, ..Swept::default() }, "folder {nth}");
        let mut left: Vec<_> = fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["old-full", "young", "young-folder", "young-full"]);
    }
}

/// A job whose outcome is delivered.
fn replied(past: &Past, store: &Store, address: &str) -> filedrop::InboxName {
    let name = submit(store, |job| {
        let mut envelope = filedrop::Envelope::decode(&job.bytes).unwrap();
        envelope.set("replyto", address);
        job.bytes = envelope.encode().unwrap();
    });
    handle(store, &name, Ok("1"));
    assert!(past.has(format!("replies/{address}/inbox/{}", name.delivery())));
    name
}

/// P26: what was collected goes by the age of the outcome that was delivered, and then its job. What waits stays, with its job, and
/// so does what is in hand: the archive is what remembers that it was collected.
#[test]
fn replies_that_were_collected_go() {
    let past = Past::new();
    let names = past.then(LONG_AGO, |store| [(); 3].map(|()| replied(&past, store, "asker")));
    let [collected, claimed, waiting] = &names;
    let address = past.path("replies/asker");
    let asker = LocalStore::open(past.now().fs().clone(), *past.now().host(), &address).unwrap();
    let room = asker.register(&"asker".parse().unwrap(), DEFAULT_LEASE).unwrap();
    for name in [collected, claimed] {
        let Claimed::Taken(claim) = asker.claim(&room, &name.delivery()).unwrap() else { panic!("it waits") };
        assert!(asker.collected(&room, &claim).unwrap());
    }
    // As after a power cut: it was collected, and its claim is back.
    let archived = address.join("done").join(claimed.day()).join(claimed.delivery().archived());
    fs::hard_link(&archived, asker.layout().claim(room.name(), &claimed.delivery())).unwrap();
    let fresh = past.then(DAY, |store| replied(&past, store, "asker"));
    let Claimed::Taken(claim) = asker.claim(&room, &fresh.delivery()).unwrap() else { panic!("it waits") };
    assert!(asker.collected(&room, &claim).unwrap());

    let (_, would_go) = sweep_by(&past.now(), true, None);
    let (swept, gone) = sweep(&past.now());
    assert_eq!((swept.jobs, swept.outcomes), (1, 2), "{gone:?}");
    assert_eq!(would_go, gone, "a dry run tells the same");
    assert!(past.of(&collected.id).is_empty());
    let in_replies = |id: &Id| -> Vec<String> {
        past.of(id).into_iter().filter(|path| path.starts_with("replies/")).collect()
    };
    for stays in [claimed, waiting] {
        assert_eq!(past.of(&stays.id).len() - in_replies(&stays.id).len(), 2, "job and slot");
    }
    assert_eq!(in_replies(&claimed.id).len(), 2, "claim and archive");
    assert_eq!(in_replies(&waiting.id), [format!("replies/asker/inbox/{}", waiting.delivery())]);
    assert_eq!(in_replies(&fresh.id).len(), 1);

    assert!(matches!(asker.claim(&room, &claimed.delivery()), Ok(Claimed::Lost | Claimed::Settled)));
}

/// P26: a folder that somebody copied may have two files where there was one with two names.
#[test]
fn what_waits_in_a_copy_of_a_folder_stays() {
    let past = Past::new();
    let name = past.then(LONG_AGO, |store| replied(&past, store, "asker"));
    let delivered = past.path(format!("replies/asker/inbox/{}", name.delivery()));
    let copy = past.path("tmp/copy");
    fs::copy(&delivered, &copy).unwrap();
    fs::rename(&copy, &delivered).unwrap();
    assert_eq!(sweep(&past.now()).0.total(), 0);
    fs::remove_file(delivered).unwrap();
    assert_eq!(sweep(&past.now()).0.total(), 2, "job and slot");
}

/// P26: an outcome that is staged is still to be delivered; so is its slot to be decided.
#[test]
fn what_is_staged_is_not_over() {
    let past = Past::new();
    let name = past.then(LONG_AGO, |store| replied(&past, store, "asker"));
    let store = past.now();
    let room = store.register(&"test".parse().unwrap(), DEFAULT_LEASE).unwrap();
    let staged = store.layout().staged(room.name(), &name.staged(7));
    fs::hard_link(store.layout().slot(&name), &staged).unwrap();
    let delivered = past.path(format!("replies/asker/inbox/{}", name.delivery()));
    let archive = past.path(format!("replies/asker/done/{}", name.day()));
    fs::create_dir_all(&archive).unwrap();
    fs::rename(delivered, archive.join(name.delivery().archived())).unwrap();
    assert_eq!(sweep(&store).0.total(), 0);
    fs::remove_file(staged).unwrap();
    assert_eq!(sweep(&store).0.total(), 3);
    store.retire(room).unwrap();
}
