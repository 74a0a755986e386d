//! The hot paths beside their floor: the same steps as bare system calls, in the same run, each side in processes of its own.
//!
//! ```text
//! cargo bench --bench hot                                all of them, in a temporary folder
//! cargo bench --bench hot -- --at /mnt/ext4 round-trip   only this one, on that disk; also submit, pick-up, drain,
//!                                                        submit-and-handle, process, worker
//! ```
//!
//! Each line is the median of pairs of runs, floor and ours in turn, and their ratio: above 1, ours is better. 1 KiB of JSON a
//! job. `flushed` survives a power cut, `os` the death of programs (`--durability`). Where ours flushes once for many jobs there is a
//! second line: beside a floor that does so, too (`in groups`).
//!
//! `backlog` (`--waiting 1000000` for another one), `claims` and `idle` (`--idle 60`: seconds) have no floor: what they tell must
//! not grow with what waits, with who competes, or with what is archived.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod actor;
mod backlog;
mod commands;
mod consumer;
mod floor;
mod groups;
mod ours;
mod pairs;
mod parts;
mod spawn;
mod stamp;
mod timed;

use std::path::{Path, PathBuf};
use std::time::Duration;

use filedrop::Durability;

/// What goes wrong is told, and ends the benchmark.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Floor,
    /// The floor of who does many jobs together, so that one flush does for all of them.
    Groups,
    Ours,
}

impl Side {
    /// How an actor is told.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Side::Floor => "floor",
            Side::Groups => "groups",
            Side::Ours => "ours",
        }
    }
}

/// One kilobyte of JSON.
pub(crate) fn payload() -> Vec<u8> {
    format!(r#"{{"order":4711,"text":"{}"}}"#, "x".repeat(1024 - 24)).into_bytes()
}

/// What to measure, and how much of it.
pub(crate) struct Plan {
    pub(crate) below: PathBuf,
    pub(crate) pairs: usize,
    pub(crate) jobs: usize,
    /// The lengths of backlogs.
    pub(crate) waiting: Vec<usize>,
    pub(crate) idle: Duration,
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    // What a run starts: a process for each part that somebody plays.
    match args.first().map(String::as_str) {
        Some("play") => return parts::play(&args[1..]),
        Some("consume") => return consumer::play(&args[1..]),
        Some("handle") => return commands::play(&args[1..]),
        _ => {}
    }
    let mut plan = Plan {
        below: std::env::temp_dir(),
        pairs: 5,
        jobs: 2000,
        waiting: Vec::new(),
        idle: Duration::from_secs(60),
    };
    let (mut cases, mut rest) = (Vec::new(), args.into_iter());
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value"));
        match &*arg {
            "--at" => plan.below = value()?.into(),
            "--pairs" => plan.pairs = value()?.parse()?,
            "--jobs" => plan.jobs = value()?.parse()?,
            "--waiting" => plan.waiting.push(value()?.parse()?),
            "--idle" => plan.idle = Duration::from_secs(value()?.parse()?),
            case if CASES.iter().any(|(name, _)| *name == case) => cases.push(arg),
            _ => {
                let names: Vec<_> = CASES.iter().map(|(name, _)| *name).collect();
                return Err(format!("there is no case `{arg}`; there are {}", names.join(", ")).into());
            }
        }
    }
    println!("below {}", plan.below.display());
    println!("{:<34} {:>12} {:>12} {:>7}", "", "floor", "ours", "ratio");
    let wanted = |name: &str| cases.is_empty() || cases.iter().any(|case| case == name);
    for (_, case) in CASES.into_iter().filter(|(name, _)| wanted(name)) {
        match case {
            Case::Each(measure) => {
                measure(&plan, Durability::Os)?;
                measure(&plan, Durability::Flush)?;
            }
            Case::Once(measure) => measure(&plan)?,
        }
    }
    Ok(())
}

/// How a case is measured: for each durability, or once.
enum Case {
    Each(fn(&Plan, Durability) -> Outcome<()>),
    Once(fn(&Plan) -> Outcome<()>),
}

const CASES: [(&str, Case); 10] = [
    ("round-trip", Case::Each(pairs::round_trip)),
    ("submit", Case::Each(pairs::submit)),
    ("pick-up", Case::Each(pairs::pick_up)),
    ("drain", Case::Each(pairs::drain)),
    ("submit-and-handle", Case::Each(pairs::submit_and_handle)),
    ("backlog", Case::Once(backlog::backlogs)),
    ("claims", Case::Once(backlog::claims)),
    ("idle", Case::Once(backlog::idle)),
    ("process", Case::Once(commands::process)),
    ("worker", Case::Once(commands::worker)),
];

/// An empty folder of its own.
pub(crate) fn place(below: &Path) -> Outcome<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("hot-").tempdir_in(below)?)
}
