//! A crash after every single call of every transition, in every persistence model, and every lost answer.

use filedrop::adapters::fs::sim::{Actor, Fate, Lie, Model, SimFs, World};
use filedrop::ports::{Beat, Progress, Store};
use filedrop::words::DEFAULT_LEASE;

use crate::ledger::Ledger;
use crate::programs::{self, Kind, Patience, Program};
use crate::search::{MODELS, Search, is_full, prepared, with_address};

pub(crate) type Setup = fn(World) -> (World, Ledger);
pub(crate) type Transition = fn(&Ledger) -> Program;

const SEED: u64 = 1;

/// Runs a transition and stops everything after each of its calls. In a full search the recovery is itself stopped after each
/// of its calls.
pub(crate) fn crash_everywhere(what: &str, setup: Setup, transition: Transition) {
    crash_to_depth(usize::from(is_full()), what, setup, transition);
}

pub(crate) fn crash_to_depth(depth: usize, what: &str, setup: Setup, transition: Transition) {
    for model in MODELS {
        for (kind, world) in file_systems(World::new(model, SEED)) {
            let mut search = Search::new(depth);
            let (world, ledger) = setup(world());
            let mut actor = Actor::start(&world, 2, transition(&ledger));
            search.stop_here(&world, &ledger);
            while actor.step(Fate::Proceed) {
                search.stop_here(&world, &ledger);
            }
            search.conclude(&world, &ledger, 0);
            search.expect_none(&format!("{what}, model {model:?}, {kind}"));
        }
    }
}

type Make = Box<dyn Fn() -> World>;

/// With unnamed files and locks; without unnamed files; as NFS.
fn file_systems(world: World) -> [(&'static str, Make); 3] {
    let (plain, named, shared) = (world.clone(), world.clone(), world);
    [
        ("local", Box::new(move || plain.fork())),
        ("no unnamed files", Box::new(move || named.fork().without_unnamed_files())),
        ("shared by machines", Box::new(move || shared.fork().shared_by_machines())),
    ]
}

/// Every call of a transition, one at a time, answers with an error: after it was done, or without having been done.
pub(crate) fn errors_everywhere(what: &str, setup: Setup, transition: Transition) {
    errors_in(&MODELS, what, setup, transition);
}

/// The same, where much is not durable for long: in `cargo test` only in these models.
pub(crate) fn errors_in(models: &[Model], what: &str, setup: Setup, transition: Transition) {
    for model in MODELS.into_iter().filter(|model| is_full() || models.contains(model)) {
        for (kind, make) in file_systems(World::new(model, SEED)) {
            let mut search = Search::new(0);
            for fate in [Fate::LoseAnswer, Fate::Fail] {
                for at in 0.. {
                    let (world, ledger) = setup(make());
                    let mut actor = Actor::start(&world, 2, transition(&ledger));
                    if actor.steps(at) < at {
                        break;
                    }
                    actor.step(fate);
                    search.stop_here(&world, &ledger);
                    while actor.step(Fate::Proceed) {
                        search.stop_here(&world, &ledger);
                    }
                    search.conclude(&world, &ledger, 0);
                }
            }
            search.expect_none(&format!("{what}, an error at each call, model {model:?}, {kind}"));
        }
    }
}

fn empty(world: World) -> (World, Ledger) {
    prepared(world, &[])
}

fn submitted(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Plain, Kind::Garbage])
}

fn to_be_delivered(world: World) -> (World, Ledger) {
    with_address(world, &[Kind::Reply])
}

fn to_be_delivered_to_a_new_address(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Reply])
}

fn failing(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Failing])
}

fn delivered(world: World) -> (World, Ledger) {
    let (world, ledger) = to_be_delivered_to_a_new_address(world);
    Actor::start(&world, 3, programs::consumer(&ledger, "setup", Patience::Drain)).finish();
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

fn produce(ledger: &Ledger) -> Program {
    programs::producer(ledger, &[Kind::Plain, Kind::Reply])
}

fn consume(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "victim", Patience::Drain)
}

fn give_back(_: &Ledger) -> Program {
    programs::returner()
}

