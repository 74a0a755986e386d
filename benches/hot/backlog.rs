//! What waits, what is archived, and who else is there: none of it may cost a job anything.

use std::path::Path;
use std::time::Duration;

use filedrop::Durability;

use crate::actor::Actor;
use crate::consumer::{self, Told};
use crate::parts::Queue as _;
use crate::timed::median;
use crate::{Outcome, Plan, ours, place};

/// So many of a very long backlog are handled: the rest only lies there.
const MOST_HANDLED: usize = 100_000;
/// So many consumers compete.
const CONSUMERS: usize = 8;
const ARCHIVED: usize = 100_000;

/// So many jobs wait, and have done so for long enough that the disk has them.
fn fill(root: &Path, jobs: usize) -> Outcome<()> {
    ours::open(root, Durability::Os)?.produce(0, jobs, 1)?;
    Ok(rustix::fs::syncfs(std::fs::File::open(root)?)?)
}

/// A job's cost while so many wait, how long the first one takes from the start of the process, and how much memory it takes.
pub(crate) fn backlogs(plan: &Plan) -> Outcome<()> {
    let waiting = if plan.waiting.is_empty() { &[1000, 100_000][..] } else { &plan.waiting };
    waiting.iter().try_for_each(|waiting| backlog(plan, *waiting))
}

fn backlog(plan: &Plan, waiting: usize) -> Outcome<()> {
    let handled = waiting.min(MOST_HANDLED);
    let runs = if waiting <= 10_000 { plan.pairs } else { 1 };
    let told = (0..runs).map(|_| {
        let place = place(&plan.below)?;
        let root = place.path().join("drop");
        fill(&root, waiting)?;
        let mut consumer = consumer::start("handle", &root, handled)?;
        consumer.begin()?;
        consumer::end(consumer)
    });
    let told = told.collect::<Outcome<Vec<_>>>()?;
    let of = |figure: fn(&Told) -> u64| median(told.iter().map(figure).collect()).ok_or("no runs");
    let (job, first, kib) =
        (of(|told| told.took_ns)? / handled as u64, of(|told| told.first_ns)?, of(|told| told.kib)?);
    let what = format!("backlog of {waiting}, os");
    println!(
        "{what:<34} {:>9.1} us a job, the first one after {:.1} ms, {:.1} MiB",
        job as f64 / 1e3,
        first as f64 / 1e6,
        kib as f64 / 1024.0
    );
    Ok(())
}

/// How many claims it takes for a job where eight compete.
pub(crate) fn claims(plan: &Plan) -> Outcome<()> {
    let jobs = plan.jobs * 10;
    let place = place(&plan.below)?;
    let root = place.path().join("drop");
    fill(&root, jobs)?;
    let start = |_| consumer::start("drain", &root, jobs);
    let mut consumers = (0..CONSUMERS).map(start).collect::<Outcome<Vec<_>>>()?;
    consumers.iter_mut().try_for_each(Actor::begin)?;
    let told = consumers.into_iter().map(consumer::end).collect::<Outcome<Vec<_>>>()?;
    let sum = |figure: fn(&Told) -> u64| told.iter().map(figure).sum::<u64>();
    let (won, lost) = (sum(|told| told.won), sum(|told| told.lost));
    let each: Vec<_> = told.iter().map(|told| told.won).collect();
    let what = format!("claims, {CONSUMERS} consumers, {won} jobs");
    println!("{what:<34} {:>9.3} a job; each of them won {each:?}", (won + lost) as f64 / won as f64);
    Ok(())
}

/// What it costs to wait beside a large archive.
pub(crate) fn idle(plan: &Plan) -> Outcome<()> {
    let place = place(&plan.below)?;
    let root = place.path().join("drop");
    fill(&root, ARCHIVED)?;
    let mut handles = consumer::start("handle", &root, ARCHIVED)?;
    handles.begin()?;
    handles.end()?;
    let mut idles = consumer::start("idle", &root, 0)?;
    idles.begin()?;
    // Its start is not what is measured.
    std::thread::sleep(Duration::from_secs(1));
    let before = consumer::burnt(idles.pid())?;
    std::thread::sleep(plan.idle);
    let (burnt, switches) = consumer::burnt(idles.pid())?.since(&before);
    idles.end()?;
    let what = format!("idle for {} s, {ARCHIVED} archived", plan.idle.as_secs());
    println!("{what:<34} {:>9.2} ms of CPU, {switches} times awake", burnt.as_secs_f64() * 1e3);
    Ok(())
}
