//! The holes of the protocol before this one. Each test shows a step of that draft to the search, which must find the hole,
//! and then the step that is there now, in the same place, which must hold.

use filedrop::adapters::fs::sim::{Actor, Fate, Lie, Model, World};

use crate::draft::{self, Staged};
use crate::ledger::Ledger;
use crate::programs::{self, Kind, Patience, Program};
use crate::search::{Drain, Search, drain, prepared, with_address};

type Make = fn(&Ledger) -> Program;

const PLAIN: [Kind; 1] = [Kind::Plain];
const REPLY: [Kind; 1] = [Kind::Reply];

fn world(model: Model) -> World {
    World::new(model, 3)
}

/// `a` does i calls, `b` does j, `a` the rest, `b` the rest; with `crashes`, everything may end at any of these moments.
fn interleaved(start: impl Fn() -> (World, Ledger), a: Make, b: Make, then: Drain, crashes: bool) -> Search {
    let mut search = Search::with(then, 0);
    search.interleave(start, a, b, |_| 0.., crashes);
    search
}

/// `a` alone, and everything may end at each of its calls.
fn crashed(start: impl Fn() -> (World, Ledger), a: Make, then: Drain) -> Search {
    let mut search = Search::with(then, 0);
    let (world, ledger) = start();
    let mut actor = Actor::start(&world, 2, a(&ledger));
    search.stop_here(&world, &ledger);
    while actor.step(Fate::Proceed) {
        search.stop_here(&world, &ledger);
    }
    search.conclude(&world, &ledger, 0);
    search
}

/// `a` alone, and the answer of each of its calls is lost in turn.
fn answers_lost(start: impl Fn() -> (World, Ledger), a: Make, then: Drain) -> Search {
    let mut search = Search::with(then, 0);
    for at in 0.. {
        let (world, ledger) = start();
        let mut actor = Actor::start(&world, 2, a(&ledger));
        if actor.steps(at) < at {
            break;
        }
        actor.step(Fate::LoseAnswer);
        actor.finish();
        search.conclude(&world, &ledger, 0);
    }
    search
}

fn finds(search: Search, violation: &str) {
    let found: Vec<_> = search.violations.keys().collect();
    assert!(
        found.iter().any(|found| found.contains(violation)),
        "the search did not find the hole, but {found:?}"
    );
}

fn ours(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "ours", Patience::Drain)
}

fn ours_patient(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "patient", Patience::Endless)
}

fn draft_discards(_: &Ledger) -> Program {
    draft::consumer("draft", Staged::Discarded)
}

fn draft_publishes(_: &Ledger) -> Program {
    draft::consumer("draft", Staged::PublishedIfDone)
}

fn draft_drain(_: &Ledger) -> Vec<Program> {
    vec![draft::consumer("drain", Staged::PublishedIfDone)]
}

fn nobody(_: &Ledger) -> Vec<Program> {
    Vec::new()
}

#[test]
fn h1_a_discard_races_the_zombies_commit() {
    let start = || prepared(world(Model::B), &PLAIN);
    finds(interleaved(start, draft_discards, draft_discards, nobody, false), "I4: no outcome was published");
    let start = || with_address(world(Model::B), &REPLY);
    interleaved(start, ours, ours_patient, drain, false).expect_none("H1");
}

/// A consumer dies with its outcome staged; another takes over, and a third works while it does.
fn after_a_death(a: Make, steps: usize, kinds: &[Kind]) -> (World, Ledger) {
    let (world, ledger) = with_address(world(Model::B), kinds);
    Actor::start(&world, 9, a(&ledger)).steps(steps);
    (world, ledger)
}

#[test]
fn h2_a_dead_attempts_outcome_is_published_over_a_later_ones() {
    for steps in 0.. {
        let start = || after_a_death(draft_publishes, steps, &PLAIN);
        let search = interleaved(start, draft_publishes, draft_publishes, draft_drain, false);
        if search.violations.contains_key("I2: a slot was replaced or removed") {
            break;
        }
        assert!(steps < 40, "the search did not find the hole");
    }
    for steps in [12, 20, 24, 26, 28, 30] {
        let start = || after_a_death(ours, steps, &REPLY);
        interleaved(start, ours_patient, ours_patient, drain, false)
            .expect_none(&format!("H2, dead after {steps} calls"));
    }
}

#[test]
fn h3_the_commits_answer_is_lost() {
    let start = || prepared(world(Model::B), &PLAIN);
    finds(answers_lost(start, draft_publishes, nobody), "I4: no outcome was published");
    for kinds in [PLAIN, REPLY] {
        let start = || prepared(world(Model::B).shared_by_machines(), &kinds);
        answers_lost(start, ours, drain).expect_none("H3");
    }
}

#[test]
fn h4_one_file_under_two_names_after_a_power_cut() {
    let start = || prepared(world(Model::A), &PLAIN);
    finds(crashed(start, draft_publishes, draft_drain), "I2: a slot was replaced or removed");
    crashed(start, ours, drain).expect_none("H4");
}

/// A consumer delivers, and a collector that stopped nowhere has acknowledged before the power fails.
#[test]
fn h5_a_collected_outcome_comes_back() {
    let start = || with_address(world(Model::A), &REPLY);
    finds(interleaved(start, ours, draft::collector, drain, true), "came back after its collection");
    let collect: Make = |ledger| programs::collector(ledger, Patience::Drain);
    interleaved(start, ours, collect, drain, true).expect_none("H5");
}

#[test]
fn h6_an_outcome_is_seen_before_it_is_durable() {
    let start = || prepared(world(Model::A), &PLAIN);
    finds(interleaved(start, ours, draft::waiter, drain, true), "I2: two outcomes were reported");
    interleaved(start, ours, programs::waiter, drain, true).expect_none("H6");
}

