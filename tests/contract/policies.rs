//! Delay, retry, given ids, dead letters: the second part.

use std::time::Duration;

use filedrop::adapters::fs::sim::{Model, World};
use filedrop::ports::{Host, NewJob, Store, Submitted};
use filedrop::words::{Attempt, InboxName, Priority, Problem};

use crate::{Bench, Simulated, job, local, name, outcome, plain, shared, taken};

/// A job of this id.
fn given<B: Bench>(bench: &B, id: &str, priority: u8) -> NewJob {
    let id = name(id);
    let new = job(bench, priority, |envelope| {
        envelope.set("id", id.as_str());
        envelope.set("priority", priority);
    });
    let name = InboxName::job(id, new.name.submitted, Priority::new(priority).expect("0 to 9"));
    NewJob { name, given: true, ..new }
}

fn attempt<B: Bench>(bench: &B, number: u32) -> Attempt {
    let now = bench.host().now().rfc3339();
    let problem = Problem::handler("out of paper");
    let (began, ended) = (now.clone(), now);
    Attempt { attempt: number, consumer: "c".to_owned(), began, ended, problem, next: None }
}

contract! {
    /// P3, P19: a delayed job is not ready before it is due, and then it is, once.
    fn a_delayed_job_comes_due(bench) {
        let store = bench.open();
        let now = bench.host().now();
        let mut later = plain(bench);
        later.due = Some(now.later(Duration::from_secs(3600)));
        let mut due = plain(bench);
        due.due = Some(now);
        store.submit(&[later.clone(), due.clone()]).expect("submit");
        assert_eq!(store.scan(9).expect("scan").names, [], "neither is ready yet");
        let promotion = store.promote(9).expect("promote");
        assert_eq!((promotion.moved, promotion.next), (1, later.due));
        assert_eq!(store.scan(9).expect("scan").names, [due.name]);
        let census = store.census().expect("census").rooms;
        assert_eq!((census.inbox, census.delayed), (1, 1));
        let places = store.locate(&later.name.id).expect("locate");
        assert_eq!((places[0].room, places[0].due), ("delayed", later.due));
        assert_eq!(store.promote(9).expect("promote").moved, 0);
    }

    /// P18, P25: a failed attempt is kept as a record, and the next one has the next number.
    fn a_failed_attempt_is_repeated_later(bench) {
        let store = bench.open();
        let new = plain(bench);
        store.submit(std::slice::from_ref(&new)).expect("submit");
        let room = store.register(&name("c"), crate::LEASE).expect("register");
        let claim = taken(store.claim(&room, &new.name).expect("claim"));
        let now = bench.host().now();
        let failed = attempt(bench, 1);
        for _ in 0..2 {
            // Once more, as if the first answer had been lost.
            store.postpone(&room, &claim, now, &failed).expect("postpone");
        }
        assert_eq!(store.census().expect("census").rooms.delayed, 1);
        assert_eq!(store.promote(9).expect("promote").moved, 1);
        let again = store.scan(9).expect("scan").names.remove(0);
        assert_eq!(again, new.name.next_attempt());
        let claim = taken(store.claim(&room, &again).expect("claim"));
        assert_eq!(store.attempts(&claim.name).expect("attempts"), [failed]);
        assert!(store.settle(&room, &claim, &outcome(bench, &claim, Ok("1"))).expect("settle"));
        store.retire(room).expect("retire");
    }

    /// P20: an id that is given again is the first job, whatever has become of it.
    fn an_id_given_twice_is_one_job(bench) {
        let store = bench.open();
        let (first, second) = (given(bench, "order-1", 5), given(bench, "order-1", 4));
        assert_eq!(store.submit(std::slice::from_ref(&first)).expect("submit"), [Submitted::New]);
        let again = || bench.open().submit(std::slice::from_ref(&second)).expect("submit again");
        assert_eq!(again(), [Submitted::Before], "it is ready");
        assert_eq!(store.scan(9).expect("scan").names, std::slice::from_ref(&first.name));
        let room = store.register(&name("c"), crate::LEASE).expect("register");
        let claim = taken(store.claim(&room, &first.name).expect("claim"));
        assert_eq!(again(), [Submitted::Before], "it is claimed");
        let failure = Err(Problem::handler("no"));
        assert!(store.settle(&room, &claim, &outcome(bench, &claim, failure)).expect("settle"));
        assert_eq!(again(), [Submitted::Before], "it is dead");
        assert_eq!(store.scan(9).expect("scan").names, []);
        assert!(store.outcome(&first.name.id).expect("look").is_some(), "an id that tells no day is found");
        store.retire(room).expect("retire");
    }

    /// P20: whoever is not sure repeats the submission with the id that was minted for it.
    fn a_minted_id_may_be_given_again(bench) {
        let store = bench.open();
        let minted = plain(bench);
        store.submit(std::slice::from_ref(&minted)).expect("submit");
        let again = NewJob { given: true, ..minted.clone() };
        for _ in 0..2 {
            assert_eq!(store.submit(std::slice::from_ref(&again)).expect("again"), [Submitted::Before]);
        }
        assert_eq!(store.scan(9).expect("scan").names, [minted.name]);
        let lost = NewJob { given: true, ..plain(bench) };
        assert_eq!(store.submit(std::slice::from_ref(&lost)).expect("again"), [Submitted::New]);
        assert_eq!(store.submit(std::slice::from_ref(&lost)).expect("again"), [Submitted::Before]);
    }

    /// P21: a dead letter becomes a new job, once; its own failure stands.
    fn a_dead_letter_is_redriven_once(bench) {
        let store = bench.open();
        let new = job(bench, 3, |envelope| envelope.set("expirytime", "2020-01-01T00:00:00Z"));
        store.submit(std::slice::from_ref(&new)).expect("submit");
        let room = store.register(&name("c"), crate::LEASE).expect("register");
        let claim = taken(store.claim(&room, &new.name).expect("claim"));
        let why = Err(Problem::expired("too late"));
        assert!(store.settle(&room, &claim, &outcome(bench, &claim, why)).expect("settle"));
        let census = store.census().expect("census").rooms;
        assert_eq!((census.dead, census.done), (1, 0), "what expired is a dead letter");
        let id = store.redrive(&new.name).expect("redrive");
        assert!(id.minted_at().is_some() && id != new.name.id);
        assert_eq!(store.redrive(&new.name).expect("redrive again"), id);
        let census = store.census().expect("census").rooms;
        assert_eq!((census.inbox, census.dead, census.done), (1, 0, 1));
        let ready = store.scan(9).expect("scan").names.remove(0);
        let claim = taken(store.claim(&room, &ready).expect("claim"));
        let envelope = filedrop::Envelope::decode(&claim.bytes).expect("an envelope");
        assert_eq!(envelope.text("causationid"), Some(new.name.id.as_str()));
        assert_eq!(envelope.text("correlationid"), Some(new.name.id.as_str()));
        assert_eq!((envelope.text("expirytime"), envelope.data()), (None, &b"1"[..]));
        assert!(store.outcome(&new.name.id).expect("look").expect("its outcome").problem().is_some());
        store.settle(&room, &claim, &outcome(bench, &claim, Ok("2"))).expect("settle");
        store.retire(room).expect("retire");
    }

    /// P21: what is invalid is not redriven; what is redriven or purged is no letter any more.
    fn dead_letters_are_read_and_purged(bench) {
        let store = bench.open();
        let letters = [job(bench, 1, |_| {}), job(bench, 2, |_| {})];
        store.submit(&letters).expect("submit");
        let room = store.register(&name("c"), crate::LEASE).expect("register");
        for (job, why) in letters.iter().zip([Problem::handler("as asked"), Problem::invalid("as asked")]) {
            let claim = taken(store.claim(&room, &job.name).expect("claim"));
            assert!(store.settle(&room, &claim, &outcome(bench, &claim, Err(why))).expect("settle"));
        }
        let [dead, invalid] = store.dead().expect("dead").try_into().expect("two");
        assert_eq!((dead.room, &dead.name.id, invalid.room), ("dead", &letters[0].name.id, "invalid"));
        let remains = store.exhume(&dead).expect("exhume").expect("there");
        assert_eq!(remains.envelope, store.envelope(&dead.name.id).expect("envelope"));
        assert_eq!(remains.outcome, store.outcome(&dead.name.id).expect("outcome"));
        store.redrive(&dead.name).expect("redrive");
        assert_eq!(store.exhume(&dead).expect("exhume"), None);
        assert!(store.redrive(&invalid.name).is_err());
        store.purge(&invalid.name).expect("purge");
        store.purge(&invalid.name).expect("purge again");
        assert_eq!(store.dead().expect("dead"), []);
        assert!(store.redrive(&invalid.name).is_err());
        assert!(store.outcome(&invalid.name.id).expect("outcome").is_some(), "the outcome stands");
    }
}

