//! Retry, delay, expiry, given ids and dead letters: crashed at every call, and raced. (P23, P24 and P26 have tests of their own.)

use filedrop::adapters::fs::sim::{Actor, Fate, SimFs, World};
use filedrop::ports::{Fs, NewJob};

use crate::crash_points::{Transition, crash_everywhere, errors_everywhere};
use crate::ledger::Ledger;
use crate::operators;
use crate::programs::{self, Kind, Patience, Program};
use crate::races::interleave;
use crate::search::{Drain, MODELS, Search, drain, prepared, stops_each};

const KINDS: [fn(World) -> World; 2] = [|world| world, World::shared_by_machines];

fn flaky(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Flaky])
}

fn hopeless(world: World) -> (World, Ledger) {
    prepared(world, &[Kind::Hopeless])
}

fn empty(world: World) -> (World, Ledger) {
    prepared(world, &[])
}

/// A job that is due, and one that is not.
fn delayed(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Delayed]);
    world.advance(61_000);
    Actor::start(&world, 4, programs::producer(&ledger, &[Kind::Delayed])).finish();
    settle_down(&world);
    (world, ledger)
}

fn expired(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Expiring]);
    world.advance(11_000);
    (world, ledger)
}

fn dead(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Failing]);
    Actor::start(&world, 5, programs::consumer(&ledger, "earlier", Patience::Drain)).finish();
    settle_down(&world);
    (world, ledger)
}

/// A job of the given id that has come so far.
fn given(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Given(5)]);
    world.advance(24 * 3600 * 1000);
    (world, ledger)
}

/// A dead letter that somebody moved to the inbox.
fn moved(world: World) -> (World, Ledger) {
    let (world, ledger) = dead(world);
    Actor::start(&world, 6, operators::mover()).finish();
    settle_down(&world);
    (world, ledger)
}

fn settle_down(world: &World) {
    world.flush_all();
    world.take_changes();
}

fn consume(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "victim", Patience::Drain)
}

fn patient(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "patient", Patience::Endless)
}

fn give_first(ledger: &Ledger) -> Program {
    programs::producer(ledger, &[Kind::Given(5)])
}

/// The same id again, a day later and with another priority: were it another job, it would have another slot.
fn give(ledger: &Ledger) -> Program {
    let produce = programs::producer(ledger, &[Kind::Given(4)]);
    Box::new(move |fs| {
        fs.world().advance(24 * 3600 * 1000);
        produce(fs);
    })
}

fn redrive(ledger: &Ledger) -> Program {
    operators::redriver(ledger)
}

fn promote(_: &Ledger) -> Program {
    operators::promoter()
}

fn take_over(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "recoverer", Patience::Endless)
}

#[test]
fn p18_p25_postpone() {
    crash_everywhere("P18 P25 postpone", flaky, consume);
    errors_everywhere("P18 P25 postpone", flaky, consume);
}

#[test]
fn p18_p27_postpone_and_bury() {
    crash_everywhere("P18 P27 bury after two attempts", hopeless, patient);
    errors_everywhere("P18 P27 bury after two attempts", hopeless, patient);
}

#[test]
fn p3_p19_delay_and_come_due() {
    crash_everywhere("P3 delayed", empty, |ledger| programs::producer(ledger, &[Kind::Delayed]));
    errors_everywhere("P3 delayed", empty, |ledger| programs::producer(ledger, &[Kind::Delayed]));
    crash_everywhere("P19 come due", delayed, promote);
    errors_everywhere("P19 come due", delayed, promote);
    interleave("P19 two promoters", delayed, promote, promote);
    interleave("P19 promoter and consumer", delayed, promote, consume);
}

#[test]
fn p27_expire() {
    crash_everywhere("P27 expire", expired, consume);
    errors_everywhere("P27 expire", expired, consume);
}

#[test]
fn p18_a_zombie_postpones() {
    interleave("P18 zombie", flaky, consume, take_over);
}

/// H10: an id that is given twice is one job, wherever the first one is by then.
#[test]
fn p20_given_ids() {
    crash_everywhere("P20 a given id", empty, give_first);
    errors_everywhere("P20 a given id", empty, give_first);
    crash_everywhere("P20 a given id, again", given, give);
    errors_everywhere("P20 a given id, again", given, give);
}

/// H10. Whoever stopped where, somebody gives the id once more at the end.
#[test]
fn p20_given_again_after_a_crash() {
    let again: Drain = |ledger| {
        let mut programs = drain(ledger);
        programs.insert(0, give(ledger));
        programs
    };
    for model in MODELS {
        let mut search = Search::with(again, 0);
        let (world, ledger) = prepared(World::new(model, 1), &[]);
        let mut actor = Actor::start(&world, 2, give_first(&ledger));
        search.stop_here(&world, &ledger);
        while actor.step(Fate::Proceed) {
            search.stop_here(&world, &ledger);
        }
        search.expect_none("P20 given again after a crash");
    }
}