fn collect(ledger: &Ledger) -> Program {
    programs::collector(ledger, Patience::Drain)
}

#[test]
fn p2_p3_submit() {
    crash_everywhere("P2 P3 submit", empty, produce);
    errors_everywhere("P2 P3 submit", empty, produce);
}

#[test]
fn p4_to_p11_claim_handle_settle() {
    crash_everywhere("P4–P11 consume", submitted, consume);
    errors_everywhere("P4–P11 consume", submitted, consume);
}

#[test]
fn p9_p12_stage_and_deliver() {
    crash_everywhere("P9 P12 deliver", to_be_delivered, consume);
    errors_everywhere("P9 P12 deliver", to_be_delivered, consume);
}

/// P12 with P1 inside. A dozen new folders survive in thousands of combinations: one crash is enough of them.
#[test]
fn p1_p12_deliver_to_a_new_address() {
    crash_to_depth(0, "P1 P12 new address", to_be_delivered_to_a_new_address, consume);
    errors_everywhere("P1 P12 new address", to_be_delivered_to_a_new_address, consume);
}

#[test]
fn p11_bury() {
    crash_everywhere("P11 bury", failing, consume);
    errors_everywhere("P11 bury", failing, consume);
}

#[test]
fn p8_hand_back() {
    crash_everywhere("P8 hand back", submitted, give_back);
    errors_everywhere("P8 hand back", submitted, give_back);
}

/// P16: only what was forgotten goes, and P5: a beat loses nothing.
#[test]
fn p5_p16_beat_and_sweep() {
    let sweep: Transition = |_| crate::draft::sweep_all();
    crash_everywhere("P16 sweep", submitted, sweep);
    for model in MODELS {
        let (world, _) = submitted(World::new(model, SEED).without_unnamed_files());
        let store = programs::open(SimFs::unscheduled(&world, 2)).expect("a drop folder");
        let room = store.register(&"c".parse().expect("a name"), DEFAULT_LEASE).expect("a room");
        assert_eq!(store.beat(&room, Progress::default()).expect("a beat"), Beat::Alive);
        // A draft whose writer dies.
        let job = programs::new_job(store.host(), Kind::Plain);
        let mut writer = Actor::start(&world, 3, move |fs| {
            let _ = programs::open(fs).map(|store| store.submit(&[job]));
        });
        while store.census().expect("a census").rooms.tmp == 0 {
            assert!(writer.step(Fate::Proceed), "the writer makes a draft");
        }
        drop(writer);
        assert_eq!(programs::sweep(&store).expect("a sweep").total(), 0, "it may still be written");
        world.advance(25 * 3600 * 1000);
        assert_eq!(programs::sweep(&store).expect("a sweep").drafts, 1);
        assert_eq!(
            store.beat(&room, Progress::default()).expect("a beat"),
            Beat::Alive,
            "a sweep leaves the living alone"
        );
    }
}

/// P17: a power cut after a consumer left must not lose what it had archived. The rooms' folder may be gone, and the archive's
/// new name not be there yet.
#[test]
fn p17_leave() {
    let depart: Transition = |ledger| programs::consumer(ledger, "leaver", Patience::Drain);
    crash_everywhere("P17 leave", submitted, depart);
    let lie = |world: World| {
        let (world, ledger) = submitted(world);
        (world.lying(Some(Lie::FolderFlush("/claimed/leaver-"))), ledger)
    };
    let (world, ledger) = lie(World::new(Model::A, SEED));
    let mut search = Search::new(0);
    let mut actor = Actor::start(&world, 2, depart(&ledger));
    while actor.step(Fate::Proceed) {
        search.stop_here(&world, &ledger);
    }
    assert!(!search.violations.is_empty(), "without its flush the search finds the hole");
}

#[test]
fn p15_not_taken() {
    crash_everywhere("P15 not taken", delivered, programs::refuser);
    errors_everywhere("P15 not taken", delivered, programs::refuser);
}

#[test]
fn p15_collect() {
    crash_everywhere("P15 collect", delivered, collect);
    errors_everywhere("P15 collect", delivered, collect);
}
