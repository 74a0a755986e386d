//! What a consumer or a collector was told is done, no power cut undoes: each file is under one name then, and under the right one.

use filedrop::adapters::fs::sim::{Actor, SimFs, World};
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Claim, Claimed, Host as _, Store as _};
use filedrop::words::{Attempt, Job, Outcome, Payload, Problem};

use crate::ledger::Ledger;
use crate::place::{Place, classify};
use crate::programs::{self, ADDRESS, DROP, Kind, Patience, SimRoom, SimStore};
use crate::search::{MODELS, prepared, with_address};

type Verb = fn(&SimStore<'_>, &SimRoom<'_>, &Claim);

/// Takes the one job that is ready, or the one outcome, does this with it, and ends.
fn after(world: &World, at: Option<&'static str>, verb: Verb) -> Vec<World> {
    let program = move |fs: SimFs<'_>| {
        let host = fs.host();
        let path = at.map_or(DROP.to_owned(), |address| format!("{DROP}/replies/{address}"));
        let store = LocalStore::open(fs, host, path).expect("a drop folder");
        let room = programs::register(&store, "one").expect("a healthy disk");
        let name = store.scan(2).expect("a healthy disk").names.remove(0);
        let Ok(Claimed::Taken(claim)) = store.claim(&room, &name) else { panic!("nobody else is here") };
        verb(&store, &room, &claim);
    };
    Actor::start(world, 2, program).finish();
    world.after_power_cut()
}

/// The names of this kind, without those in `replies/` or with none but those.
fn names(world: &World, replies: bool, of: fn(Place) -> Option<String>) -> Vec<String> {
    let tree = world.disk().tree().into_iter().filter(|(path, _)| path.contains("/replies/") == replies);
    tree.filter_map(|(path, _)| of(classify(&path)?)).collect()
}

fn ready(place: Place) -> Option<String> {
    let Place::Ready(name) = place else { return None };
    Some(format!("attempt {}", name.attempt))
}

fn delayed(place: Place) -> Option<String> {
    let Place::Delayed(name) = place else { return None };
    Some(format!("attempt {}", name.job.attempt))
}

fn in_a_room(place: Place) -> Option<String> {
    matches!(place, Place::Claim(..) | Place::Staged(..)).then(|| format!("{place:?}"))
}

fn staged(place: Place) -> Option<String> {
    matches!(place, Place::Staged(..)).then(|| format!("{place:?}"))
}

fn slot(place: Place) -> Option<String> {
    if let Place::Slot(id) = place { Some(id) } else { None }
}

fn archived(place: Place) -> Option<String> {
    if let Place::Archived(room, _) = place { Some(room.to_owned()) } else { None }
}

fn delivered(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Reply]);
    Actor::start(&world, 9, programs::consumer(&ledger, "setup", Patience::Drain)).finish();
    world.flush_all();
    (world, ledger)
}

const NONE: [String; 0] = [];

#[test]
fn p8_what_was_handed_back() {
    for model in MODELS {
        let (world, _) = prepared(World::new(model, 9), &[Kind::Plain]);
        for cut in
            after(&world, None, |store, room, claim| store.release(room, claim).expect("a healthy disk"))
        {
            assert_eq!(names(&cut, false, ready), ["attempt 1"], "and it counts as none");
            assert_eq!(names(&cut, false, in_a_room), NONE);
        }
    }
}

#[test]
fn p18_what_was_put_off() {
    let put_off: Verb = |store, room, claim| {
        let now = store.host().now();
        let attempt = Attempt {
            attempt: 1,
            consumer: "one".to_owned(),
            began: now.rfc3339(),
            ended: now.rfc3339(),
            problem: Problem::handler("as asked"),
            next: None,
        };
        store
            .postpone(room, claim, now.later(std::time::Duration::from_secs(60)), &attempt)
            .expect("a healthy disk");
    };
    for model in MODELS {
        let (world, _) = prepared(World::new(model, 9), &[Kind::Plain]);
        for cut in after(&world, None, put_off) {
            assert_eq!(names(&cut, false, delayed), ["attempt 2"]);
            assert_eq!(names(&cut, false, in_a_room), NONE, "it would come back without its pause");
        }
    }
}

#[test]
fn p12_what_was_delivered() {
    let settle: Verb = |store, room, claim| {
        let job = Job::decode(&claim.name.id, 1, &claim.bytes).expect("a job");
        let (id, now) = store.host().mint();
        let outcome = Outcome::of(&job, &id, "/sim", now, Ok(Payload::detect("1")));
        assert!(store.settle(room, claim, &outcome).expect("a healthy disk"));
    };
    for model in MODELS {
        let (world, ledger) = with_address(World::new(model, 9), &[Kind::Reply]);
        let before = (names(&world, false, slot).len(), names(&world, true, ready).len());
        assert_eq!(ledger.facts().attempted.len(), before.0 + 1);
        for cut in after(&world, None, settle) {
            let there = (names(&cut, false, slot).len(), names(&cut, true, ready).len());
            assert_eq!(there, (before.0 + 1, before.1 + 1));
            assert_eq!(names(&cut, false, staged), NONE, "it would be delivered again");
        }
    }
}

#[test]
fn p15_what_was_collected() {
    for model in MODELS {
        let (world, _) = delivered(World::new(model, 9));
        let collect: Verb =
            |store, room, claim| assert!(store.collected(room, claim).expect("a healthy disk"));
        for cut in after(&world, Some(ADDRESS), collect) {
            assert_eq!(names(&cut, true, archived), ["done"]);
            assert_eq!(names(&cut, true, in_a_room), NONE);
        }
    }
}

#[test]
fn p15_what_was_not_taken() {
    for model in MODELS {
        let (world, _) = delivered(World::new(model, 9));
        let give_back: Verb = |store, room, claim| store.uncollected(room, claim).expect("a healthy disk");
        for cut in after(&world, Some(ADDRESS), give_back) {
            assert_eq!(names(&cut, true, ready), ["attempt 2"], "who collects it next is told so");
            assert_eq!(names(&cut, true, in_a_room), NONE);
        }
    }
}
