//! P9–P12 of several jobs at once, and P3: a crash at every call, every call failing, and a zombie. What fails for one concerns no
//! other.

use std::cell::RefCell;
use std::rc::Rc;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, World};
use filedrop::ports::{Claim, Claimed, Host as _, Store as _};
use filedrop::words::{ErrorKind, Id, Job, Outcome, Payload};

use crate::crash_points::{Setup, crash_everywhere, errors_everywhere};
use crate::ledger::Ledger;
use crate::place::{Place, classify};
use crate::programs::{self, Kind, Patience, Program};
use crate::races::interleave_each;
use crate::search::{prepared, with_address};

/// More than any setup here has: all that is ready is settled together.
const ALL: usize = 9;

fn consume(ledger: &Ledger) -> Program {
    programs::consumer_of(programs::open, ledger, "together", Patience::Drain, ALL)
}

fn take_over(ledger: &Ledger) -> Program {
    programs::consumer_of(programs::open, ledger, "recoverer", Patience::Endless, ALL)
}

fn two_plain(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Plain, Kind::Plain])
}

/// Its folders of slots are two, too.
fn of_two_days(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Plain]);
    world.advance(25 * 3600 * 1000);
    Actor::start(&world, 5, programs::producer(&ledger, &[Kind::Plain])).finish();
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

fn some_that_fail(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Failing, Kind::Flaky, Kind::Failing])
}

fn two_to_deliver(world: World) -> (World, Ledger) {
    with_address(world, &[Kind::Reply, Kind::Reply])
}

fn one_to_deliver(world: World) -> (World, Ledger) {
    with_address(world, &[Kind::Plain, Kind::Reply])
}

/// Submits them in one call, once more if it is told of an error.
fn produce(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        let jobs =
            [Kind::Plain, Kind::Delayed, Kind::Plain].map(|kind| programs::new_job(store.host(), kind));
        jobs.iter().for_each(|job| ledger.attempt(job));
        let mut certainly_not = true;
        for _ in 0..2 {
            match store.submit(&jobs) {
                Ok(_) => return jobs.iter().for_each(|job| ledger.acknowledge(&job.name.id)),
                Err(e) => certainly_not &= e.kind() != ErrorKind::Uncertain,
            }
        }
        if certainly_not {
            jobs.iter().for_each(|job| ledger.refuse(&job.name.id));
        }
    })
}

#[test]
fn p2_p3_submit_several() {
    let empty: Setup = |world| prepared(world, &[]);
    crash_everywhere("P2 P3 submit several", empty, produce);
    errors_everywhere("P2 P3 submit several", empty, produce);
}

#[test]
fn p10_p11_several() {
    crash_everywhere("P10 P11 several", two_plain, consume);
    errors_everywhere("P10 P11 several", two_plain, consume);
}

#[test]
fn p10_p11_of_two_days() {
    crash_everywhere("P10 P11 of two days", of_two_days, consume);
}

#[test]
fn p9_p12_several() {
    crash_everywhere("P9 P12 several", two_to_deliver, consume);
    errors_everywhere("P9 P12 several", one_to_deliver, consume);
}

#[test]
fn p11_several_burials() {
    crash_everywhere("P11 several burials", some_that_fail, consume);
    errors_everywhere("P11 several burials", some_that_fail, consume);
}

#[test]
fn zombie_resumes_at_every_step() {
    interleave_each(40, "zombie, several", two_plain, consume, take_over);
}

#[test]
fn zombie_resumes_at_every_step_with_return_address() {
    interleave_each(40, "zombie, several, Return Address", one_to_deliver, consume, take_over);
}

/// Claims all that is ready, and settles it once. Tells which of them were settled.
fn settle_once(told: Rc<RefCell<Vec<(Id, bool)>>>) -> Program {
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        let Some(room) = programs::register(&store, "once") else { return };
        let Ok(scan) = store.scan(100) else { return };
        let claims = scan.names.iter().filter_map(|name| match store.claim(&room, name) {
            Ok(Claimed::Taken(claim)) => Some(claim),
            _ => None,
        });
        let claims: Vec<Claim> = claims.collect();
        let outcome = |claim: &Claim| {
            let job = Job::decode(&claim.name.id, 1, &claim.bytes).expect("a job");
            let (id, now) = store.host().mint();
            Outcome::of(&job, &id, "/sim", now, Ok(Payload::detect("1")))
        };
        let outcomes: Vec<Outcome> = claims.iter().map(outcome).collect();
        let jobs: Vec<_> = claims.iter().zip(&outcomes).collect();
        store.fs().world().remark("settles");
        let answers = store.settle_all(&room, &jobs);
        let ids = claims.iter().map(|claim| claim.name.id.clone());
        told.borrow_mut().extend(ids.zip(answers.iter().map(|answer| matches!(answer, Ok(true)))));
    })
}

/// One call fails, or its answer is lost. Only a flush of a folder is of more than one job; and who is told that a job is settled
/// finds its outcome and its archived file.
#[test]
fn what_fails_for_one_concerns_no_other() {
    const JOBS: usize = 3;
    let mut alone = 0;
    for (what, setup) in
        [("plain", prepared as fn(World, &[Kind]) -> (World, Ledger)), ("to deliver", with_address)]
    {
        for fate in [Fate::Fail, Fate::LoseAnswer] {
            for at in 0.. {
                let kind = if what == "plain" { Kind::Plain } else { Kind::Reply };
                let (world, _) = setup(World::new(Model::A, 4), &[kind; JOBS]);
                let told = Rc::default();
                let mut actor = Actor::start(&world, 2, settle_once(Rc::clone(&told)));
                if actor.steps(at) < at {
                    break;
                }
                let settles = world.trace().iter().any(|line| line == "--- settles");
                actor.step(fate);
                let failed = world.trace().pop().unwrap_or_default();
                actor.finish();
                if !settles {
                    continue;
                }
                let told = told.borrow();
                let errors = told.iter().filter(|(_, settled)| !settled).count();
                let of_all = failed.contains("flush folder");
                assert!(told.len() == JOBS && (errors <= 1 || of_all), "{what}: {errors} by {failed}");
                alone += usize::from(errors == 1 && !of_all);
                for (id, _) in told.iter().filter(|(_, settled)| *settled) {
                    let is = |place: &Place| match place {
                        Place::Slot(slot) => slot == id.as_str(),
                        Place::Archived("done", name) => name.id == *id,
                        _ => false,
                    };
                    let tree = world.disk().tree();
                    let there =
                        tree.iter().filter(|(path, _)| classify(path).is_some_and(|place| is(&place)));
                    assert_eq!(there.count(), 2, "{what}: it was said to be settled, by {failed}");
                }
            }
        }
    }
    assert!(alone > 0, "no error was of one alone");
}
