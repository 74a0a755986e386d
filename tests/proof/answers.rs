//! What a program makes of an answer that is lost, and what it may say then.

use filedrop::adapters::fs::sim::{Actor, Fate, Model, World};
use filedrop::ports::{Claimed, Store as _};
use filedrop::words::ErrorKind;

use crate::draft;
use crate::ledger::Ledger;
use crate::place::{Place, classify};
use crate::programs::{self, Kind, Program};
use crate::search::{MODELS, prepared};

/// How many files there are of which this is so.
fn count(world: &World, is: impl Fn(&Place) -> bool) -> usize {
    world.disk().tree().iter().filter(|(path, _)| classify(path).is_some_and(|place| is(&place))).count()
}

/// Submits one job, once.
fn submit_once(ledger: &Ledger, kind: Kind) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        let job = programs::new_job(store.host(), kind);
        match store.submit(std::slice::from_ref(&job)) {
            Ok(_) => ledger.acknowledge(&job.name.id),
            Err(e) if e.kind() != ErrorKind::Uncertain => ledger.refuse(&job.name.id),
            Err(_) => {}
        }
    })
}

/// P3: who is told for certain that a job was not submitted may submit it as another one.
#[test]
fn p3_a_submission_that_is_refused() {
    for model in MODELS {
        for make in [|world: World| world, World::without_unnamed_files] {
            for fate in [Fate::LoseAnswer, Fate::Fail] {
                let mut refused = 0;
                for at in 0.. {
                    let (world, ledger) = prepared(make(World::new(model, 8)), &[]);
                    let mut actor = Actor::start(&world, 2, submit_once(&ledger, Kind::Plain));
                    if actor.steps(at) < at {
                        break;
                    }
                    actor.step(fate);
                    actor.finish();
                    let there = count(&world, |place| matches!(place, Place::Ready(_)));
                    let facts = ledger.facts();
                    refused += facts.refused.len();
                    let right = facts.refused.is_empty() || there == 0;
                    assert!(right, "it was refused, and is there:\n{}", world.trace().join("\n"));
                    assert!(facts.acknowledged.is_empty() || there == 1);
                }
                assert!(refused > 0, "some errors are certain");
            }
        }
    }
}

/// R3: its draft may be swept away while it looks what became of it.
#[test]
fn p3_a_submission_that_fails_and_is_swept() {
    let mut refused = 0;
    for (at, later) in (0..).flat_map(|at| (0..4).map(move |later| (at, later))) {
        let (world, ledger) = prepared(World::new(Model::B, 8).without_unnamed_files(), &[]);
        let mut actor = Actor::start(&world, 2, submit_once(&ledger, Kind::Plain));
        if actor.steps(at) < at {
            break;
        }
        actor.step(Fate::Fail);
        actor.steps(later);
        Actor::start(&world, 3, draft::sweep_all()).finish();
        actor.finish();
        let there = count(&world, |place| matches!(place, Place::Ready(_)));
        let facts = ledger.facts();
        refused += facts.refused.len();
        assert!(
            facts.acknowledged.is_empty() || there == 1,
            "it is not there:\n{}",
            world.trace().join("\n")
        );
        assert!(facts.refused.is_empty() || there == 0, "it is there:\n{}", world.trace().join("\n"));
    }
    assert!(refused > 0, "some errors are certain");
}

fn claim_and_retry(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        let Some(room) = programs::register(&store, "claimer") else { return };
        let name = ledger.facts().attempted.into_keys().next().expect("one job");
        // As a consumer does: an error is no answer, and is asked again.
        let claimed = (0..3).find_map(|_| store.claim(&room, &name).ok());
        if !matches!(claimed, Some(Claimed::Taken(_))) {
            ledger.violation(format!("a job that nobody else wants was not taken: {claimed:?}"));
        }
    })
}

/// P6: whatever the calls answer, a job that came into the room is handled, and lies there for no one.
#[test]
fn p6_a_claim_whose_answer_is_lost() {
    for model in MODELS {
        for fate in [Fate::LoseAnswer, Fate::Fail] {
            for at in 0.. {
                let (world, ledger) = prepared(World::new(model, 8).shared_by_machines(), &[Kind::Plain]);
                let mut actor = Actor::start(&world, 2, claim_and_retry(&ledger));
                if actor.steps(at) < at {
                    break;
                }
                actor.step(fate);
                actor.finish();
                let claims = count(&world, |place| matches!(place, Place::Claim(..)));
                // Where it could not even open the folder, nothing is said.
                if world.trace().iter().any(|call| call.starts_with("2 rename /drop/inbox/")) {
                    let violations = ledger.facts().violations;
                    assert!(
                        claims == 1 && violations.is_empty(),
                        "{claims}, {violations:?}: {:#?}",
                        world.trace()
                    );
                }
            }
        }
    }
}
