//! Claiming, settling, recovering: the first part of the protocol.

use std::ops::ControlFlow;
use std::time::Duration;

use filedrop::adapters::fs::sim::{Model, World};
use filedrop::ports::{Broom, Claimed, Host, Progress, Store, Swept, Vigil};
use filedrop::words::{Disposition, Id, Outcome, Problem};

use crate::{Bench, LEASE, Simulated, job, local, name, outcome, plain, shared, taken};

contract! {
    /// P3, P6: what is submitted is ready, in order, and is there byte for byte.
    fn submitted_jobs_are_ready_in_order(bench) {
        let store = bench.open();
        let jobs = [job(bench, 5, |_| {}), job(bench, 0, |_| {}), job(bench, 9, |_| {})];
        store.submit(&jobs).expect("submit");
        let scan = store.scan(10).expect("scan");
        assert_eq!(scan.names, [&jobs[1], &jobs[0], &jobs[2]].map(|job| job.name.clone()));
        let scan = store.scan(1).expect("scan");
        assert_eq!((scan.names.as_slice(), scan.beyond), (&[jobs[1].name.clone()][..], 2));
        let room = store.register(&name("c"), LEASE).expect("register");
        assert_eq!(taken(store.claim(&room, &jobs[1].name).expect("claim")).bytes, jobs[1].bytes);
    }

    /// A scan goes through no more names than it is told to, and says so. Which ones, the folder decides; these are in order.
    fn a_scan_can_be_cut_short(bench) {
        let store = bench.open();
        let jobs: Vec<_> = (0..6).map(|nth| job(bench, nth % 3, |_| {})).collect();
        store.submit(&jobs).expect("submit");
        let all = store.scan_part(9, 6).expect("scan");
        assert_eq!((all.seen, all.cut_short, all.beyond), (6, false, 0));
        assert!(all.names.is_sorted() && all.names.len() == 6);
        let some = store.scan_part(3, 5).expect("scan");
        assert_eq!((some.seen, some.cut_short, some.beyond), (5, true, 2));
        assert!(some.names.is_sorted() && some.names.iter().all(|name| all.names.contains(name)));
        assert_eq!(some.names.len(), 3);
        let none = store.scan_part(3, 0).expect("scan");
        assert!(none.names.is_empty() && none.cut_short);
    }

    /// Nobody is told that an inbox is empty because it was so before.
    fn what_comes_to_an_inbox_that_was_empty_is_seen(bench) {
        let store = bench.open();
        for _ in 0..3 {
            for _ in 0..3 {
                assert!(store.scan(9).expect("scan").names.is_empty());
            }
            let job = plain(bench);
            store.submit(std::slice::from_ref(&job)).expect("submit");
            assert_eq!(store.scan(9).expect("scan").names, std::slice::from_ref(&job.name));
            let room = store.register(&name("c"), LEASE).expect("register");
            store.claim(&room, &job.name).expect("claim");
        }
    }

    /// P3: a submission whose answer was uncertain is repeated, and there is one job.
    fn a_submission_can_be_repeated(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        store.submit(std::slice::from_ref(&job)).expect("submit again");
        assert_eq!(store.scan(10).expect("scan").names, [job.name]);
    }

    /// P6: of many who claim, one gets it.
    fn a_job_is_claimed_once(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let (one, two) = (bench.open(), bench.open());
        let (room1, room2) = (one.register(&name("a"), LEASE).expect("a"), two.register(&name("b"), LEASE).expect("b"));
        taken(one.claim(&room1, &job.name).expect("claim"));
        assert!(matches!(two.claim(&room2, &job.name).expect("claim"), Claimed::Lost));
        assert!(store.scan(10).expect("scan").names.is_empty());
    }

    /// P8: given back, it is as if it had never been taken.
    fn a_released_job_is_ready_again_with_the_same_attempt(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        store.release(&room, &claim).expect("release");
        store.release(&room, &claim).expect("release again");
        assert_eq!(store.scan(10).expect("scan").names, [job.name]);
        store.retire(room).expect("an empty room can be given back");
    }

    /// P10, P11, P14: settled, archived, reported.
    fn a_settled_job_has_its_outcome(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        assert_eq!(store.outcome(&job.name.id).expect("outcome"), None);
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        let outcome = outcome(bench, &claim, Ok("[ 1.0,2e3 ]"));
        assert!(store.settle(&room, &claim, &outcome).expect("settle"));
        let reported = bench.open().outcome(&job.name.id).expect("outcome").expect("it is settled");
        assert_eq!((reported.data(), reported.disposition), (&b"[ 1.0,2e3 ]"[..], Disposition::Succeeded));
        assert_eq!((reported.job_id(), reported.attempt()), (job.name.id.clone(), 1));
        let census = store.census().expect("census");
        assert_eq!((census.rooms.inbox, census.rooms.claimed, census.rooms.done, census.rooms.outcomes), (0, 0, 1, 1));
        store.retire(room).expect("an empty room can be given back");
        assert!(store.census().expect("census").consumers.is_empty());
    }

    /// P14: the outcomes of many, those that there are; until the one who asks has heard enough.
    fn many_outcomes_are_told_at_once(bench) {
        let store = bench.open();
        let jobs: Vec<_> = (0..4).map(|_| plain(bench)).collect();
        store.submit(&jobs).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        for job in &jobs[1..] {
            let claim = taken(store.claim(&room, &job.name).expect("claim"));
            store.settle(&room, &claim, &outcome(bench, &claim, Ok("1"))).expect("settle");
        }
        let ids: Vec<Id> = jobs.iter().map(|job| job.name.id.clone()).collect();
        let asker = bench.open();
        for everywhere in [false, true] {
            let mut told = Vec::new();
            asker.outcomes(&ids, everywhere, &mut |id, answer| {
                assert_eq!(answer.expect("it can be read").job_id(), *id);
                told.push(id.clone());
                ControlFlow::Continue(())
            });
            told.sort();
            let mut decided = ids[1..].to_vec();
            decided.sort();
            assert_eq!(told, decided);
        }
        let mut told = 0;
        asker.outcomes(&ids, true, &mut |_, _| {
            told += 1;
            ControlFlow::Break(())
        });
        assert_eq!(told, 1);
    }

    /// P11: a failure is buried, an unreadable job is put aside, each with its reason.
    fn failures_go_to_their_graves(bench) {
        let store = bench.open();
        let (failing, mut garbage) = (plain(bench), plain(bench));
        garbage.bytes = b"{".to_vec();
        store.submit(&[failing.clone(), garbage.clone()]).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &failing.name).expect("claim"));
        let failed = outcome(bench, &claim, Err(Problem::handler("as asked")));
        assert!(store.settle(&room, &claim, &failed).expect("settle"));
        let claim = taken(store.claim(&room, &garbage.name).expect("claim"));
        let (id, now) = bench.host().mint();
        let unreadable = Outcome::unreadable(&garbage.name.id, 1, &id, "/test", now, Problem::invalid("no JSON"));
        assert!(store.settle(&room, &claim, &unreadable).expect("settle"));
        let census = store.census().expect("census");
        assert_eq!((census.rooms.dead, census.rooms.invalid, census.rooms.outcomes), (1, 1, 2));
        let problem = store.outcome(&failing.name.id).expect("outcome").and_then(|outcome| outcome.problem());
        assert_eq!(problem, Some(Problem::handler("as asked")));
        let rooms: Vec<_> = store.locate(&garbage.name.id).expect("locate").iter().map(|place| place.room).collect();
        assert_eq!(rooms, ["outcomes", "invalid"]);
    }

    /// P10: the first outcome counts, whoever comes later and however often.
    fn a_job_has_one_outcome_for_ever(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        let (first, second) = (outcome(bench, &claim, Ok("1")), outcome(bench, &claim, Ok("2")));
        assert!(store.settle(&room, &claim, &first).expect("settle"));
        assert!(!store.settle(&room, &claim, &second).expect("settle"));
        assert_eq!(store.outcome(&job.name.id).expect("outcome").expect("settled").data(), b"1");
        assert_eq!(store.census().expect("census").rooms.done, 1);
    }

    /// P7: a settled job that comes back is archived, not handled.
    fn a_settled_job_is_not_taken_again(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        store.settle(&room, &claim, &outcome(bench, &claim, Ok("1"))).expect("settle");
        store.submit(std::slice::from_ref(&job)).expect("it comes back");
        assert!(matches!(store.claim(&room, &job.name).expect("claim"), Claimed::Settled));
        assert!(store.scan(10).expect("scan").names.is_empty());
    }

    /// P13: the silent are judged after their lease, not before, and their claims go back as another attempt.
    fn the_silent_lose_their_claims_after_their_lease(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let silent = store.register(&name("silent"), LEASE).expect("register");
        taken(store.claim(&silent, &job.name).expect("claim"));
        let other = bench.open();
        let room = other.register(&name("other"), LEASE).expect("register");
        let mut vigil = Vigil::default();
        assert_eq!(other.recover(&room, &mut vigil).expect("recover").returned, 0);
        store.beat(&silent, Progress::default()).expect("beat");
        bench.outlast_a_lease();
        assert_eq!(other.recover(&room, &mut vigil).expect("recover").returned, 0, "it stirred since the last look");
        bench.outlast_a_lease();
        assert_eq!(other.recover(&room, &mut vigil).expect("recover").returned, 1);
        assert_eq!(store.scan(10).expect("scan").names, [job.name.next_attempt()]);
    }

    /// P13: recovery is done once, and doing it again does nothing.
    fn recovery_can_be_repeated(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let dead = store.register(&name("dead"), LEASE).expect("register");
        taken(store.claim(&dead, &job.name).expect("claim"));
        drop(dead);
        let room = store.register(&name("other"), LEASE).expect("register");
        let mut vigil = Vigil::default();
        let mut total = store.recover(&room, &mut vigil).expect("recover");
        bench.outlast_a_lease();
        let later = store.recover(&room, &mut vigil).expect("recover");
        (total.returned, total.cleared) = (total.returned + later.returned, total.cleared + later.cleared);
        assert_eq!((total.returned, total.cleared), (1, 1));
        let again = store.recover(&room, &mut vigil).expect("recover");
        assert_eq!((again.returned, again.cleared, again.unjudged), (0, 0, 0));
    }

    /// P9, P12, P15: an outcome reaches its Return Address once, and is collected once.
    fn an_outcome_reaches_its_return_address(bench) {
        let store = bench.open();
        let job = job(bench, 5, |envelope| envelope.set("replyto", "billing"));
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        let outcome = outcome(bench, &claim, Ok("1"));
        assert!(store.settle(&room, &claim, &outcome).expect("settle"));
        store.settle(&room, &claim, &outcome).expect("settling again delivers nothing again");
        let replies = bench.open_reply("billing");
        let names = replies.scan(10).expect("scan").names;
        assert_eq!(names, [job.name.delivery()]);
        let asker = replies.register(&name("asker"), LEASE).expect("register");
        let delivered = taken(replies.claim(&asker, &names[0]).expect("claim"));
        assert_eq!(Outcome::decode(&delivered.bytes).expect("an outcome").job_id(), job.name.id);
        replies.uncollected(&asker, &delivered).expect("it goes back");
        replies.uncollected(&asker, &delivered).expect("once");
        let names = replies.scan(10).expect("scan").names;
        assert_eq!(names, [job.name.delivery().next_attempt()], "as one more collection");
        let delivered = taken(replies.claim(&asker, &names[0]).expect("claim"));
        assert!(replies.collected(&asker, &delivered).expect("collected"));
        assert!(!replies.collected(&asker, &delivered).expect("collected"));
        assert!(replies.scan(10).expect("scan").names.is_empty());
        assert!(store.outcome(&job.name.id).expect("outcome").is_some(), "who waits finds it too");
    }

    /// A consumer that left nothing is gone at once.
    fn retiring_leaves_nothing(bench) {
        let store = bench.open();
        let room = store.register(&name("c"), LEASE).expect("register");
        assert_eq!(store.census().expect("census").consumers.len(), 1);
        store.retire(room).expect("retire");
        assert!(store.census().expect("census").consumers.is_empty());
        let mut broom = Broom { dry_run: false, keep: None, budget: Duration::MAX, each: &mut |path| panic!("swept {path:?}") };
        assert_eq!(store.sweep(&mut broom).expect("sweep"), Swept::default());
    }
}
