//! A sweeper alone, and among others who are at work.

use filedrop::adapters::fs::sim::SimHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::words::Millis;

use super::*;
use crate::search::power_cuts;

#[test]
fn p26_a_sweep_is_crashed_at_every_call() {
    for model in MODELS {
        for kind in [Kind::Flaky, Kind::Given(5), Kind::Reply] {
            let start = old(model, &[kind]);
            let what = format!("P26 sweep, {kind:?}, model {model:?}");
            crash_everywhere(&what, &start, sweep, rest);
            crash_everywhere(&format!("{what}, in portions"), &start, sweep_in_portions, rest);
            crash_everywhere(&format!("{what}, then given again"), &start, sweep, rest_and_again);
            errors_everywhere(&what, &start, sweep, rest_and_again);
        }
        let all = old(model, &[Kind::Flaky, Kind::Given(5)]);
        crash_everywhere(&format!("P26 sweep of two jobs, model {model:?}"), &all, sweep, rest_and_again);
    }
}

#[test]
fn p26_two_sweepers() {
    for model in MODELS {
        let start = old(model, &[Kind::Flaky, Kind::Given(5)]);
        interleave(
            &format!("P26 two sweepers, model {model:?}"),
            &start,
            sweep,
            sweep_in_portions,
            rest,
            &ANYWHERE,
        );
    }
}

/// What was collected long ago is forgotten; what waits, and who collects it, is not disturbed.
#[test]
fn p26_sweeper_and_collector() {
    for model in MODELS {
        let (world, ledger) = old(model, &[Kind::Reply]);
        finish(&world, 5, programs::producer(&ledger, &[Kind::Reply]));
        finish(&world, 6, programs::consumer(&ledger, "earlier", Patience::Drain));
        come_to_rest(&world);
        interleave(
            &format!("P26 sweeper and collector, model {model:?}"),
            &(world, ledger),
            sweep,
            collect,
            rest,
            &ANYWHERE,
        );
    }
}

/// Whoever is still to take an outcome finds what travels with it.
fn look_at_what_waits(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let tree = fs.world().disk().tree();
        for name in ledger.facts().attempted.into_keys() {
            let paths = tree.iter().map(|(path, _)| path).filter(|path| path.contains(name.id.as_str()));
            let in_room =
                |room: &str| paths.clone().any(|path| path.contains("/replies/") && path.contains(room));
            let waits = (in_room("/inbox/") || in_room("/claimed/")) && !in_room("/done/");
            if waits && !paths.clone().any(|path| path.contains("/payload/")) {
                ledger.violation("I9: an outcome waits to be collected, and what travels with it is gone");
            }
        }
    })
}

fn rest_and_look(ledger: &Ledger) -> Vec<Program> {
    let mut programs = rest(ledger);
    programs.insert(0, look_at_what_waits(ledger));
    programs
}

/// Nobody came to collect for a week. Then it is collected, or refused, while somebody sweeps.
#[test]
fn p26_what_is_not_collected_keeps_what_travels() {
    for model in MODELS {
        let (world, ledger) = prepared(World::new(model, SEED), &[Kind::Reply]);
        attach(&world, &ledger);
        finish(&world, 3, programs::consumer(&ledger, "earlier", Patience::Endless));
        come_to_rest(&world);
        world.advance(LONG);
        retire(&world, &ledger);
        let start = (world, ledger);
        crash_everywhere(&format!("P26 uncollected, model {model:?}"), &start, sweep, rest_and_look);
        for (what, other) in [("collected", collect as Make), ("refused", programs::refuser)] {
            let what = format!("P26 sweeper, and {what} late, model {model:?}");
            interleave(&what, &start, sweep, other, rest_and_look, &ANYWHERE);
        }
    }
}

