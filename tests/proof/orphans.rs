//! P23, P26: a submission takes more than a day, or a sweeper's clock is ahead, so that what is to travel with the job looks like
//! nobody's. Whatever the sweeper does between which calls, and wherever it dies: who is told that the job is there finds all files
//! with it, and who is not has them still.

use std::cell::Cell;
use std::rc::Rc;

use filedrop::Submission;
use filedrop::actors::producer;
use filedrop::adapters::fs::sim::{Actor, Model, World};

use crate::cargo::{Checked, whole};
use crate::programs::{self, Program, open};
use crate::search::{MODELS, is_full};
use crate::travel::{consumer, prepared, worlds};

const HOURS_25: u64 = 25 * 3600 * 1000;

/// What the submitter was told.
type Told = Rc<Cell<Option<bool>>>;

fn sender(given: bool, told: &Told) -> Program {
    let told = told.clone();
    Box::new(move |fs| {
        let Some(store) = open(fs) else { return };
        let job = Submission::new("sim").source("sender").subject("works");
        let job = if given { job.id("travels".parse().expect("an id")) } else { job };
        let job = job.attach("/outside/copied").link("/outside/linked").move_in("/outside/moved");
        told.set(Some(producer::submit(&store, store.host(), vec![job], &mut |_| ()).is_ok()));
    })
}

fn sweeper() -> Program {
    Box::new(|fs| {
        let Some(store) = open(fs) else { return };
        let _ = programs::sweep(&store);
    })
}

/// What must hold when both have come to their ends, also when the next one has handled the job.
fn check(world: &World, told: &Told) -> Checked {
    let acknowledged = told.get().ok_or("the sender was told nothing")?;
    let moved = world.peek("/outside/moved").is_some_and(|(data, _)| *data == *b"moved");
    if !acknowledged && !moved {
        return Err(format!("nobody has the file that was to be moved\n{}", world.trace().join("\n")));
    }
    if acknowledged {
        Actor::start(world, 5, consumer("last")).finish();
        let jobs = whole(world)?.into_iter().filter(|seen| !seen.is_outcome && !seen.checks.is_empty());
        if jobs.count() != 1 {
            return Err(format!("the job is gone, or its files are\n{}", world.trace().join("\n")));
        }
    }
    Ok(())
}

/// The sender does i calls, the sweeper j, the sender k more, or all of them, the sweeper the rest, or it dies; and then the sender.
fn interleave(models: &[Model], given: bool) -> Checked<[usize; 2]> {
    let stride = if is_full() { 1 } else { 5 };
    let mut answers = [0, 0];
    for start in worlds(models).map(prepared) {
        'i: for i in 0.. {
            for j in (i % stride..).step_by(stride) {
                let mut over = false;
                for (k, dies) in [(i % 5, false), (usize::MAX, false), (usize::MAX, true)] {
                    let world = start.fork();
                    let told = Told::default();
                    let mut sender = Actor::start(&world, 2, sender(given, &told));
                    if sender.steps(i) < i {
                        break 'i;
                    }
                    world.advance(HOURS_25);
                    let mut sweeper = Actor::start(&world, 3, sweeper());
                    over = sweeper.steps(j) < j;
                    sender.steps(k);
                    if dies {
                        drop(sweeper);
                    } else {
                        sweeper.finish();
                    }
                    sender.finish();
                    let checked = check(&world, &told);
                    checked.map_err(|e| format!("{i}, {j} and {k} calls, given: {given}: {e}"))?;
                    answers[usize::from(told.get() == Some(true))] += 1;
                }
                if over {
                    break;
                }
            }
        }
    }
    Ok(answers)
}

#[test]
fn p26_a_submission_that_takes_a_day_is_swept() {
    for given in [false, true] {
        let [refused, acknowledged] = interleave(&[Model::B], given).unwrap_or_else(|e| panic!("{e}"));
        assert!(refused > 0 && acknowledged > 0, "both answers were given: {refused}, {acknowledged}");
    }
}

/// It is told that the job is there, and the power fails, whatever the sweeper has done by then.
#[test]
fn p26_what_was_swept_aside_is_found_after_a_power_cut() {
    let mut disks = 0;
    let (models, stride) = if is_full() { (&MODELS[..], 1) } else { (&[Model::B][..], 11) };
    for start in worlds(models).map(prepared) {
        'i: for i in 0.. {
            for j in (i % stride..).step_by(stride) {
                let world = start.fork();
                let told = Told::default();
                let mut sender = Actor::start(&world, 2, sender(false, &told));
                if sender.steps(i) < i {
                    break 'i;
                }
                let mut sweeper = Actor::start(&world, 3, sweeper());
                let over = sweeper.steps(j) < j;
                sender.finish();
                for after in world.after_power_cut() {
                    disks += 1;
                    check(&after, &told).unwrap_or_else(|e| panic!("{i} and {j} calls, a power cut: {e}"));
                }
                if over {
                    break;
                }
            }
        }
    }
    assert!(disks > 100, "something was searched");
}