#[test]
fn h7_the_slot_survives_and_the_staged_name_does_not() {
    let start = || with_address(world(Model::A), &REPLY);
    // The draft did not flush the room before it committed.
    let without = || {
        let (world, ledger) = start();
        (world.lying(Some(Lie::FolderFlush("/claimed/ours-"))), ledger)
    };
    finds(crashed(without, ours, drain), "I6: an outcome never reached its Return Address");
    crashed(start, ours, drain).expect_none("H7");
}

#[test]
fn h8_a_rename_onto_another_name_of_the_same_file_does_nothing() {
    let start = || prepared(world(Model::A), &PLAIN);
    let believer: Make = |_| draft::believer();
    let believers: Drain = |_| vec![draft::believer(), draft::believer()];
    finds(crashed(start, believer, believers), "I4: one job, one room");
    crashed(start, ours, drain).expect_none("H8");
}

#[test]
fn h9_the_day_of_the_slot_is_the_jobs_not_the_calendars() {
    let midnight = |consumer: Make, kinds: &[Kind], drain: Drain| {
        let mut search = Search::with(drain, 0);
        for steps in 0.. {
            let (world, ledger) = prepared(world(Model::B), kinds);
            let mut actor = Actor::start(&world, 2, consumer(&ledger));
            if actor.steps(steps) < steps {
                break;
            }
            drop(actor);
            world.advance(24 * 3600 * 1000);
            search.conclude(&world, &ledger, 0);
        }
        search
    };
    let calendar: Make = |_| draft::calendar("first");
    finds(midnight(calendar, &PLAIN, |_| vec![draft::calendar("second")]), "I2: one job has two slots");
    midnight(ours, &PLAIN, drain).expect_none("H9");
    midnight(ours, &REPLY, drain).expect_none("H9, Return Address");
}

#[test]
fn h10_an_id_that_is_given_twice() {
    let start = || prepared(world(Model::B), &[]);
    // Two jobs: the second one has the slot of another day.
    let forgetful: Drain =
        |ledger| [vec![draft::forgetful(ledger)], drain(ledger)].into_iter().flatten().collect();
    let mut search = Search::with(forgetful, 0);
    let (first, ledger) = start();
    Actor::start(&first, 2, draft::forgetful(&ledger)).finish();
    first.advance(24 * 3600 * 1000);
    search.conclude(&first, &ledger, 0);
    finds(search, "I2: one job has two slots");
    // None: the first submitter dies when it has the id, the second one believes.
    let trusting: Drain =
        |ledger| [vec![draft::trusting(ledger)], drain(ledger)].into_iter().flatten().collect();
    finds(crashed(start, draft::trusting, trusting), "I1: an acknowledged job is gone");
    // Ours, likewise.
    let ours: Make = |ledger| programs::producer(ledger, &[Kind::Given(5)]);
    let again: Drain = |ledger| {
        let second = programs::producer(ledger, &[Kind::Given(4)]);
        let second: Program = Box::new(move |fs| {
            fs.world().advance(24 * 3600 * 1000);
            second(fs);
        });
        std::iter::once(second).chain(drain(ledger)).collect()
    };
    crashed(start, ours, again).expect_none("H10");
}

#[test]
fn h12_a_draft_that_was_swept_away_was_not_published() {
    let start = || prepared(world(Model::B).without_unnamed_files(), &[]);
    let sweep: Make = |_| draft::sweep_all();
    finds(interleaved(start, draft::producer, sweep, drain, false), "I1: an acknowledged job is gone");
    let produce: Make = |ledger| programs::producer(ledger, &[Kind::Plain]);
    interleaved(start, produce, sweep, drain, false).expect_none("H12");
    let consume = || prepared(world(Model::B).without_unnamed_files(), &[Kind::Plain, Kind::Reply]);
    interleaved(consume, ours, sweep, drain, false).expect_none("H12, outcomes");
}

/// A failure was an outcome, was told, and stands for ever.
#[test]
fn h13_a_dead_letter_that_is_redriven() {
    let told = || {
        let (world, ledger) = prepared(world(Model::B), &[Kind::Failing]);
        Actor::start(&world, 5, programs::consumer(&ledger, "earlier", Patience::Drain)).finish();
        Actor::start(&world, 6, programs::waiter(&ledger)).finish();
        world.flush_all();
        world.take_changes();
        (world, ledger)
    };
    let reviver: Make = |_| draft::reviver();
    finds(crashed(told, reviver, drain), "I2: two outcomes were reported for one job");
    let ours: Make = crate::operators::redriver;
    crashed(told, ours, |ledger| {
        std::iter::once(crate::operators::redriver(ledger)).chain(drain(ledger)).collect()
    })
    .expect_none("H13");
}

/// Without RENAME_NOREPLACE a rename into the slot replaces what is there.
#[test]
fn h14_without_a_rename_that_does_not_replace() {
    let start = || prepared(world(Model::B).shared_by_machines(), &PLAIN);
    let replacing = || {
        let (world, ledger) = start();
        (world.lying(Some(Lie::LinkReplaces)), ledger)
    };
    finds(interleaved(replacing, ours, ours_patient, drain, false), "I2: a slot was replaced or removed");
    interleaved(start, ours, ours_patient, drain, false).expect_none("H14");
    let (world, ledger) = start();
    Actor::start(&world, 2, ours(&ledger)).finish();
    let trace = world.trace();
    assert!(
        !trace.iter().any(|call| call.contains("unnamed") && !call.contains("!!")),
        "NFS has no unnamed files"
    );
    let renames_to_slots =
        trace.iter().filter(|call| call.contains(" rename ") && call.contains("→ /drop/outcomes/"));
    assert_eq!(renames_to_slots.count(), 0, "a slot is only ever linked");
}
