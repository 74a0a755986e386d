//! One random history: who is in it, and what befalls them, at every call.

use std::collections::BTreeSet;

use filedrop::adapters::fs::sim::{Actor, Fate, Lie, Model, SimFs, Suffered, World};
use filedrop::ports::Host as _;

use super::cast::{self, Role};
use super::week;
use crate::audit;
use crate::ledger::{Facts, Ledger};
use crate::programs::Kind;
use crate::search::{Dice, Search, prepared};

/// What may befall a history. One that is left out is rolled all the same, so that the others stay where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    PowerCut,
    Kill,
    /// It sleeps for longer than a lease, and goes on.
    Freeze,
    /// The wall clock of its machine is set.
    Clock,
    /// The disk is full for a while.
    Full,
    /// A process has no descriptors left for a while.
    Descriptors,
    /// A call is done, and says that it is not.
    LostAnswer,
    /// A call fails; of a flush of a file, the data is gone.
    Error,
    /// A listing is answered as it was some changes before, where machines share the folder.
    Stale,
    /// A day passes, or a week in which nobody works.
    Time,
}

impl Trouble {
    pub(super) const ALL: [Trouble; 10] = [
        Trouble::PowerCut,
        Trouble::Kill,
        Trouble::Freeze,
        Trouble::Clock,
        Trouble::Full,
        Trouble::Descriptors,
        Trouble::LostAnswer,
        Trouble::Error,
        Trouble::Stale,
        Trouble::Time,
    ];
}

/// Which history.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// How many calls are made before everybody who is left comes to rest.
    pub(super) calls: usize,
    pub(super) without: BTreeSet<Trouble>,
    /// What its disk lies about.
    pub(super) lie: Option<Lie>,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        Self { seed, calls: 1000, without: BTreeSet::new(), lie: None }
    }

    /// Whether weeks may pass in it. Then there is nobody in it of whose doings the audit could not say what a week makes of them.
    fn is_long(&self) -> bool {
        self.seed % 4 == 3
    }
}

/// How often what befell whole programs made a difference to them.
#[derive(Default)]
struct Effects {
    /// After which the disk was another.
    cuts: usize,
    /// Of somebody who was in the midst of something.
    kills: usize,
    /// Those who went on afterwards.
    sleepers: usize,
    /// And weeks.
    days: usize,
}

/// What came of it.
pub(super) struct Told {
    worlds: Vec<World>,
    facts: Facts,
    /// How many lines there are before others bring it to an end.
    pub(super) before_the_end: usize,
    pub(super) violations: BTreeSet<String>,
    pub(super) calls: usize,
    own: Effects,
}

impl Told {
    pub(super) fn lines(&self) -> Vec<String> {
        self.worlds.iter().flat_map(World::trace).collect()
    }

