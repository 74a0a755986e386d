//! The parts that are played, each by an actor, on one side or the other.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use filedrop::Durability;

use crate::actor::Actor;
use crate::floor::Rooms;
use crate::groups::Groups;
use crate::stamp::{age, now_and_then};
use crate::timed::{median, timed};
use crate::{Outcome, Side, ours};

/// Who does something.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Submits, so many at a time. Each has another number.
    Producer { who: usize, at_a_time: usize },
    /// Handles, so many at a time: with so many threads.
    Consumer { at_a_time: usize },
    /// Submits and waits, again and again. It says the median.
    Caller,
    /// Answers.
    Responder,
    /// Submits now and then.
    Poker,
    /// Handles what comes so. It says the median of how long it took to come.
    Picker,
}

/// Who does so on either side.
pub(crate) trait Queue {
    /// Submits so many jobs, so many at a time.
    fn produce(&self, who: usize, jobs: usize, at_a_time: usize) -> Outcome<()>;
    /// Submits one job.
    fn produce_one(&self, nth: usize, data: Vec<u8>) -> Outcome<()>;
    /// Handles so many jobs with so many threads: what is there, and what comes.
    fn consume(&self, jobs: usize, threads: usize) -> Outcome<()>;
    /// Asks so often, and waits for each answer. The times.
    fn ask(&self, jobs: usize) -> Outcome<Vec<Duration>>;
    /// Answers so often, as soon as it can: one thread, which does nothing else. `see` is shown the data of each.
    fn answer(&self, jobs: usize, see: See) -> Outcome<()>;
}

pub(crate) type See = Box<dyn Fn(&[u8]) + Send + Sync>;

/// What a run has for itself.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) side: Side,
    /// A folder that is not there yet.
    pub(crate) root: PathBuf,
    pub(crate) durability: Durability,
}

impl Stage {
    /// An actor that plays a part of so many jobs.
    pub(crate) fn start(&self, part: Part, jobs: usize) -> Outcome<Actor> {
        let (part, who, at_a_time) = match part {
            Part::Producer { who, at_a_time } => ("producer", who, at_a_time),
            Part::Consumer { at_a_time } => ("consumer", 0, at_a_time),
            Part::Caller => ("caller", 0, 1),
            Part::Responder => ("responder", 0, 1),
            Part::Poker => ("poker", 0, 1),
            Part::Picker => ("picker", 0, 1),
        };
        let durability = if self.durability == Durability::Os { "os" } else { "flush" };
        let (side, root) = (self.side.word(), self.root.display().to_string());
        let [at_a_time, who, jobs] = [at_a_time, who, jobs].map(|number| number.to_string());
        Actor::start(["play", part, &at_a_time, side, &root, durability, &who, &jobs])
    }
}

/// Plays the part that the arguments say.
pub(crate) fn play(args: &[String]) -> Outcome<()> {
    let [part, at_a_time, side, root, durability, who, jobs] = args else { return Err("seven words".into()) };
    let (at_a_time, who, jobs) = (at_a_time.parse()?, who.parse()?, jobs.parse()?);
    let durability = if durability == "os" { Durability::Os } else { Durability::Flush };
    let queue = open(side, Path::new(root), durability)?;
    timed(|| {
        match &**part {
            "producer" => queue.produce(who, jobs, at_a_time)?,
            "consumer" => queue.consume(jobs, at_a_time)?,
            "caller" => return queue.ask(jobs).map(median),
            "responder" => queue.answer(jobs, Box::new(|_| ()))?,
            "poker" => now_and_then(jobs, |nth, data| queue.produce_one(nth, data))?,
            "picker" => {
                let (seen, ages) = mpsc::channel();
                let see = move |data: &[u8]| {
                    // Somebody is there until the end to get it.
                    let _ = seen.send(age(data));
                };
                queue.answer(jobs, Box::new(see))?;
                return Ok(median(ages.try_iter().collect()));
            }
            _ => return Err("no such part".into()),
        }
        Ok(None)
    })
}

fn open(side: &str, root: &Path, durability: Durability) -> Outcome<Box<dyn Queue>> {
    Ok(if side == Side::Floor.word() {
        Box::new(Rooms::at(root, durability)?)
    } else if side == Side::Groups.word() {
        Box::new(Groups(Rooms::at(root, durability)?))
    } else {
        Box::new(ours::open(root, durability)?)
    })
}
