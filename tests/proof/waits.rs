//! Looking for jobs: what a look costs whoever waits for given ids, and that what moves, or is given anew, is found.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;

use filedrop::Id;
use filedrop::adapters::fs::sim::{Actor, SimFs, World};
use filedrop::ports::{Claimed, Interest, Store, Submitted};

use crate::ledger::Ledger;
use crate::programs::{self, GIVEN, Kind, Patience, SimStore, new_job, open, sweep};
use crate::search::{MODELS, prepared};

/// The jobs that are told of.
fn look(store: &SimStore<'_>, ids: &[Id], everywhere: bool) -> usize {
    let mut told = 0;
    store.outcomes(ids, everywhere, &mut |_, outcome| {
        outcome.expect("readable");
        told += 1;
        ControlFlow::Continue(())
    });
    told
}

fn given(store: &SimStore<'_>, id: &Id) {
    let mut job = new_job(store.host(), Kind::Given(5));
    job.name.id = id.clone();
    let envelope = String::from_utf8(job.bytes).expect("text").replace(GIVEN, id.as_str());
    job.bytes = envelope.into_bytes();
    assert_eq!(store.submit(&[job]).expect("submitted"), [Submitted::New]);
}

/// Who waits is told within microseconds, however large the envelopes are: after the first look each further one asks for one name.
#[test]
fn a_look_for_given_ids_asks_for_one_name_each() {
    let calls = |jobs: usize, looks: usize| {
        let (world, _) = prepared(World::new(MODELS[0], 1), &[]);
        let ids: Vec<Id> = (0..jobs).map(|nth| format!("order-{nth}").parse().expect("an id")).collect();
        let store = open(SimFs::unscheduled(&world, 1)).expect("a drop folder");
        ids.iter().for_each(|id| given(&store, id));
        Actor::start(&world, 2, move |fs| {
            let store = open(fs).expect("a drop folder");
            assert_eq!(look(&store, &ids, true), 0);
            for _ in 0..looks {
                store.hints(Interest::Outcomes(&ids));
                assert_eq!(look(&store, &ids, false), 0);
            }
        })
        .finish()
    };
    for jobs in [1, 10] {
        assert_eq!(calls(jobs, 7) - calls(jobs, 0), 7 * jobs, "of {jobs} jobs");
    }
}

/// Another process has removed what was remembered of it.
#[test]
fn an_id_that_was_given_anew_is_found_by_the_next_full_look() {
    let (world, _) = prepared(World::new(MODELS[0], 1), &[Kind::Given(5)]);
    let waiter = open(SimFs::unscheduled(&world, 1)).expect("a drop folder");
    let ids = [GIVEN.parse().expect("an id")];
    let days = || waiter.hints(Interest::Outcomes(&ids));
    let consume = |pid| {
        let consumer = programs::consumer(&Ledger::default(), "consumer", Patience::Drain);
        Actor::start(&world, pid, consumer).finish();
    };
    assert_eq!(look(&waiter, &ids, true), 0);
    let first_day = days();
    consume(2);
    assert_eq!(look(&waiter, &ids, false), 1, "where it was to be expected");

    world.advance(30 * 24 * 3600 * 1000);
    let other = open(SimFs::unscheduled(&world, 3)).expect("a drop folder");
    sweep(&other).expect("swept");
    given(&other, &ids[0]);
    consume(4);
    assert_eq!(look(&waiter, &ids, false), 0, "it looks at the day that it knows");
    assert_eq!(look(&waiter, &ids, true), 1);
    assert_ne!(days(), first_day);
    assert_eq!(look(&waiter, &ids, false), 1, "now it knows better");
}

/// Rooms are looked into one after the other, and it goes back to one that was looked into before.
#[test]
fn a_job_that_moves_while_it_is_looked_for_is_found() {
    for stop in 0.. {
        let (world, _) = prepared(World::new(MODELS[0], 1), &[Kind::Plain]);
        let store = open(SimFs::unscheduled(&world, 1)).expect("a drop folder");
        let room = programs::register(&store, "consumer").expect("a room");
        let name = store.scan(1).expect("a scan").names.remove(0);
        let Claimed::Taken(claim) = store.claim(&room, &name).expect("a claim") else {
            panic!("nobody else is there")
        };
        let found = Rc::<Cell<usize>>::default();
        let seen = found.clone();
        let mut looker = Actor::start(&world, 2, move |fs| {
            let store = open(fs).expect("a drop folder");
            seen.set(store.locate(&name.id).expect("places").len());
        });
        let steps = looker.steps(stop);
        store.release(&room, &claim).expect("it is back");
        looker.finish();
        assert!(found.get() > 0, "it went back after {stop} calls");
        if steps < stop {
            break;
        }
    }
}