/// Somebody removed the slot, or an earlier version did. What travels with the outcome is nobody's but the collector's.
#[test]
fn p26_an_outcome_without_a_slot_keeps_what_travels() {
    let (world, ledger) = prepared(World::new(Model::B, SEED), &[Kind::Reply]);
    attach(&world, &ledger);
    finish(&world, 3, programs::consumer(&ledger, "earlier", Patience::Endless));
    let fs = SimFs::unscheduled(&world, 7);
    for (path, _) in world.disk().tree() {
        if matches!(classify(&path), Some(Place::Slot(_)))
            || path.contains("/done/") && path.ends_with(".json")
        {
            fs.unlink(path.as_ref()).expect("removed");
        }
    }
    world.advance(LONG);
    finish(&world, 4, sweep(&ledger));
    finish(&world, 5, look_at_what_waits(&ledger));
    finish(&world, 6, collect(&ledger));
    finish(&world, 7, sweep_later(&ledger));
    let left = world.disk().tree().into_iter().filter(|(path, _)| path.contains("/payload/")).count();
    assert_eq!(
        (ledger.facts().violations.len(), left),
        (0, 0),
        "it was there, and goes when it was collected"
    );
}

/// New jobs among the old ones.
#[test]
fn p26_sweeper_and_consumer() {
    for model in MODELS {
        let (world, ledger) = old(model, &[Kind::Plain]);
        finish(&world, 5, programs::producer(&ledger, &[Kind::Plain]));
        come_to_rest(&world);
        interleave(
            &format!("P26 sweeper and consumer, model {model:?}"),
            &(world, ledger),
            sweep,
            consume,
            rest,
            &ANYWHERE,
        );
    }
}

/// Nobody came for a week after a consumer had died somewhere, or the power failed: what it left is not over, however old it is.
/// (Where an outcome was staged, it may be a week old when it is decided, and be swept with the next sweep.)
#[test]
fn p26_what_is_not_over_stays() {
    for model in MODELS {
        let kinds = [Kind::Flaky, Kind::Failing];
        let replies = with_address(World::new(model, SEED), &[Kind::Reply]);
        for start in [prepared(World::new(model, SEED), &kinds), replies] {
            let (mut swept, mut unswept) = (Search::with(rest, 0), Search::with(drain, 0));
            let victim: Make = |ledger| programs::consumer(ledger, "victim", Patience::Endless);
            for (world, ledger) in wrecks(&start, victim) {
                let search = if has_staged(&world) { &mut unswept } else { &mut swept };
                world.advance(LONG);
                retire(&world, &ledger);
                let mut sweeper = Actor::start(&world, 3, sweep(&ledger));
                while sweeper.step(Fate::Proceed) {
                    if model == Model::B {
                        search.stop_here(&world, &ledger);
                    }
                }
                search.stop_here(&world, &ledger);
            }
            swept.expect_none(&format!("P26 a week after a crash, model {model:?}"));
            if unswept.counts.histories > 0 {
                unswept.expect_none(&format!("P26 a week after a crash, staged, model {model:?}"));
            }
        }
    }
}

/// A machine whose wall clock is a week ahead: to it everything is old.
#[derive(Clone)]
struct Ahead(SimHost);

