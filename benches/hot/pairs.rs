//! What is measured, and how it is told.

use std::time::Duration;

use filedrop::Durability;

use crate::processes::{Part, Player, median};
use crate::{Outcome, Plan, Side, place};

/// So many threads handle jobs where each waits for the disk: the kernel makes one commit of what waits together.
const FLUSHING: usize = 16;

/// So many jobs are submitted at a time where a consumer handles them meanwhile.
const BATCH: usize = 32;

fn threads(durability: Durability) -> usize {
    if durability == Durability::Flush { FLUSHING } else { 2 }
}

pub(crate) fn name(durability: Durability) -> &'static str {
    if durability == Durability::Flush { "flushed" } else { "os" }
}

/// Both sides in turn, and the medians of each.
pub(crate) fn paired(plan: &Plan, mut run: impl FnMut(Side) -> Outcome<Duration>) -> Outcome<[Duration; 2]> {
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for pair in 0..plan.pairs {
        // Neither always follows the other.
        for side in if pair % 2 == 0 { [Side::Floor, Side::Ours] } else { [Side::Ours, Side::Floor] } {
            let took = run(side)?;
            if side == Side::Floor { floor.push(took) } else { ours.push(took) }
        }
    }
    Ok([median(floor), median(ours)])
}

pub(crate) fn tell_times(what: &str, [floor, ours]: [Duration; 2]) {
    let us = |took: Duration| took.as_secs_f64() * 1e6;
    println!("{what:<34} {:>9.1} us {:>9.1} us {:>7.2}", us(floor), us(ours), us(floor) / us(ours));
}

pub(crate) fn tell_rates(what: &str, jobs: usize, [floor, ours]: [Duration; 2]) {
    let rate = |took: Duration| jobs as f64 / took.as_secs_f64();
    println!("{what:<34} {:>10.0}/s {:>10.0}/s {:>7.2}", rate(floor), rate(ours), rate(ours) / rate(floor));
}

/// How long a caller waits for the answer of another process: the median of each run.
pub(crate) fn round_trip(plan: &Plan, durability: Durability) -> Outcome<()> {
    let calls = plan.jobs.div_ceil(if durability == Durability::Flush { 4 } else { 1 });
    let took = paired(plan, |side| {
        let place = place(&plan.below)?;
        let root = place.path().join("drop");
        let mut responder = Player::start(Part::Responder, side, &root, durability, 0, calls)?;
        let mut caller = Player::start(Part::Caller, side, &root, durability, 0, calls)?;
        responder.begin()?;
        caller.begin()?;
        let took = caller.end()?;
        responder.end()?;
        Ok(took)
    })?;
    tell_times(&format!("round trip, {}, p50", name(durability)), took);
    Ok(())
}

/// How many jobs so many processes submit in a second.
pub(crate) fn submit(plan: &Plan, durability: Durability, producers: usize) -> Outcome<()> {
    let each = plan.jobs.div_ceil(producers.min(8));
    let took = paired(plan, |side| {
        let place = place(&plan.below)?;
        let root = place.path().join("drop");
        let start = |who| Player::start(Part::Producer(1), side, &root, durability, who, each);
        let mut players = (0..producers).map(start).collect::<Outcome<Vec<_>>>()?;
        players.iter_mut().try_for_each(Player::begin)?;
        players.into_iter().map(Player::end).try_fold(Duration::ZERO, |most, took| Ok(most.max(took?)))
    })?;
    let what = format!("submit, {}, {producers} producers", name(durability));
    tell_rates(&what, each * producers, took);
    Ok(())
}

/// How long it takes to handle what is there.
pub(crate) fn drain(plan: &Plan, durability: Durability) -> Outcome<()> {
    let jobs = plan.jobs * if durability == Durability::Flush { 1 } else { 5 };
    let took = paired(plan, |side| {
        let place = place(&plan.below)?;
        let root = place.path().join("drop");
        let mut producer = Player::start(Part::Producer(1), side, &root, Durability::Os, 0, jobs)?;
        producer.begin()?;
        producer.end()?;
        let consumer = Part::Consumer(threads(durability));
        let mut consumer = Player::start(consumer, side, &root, durability, 0, jobs)?;
        consumer.begin()?;
        consumer.end()
    })?;
    tell_rates(&format!("drain of {jobs}, {}", name(durability)), jobs, took);
    Ok(())
}

/// One process submits, another handles.
pub(crate) fn submit_and_handle(plan: &Plan, durability: Durability) -> Outcome<()> {
    let took = paired(plan, |side| {
        let place = place(&plan.below)?;
        let root = place.path().join("drop");
        let consumer = Part::Consumer(threads(durability));
        let mut consumer = Player::start(consumer, side, &root, durability, 0, plan.jobs)?;
        let mut producer = Player::start(Part::Producer(BATCH), side, &root, durability, 0, plan.jobs)?;
        consumer.begin()?;
        producer.begin()?;
        producer.end()?;
        consumer.end()
    })?;
    tell_rates(&format!("submit and handle, {}", name(durability)), plan.jobs, took);
    Ok(())
}