    /// How often each trouble made a difference.
    pub(super) fn effects(&self) -> [(&'static str, usize); 11] {
        let calls =
            |count: fn(Suffered) -> usize| self.worlds.iter().map(|world| count(world.suffered())).sum();
        [
            ("power cuts", self.own.cuts),
            ("kills", self.own.kills),
            ("sleepers", self.own.sleepers),
            ("readings of wrong clocks", calls(|of| of.wrong_clocks)),
            ("calls without space", calls(|of| of.no_space)),
            ("calls without descriptors", calls(|of| of.no_descriptor)),
            ("lost answers", calls(|of| of.lost_answers)),
            ("errors", calls(|of| of.errors)),
            ("flushes that lost data", calls(|of| of.lost_data)),
            ("stale listings", calls(|of| of.stale_listings)),
            ("days", self.own.days),
        ]
    }

    /// How far its programs came.
    pub(super) fn reached(&self) -> [(&'static str, usize); 8] {
        let facts = &self.facts;
        [
            ("submitted", facts.acknowledged.len()),
            ("refused", facts.refused.len()),
            ("told", facts.told.len()),
            ("collected", facts.collected.len()),
            ("redriven", facts.redriven.len()),
            ("forgotten", facts.retired.len()),
            ("files dropped", facts.dropped.len()),
            ("events published", facts.events.values().filter(|event| event.acknowledged).count()),
        ]
    }
}

struct Player {
    pid: u32,
    actor: Actor,
    /// Until which call it sleeps, and until which it has no descriptors.
    asleep: usize,
    starved: usize,
}

struct History<'a> {
    plan: &'a Plan,
    dice: Dice,
    world: World,
    ledger: Ledger,
    players: Vec<Player>,
    pids: u32,
    /// How wrong the one clock is where there is but one machine, in milliseconds.
    wrong_by: i64,
    full: usize,
    /// Each player is on a machine of its own.
    is_shared: bool,
    told: Told,
}

const PLAYERS: usize = 6;
const HOUR: u64 = 3600 * 1000;
/// Longer than a lease.
const LEASE: u64 = 31_000;

pub(super) fn play(plan: &Plan) -> Told {
    let model = if plan.seed.is_multiple_of(2) { Model::A } else { Model::B };
    let mut dice = Dice(plan.seed);
    let mut world = World::new(model, plan.seed);
    let kind = dice.roll(4);
    match kind {
        0 => world = world.shared_by_machines().with_stale_listings(),
        1 => world = world.without_unnamed_files(),
        _ => {}
    }
    let first = [Kind::Plain, Kind::Reply, Kind::Failing, Kind::Flaky, Kind::Delayed, Kind::Hopeless];
    let (world, ledger) = prepared(world, &first);
    let world = world.lying(plan.lie);
    let told = Told {
        worlds: vec![world.clone()],
        facts: Facts::default(),
        before_the_end: 0,
        violations: BTreeSet::new(),
        calls: 0,
        own: Effects::default(),
    };
    let (players, is_shared) = (Vec::new(), kind == 0);
    let mut history =
        History { plan, dice, world, ledger, players, pids: 20, wrong_by: 0, full: 0, is_shared, told };
    history.people();
    for now in 0..plan.calls {
        history.step(now);
        audit::names_that_changed(&history.world, &history.ledger);
        if !history.ledger.is_sound() {
            break;
        }
    }
    history.end()
}

impl History<'_> {
    fn people(&mut self) {
        self.players.clear();
        for _ in 0..PLAYERS {
            let player = self.newcomer();
            self.players.push(player);
        }
    }

    fn newcomer(&mut self) -> Player {
        let pid = self.pids;
        self.pids += 1;
        let role = Role::roll(&mut self.dice, self.plan.is_long());
        self.world.remark(format!("{pid} is a {role:?}"));
        let actor = Actor::start(&self.world, pid, cast::program(role, pid, &self.ledger));
        Player { pid, actor, asleep: 0, starved: 0 }
    }

    /// Whether it is to happen. Rolled before, so that leaving it out changes nothing else.
    fn befalls(&self, trouble: Trouble) -> bool {
        !self.plan.without.contains(&trouble)
    }

    fn step(&mut self, now: usize) {
        let at = self.dice.roll(PLAYERS);
        let long = self.dice.roll(60);
        // Half of all listings may be as they were.
        let back = if self.is_shared { self.dice.roll(2) * self.dice.roll(10) } else { 0 };
        match self.dice.roll(600) {
            0 | 1 if self.befalls(Trouble::PowerCut) => self.power_cut(),
            2..=6 if self.befalls(Trouble::Kill) => {
                let Player { actor, .. } = &self.players[at];
                self.told.own.kills += usize::from(actor.done() > 0 && !actor.ended());
                self.replace(at, "dies");
            }
            7..=10 if self.befalls(Trouble::Freeze) => {
                self.players[at].asleep = now + 20 + 3 * long;
                self.world.remark(format!("{} sleeps, and half a minute passes", self.players[at].pid));
                self.world.advance(LEASE);
            }
            11..=13 if self.befalls(Trouble::Clock) => self.set_a_clock(at, long),
            14 | 15 if self.befalls(Trouble::Full) => {
                self.full = now + long;
                self.world.remark("the disk is full");
            }
            16..=18 if self.befalls(Trouble::Descriptors) => {
                self.players[at].starved = now + long / 2;
                self.world.remark(format!("{} has no descriptors left", self.players[at].pid));
            }
            19 | 71 if self.befalls(Trouble::Time) => self.let_time_pass(long),
            20..=22 => self.world.advance(LEASE),
            23..=28 if self.befalls(Trouble::LostAnswer) => self.act(at, now, Fate::LoseAnswer),
            29..=34 if self.befalls(Trouble::Error) => self.act(at, now, Fate::Fail),
            _ if back > 0 && self.befalls(Trouble::Stale) => self.act(at, now, Fate::Stale(back)),
            _ => self.act(at, now, Fate::Proceed),
        }
    }

