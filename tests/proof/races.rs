//! Two programs at once: one stops at each of its calls, the other goes on, stops at each of its own, and the first resumes,
//! for hours late. Everything may also end at any of these moments.

use std::collections::HashSet;
use std::path::Path;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, World};
use filedrop::ports::{Fs, Store, Vigil};
use filedrop::words::DEFAULT_LEASE;

use crate::ledger::Ledger;
use crate::programs::{self, DROP, Kind, Patience, Program};
use crate::search::{Counts, MODELS, Search, power_cuts, prepared, stops, stops_each, with_address};

const SEED: u64 = 2;

pub(crate) type Make = fn(&Ledger) -> Program;

/// Every history of the form: `a` does i calls, `b` does j, `a` does the rest, `b` does the rest.
pub(crate) fn interleave(what: &str, setup: fn(World) -> (World, Ledger), a: Make, b: Make) -> Counts {
    interleave_each(9, what, setup, a, b)
}

/// The same, where much is not durable for long, so that a crash leaves very many disks: of `b`'s calls each so many'th.
pub(crate) fn interleave_each(
    nth: usize,
    what: &str,
    setup: fn(World) -> (World, Ledger),
    a: Make,
    b: Make,
) -> Counts {
    let mut total = Counts::default();
    for model in [Model::A, Model::B] {
        for (kind, make) in [("local", false), ("shared by machines", true)] {
            let mut search = Search::new(0);
            let fresh = || {
                let world = World::new(model, SEED);
                setup(if make { world.shared_by_machines() } else { world })
            };
            search.interleave(fresh, a, b, |i| stops_each(nth, i), true);
            total = total + search.expect_none(&format!("{what}, model {model:?}, {kind}"));
        }
    }
    total
}

fn one_plain(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Plain])
}

fn one_reply(world: World) -> (World, Ledger) {
    with_address(world, &[Kind::Reply])
}

fn one_failing(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Failing])
}

fn one_delivered(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Reply]);
    Actor::start(&world, 9, programs::consumer(&ledger, "setup", Patience::Drain)).finish();
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

fn consume(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "zombie", Patience::Drain)
}

fn take_over(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "recoverer", Patience::Endless)
}

fn wait(ledger: &Ledger) -> Program {
    programs::waiter(ledger)
}

fn collect(ledger: &Ledger) -> Program {
    programs::collector(ledger, Patience::Drain)
}

fn collect_after_the_lease(ledger: &Ledger) -> Program {
    programs::collector(ledger, Patience::Endless)
}

#[test]
fn zombie_resumes_at_every_step_without_return_address() {
    interleave("zombie, no Return Address", one_plain, consume, take_over);
}

#[test]
fn zombie_resumes_at_every_step_with_return_address() {
    interleave("zombie, Return Address", one_reply, consume, take_over);
}

#[test]
fn zombie_resumes_at_every_step_of_a_burial() {
    interleave("zombie, burial", one_failing, consume, take_over);
}

#[test]
fn waiter_looks_at_every_step() {
    interleave("waiter", one_plain, consume, wait);
}

/// P3: the job of a producer that has not been acknowledged yet is already handled.
#[test]
fn producer_is_overtaken_at_every_step() {
    let produce: Make = |ledger| programs::producer(ledger, &[Kind::Plain]);
    interleave("producer and consumer", |world| prepared(world, &[]), produce, consume);
}

#[test]
fn collectors_race_and_one_is_a_zombie() {
    interleave("collectors", one_delivered, collect, collect_after_the_lease);
}

/// P15: the one that gives an outcome back was taken for dead meanwhile, or the other collects what it has just given back.
#[test]
fn a_collector_gives_back_what_another_collects() {
    interleave("collector and refuser", one_delivered, programs::refuser, collect_after_the_lease);
}