impl Host for Ahead {
    fn now(&self) -> Millis {
        self.0.now().later(Duration::from_millis(LONG))
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
    fn entropy(&self) -> u128 {
        self.0.entropy()
    }
    fn name(&self) -> String {
        self.0.name()
    }
    fn pid(&self) -> u32 {
        self.0.pid()
    }
}

/// A sweeper whose clock is wrong keeps nothing for long enough. But what it removes never runs again: a job is submitted and
/// handled while the sweeper looks, and its consumer dies.
#[test]
fn p26_a_wrong_clock_makes_no_job_run_twice() {
    let sweep_ahead = || -> Program {
        Box::new(|fs| {
            let host = Ahead(fs.host());
            let Ok(store) = LocalStore::open(fs, host, DROP) else { return };
            let mut broom = Broom { dry_run: false, keep: None, budget: Duration::MAX, each: &mut |_| {} };
            let _ = store.sweep(&mut broom);
        })
    };
    let mut removed = 0;
    let (start, ledger) = old(Model::B, &[Kind::Plain]);
    for i in 0.. {
        let mut sweeper_ended = false;
        for j in 0.. {
            let (world, ledger) = (start.fork(), ledger.fork());
            let mut sweeper = Actor::start(&world, 2, sweep_ahead());
            sweeper_ended = sweeper.steps(i) < i;
            finish(&world, 3, programs::producer(&ledger, &[Kind::Plain]));
            let mut consumer = Actor::start(&world, 4, consume(&ledger));
            let consumer_ended = consumer.steps(j) < j;
            drop(consumer);
            let decided = outcomes(&world);
            sweeper.finish();
            let left = outcomes(&world);
            finish(&world, 5, programs::consumer(&ledger, "drain", Patience::Endless));
            for (id, outcome) in outcomes(&world) {
                let first = decided.get(&id);
                assert!(
                    first.is_none_or(|first| *first == outcome),
                    "{id} ran twice: {i}, {j}\n{:#?}",
                    world.trace()
                );
            }
            removed += decided.keys().filter(|id| !left.contains_key(id)).count();
            if consumer_ended || sweeper_ended {
                break;
            }
        }
        if sweeper_ended {
            break;
        }
    }
    assert!(removed > 0, "the sweeper's clock is ahead");
}

/// Nobody holds locks here, so that the room of a consumer that was only slow may be removed under it, just when it has brought a
/// job in and out again. None of that may come back.
#[test]
fn p26_a_room_that_is_gone_does_not_come_back() {
    let mut search = Search::with(rest, 0);
    let (start, first) = prepared(World::new(Model::A, SEED).shared_by_machines(), &[]);
    let mut gone = 0;
    for i in 0.. {
        let mut ended = false;
        for j in stops(i) {
            let (world, ledger) = (start.fork(), first.fork());
            let mut slow = Actor::start(&world, 2, consume(&ledger));
            while !world
                .disk()
                .tree()
                .iter()
                .any(|(path, _)| path.contains("/claimed/late-") && !path.contains('.'))
            {
                assert!(slow.step(Fate::Proceed), "it makes its room");
            }
            slow.steps(2);
            world.advance(60_000);
            let mut recoverer =
                Actor::start(&world, 3, programs::consumer(&ledger, "recoverer", Patience::Endless));
            ended = recoverer.steps(i) < i;
            finish(&world, 4, programs::producer(&ledger, &[Kind::Plain]));
            let exhausted = slow.steps(j) < j;
            drop(slow);
            recoverer.finish();
            world.take_changes();
            world.advance(LONG);
            retire(&world, &ledger);
            gone += ledger.facts().retired.len();
            finish(&world, 5, sweep(&ledger));
            search.stop_here(&world, &ledger);
            if exhausted || ended {
                break;
            }
        }
        if ended {
            break;
        }
    }
    assert!(gone > 0, "jobs were done in that room");
    search.expect_none("P26 a room that is gone");
}

/// What was delivered and collected may still be staged, after a power cut, in the room of its dead consumer, which delivers it
/// again: then the archive is needed, which remembers that it was collected.
#[test]
fn p26_what_may_be_delivered_again() {
    let mut search = Search::with(rest, 0);
    let start = with_address(World::new(Model::A, SEED), &[Kind::Reply]);
    let mut staged = 0;
    for (wreck, ledger) in wrecks(&start, |ledger| programs::consumer(ledger, "victim", Patience::Drain)) {
        finish(&wreck, 3, collect(&ledger));
        for world in std::iter::once(wreck.fork()).chain(power_cuts(&wreck)) {
            let ledger = ledger.fork();
            let (decided, facts) = (outcomes(&world), ledger.facts());
            let over = |id| decided.contains_key(id) && facts.handed_over.contains_key(id);
            if !facts.attempted.keys().all(|name| over(&name.id)) {
                continue;
            }
            world.take_changes();
            world.advance(LONG);
            retire(&world, &ledger);
            staged += usize::from(has_staged(&world));
            let mut sweeper = Actor::start(&world, 4, sweep(&ledger));
            sweeper.finish();
            search.stop_here(&world, &ledger);
        }
    }
    assert!(staged > 0, "something is staged and collected");
    search.expect_none("P26 what may be delivered again");
}
