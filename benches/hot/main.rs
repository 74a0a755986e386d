//! The hot paths beside their floor: the same steps as bare system calls, in the same run, each side in processes of its own.
//!
//! ```text
//! cargo bench --bench hot                                all of them, in a temporary folder
//! cargo bench --bench hot -- --at /mnt/ext4 round-trip   only these, on that disk (also: submit, drain, submit-and-handle, process, worker)
//! ```
//!
//! Each line is the median of pairs of runs, floor and ours in turn, and their ratio: above 1, ours is better. 1 KiB of JSON a
//! job. `flushed` survives a power cut, `os` the death of programs (`--durability`).
//!
//! `backlog` (`--waiting 1000000` for another one), `claims` and `idle` (`--idle 60`: seconds) have no floor: what they tell must
//! not grow with what waits, with who competes, or with what is archived.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod backlog;
mod commands;
mod floor;
mod hands;
mod ours;
mod pairs;
mod pickup;
mod processes;
mod spawn;

use std::path::{Path, PathBuf};
use std::time::Duration;

use filedrop::Durability;

/// What goes wrong is told, and ends the benchmark.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Floor,
    Ours,
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
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    // What a run starts: a process for each part that somebody plays.
    if args.first().is_some_and(|arg| arg == "play") {
        return processes::play(&args[1..]);
    }
    if args.first().is_some_and(|arg| arg == "hand") {
        return hands::work(&args[1..]);
    }
    if args.first().is_some_and(|arg| arg == "handle") {
        return commands::play(&args[1..]);
    }
    let mut plan = Plan { below: std::env::temp_dir(), pairs: 5, jobs: 2000 };
    let (mut cases, mut waiting, mut idle) = (Vec::new(), Vec::new(), Duration::from_secs(60));
    let mut rest = args.into_iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value"));
        match &*arg {
            "--at" => plan.below = value()?.into(),
            "--pairs" => plan.pairs = value()?.parse()?,
            "--jobs" => plan.jobs = value()?.parse()?,
            "--waiting" => waiting.push(value()?.parse()?),
            "--idle" => idle = Duration::from_secs(value()?.parse()?),
            case => cases.push(case.to_owned()),
        }
    }
    let wanted = |case: &str| cases.is_empty() || cases.iter().any(|wanted| wanted == case);
    println!("below {}", plan.below.display());
    println!("{:<34} {:>12} {:>12} {:>7}", "", "floor", "ours", "ratio");
    for durability in [Durability::Os, Durability::Flush] {
        if wanted("round-trip") {
            pairs::round_trip(&plan, durability)?;
        }
        if wanted("submit") {
            for producers in [1, 8, 32] {
                pairs::submit(&plan, durability, producers)?;
            }
        }
        if wanted("pick-up") {
            pickup::pick_up(&plan, durability)?;
        }
        if wanted("drain") {
            pairs::drain(&plan, durability)?;
        }
        if wanted("submit-and-handle") {
            pairs::submit_and_handle(&plan, durability)?;
        }
    }
    if wanted("backlog") {
        waiting = if waiting.is_empty() { vec![1000, 100_000] } else { waiting };
        waiting.iter().try_for_each(|waiting| backlog::backlog(&plan, *waiting))?;
    }
    if wanted("claims") {
        backlog::claims(&plan)?;
    }
    if wanted("idle") {
        backlog::idle(&plan, idle)?;
    }
    if wanted("process") {
        commands::process(&plan)?;
    }
    if wanted("worker") {
        commands::worker(&plan)?;
    }
    Ok(())
}

/// An empty folder of its own.
pub(crate) fn place(below: &Path) -> Outcome<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("hot-").tempdir_in(below)?)
}
