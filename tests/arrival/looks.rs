//! Looks at an inbox: of very many files each has its turn, and one that cannot be read is nobody else's trouble.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, SimHost, World};
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Arrivals, Finding, Fs as _, Looked, Store as _};
use filedrop::words::{Customs, Pending};

const QUIET: Duration = Duration::from_secs(2);

type Sim<'a> = LocalStore<SimFs<'a>, SimHost>;

fn world() -> World {
    let world = World::new(Model::A, 7);
    store(SimFs::unscheduled(&world, 1));
    world
}

fn store<'a>(fs: SimFs<'a>) -> Sim<'a> {
    let host = fs.host();
    LocalStore::init(fs, host, "/drop").unwrap()
}

fn path(name: &str) -> PathBuf {
    Path::new("/drop/inbox").join(name)
}

fn put(fs: &SimFs<'_>, name: &str, content: &[u8]) {
    let file = fs.create(&path(name)).unwrap();
    fs.write(&file, content).unwrap();
}

/// Of ten files four can be watched at a time.
fn crowded(customs: Customs) -> (World, Arrivals) {
    let world = world();
    let fs = SimFs::unscheduled(&world, 1);
    (0..10).for_each(|nth| put(&fs, &format!("{nth}.csv"), b"1;2"));
    let mut arrivals = Arrivals::new(customs, QUIET);
    arrivals.most_watched = 4;
    (world, arrivals)
}

fn marker_required() -> Customs {
    Customs::new(&[], &[".done".to_owned()]).unwrap()
}

/// A look, a second after the one before. The names that were looked at.
fn look(world: &World, arrivals: &mut Arrivals) -> (Looked, BTreeSet<OsString>) {
    world.advance(1000);
    let mut told = BTreeSet::new();
    let store = store(SimFs::unscheduled(world, 1));
    let mut tell = |name: &OsStr, _: Finding<'_>| told.extend([name.to_owned()]);
    let looked = store.arrivals(None, arrivals, &mut tell).unwrap();
    assert!(told.len() <= arrivals.most_watched, "{told:?}");
    (looked, told)
}

#[test]
fn of_very_many_without_a_marker_each_has_its_turn_and_that_is_the_end() {
    let (world, mut arrivals) = crowded(marker_required());
    let mut told = BTreeSet::new();
    let mut clear = false;
    for _ in 0..6 {
        let (looked, names) = look(&world, &mut arrivals);
        clear = looked.beyond + looked.fresh == 0;
        assert!(!clear || told.len() + names.len() >= 10, "not before each had its turn");
        told.extend(names);
    }
    assert_eq!(told.len(), 10);
    assert!(clear, "a drain would never end");
    // It goes on, round and round: what becomes complete later is found.
    put(&SimFs::unscheduled(&world, 1), "5.csv.done", b"");
    let found = (0..5).any(|_| look(&world, &mut arrivals).0.ready.iter().any(|file| file.name == "5.csv"));
    assert!(found);
}

#[test]
fn very_many_that_are_left_alone_are_all_taken() {
    let (world, mut arrivals) = crowded(Customs::default());
    let mut taken = 0;
    for _ in 0..12 {
        for file in look(&world, &mut arrivals).0.ready {
            SimFs::unscheduled(&world, 1).unlink(&Path::new("/drop/inbox").join(file.name)).unwrap();
            taken += 1;
        }
    }
    assert_eq!(taken, 10);
    assert_eq!(look(&world, &mut arrivals).0, Looked::default());
}

#[test]
fn those_that_are_written_all_the_time_keep_nobody_from_its_turn() {
    let (world, mut arrivals) = crowded(Customs::default());
    let fs = SimFs::unscheduled(&world, 1);
    let grow = |name: &str| {
        fs.unlink(&path(name)).unwrap();
        fs.create(&path(name)).unwrap()
    };
    let growing = ["0.csv", "1.csv", "2.csv", "3.csv"].map(grow);
    let mut ready = BTreeSet::new();
    for nth in 0..40 {
        growing.iter().for_each(|file| fs.write(file, &vec![b'x'; nth]).unwrap());
        ready.extend(look(&world, &mut arrivals).0.ready.into_iter().map(|file| file.name));
    }
    let expected: BTreeSet<OsString> = (4..10).map(|nth| format!("{nth}.csv").into()).collect();
    assert_eq!(ready, expected);
}

/// Nobody takes them: an intake is told which files are meant.
#[test]
fn those_that_are_complete_and_not_taken_keep_nobody_from_its_turn() {
    let (world, mut arrivals) = crowded(Customs::default());
    let ready = |_| look(&world, &mut arrivals).0.ready.into_iter().map(|file| file.name);
    let ready: BTreeSet<OsString> = (0..12).flat_map(ready).collect();
    assert_eq!(ready.len(), 10);
}

#[test]
fn those_that_are_complete_are_given_out_in_portions() {
    let (world, mut arrivals) = crowded(Customs::default());
    (arrivals.most_watched, arrivals.at_once) = (100, 3);
    look(&world, &mut arrivals);
    look(&world, &mut arrivals);
    for (expected, beyond) in [(3, 7), (3, 4), (3, 1), (1, 0)] {
        let (looked, _) = look(&world, &mut arrivals);
        assert_eq!((looked.ready.len(), looked.beyond), (expected, beyond));
        for file in looked.ready {
            SimFs::unscheduled(&world, 1).unlink(&Path::new("/drop/inbox").join(file.name)).unwrap();
        }
    }
}

/// Of one file, at whatever call: the other one is complete.
#[test]
fn what_goes_wrong_with_one_file_concerns_only_that_one() {
    let world = world();
    let fs = SimFs::unscheduled(&world, 1);
    let sum = "cbf6d3a344b6cdc05893f974cbab31c42bdafe2bf0acee2aa8f02f834e53a160";
    for name in ["a.csv", "b.csv"] {
        put(&fs, name, b"1;2");
        put(&fs, &format!("{name}.sha256"), sum.as_bytes());
    }
    let (mut at, mut troubles) = (0, 0);
    loop {
        let seen = Rc::new(RefCell::new((None, Vec::new())));
        let told = seen.clone();
        let mut actor = Actor::start(&world, 2, move |fs| {
            let store = store(fs);
            let mut arrivals = Arrivals::new(Customs::default(), Duration::ZERO);
            let mut troubles = Vec::new();
            let looked = store.arrivals(None, &mut arrivals, &mut |_, finding| {
                if let Err(Pending::Unreadable(why)) = finding {
                    troubles.push(why.clone());
                }
            });
            *told.borrow_mut() = (Some(looked), troubles);
        });
        // The folder is opened and listed first.
        let before = world.trace().len();
        while !actor.ended() && !world.trace()[before..].iter().any(|line| line.contains("list /drop/inbox"))
        {
            actor.step(Fate::Proceed);
        }
        if actor.steps(at) < at {
            break;
        }
        actor.step(Fate::Fail);
        actor.finish();
        let (looked, told) = seen.take();
        let looked = looked.unwrap().unwrap();
        assert_eq!(looked.ready.len() + told.len(), 2, "call {at}: {looked:?} {told:?}");
        assert!(told.len() <= 1, "call {at}: {told:?}");
        troubles += told.len();
        at += 1;
    }
    assert!(troubles >= 8, "of each file its state, its marker's, and the content of both: {troubles}");
}
