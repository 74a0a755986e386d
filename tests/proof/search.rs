//! The search: at every step of a history, every crash; after every crash, recovery, itself crashed at every step.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, World};

use crate::audit;
use crate::ledger::Ledger;
use crate::programs::{self, Kind, Patience, Program};

impl std::ops::Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            crash_points: self.crash_points + other.crash_points,
            disks: self.disks + other.disks,
            histories: self.histories + other.histories,
        }
    }
}

/// How a world goes on after a crash until nothing is left to do.
pub(crate) type Drain = fn(&Ledger) -> Vec<Program>;

pub(crate) struct Search {
    drain: Drain,
    /// How often a recovery is itself crashed.
    depth: usize,
    seen: HashSet<(&'static str, u64, u64, usize)>,
    pub(crate) counts: Counts,
    pub(crate) violations: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    /// Different moments at which everything stopped.
    pub(crate) crash_points: usize,
    /// Different disks that were left behind.
    pub(crate) disks: usize,
    /// Histories run to their end.
    pub(crate) histories: usize,
}

/// Our own recovery: a consumer with patience, then the same again.
pub(crate) fn drain(ledger: &Ledger) -> Vec<Program> {
    vec![
        programs::consumer(ledger, "drain", Patience::Endless),
        programs::waiter(ledger),
        programs::collector(ledger, Patience::Endless),
    ]
}

impl Search {
    pub(crate) fn new(depth: usize) -> Self {
        Self::with(drain, depth)
    }

    pub(crate) fn with(drain: Drain, depth: usize) -> Self {
        Self { drain, depth, seen: HashSet::new(), counts: Counts::default(), violations: BTreeMap::new() }
    }

    /// Everything stops here: all processes die, or the power fails. What comes of it?
    pub(crate) fn stop_here(&mut self, world: &World, ledger: &Ledger) {
        self.stop_at(world, ledger, self.depth);
    }

    fn stop_at(&mut self, world: &World, ledger: &Ledger, depth: usize) {
        audit::names_that_changed(world, ledger);
        if !self.is_new("moment", world, ledger, depth) {
            return;
        }
        self.counts.crash_points += 1;
        // After a kill names may still be unflushed; after a power cut nothing is, however alike the two look to programs.
        let kill = std::iter::once(("kill", world.fork()));
        for (how, after) in kill.chain(power_cuts(world).into_iter().map(|cut| ("cut", cut))) {
            let ledger = ledger.fork();
            audit::after_crash(&after, &ledger);
            if self.is_new(how, &after, &ledger, depth) {
                self.counts.disks += 1;
                let known = self.violations.len();
                self.conclude(&after, &ledger, depth);
                if self.violations.len() > known {
                    self.remember_before(world, how);
                }
            }
        }
    }

    /// A history that begins with a crash is half of one.
    fn remember_before(&mut self, world: &World, how: &str) {
        let crash = format!("--- {how}");
        for trace in
            self.violations.values_mut().filter(|trace| !trace.iter().any(|line| line.starts_with("---")))
        {
            trace.splice(0..0, world.trace().into_iter().chain([crash.clone()]));
        }
    }

    /// Lets the survivors finish, with further crashes if there are any left to spend, and looks at what they leave.
    pub(crate) fn conclude(&mut self, world: &World, ledger: &Ledger, depth: usize) {
        for (pid, program) in (10 * (1 + depth as u32)..).zip((self.drain)(ledger)) {
            let mut actor = Actor::start(world, pid, program);
            if depth == 0 {
                actor.finish();
                continue;
            }
            self.stop_at(world, ledger, depth - 1);
            while actor.step(Fate::Proceed) {
                self.stop_at(world, ledger, depth - 1);
            }
        }
        self.counts.histories += 1;
        audit::names_that_changed(world, ledger);
        audit::at_rest(world, ledger);
        for violation in ledger.facts().violations {
            self.violations.entry(violation).or_insert_with(|| world.trace());
        }
    }

