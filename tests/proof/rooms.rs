//! What a consumer leaves when it dies, leaves or is stopped; and what one look at that finds, and does.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, SimHost, World};
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Beat, Claimed, Fs as _, Host, Progress, Store as _, Takeover, Vigil};
use filedrop::words::{DEFAULT_LEASE, Disposition, Job, Millis, Outcome, Payload, Problem};

use crate::ledger::Ledger;
use crate::place::{Place, classify};
use crate::programs::{self, DROP, Kind, Patience, Program, SimRoom, SimStore};
use crate::search::{MODELS, Search, prepared, with_address};

fn open(world: &World, pid: u32) -> SimStore<'_> {
    programs::open(SimFs::unscheduled(world, pid)).expect("a drop folder")
}

/// How many files there are of which this is so.
fn count(world: &World, is: impl Fn(&Place) -> bool) -> usize {
    world.disk().tree().iter().filter(|(path, _)| classify(path).is_some_and(|place| is(&place))).count()
}

fn room<'a>(store: &SimStore<'a>, name: &str) -> SimRoom<'a> {
    programs::register(store, name).expect("a healthy disk")
}

/// What one look at the rooms of others does.
fn recover(world: &World) -> Takeover {
    let store = open(world, 7);
    let own = room(&store, "judge");
    let takeover = store.recover(&own, &mut Vigil::default()).expect("a healthy disk");
    store.retire(own).expect("an empty room");
    takeover
}

/// P8: a job is not handed back whose outcome is staged. Whoever came by would decide it while it is handled anew.
#[test]
fn p8_a_job_whose_outcome_is_staged_stays() {
    let settle_and_hand_back = |ledger: &Ledger| -> Program {
        let ledger = ledger.clone();
        Box::new(move |fs| {
            let Some(store) = programs::open(fs) else { return };
            let Some(room) = programs::register(&store, "victim") else { return };
            let name = store.scan(1).map_or(None, |scan| scan.names.into_iter().next());
            let Some(Ok(Claimed::Taken(claim))) = name.map(|name| store.claim(&room, &name)) else { return };
            let job = Job::decode(&claim.name.id, claim.name.attempt, &claim.bytes).expect("a job");
            let (id, now) = store.host().mint();
            let outcome = Outcome::of(&job, &id, "/sim", now, Ok(Payload::detect("1")));
            if store.settle(&room, &claim, &outcome).is_err() && store.release(&room, &claim).is_ok() {
                ledger.acknowledge(&claim.name.id);
                let staged = |place: &Place| matches!(place, Place::Staged(..));
                let world = store.fs().world();
                if count(world, staged) > 0 && count(world, |place| matches!(place, Place::Ready(_))) > 0 {
                    ledger.violation("it was handed back, and its outcome is staged");
                }
            }
        })
    };
    let mut handed_back = 0;
    for at in 0.. {
        let (world, ledger) = with_address(World::new(Model::B, 8), &[Kind::Reply]);
        let mut actor = Actor::start(&world, 2, settle_and_hand_back(&ledger));
        if actor.steps(at) < at {
            break;
        }
        actor.step(Fate::Fail);
        actor.finish();
        assert_eq!(ledger.facts().violations, Default::default(), "{:#?}", world.trace());
        handed_back += count(&world, |place| matches!(place, Place::Ready(name) if name.attempt == 1));
    }
    assert!(handed_back > 0, "before it is staged, it goes back");
}

/// P13: wherever a consumer dies, one look finds what has become of its job. One whose outcome is staged, or decided, is not given
/// to another consumer.
#[test]
fn p13_a_look_begins_nothing_that_is_decided() {
    let (mut staged, mut settled, mut returned) = (0, 0, 0);
    for model in MODELS {
        for kind in [Kind::Plain, Kind::Reply] {
            for at in 0.. {
                let (world, ledger) = with_address(World::new(model, 8), &[kind]);
                let known = count(&world, |place| matches!(place, Place::Slot(_)));
                let mut victim =
                    Actor::start(&world, 2, programs::consumer(&ledger, "victim", Patience::Drain));
                if victim.steps(at) < at {
                    break;
                }
                drop(victim);
                let claims = count(&world, |place| matches!(place, Place::Claim(..)));
                let has_outcome = count(&world, |place| matches!(place, Place::Staged(..))) > 0;
                let has_slot = count(&world, |place| matches!(place, Place::Slot(_))) > known;
                let takeover = recover(&world);
                let trace = || world.trace().join("\n");
                if claims == 0 {
                    continue;
                }
                match (has_outcome, has_slot) {
                    (_, true) => settled += 1,
                    (true, false) => staged += 1,
                    (false, false) => returned += 1,
                }
                let begun_anew = usize::from(!has_outcome && !has_slot);
                assert_eq!(takeover.returned, begun_anew, "{}", trace());
                assert_eq!(takeover.archived, 1 - begun_anew, "{}", trace());
                assert_eq!(count(&world, |place| matches!(place, Place::Claim(..))), 0, "{}", trace());
            }
        }
    }
    assert!(staged > 0 && settled > 0 && returned > 0, "{staged} {settled} {returned}");
}

