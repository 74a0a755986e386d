//! A drop folder is made: crashed at every call, and by two at once.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use filedrop::adapters::fs::sim::{Actor, Fate, SimFs, World};
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::Fs as _;

use crate::programs::Program;
use crate::search::{MODELS, power_cuts};

/// In a folder that nobody has made yet either.
const DROP: &str = "/srv/drop";
const MARKER: &str = "/srv/drop/filedrop.json";
const ROOMS: [&str; 13] = [
    "tmp",
    "inbox",
    "delayed",
    "claimed",
    "outcomes",
    "done",
    "dead",
    "invalid",
    "ids",
    "payload",
    "replies",
    "outbox",
    "subscribers",
];

/// Makes the folder, and says so when it is done.
fn init(keep: Option<Duration>, done: &Arc<Mutex<bool>>) -> Program {
    let done = done.clone();
    Box::new(move |fs| {
        let host = fs.host();
        if LocalStore::init_to_keep(fs, host, DROP, keep).is_ok() {
            *done.lock().expect("nobody panicked") = true;
        }
    })
}

fn is_done(done: &Arc<Mutex<bool>>) -> bool {
    *done.lock().expect("nobody panicked")
}

/// Whoever sees the marker can rely on the rooms; and it is there for good once somebody was told so.
fn check(world: &World, told: bool) {
    let marked = world.peek(MARKER).is_some();
    assert!(marked || !told, "it was made, and it is not there:\n{}", world.trace().join("\n"));
    let fs = SimFs::unscheduled(world, 9);
    for room in ROOMS {
        let there = fs.stat(&Path::new(DROP).join(room)).is_ok();
        assert!(there || !marked, "it has a marker, and no {room}/");
    }
}

/// P1: no marker, no drop folder; and whoever makes it once more makes what is missing.
#[test]
fn p1_init() {
    for model in MODELS {
        for make in [|world: World| world, World::without_unnamed_files, World::shared_by_machines] {
            let world = make(World::new(model, 8));
            let done = Arc::default();
            let mut actor = Actor::start(&world, 2, init(None, &done));
            loop {
                let told = is_done(&done);
                check(&world, told);
                for cut in power_cuts(&world) {
                    check(&cut, told);
                    let again = Arc::default();
                    Actor::start(&cut, 3, init(None, &again)).finish();
                    assert!(is_done(&again), "it cannot be made again");
                    check(&cut, true);
                }
                if !actor.step(Fate::Proceed) {
                    break;
                }
            }
            assert!(is_done(&done));
        }
    }
}

/// P1: each call answers with an error, and the folder is made by the next who tries.
#[test]
fn p1_init_in_spite_of_errors() {
    for model in MODELS {
        for fate in [Fate::LoseAnswer, Fate::Fail] {
            for at in 0.. {
                let (world, done) = (World::new(model, 8).without_unnamed_files(), Arc::default());
                let mut actor = Actor::start(&world, 2, init(None, &done));
                if actor.steps(at) < at {
                    break;
                }
                actor.step(fate);
                actor.finish();
                power_cuts(&world).iter().for_each(|cut| check(cut, is_done(&done)));
                Actor::start(&world, 3, init(None, &done)).finish();
                assert!(is_done(&done), "it cannot be made again");
            }
        }
    }
}

/// P1: two make one folder, and want jobs to be kept for different times. One of them is refused: what a folder says once, it
/// says for ever.
#[test]
fn p1_two_init_one_folder() {
    let keeps = [Some(Duration::from_secs(60)), Some(Duration::from_secs(120))];
    for model in MODELS {
        for make in [|world: World| world, World::without_unnamed_files, World::shared_by_machines] {
            'calls: for i in 0.. {
                for j in 0.. {
                    let (world, done) = (make(World::new(model, 8)), [Arc::default(), Arc::default()]);
                    let mut first = Actor::start(&world, 2, init(keeps[0], &done[0]));
                    let mut second = Actor::start(&world, 3, init(keeps[1], &done[1]));
                    let ended = (first.steps(i) < i, second.steps(j) < j);
                    first.finish();
                    second.finish();
                    let told = done.each_ref().map(is_done);
                    assert!(told[0] != told[1], "who was told that it keeps that long: {told:?}");
                    let marker = world.peek(MARKER).expect("one of them made it").0;
                    let marker: serde_json::Value = serde_json::from_slice(&marker).expect("it is whole");
                    assert_eq!(marker["keep_seconds"], if told[0] { 60 } else { 120 });
                    match ended {
                        (true, _) => break 'calls,
                        (_, true) => break,
                        _ => {}
                    }
                }
            }
        }
    }
}
