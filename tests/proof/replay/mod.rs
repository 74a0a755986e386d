//! One seed, one run.

use filedrop::adapters::fs::sim::{Actor, Fate, Model, World};

use crate::ledger::Ledger;
use crate::operators;
use crate::programs::{self, Kind, Patience};
use crate::search::{Dice, Search, prepared};

/// Producers, consumers, a collector and a waiter; at every call one of them goes on, dies and starts anew, gets no answer,
/// or the power fails.
fn history(seed: u64, search: &mut Search) -> Vec<String> {
    let mut dice = Dice(seed);
    let model = if seed.is_multiple_of(2) { Model::A } else { Model::B };
    let mut world = World::new(model, seed);
    if dice.roll(3) == 0 {
        world = world.shared_by_machines();
    }
    let first = [Kind::Plain, Kind::Reply, Kind::Failing, Kind::Flaky, Kind::Delayed, Kind::Hopeless];
    let (mut world, ledger) = prepared(world, &first);
    let mut traces = Vec::new();
    let mut pids = 20..;
    let mut start = |dice: &mut Dice, world: &World, ledger: &Ledger| {
        let pid = pids.next().expect("there are many numbers");
        let program = match dice.roll(10) {
            0 => programs::producer(ledger, &[Kind::Plain, Kind::Reply]),
            5 => programs::producer(ledger, &[Kind::Given(dice.roll(10) as u8), Kind::Expiring]),
            6 => programs::producer(ledger, &[Kind::Flaky, Kind::Delayed]),
            7 => operators::redriver(ledger),
            1 => programs::waiter(ledger),
            2 => programs::collector(ledger, Patience::Drain),
            3 => programs::returner(),
            8 => programs::refuser(ledger),
            4 => programs::consumer(ledger, "random", Patience::Endless),
            _ => programs::consumer(ledger, "random", Patience::Drain),
        };
        Actor::start(world, pid, program)
    };
    let mut actors: Vec<Actor> = (0..4).map(|_| start(&mut dice, &world, &ledger)).collect();
    for _ in 0..400 {
        let at = dice.roll(actors.len());
        match dice.roll(200) {
            0 => {
                traces.extend(world.trace());
                actors.clear();
                world = world.after_some_power_cut(&mut |sides| dice.roll(sides));
                crate::audit::after_crash(&world, &ledger);
                actors.extend((0..4).map(|_| start(&mut dice, &world, &ledger)));
            }
            1 | 2 => actors[at] = start(&mut dice, &world, &ledger),
            3 => world.advance(31_000),
            4 | 5 => drop(actors[at].step(Fate::LoseAnswer)),
            6 => drop(actors[at].step(Fate::Fail)),
            _ if actors[at].ended() => actors[at] = start(&mut dice, &world, &ledger),
            _ => drop(actors[at].step(Fate::Proceed)),
        }
        crate::audit::names_that_changed(&world, &ledger);
    }
    drop(actors);
    search.conclude(&world, &ledger, 0);
    traces.extend(world.trace());
    traces
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..20 {
        let (once, again) = (history(seed, &mut Search::new(0)), history(seed, &mut Search::new(0)));
        assert_eq!(once, again, "seed {seed} did not replay");
    }
    assert_ne!(history(1, &mut Search::new(0)), history(2, &mut Search::new(0)), "seeds make no difference");
}

#[test]
fn random_histories() {
    let seeds = std::env::var("FILEDROP_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    for seed in 0..seeds {
        let mut search = Search::new(0);
        history(seed, &mut search);
        assert!(search.violations.is_empty(), "seed {seed}: {:#?}", search.violations);
    }
}
