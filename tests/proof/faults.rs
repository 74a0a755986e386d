//! Deliberate faults, each of which the search must find: what it calls sound is worth as much as what it catches.
//! Faults that only real processes show are caught by `rescan_finds_what_no_hint_told` and `presence_lock_is_not_inherited`.

use filedrop::adapters::fs::sim::{Actor, Fate, Lie, Model, World};
use filedrop::words::Id;

use crate::audit;
use crate::draft;
use crate::ledger::Ledger;
use crate::programs::{self, GIVEN, Kind, Patience, Program};
use crate::search::{Search, prepared};

fn search(lie: Option<Lie>, kinds: &[Kind], program: impl Fn(&Ledger) -> Program) -> Search {
    let mut search = Search::new(0);
    let (world, ledger) = prepared(World::new(Model::A, 4), kinds);
    let world = world.lying(lie);
    let mut actor = Actor::start(&world, 2, program(&ledger));
    while actor.step(Fate::Proceed) {
        search.stop_here(&world, &ledger);
    }
    search.conclude(&world, &ledger, 0);
    search
}

fn finds(search: Search, violation: &str) {
    let found: Vec<_> = search.violations.keys().collect();
    assert!(found.iter().any(|found| found.contains(violation)), "not caught, only {found:?}");
}

fn consume(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "victim", Patience::Drain)
}

#[test]
fn folder_flush_dropped_at_submit() {
    let submit = |ledger: &Ledger| programs::producer(ledger, &[Kind::Plain]);
    finds(search(Some(Lie::FolderFlush("/inbox")), &[], submit), "I1: an acknowledged job");
    search(None, &[], submit).expect_none("the same, flushed");
}

#[test]
fn folder_flush_dropped_at_the_slot() {
    finds(search(Some(Lie::FolderFlush("/outcomes/")), &[Kind::Plain], consume), "I1: an acknowledged job");
    search(None, &[Kind::Plain], consume).expect_none("the same, flushed");
}

#[test]
fn file_flush_dropped() {
    let submit = |ledger: &Ledger| programs::producer(ledger, &[Kind::Plain]);
    finds(search(Some(Lie::FileFlush), &[], submit), "I3: a file of P3");
}

#[test]
fn staged_outcome_not_flushed() {
    finds(search(Some(Lie::FileFlush), &[Kind::Reply], consume), "I3: a file of P9");
}

#[test]
fn claim_removed_before_the_outcome_is_staged() {
    finds(
        search(None, &[Kind::Plain], |_| draft::hasty()),
        "I1: an acknowledged job is neither there nor finished",
    );
}

#[test]
fn an_id_called_submitted_that_no_job_has() {
    let (world, ledger) = prepared(World::new(Model::A, 4), &[Kind::Given(5)]);
    let submitted: Id = GIVEN.parse().expect("an id");
    audit::submitted_before(&world, &submitted, &ledger);
    Actor::start(&world, 2, consume(&ledger)).finish();
    audit::submitted_before(&world, &submitted, &ledger);
    assert!(ledger.facts().violations.is_empty(), "it is ready, and then it is done");
    audit::submitted_before(&world, &"other".parse().expect("an id"), &ledger);
    assert!(ledger.facts().violations.iter().any(|found| found.starts_with("I7: an id")));
}

#[test]
fn replace_instead_of_no_replace() {
    let mut search = Search::new(0);
    for steps in 0.. {
        let (world, ledger) = prepared(World::new(Model::A, 4), &[Kind::Plain]);
        let world = world.lying(Some(Lie::LinkReplaces));
        let mut zombie = Actor::start(&world, 2, consume(&ledger));
        if zombie.steps(steps) < steps {
            break;
        }
        Actor::start(&world, 3, programs::consumer(&ledger, "recoverer", Patience::Endless)).finish();
        zombie.finish();
        search.conclude(&world, &ledger, 0);
    }
    finds(search, "I2: a slot was replaced or removed");
}