/// P13, P17: whoever dies in taking over, or is cut off, another takes over from there. Of the victim's calls each third is its last,
/// since recoveries are alike.
#[test]
fn p13_a_recovery_is_stopped_at_every_call() {
    for model in MODELS {
        for kind in [Kind::Plain, Kind::Reply] {
            let mut search = Search::new(0);
            for at in (0..).step_by(3) {
                let (world, ledger) = with_address(World::new(model, 8), &[kind]);
                let mut victim =
                    Actor::start(&world, 2, programs::consumer(&ledger, "victim", Patience::Drain));
                if victim.steps(at) < at {
                    break;
                }
                drop(victim);
                let killed = world.fork();
                let mut recoverer =
                    Actor::start(&killed, 3, programs::consumer(&ledger, "recoverer", Patience::Drain));
                while recoverer.step(Fate::Proceed) {
                    search.stop_here(&killed, &ledger);
                }
            }
            search.expect_none(&format!("P13 a recovery, {kind:?}, model {model:?}"));
        }
    }
}

/// P17: who dies while it leaves is seen to be gone at once, by its lock. A room without a presence would be there for a lease.
#[test]
fn p17_who_dies_while_it_leaves_is_cleared_at_once() {
    let leave: Program = Box::new(|fs| {
        let Some(store) = programs::open(fs) else { return };
        let Some(room) = programs::register(&store, "leaver") else { return };
        store.retire(room).expect("a healthy disk");
    });
    let (world, _) = prepared(World::new(Model::B, 8), &[]);
    let mut leaver = Actor::start(&world, 2, leave);
    let mut moments = 0;
    while leaver.step(Fate::Proceed) {
        let killed = world.fork();
        let rooms = |world: &World| count(world, |place| matches!(place, Place::Presence(_))) > 0;
        if rooms(&killed) {
            moments += 1;
            let before = killed.disk().tree().len();
            assert_eq!(recover(&killed).unjudged, 0);
            assert!(!rooms(&killed) && killed.disk().tree().len() < before);
        }
        let left = killed
            .disk()
            .tree()
            .into_iter()
            .filter(|(path, _)| path.starts_with(&format!("{DROP}/claimed/")));
        assert_eq!(left.collect::<Vec<_>>(), [], "it was cleared at once:\n{}", killed.trace().join("\n"));
    }
    assert!(moments >= 4, "from its presence to its end: {moments}");
}

/// P13: who is stopped, lock in hand, loses its claims after its lease and keeps its room.
#[test]
fn p13_a_stopped_consumer_keeps_its_room() {
    let (world, ledger) = prepared(World::new(Model::B, 8), &[Kind::Plain]);
    let name = ledger.facts().attempted.into_keys().next().expect("one job");
    let stopped = open(&world, 2);
    let asleep = room(&stopped, "stopped");
    assert!(matches!(stopped.claim(&asleep, &name), Ok(Claimed::Taken(_))));
    let judge = open(&world, 7);
    let own = room(&judge, "judge");
    let mut vigil = Vigil::default();
    assert_eq!(judge.recover(&own, &mut vigil).expect("a healthy disk").returned, 0, "it holds its lock");
    world.advance(DEFAULT_LEASE.as_millis() as u64 - 1);
    assert_eq!(
        judge.recover(&own, &mut vigil).expect("a healthy disk").returned,
        0,
        "its lease has not run out"
    );
    world.advance(1);
    let takeover = judge.recover(&own, &mut vigil).expect("a healthy disk");
    assert_eq!((takeover.returned, takeover.cleared), (1, 0));
    let presences = || count(&world, |place| matches!(place, Place::Presence(_)));
    assert_eq!(presences(), 2, "its lock would be worth nothing on a file without a name");
    drop(asleep);
    assert_eq!((judge.recover(&own, &mut vigil).expect("a healthy disk").cleared, presences()), (1, 1));
}