/// P22: who moves a dead letter to the inbox finds it in `dead/` again; a name without an attempt that never was a job is invalid.
#[test]
fn what_is_no_job_is_put_back() {
    for bench in [local(), shared()] {
        let store = bench.open();
        let new = plain(&bench);
        store.submit(std::slice::from_ref(&new)).expect("submit");
        let room = store.register(&name("c"), crate::LEASE).expect("register");
        let claim = taken(store.claim(&room, &new.name).expect("claim"));
        store.settle(&room, &claim, &outcome(&bench, &claim, Err(Problem::handler("no")))).expect("settle");
        let (inbox, dead) = (store.layout().room("inbox"), store.layout().room("dead"));
        let file = new.name.archived();
        std::fs::rename(dead.join(&file), inbox.join(&file)).expect("mv");
        let never = plain(&bench);
        std::fs::write(inbox.join(never.name.archived()), &never.bytes).expect("a file");
        let scan = store.scan(9).expect("scan");
        assert_eq!((scan.names.len(), scan.misplaced.len()), (0, 2));
        for _ in 0..2 {
            // Two consumers saw it.
            assert_eq!(store.put_back(&new.name).expect("put back"), dead.join(&file));
        }
        let invalid = store.layout().room("invalid").join(never.name.archived());
        assert_eq!(store.put_back(&never.name).expect("put back"), invalid);
        assert!(dead.join(new.name.reason()).exists() && invalid.exists());
        // A copy beside the letter itself.
        std::fs::copy(dead.join(&file), inbox.join(&file)).expect("cp");
        let aside = store.layout().room("invalid").join(&file);
        assert_eq!(store.put_back(&new.name).expect("put back"), aside);
        // And an edited one, which must not replace that.
        std::fs::write(inbox.join(&file), "edited").expect("a file");
        let refused = store.put_back(&new.name).expect_err("it has no place").to_string();
        assert!(refused.contains("in invalid/; none is replaced"), "{refused}");
        assert_eq!(std::fs::read(inbox.join(&file)).expect("it stays"), b"edited");
        assert_eq!(std::fs::read(&aside).expect("it stays"), new.bytes);
        std::fs::remove_file(&aside).expect("rm");
        assert_eq!(store.put_back(&new.name).expect("put back"), aside);
        assert_eq!(std::fs::read(&aside).expect("it is there"), b"edited");
    }
}