/// H10. Two at once, and once more when both have stopped: what the second relied on must be durable, whoever did it.
#[test]
fn p20_given_by_two_and_again_after_a_crash() {
    let again: Drain = |ledger| {
        let mut programs = drain(ledger);
        programs.insert(0, give(ledger));
        programs
    };
    for model in MODELS {
        let mut search = Search::with(again, 0);
        let fresh = || empty(World::new(model, 1));
        search.interleave(fresh, give_first, give, |i| stops_each(9, i), true);
        search.expect_none(&format!("P20 two at once, and again after a crash, model {model:?}"));
    }
}

/// H10: two at once, and a consumer that is as quick.
#[test]
fn p20_given_by_two_at_once() {
    interleave("P20 two at once", empty, give_first, give);
    interleave("P20 a submitter and a consumer", given, give, consume);
}

/// An entry of which nothing has come: its draft was swept, or a power cut kept only the one name.
fn void(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[]);
    let store = programs::open(SimFs::unscheduled(&world, 7)).expect("a drop folder");
    let NewJob { name, bytes, .. } = programs::new_job(store.host(), Kind::Given(7));
    let (fs, layout) = (store.fs(), store.layout());
    fs.make_dir(&layout.shelf(&name.id)).expect("a shelf");
    let file = fs.create(&layout.entry(&name.id)).expect("an entry");
    fs.write(&file, &bytes).expect("its content");
    settle_down(&world);
    (world, ledger)
}

/// The hole beside H10: who finds an entry void must not remove another one that has come in its place.
#[test]
fn p20_a_void_entry() {
    crash_everywhere("P20 a void entry", void, give_first);
    errors_everywhere("P20 a void entry", void, give_first);
    interleave("P20 a void entry, two at once", void, give_first, give);
}

/// H13: a dead letter becomes one new job, however often and by how many it is redriven.
#[test]
fn p21_redrive() {
    crash_everywhere("P21 redrive", dead, redrive);
    errors_everywhere("P21 redrive", dead, redrive);
    let twice: Drain = |ledger| {
        let mut programs = drain(ledger);
        programs.insert(0, redrive(ledger));
        programs
    };
    for model in MODELS {
        let mut search = Search::with(twice, 0);
        let (world, ledger) = dead(World::new(model, 1));
        let mut actor = Actor::start(&world, 2, redrive(&ledger));
        while actor.step(Fate::Proceed) {
            search.stop_here(&world, &ledger);
        }
        search.expect_none("P21 redriven again after a crash");
    }
}

#[test]
fn p21_redrive_by_two_at_once() {
    interleave("P21 two at once", dead, redrive, redrive);
    interleave("P21 a redriver and a consumer", dead, redrive, consume);
}

#[test]
fn p22_put_back() {
    let put_back: Transition = |ledger| programs::consumer(ledger, "tidy", Patience::Drain);
    crash_everywhere("P22 put back", moved, put_back);
    errors_everywhere("P22 put back", moved, put_back);
    interleave("P22 two put it back", moved, consume, take_over);
    for model in MODELS {
        let mut search = Search::new(0);
        let start = || dead(World::new(model, 1));
        search.interleave(start, redrive, |_| operators::mover(), |_| 0.., false);
        search.expect_none("P22 moved while it is redriven");
    }
}

/// While one is putting it back, another does, and somebody moves it to the inbox again.
#[test]
fn p22_put_back_twice() {
    let again = |ledger: &Ledger| -> Program {
        let tidy = take_over(ledger);
        Box::new(|fs| {
            tidy(fs.clone());
            operators::mover()(fs);
        })
    };
    for (model, make) in MODELS.into_iter().flat_map(|model| KINDS.map(|make| (model, make))) {
        let mut search = Search::new(0);
        search.interleave(|| moved(make(World::new(model, 1))), consume, again, |_| 0.., false);
        search.expect_none("P22 put back, and moved again");
    }
}

/// Whoever takes its name then, and dies before it gives it back, leaves it to the sweep.
#[test]
fn p22_what_was_taken_aside_comes_back() {
    for model in MODELS {
        let (start, ledger) = moved(World::new(model, 1).announcing());
        let (mut search, mut last_names) = (Search::new(0), 0);
        for calls in 0.. {
            let (world, ledger) = (start.fork(), ledger.fork());
            let mut tidy = Actor::start(&world, 2, consume(&ledger));
            let is_at_it =
                || world.next_call(2).is_some_and(|call| call.contains("/inbox/") && call.contains("/tmp/"));
            while !is_at_it() {
                assert!(tidy.step(Fate::Proceed), "it takes no name aside");
            }
            Actor::start(&world, 3, take_over(&ledger)).finish();
            Actor::start(&world, 4, operators::mover()).finish();
            if tidy.steps(calls) < calls {
                break;
            }
            drop(tidy);
            let letters = world.tree().into_iter().filter(|(path, _)| path.ends_with(".job.json"));
            last_names += usize::from(letters.into_iter().all(|(path, _)| path.contains("/tmp/")));
            world.advance(25 * 3600 * 1000);
            Actor::start(&world, 5, operators::sweeper()).finish();
            search.conclude_once(&world, &ledger);
        }
        search.expect_none("P22 taken aside by the dead");
        assert!(last_names > 0, "nobody died with its last name in hand");
    }
}