    fn act(&mut self, at: usize, now: usize, fate: Fate) {
        let player = &mut self.players[at];
        if player.actor.ended() {
            return self.replace(at, "");
        }
        if player.asleep > now {
            return;
        }
        self.told.own.sleepers += usize::from(std::mem::take(&mut player.asleep) > 0);
        self.told.calls += 1;
        player.actor.step(match fate {
            Fate::Proceed | Fate::Stale(_) if player.starved > now => Fate::NoDescriptor,
            Fate::Proceed | Fate::Stale(_) if self.full > now => Fate::NoSpace,
            fate => fate,
        });
    }

    fn replace(&mut self, at: usize, why: &str) {
        if !why.is_empty() {
            self.world.remark(format!("{} {why}", self.players[at].pid));
        }
        self.players[at] = self.newcomer();
    }

    fn power_cut(&mut self) {
        self.players.clear();
        let dice = &mut self.dice;
        let after = self.world.after_some_power_cut(&mut |sides| dice.roll(sides));
        self.told.own.cuts += usize::from(after.tree() != self.world.tree());
        self.world = after;
        self.world.remark("the power fails, and comes back");
        self.told.worlds.push(self.world.clone());
        audit::after_crash(&self.world, &self.ledger);
        self.people();
    }

    /// Back and forth by up to two hours: where machines share the folder each has a clock.
    fn set_a_clock(&mut self, at: usize, long: usize) {
        let wrong_by = (long as i64 - 30) * 4 * 60_000;
        let fs = SimFs::unscheduled(&self.world, self.players[at].pid);
        if self.is_shared {
            self.world.set_clock_of(self.players[at].pid, wrong_by);
        } else {
            let right = fs.host().now().get() as i64 - self.wrong_by;
            self.world.set_wall_clock((right + wrong_by) as u64);
            self.wrong_by = wrong_by;
        }
        let minutes = wrong_by / 60_000;
        self.world.remark(format!("{}: a clock is wrong by {minutes} minutes now", self.players[at].pid));
    }

    fn let_time_pass(&mut self, long: usize) {
        if long.is_multiple_of(3) || !self.plan.is_long() {
            self.told.own.days += 1;
            self.world.remark("a day passes");
            return self.world.advance(25 * HOUR);
        }
        // Who sleeps for longer than the folder keeps anything is not promised anything.
        self.players.clear();
        if week::may_pass(&self.world) {
            self.told.own.days += 1;
            self.world.remark("all die, and a week passes");
            self.world.advance(8 * 24 * HOUR);
            week::has_passed(&self.world, &self.ledger);
        }
        self.people();
    }

    fn end(mut self) -> Told {
        self.players.clear();
        self.told.before_the_end = self.told.lines().len();
        self.world.remark("all die; others come, and bring it to an end");
        let mut search = Search::with(cast::rest, 0);
        search.conclude(&self.world, &self.ledger, 0);
        self.told.violations.extend(search.violations.into_keys());
        self.told.facts = self.ledger.facts();
        self.told
    }
}