/// The victim dies at each of its calls, or the power fails there; then two recoverers race. After a kill: every history in
/// which the first does i calls, the second j, the first the rest. After a power cut: those in which the second does all.
fn two_recoverers(what: &str, setup: fn(World) -> (World, Ledger)) {
    for (model, shared) in [(Model::A, false), (Model::B, false), (Model::B, true)] {
        let mut search = Search::new(0);
        let mut starts = HashSet::new();
        for k in 0.. {
            let world = World::new(model, SEED);
            let (world, ledger) = setup(if shared { world.shared_by_machines() } else { world });
            let mut victim = Actor::start(&world, 2, consume(&ledger));
            if victim.steps(k) < k {
                break;
            }
            drop(victim);
            let kill = world.fork();
            if starts.insert(kill.disk().fingerprint()) {
                (0..).take_while(|i| race(&kill, &ledger, *i, stops(*i), &mut search)).for_each(drop);
            }
            for cut in power_cuts(&world) {
                if starts.insert(cut.disk().fingerprint()) {
                    stops(starts.len())
                        .take_while(|i| race(&cut, &ledger, *i, [usize::MAX], &mut search))
                        .for_each(drop);
                }
            }
        }
        let kind = if shared { "shared by machines" } else { "local" };
        search.expect_none(&format!("{what}, model {model:?}, {kind}, {} starts", starts.len()));
    }
}

/// `false` if the first recoverer has fewer than `i` calls to do.
fn race(
    start: &World,
    ledger: &Ledger,
    i: usize,
    js: impl IntoIterator<Item = usize>,
    search: &mut Search,
) -> bool {
    for j in js {
        let (world, ledger) = (start.fork(), ledger.fork());
        let mut first = Actor::start(&world, 3, take_over(&ledger));
        if first.steps(i) < i {
            return false;
        }
        let mut second = Actor::start(&world, 4, take_over(&ledger));
        let done = second.steps(j);
        first.finish();
        second.finish();
        search.conclude_once(&world, &ledger);
        if done < j {
            break;
        }
    }
    true
}

#[test]
fn two_recoverers_race_without_return_address() {
    two_recoverers("two recoverers, no Return Address", one_plain);
}

#[test]
fn two_recoverers_race_with_return_address() {
    two_recoverers("two recoverers, Return Address", one_reply);
}

/// P13: where only its silence tells, a consumer may wake while its room is being removed, take a job, and move it out of there again.
/// That is not lost with the room when the power fails.
#[test]
fn who_wakes_moves_nothing_out_of_a_room_that_goes() {
    for model in MODELS {
        let mut search = Search::new(0);
        let (start, start_ledger) = one_plain(World::new(model, SEED).shared_by_machines().announcing());
        let mut moved = 0;
        'all: for asleep in 0.. {
            for awake in 0.. {
                let (world, ledger) = (start.fork(), start_ledger.fork());
                let mut zombie = Actor::start(&world, 2, programs::returner());
                until(&mut zombie, &world, ["/inbox/", " → /drop/claimed/"]);
                let mut judge = Actor::start(&world, 3, judge_by_silence());
                if judge.steps(asleep) < asleep {
                    break 'all;
                }
                zombie.step(Fate::Proceed);
                // As any producer does: it is nowhere but in that room.
                let _ = SimFs::unscheduled(&world, 4).flush_dir(&Path::new(DROP).join("inbox"));
                // Its room was gone.
                if !until(&mut zombie, &world, ["/claimed/", " → /drop/inbox/"]) {
                    break 'all;
                }
                if judge.steps(awake) < awake {
                    break;
                }
                zombie.step(Fate::Proceed);
                drop(zombie);
                moved += 1;
                search.stop_here(&world, &ledger);
                while judge.step(Fate::Proceed) {
                    search.stop_here(&world, &ledger);
                }
            }
        }
        assert!(moved > 0, "nothing was moved");
        search.expect_none(&format!("P13 who wakes, model {model:?}"));
    }
}

/// Runs the second program until it is about to make such a move. Whether it is.
fn until(actor: &mut Actor, world: &World, of: [&str; 2]) -> bool {
    let is_next = |call: String| call.starts_with("2 rename ") && of.iter().all(|part| call.contains(part));
    while !world.next_call(2).is_some_and(is_next) {
        if !actor.step(Fate::Proceed) {
            return false;
        }
    }
    true
}

/// Recovers what the silent left, and takes nothing.
fn judge_by_silence() -> Program {
    Box::new(|fs| {
        let world = fs.world().clone();
        let Some(store) = programs::open(fs) else { return };
        let Some(room) = programs::register(&store, "judge") else { return };
        let mut vigil = Vigil::default();
        for _ in 0..2 {
            let _ = store.recover(&room, &mut vigil);
            world.advance(DEFAULT_LEASE.as_millis() as u64);
        }
        let _ = store.recover(&room, &mut vigil);
    })
}