    /// Every history of the form: `a` does i calls, `b` does j of `stops(i)`, `a` the rest, `b` the rest. With `crashes`,
    /// everything may also end at any of these moments.
    pub(crate) fn interleave<J: Iterator<Item = usize>>(
        &mut self,
        start: impl Fn() -> (World, Ledger),
        a: impl Fn(&Ledger) -> Program,
        b: impl Fn(&Ledger) -> Program,
        stops: impl Fn(usize) -> J,
        crashes: bool,
    ) {
        let start = start();
        for i in 0.. {
            for j in stops(i) {
                let (world, ledger) = (start.0.fork(), start.1.fork());
                let mut first = Actor::start(&world, 2, a(&ledger));
                if first.steps(i) < i {
                    return;
                }
                let mut second = Actor::start(&world, 3, b(&ledger));
                if second.steps(j) < j {
                    break;
                }
                for actor in [&mut first, &mut second] {
                    if crashes {
                        self.stop_here(&world, &ledger);
                    }
                    while actor.step(Fate::Proceed) {
                        if crashes {
                            self.stop_here(&world, &ledger);
                        }
                    }
                }
                self.conclude_once(&world, &ledger);
            }
        }
    }

    /// The same, unless a history came to this very point before: then it has been told what comes of it.
    pub(crate) fn conclude_once(&mut self, world: &World, ledger: &Ledger) {
        audit::names_that_changed(world, ledger);
        if self.is_new("rest", world, ledger, 0) {
            self.conclude(world, ledger, 0);
        } else {
            self.counts.histories += 1;
        }
    }

    fn is_new(&mut self, what: &'static str, world: &World, ledger: &Ledger, depth: usize) -> bool {
        self.seen.insert((what, world.fingerprint(), ledger.fingerprint(), depth))
    }

    /// Prints the numbers, and fails with the first history that broke an invariant.
    pub(crate) fn expect_none(self, what: &str) -> Counts {
        let Counts { crash_points, disks, histories } = self.counts;
        let line = format!("{what}: {crash_points} crash points, {disks} disks, {histories} histories\n");
        // Past the test harness, which keeps the output of tests that pass.
        std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
        assert!(histories > 0, "{what}: nothing was searched");
        if let Some((violation, trace)) = self.violations.iter().next() {
            let all: Vec<_> = self.violations.keys().collect();
            panic!("{what}: {violation}\nall: {all:#?}\nhistory:\n{}", trace.join("\n"));
        }
        self.counts
    }
}

/// Whether to search everything, which takes long, or a part of it: `FILEDROP_PROOF=full`.
pub(crate) fn is_full() -> bool {
    std::env::var_os("FILEDROP_PROOF").is_some_and(|value| value == "full")
}

/// What a power cut leaves: every disk, or, where many changes are at stake, some.
pub(crate) fn power_cuts(world: &World) -> Vec<World> {
    const FEW: usize = 4;
    const SOME: usize = 8;
    if is_full() || world.unflushed() <= FEW {
        return world.after_power_cut();
    }
    let mut dice = Dice(world.fingerprint());
    (0..SOME).map(|_| world.after_some_power_cut(&mut |sides| dice.roll(sides))).collect()
}

/// A pseudo-random choice that depends on nothing but the seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

/// Which calls of a second program to stop at, when the first has stopped at its call `i`: all, or each ninth, another ninth
/// for each `i`.
pub(crate) fn stops(i: usize) -> impl Iterator<Item = usize> {
    stops_each(9, i)
}

/// Likewise, each so many'th.
pub(crate) fn stops_each(nth: usize, i: usize) -> impl Iterator<Item = usize> {
    let (first, step) = if is_full() { (0, 1) } else { (i % nth, nth) };
    (first..).step_by(step)
}

/// A world with a drop folder in which these jobs were submitted.
pub(crate) fn prepared(world: World, kinds: &[Kind]) -> (World, Ledger) {
    let ledger = Ledger::default();
    programs::init(&world);
    Actor::start(&world, 1, programs::producer(&ledger, kinds)).finish();
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

/// The same, and the Return Address is there already: an outcome was delivered to it. To make its dozen folders, in every order
/// in which they could survive, is searched where that is the point.
pub(crate) fn with_address(world: World, kinds: &[Kind]) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[Kind::Reply]);
    Actor::start(&world, 5, programs::consumer(&ledger, "earlier", Patience::Drain)).finish();
    Actor::start(&world, 6, programs::producer(&ledger, kinds)).finish();
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

pub(crate) const MODELS: [Model; 2] = [Model::A, Model::B];