/// However many somebody moved: they are not all in memory at once, and each comes to its place.
#[test]
fn what_is_no_job_is_put_back_in_portions() {
    let bench = local();
    let store = bench.open();
    for nth in 0..300 {
        let name = format!("5.1700000000000.strange-{nth:03}.job.json");
        std::fs::write(store.layout().room("inbox").join(name), "{}").expect("a file");
    }
    let mut portions = Vec::new();
    loop {
        let misplaced = store.scan(9).expect("scan").misplaced;
        if misplaced.is_empty() {
            break;
        }
        portions.push(misplaced.len());
        for name in &misplaced {
            store.put_back(name).expect("put back");
        }
    }
    assert_eq!(portions, [256, 44]);
    assert_eq!(store.census().expect("census").rooms.invalid, 300);
}

/// P20: a minted id is given by one who stopped half-way, while its job, which has no entry, is being handled. The next one must
/// not publish what that one left.
#[test]
fn a_minted_id_that_is_being_handled_is_not_published_again() {
    for bench in [local(), shared()] {
        let store = bench.open();
        let minted = plain(&bench);
        store.submit(std::slice::from_ref(&minted)).expect("submit");
        let room = store.register(&name("c"), crate::LEASE).expect("register");
        taken(store.claim(&room, &minted.name).expect("claim"));
        let entry = store.layout().entry(&minted.name.id);
        std::fs::create_dir(store.layout().shelf(&minted.name.id)).expect("a shelf");
        std::fs::write(&entry, &minted.bytes).expect("an entry");
        let draft = entry.with_file_name(format!("{}.0123456789abcdef", minted.name.id));
        std::fs::hard_link(&entry, &draft).expect("its draft");
        let again = NewJob { given: true, ..minted.clone() };
        assert_eq!(store.submit(&[again]).expect("again"), [Submitted::Before]);
        assert!(store.scan(9).expect("scan").names.is_empty() && !draft.exists());
    }
}

/// P21: what follows from no UUID would follow from many outcomes.
#[test]
fn an_outcome_without_a_uuid_cannot_be_redriven() {
    let bench = local();
    let store = bench.open();
    let new = plain(&bench);
    store.submit(std::slice::from_ref(&new)).expect("submit");
    let room = store.register(&name("c"), crate::LEASE).expect("register");
    let claim = taken(store.claim(&room, &new.name).expect("claim"));
    let mut failed = outcome(&bench, &claim, Err(Problem::handler("no")));
    failed.envelope.set("id", "my-own-id");
    store.settle(&room, &claim, &failed).expect("settle");
    assert!(store.redrive(&new.name).expect_err("it is refused").to_string().contains("no UUID"));
    assert_eq!(store.census().expect("census").rooms.dead, 1);
}
