//! Who may be in a random history: programs of every style and policy.

use crate::events::{self, GROUPS};
use crate::ledger::Ledger;
use crate::operators;
use crate::programs::{self, Kind, Patience, Program};
use crate::search::Dice;
use crate::strangers;

#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Producer([Kind; 2]),
    /// Settles so many jobs together.
    Consumer(Patience, usize),
    /// Takes jobs, and hands them back.
    Returner,
    Waiter,
    Collector,
    /// Does not take what it collects.
    Refuser,
    Promoter,
    Sweeper,
    Redriver,
    /// Moves dead letters to the inbox by hand.
    Mover,
    Publisher {
        given: bool,
    },
    Helper,
    Subscriber(&'static str, Patience),
    Subscribe(&'static str),
    Unsubscribe(&'static str),
    /// A stranger that drops a file.
    Dropper,
    /// Takes dropped files, and puts them back.
    Untaker,
}

impl Role {
    /// `long`: weeks may pass.
    pub(super) fn roll(dice: &mut Dice, long: bool) -> Self {
        let group = GROUPS[dice.roll(GROUPS.len())];
        let patience = if dice.roll(3) == 0 { Patience::Endless } else { Patience::Drain };
        let given = Kind::Given(dice.roll(10) as u8);
        const EVERYWHERE: usize = 20;
        match dice.roll(if long { EVERYWHERE } else { EVERYWHERE + 14 }) {
            0 | 1 => Self::Producer([Kind::Plain, Kind::Reply]),
            2 => Self::Producer([given, Kind::Expiring]),
            3 => Self::Producer([Kind::Flaky, Kind::Delayed]),
            4 => Self::Producer([Kind::Garbage, Kind::Failing]),
            5..=8 => Self::Consumer(patience, 1),
            9..=11 => Self::Consumer(patience, 3),
            12 => Self::Returner,
            13 => Self::Waiter,
            14 | 15 => Self::Collector,
            16 => Self::Refuser,
            17 => Self::Promoter,
            18 | 19 => Self::Sweeper,
            20 | 21 => Self::Redriver,
            22 => Self::Mover,
            23 | 24 => Self::Publisher { given: false },
            25 => Self::Publisher { given: true },
            26 => Self::Helper,
            27 | 28 => Self::Subscriber(group, patience),
            29 | 30 => Self::Subscribe(group),
            31 => Self::Unsubscribe(group),
            32 => Self::Dropper,
            _ => Self::Untaker,
        }
    }
}

/// What a role does. `number` is of this player alone.
pub(super) fn program(role: Role, number: u32, ledger: &Ledger) -> Program {
    match role {
        Role::Producer(kinds) => programs::producer(ledger, &kinds),
        Role::Consumer(patience, together) => {
            programs::consumer_of(programs::open, ledger, "random", patience, together)
        }
        Role::Returner => programs::returner(),
        Role::Waiter => programs::waiter(ledger),
        Role::Collector => programs::collector(ledger, Patience::Drain),
        Role::Refuser => programs::refuser(ledger),
        Role::Promoter => operators::promoter(),
        Role::Sweeper => operators::sweeper(),
        Role::Redriver => operators::redriver(ledger),
        Role::Mover => operators::mover(),
        Role::Publisher { given } => events::publisher(ledger, given),
        Role::Helper => events::helper(),
        Role::Subscriber(group, patience) => events::subscriber(ledger, group, patience),
        Role::Subscribe(group) => events::subscribe(ledger, group),
        Role::Unsubscribe(group) => events::unsubscribe(ledger, group),
        Role::Dropper => strangers::dropper(ledger, format!("file-{number}")),
        Role::Untaker => strangers::returner(ledger),
    }
}

/// Who brings everything to an end.
pub(crate) fn rest(ledger: &Ledger) -> Vec<Program> {
    let mut programs = vec![programs::consumer(ledger, "drain", Patience::Endless)];
    programs.extend(GROUPS.map(|group| events::subscriber(ledger, group, Patience::Endless)));
    programs.push(programs::waiter(ledger));
    programs.push(programs::collector(ledger, Patience::Endless));
    programs
}
