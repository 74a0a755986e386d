//! Random histories of everything that there is, with everything that may befall it. One seed, one run.
//!
//! `FILEDROP_SEEDS=100000` runs so many; `FILEDROP_SEED=4711` runs this one and prints it, a line a call.

mod cast;
mod history;
mod week;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use cast::rest;
use filedrop::adapters::fs::sim::Lie;
use history::{Plan, Told, Trouble, play};

/// In `cargo test`.
const SEEDS: u64 = 1500;
/// How many lines of a history that went wrong are shown.
const SHOWN: usize = 150;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..20 {
        let (once, again) = (play(&Plan::of(seed)).lines(), play(&Plan::of(seed)).lines());
        assert_eq!(once, again, "seed {seed} did not replay");
    }
    assert_ne!(play(&Plan::of(1)).lines(), play(&Plan::of(2)).lines(), "seeds make no difference");
}

#[test]
fn random_histories() {
    if let Some(seed) = number("FILEDROP_SEED") {
        let told = play(&Plan::of(seed));
        say(&format!("{}\n", told.lines().join("\n")));
        assert!(told.violations.is_empty(), "{}", report(&Plan::of(seed)));
        return;
    }
    let seeds = number("FILEDROP_SEEDS").unwrap_or(SEEDS);
    let (next, first_bad) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let total: Mutex<Total> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || seed > first_bad.load(Ordering::Relaxed) {
                        return;
                    }
                    let told = play(&Plan::of(seed));
                    if !told.violations.is_empty() {
                        first_bad.fetch_min(seed, Ordering::Relaxed);
                    }
                    total.lock().expect("no thread panics with it").add(&told);
                }
            });
        }
    });
    let bad = first_bad.into_inner();
    assert!(bad == u64::MAX, "{}", report(&Plan::of(bad)));
    let Total { calls, effects, reached } = total.into_inner().expect("no thread panicked");
    say(&format!(
        "random histories: {seeds} seeds, {calls} calls; made a difference: {effects:?}; reached: {reached:?}; 0 violations\n"
    ));
    if seeds >= 500 {
        let never = |counts: BTreeMap<_, _>| counts.into_iter().find(|(_, count)| *count == 0);
        assert_eq!(never(effects), None, "a trouble never made a difference");
        assert_eq!(never(reached), None, "something was never reached");
    }
}

#[derive(Default)]
struct Total {
    calls: usize,
    effects: BTreeMap<&'static str, usize>,
    reached: BTreeMap<&'static str, usize>,
}

impl Total {
    fn add(&mut self, told: &Told) {
        self.calls += told.calls;
        for (what, count) in told.effects() {
            *self.effects.entry(what).or_default() += count;
        }
        for (what, count) in told.reached() {
            *self.reached.entry(what).or_default() += count;
        }
    }
}

/// What the histories are worth shows when a disk does not do what it says: a few seeds are enough.
#[test]
fn histories_on_a_disk_that_lies() {
    let lies =
        [Lie::FolderFlush("/inbox"), Lie::FolderFlush("/outcomes/"), Lie::FileFlush, Lie::LinkReplaces];
    for lie in lies {
        let mut plans = (0..400).map(|seed| Plan { lie: Some(lie), ..Plan::of(seed) });
        let bad = plans.find(|plan| is_bad(plan).is_some()).unwrap_or_else(|| panic!("{lie:?} is not found"));
        say(&format!("random histories: {lie:?} is found by seed {}\n", bad.seed));
        if lie == Lie::FileFlush {
            let smaller = smaller(&bad);
            assert!(
                is_bad(&smaller).is_some() && smaller.calls < bad.calls,
                "the smaller history is bad too"
            );
            assert!(report(&bad).contains("all of it: FILEDROP_SEED="), "it is told how to see it all");
        }
    }
}

/// Past the test harness, which keeps the output of tests that pass.
fn say(what: &str) {
    std::io::stderr().write_all(what.as_bytes()).expect("stderr is open");
}

fn is_bad(plan: &Plan) -> Option<Told> {
    Some(play(plan)).filter(|told| !told.violations.is_empty())
}

/// The same with fewer troubles and fewer calls, as long as something is still wrong.
fn smaller(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for trouble in Trouble::ALL {
        let mut other = plan.clone();
        other.without.insert(trouble);
        if is_bad(&other).is_some() {
            plan = other;
        }
    }
    let mut step = plan.calls / 2;
    while step > 0 {
        let other = Plan { calls: plan.calls.saturating_sub(step), ..plan.clone() };
        if other.calls < plan.calls && is_bad(&other).is_some() {
            plan = other;
        } else {
            step /= 2;
        }
    }
    plan
}

fn report(plan: &Plan) -> String {
    let smaller = smaller(plan);
    let told = play(&smaller);
    let lines = told.lines();
    let lines = &lines[..told.before_the_end];
    let shown = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
    let left: BTreeSet<_> = Trouble::ALL.into_iter().filter(|t| !smaller.without.contains(t)).collect();
    format!(
        "seed {seed}: {violations:#?}\nhistory (the smallest found: {calls} calls, then the end; with {left:?}; the last {SHOWN} \
         lines):\n{shown}\nviolated: {violations:#?}\nall of it: FILEDROP_SEED={seed} cargo test --test proof replay",
        seed = plan.seed,
        violations = told.violations,
        calls = smaller.calls,
    )
}
