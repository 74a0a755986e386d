//! Dead letters: what a purge or a redrive leaves that was interrupted anywhere, the next one ends. And to read them costs
//! what it has to.

use filedrop::adapters::fs::sim::{Actor, Fate, SimFs, World};
use filedrop::ports::Store;
use filedrop::words::InboxName;

use crate::ledger::Ledger;
use crate::operators;
use crate::programs::{self, DROP, Kind, Patience, Program, SimStore, open};
use crate::search::{MODELS, prepared};

type Verb = fn(&SimStore<'_>, &InboxName) -> bool;

/// Does this to all that there is to do it to, twice if it is told of an error.
fn each(room: &'static str, verb: Verb) -> Program {
    Box::new(move |fs| {
        let Some(store) = open(fs) else { return };
        for letter in store.dead().unwrap_or_default() {
            if letter.room.starts_with(room) {
                let _ = verb(&store, &letter.name) || verb(&store, &letter.name);
            }
        }
    })
}

fn purge() -> Program {
    each("", |store, letter| store.purge(letter).is_ok())
}

fn redrive() -> Program {
    each("dead", |store, letter| store.redrive(letter).is_ok())
}

/// A dead letter and an invalid job.
fn graves(world: World) -> World {
    let (world, ledger) = prepared(world, &[Kind::Failing, Kind::Garbage]);
    Actor::start(&world, 5, programs::consumer(&ledger, "earlier", Patience::Drain)).finish();
    world.flush_all();
    world
}

/// Stops it after each call, by a kill, a power cut or an error, and does it again.
fn everywhere(begin: fn() -> Program, check: fn(&World, &str)) {
    for model in MODELS {
        let start = || graves(World::new(model, 1));
        for stop in 0.. {
            let world = start();
            let mut actor = Actor::start(&world, 2, begin());
            let steps = actor.steps(stop);
            for fate in [Fate::Fail, Fate::LoseAnswer] {
                let world = start();
                let mut unlucky = Actor::start(&world, 2, begin());
                unlucky.steps(stop);
                unlucky.step(fate);
                unlucky.finish();
                Actor::start(&world, 3, begin()).finish();
                check(&world, &format!("{model:?}, {fate:?} at {stop}"));
            }
            for after in std::iter::once(world.fork()).chain(world.after_power_cut()) {
                Actor::start(&after, 3, begin()).finish();
                check(&after, &format!("{model:?}, stopped at {stop}"));
            }
            if steps < stop {
                assert!(stop > 10, "it did something");
                break;
            }
        }
    }
}

fn files(world: &World, room: &str) -> Vec<String> {
    let below = format!("{DROP}/{room}/");
    let files = world.tree().into_iter().filter(|(_, data)| data.is_some());
    files.map(|(path, _)| path).filter(|path| path.starts_with(&below)).collect()
}

#[test]
fn a_purge_is_ended_by_the_next_one() {
    everywhere(purge, |world, what| {
        assert_eq!(files(world, "dead"), [""; 0], "{what}");
        assert_eq!(files(world, "invalid"), [""; 0], "{what}");
        assert_eq!(files(world, "outcomes").len(), 2, "the outcomes stand: {what}");
    });
}

/// P21: also when all but the reason was done.
#[test]
fn a_redrive_is_ended_by_the_next_one() {
    everywhere(redrive, |world, what| {
        assert_eq!(files(world, "dead"), [""; 0], "{what}");
        assert_eq!(files(world, "inbox").len(), 1, "one new job: {what}");
        assert_eq!(files(world, "done").len(), 1, "{what}");
        assert_eq!(files(world, "invalid").len(), 2, "what is invalid stays: {what}");
    });
}

/// P21, P22: also when the letter was moved to the inbox meanwhile, and put back.
#[test]
fn a_redrive_is_ended_whatever_became_of_the_letter() {
    for model in MODELS {
        for stop in 0.. {
            let world = graves(World::new(model, 1));
            let letter = {
                let store = open(SimFs::unscheduled(&world, 1)).expect("a drop folder");
                store.dead().expect("they are listed").remove(0).name
            };
            let steps = Actor::start(&world, 2, redrive()).steps(stop);
            for after in std::iter::once(world.fork()).chain(world.after_power_cut()) {
                Actor::start(&after, 3, operators::mover()).finish();
                Actor::start(&after, 4, programs::consumer(&Ledger::default(), "tidy", Patience::Drain))
                    .finish();
                let store = open(SimFs::unscheduled(&after, 5)).expect("a drop folder");
                let new = store.redrive(&letter).expect("redrive");
                let there = store.envelope(&new).expect("readable");
                assert!(there.is_some(), "{model:?}, stopped at {stop}: the new job is nowhere");
                let left = store.dead().expect("they are listed");
                assert!(left.iter().all(|left| left.name != letter), "{model:?}, stopped at {stop}");
            }
            if steps < stop {
                break;
            }
        }
    }
}

/// Each folder is read once, and each file.
#[test]
fn to_read_all_dead_letters_takes_few_calls() {
    let calls = |jobs: usize| {
        let (world, ledger) = prepared(World::new(MODELS[0], 1), &vec![Kind::Failing; jobs]);
        Actor::start(&world, 5, programs::consumer(&ledger, "earlier", Patience::Drain)).finish();
        let read_all = move |store: &SimStore<'_>| {
            let letters = store.dead().expect("they are listed");
            assert_eq!(letters.len(), jobs);
            for letter in &letters {
                let remains = store.exhume(letter).expect("readable").expect("there");
                assert!(remains.envelope.is_some() && remains.outcome.is_some());
            }
        };
        Actor::start(&world, 6, move |fs| read_all(&open(fs).expect("a drop folder"))).finish()
    };
    let (few, many) = (calls(2), calls(22));
    let each = (many - few) / 20;
    assert!(each <= 4, "two files, opened and read; not {each} calls a letter");
}