/// P13: a judge whose calls fail, one of them in every look, does not take its own trouble for the silence of others.
#[test]
fn p13_who_cannot_be_read_is_not_silent() {
    let look = |own: &Rc<SimRoom<'static>>, vigil: &Rc<RefCell<Vigil>>| -> Program {
        let (own, vigil) = (own.clone(), vigil.clone());
        Box::new(move |fs| {
            let Some(store) = programs::open(fs) else { return };
            let _ = store.recover(&own, &mut vigil.borrow_mut());
        })
    };
    let mut calls = 0;
    while calls < 1000 {
        let (world, ledger) = prepared(World::new(Model::B, 8).shared_by_machines(), &[Kind::Plain]);
        let name = ledger.facts().attempted.into_keys().next().expect("one job");
        let store = open(&world, 2);
        let owner = room(&store, "owner");
        assert!(matches!(store.claim(&owner, &name), Ok(Claimed::Taken(_))));
        let (own, vigil) = (Rc::new(room(&open(&world, 7), "judge")), Rc::default());
        let mut over = false;
        for _ in 0..6 {
            world.advance(DEFAULT_LEASE.as_millis() as u64 / 3);
            assert_eq!(
                store.beat(&owner, Progress::default()).expect("a healthy disk"),
                Beat::Alive,
                "{calls}"
            );
            let mut judge = Actor::start(&world, 7, look(&own, &vigil));
            over = judge.steps(calls) < calls || judge.ended();
            judge.step(Fate::Fail);
            judge.finish();
        }
        assert_eq!(count(&world, |place| matches!(place, Place::Claim(..))), 1, "call {calls} failed");
        if over {
            break;
        }
        calls += 1;
    }
    assert!(calls > 5, "something was searched");
}

/// A machine whose wall clock is an hour ahead of the others'.
#[derive(Clone)]
struct Ahead(SimHost);

impl Host for Ahead {
    fn now(&self) -> Millis {
        self.0.now().later(Duration::from_secs(3600))
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
    fn entropy(&self) -> u128 {
        self.0.entropy()
    }
    fn name(&self) -> String {
        self.0.name()
    }
    fn pid(&self) -> u32 {
        self.0.pid()
    }
}

/// P13: clocks of two machines are never compared, and a wall clock that is set ends no lease.
#[test]
fn p13_a_clock_that_is_ahead_judges_nobody() {
    let (world, ledger) = prepared(World::new(Model::B, 8).shared_by_machines(), &[Kind::Plain]);
    let name = ledger.facts().attempted.into_keys().next().expect("one job");
    let living = open(&world, 2);
    let awake = room(&living, "living");
    assert!(matches!(living.claim(&awake, &name), Ok(Claimed::Taken(_))));
    let fs = SimFs::unscheduled(&world, 7);
    let host = Ahead(fs.host());
    let judge = LocalStore::open(fs, host, DROP).expect("a drop folder");
    let own = judge.register(&"judge".parse().expect("a name"), DEFAULT_LEASE).expect("a healthy disk");
    let mut vigil = Vigil::default();
    for _ in 0..2 {
        let takeover = judge.recover(&own, &mut vigil).expect("a healthy disk");
        assert_eq!((takeover.returned, takeover.unjudged), (0, 1));
        world.advance(DEFAULT_LEASE.as_millis() as u64 / 2);
    }
    // Nor does one that was set back keep a lease for ever.
    world.set_wall_clock(1_600_000_000_000);
    assert_eq!(judge.recover(&own, &mut vigil).expect("a healthy disk").returned, 1);
}

/// P11: of two that had one job, the later one archives it by the outcome that counts, and not by its own.
#[test]
fn p11_by_the_outcome_in_the_slot() {
    for model in MODELS {
        let (world, ledger) = prepared(World::new(model, 8), &[Kind::Plain]);
        let (name, bytes) = ledger.facts().attempted.into_iter().next().expect("one job");
        let (one, two) = (open(&world, 2), open(&world, 3));
        let (first, second) = (room(&one, "first"), room(&two, "second"));
        let Ok(Claimed::Taken(early)) = one.claim(&first, &name) else { panic!("it is ready") };
        // A power cut may leave a claim in either place or both.
        let fs = SimFs::unscheduled(&world, 4);
        fs.link(&one.layout().claim(first.name(), &name), &one.layout().ready(&name))
            .expect("a healthy disk");
        let Ok(Claimed::Taken(late)) = two.claim(&second, &name) else { panic!("it is ready again") };
        let job = Job::decode(&name.id, name.attempt, &bytes).expect("a job");
        let outcome = |store: &SimStore<'_>, result| {
            let (id, now) = store.host().mint();
            Outcome::of(&job, &id, "/sim", now, result)
        };
        let failed = outcome(&one, Err(Problem::handler("no")));
        assert!(one.settle(&first, &early, &failed).expect("a healthy disk"));
        let succeeded = outcome(&two, Ok(Payload::detect("1")));
        assert!(!two.settle(&second, &late, &succeeded).expect("a healthy disk"));
        let told = two.outcome(&name.id).expect("a healthy disk").expect("it is decided");
        assert_eq!(told.disposition, Disposition::Failed);
        let rooms = two.locate(&name.id).expect("a healthy disk");
        assert_eq!(rooms.iter().map(|place| place.room).collect::<Vec<_>>(), ["outcomes", "dead"]);
    }
}
