//! What is measured, and how it is told.

use std::time::{Duration, Instant};

use filedrop::Durability;

use crate::actor::Actor;
use crate::parts::{Part, Stage};
use crate::timed::median;
use crate::{Outcome, Plan, Side, place};

/// So many threads handle jobs where each waits for the disk: the kernel makes one commit of what waits together.
const FLUSHING: usize = 16;

/// So many jobs are submitted at a time where a consumer handles them meanwhile.
const BATCH: usize = 32;

fn consumer(durability: Durability) -> Part {
    Part::Consumer { at_a_time: if durability == Durability::Flush { FLUSHING } else { 2 } }
}

fn name(durability: Durability) -> &'static str {
    if durability == Durability::Flush { "flushed" } else { "os" }
}

/// Both sides in turn, each time in an empty folder, and the medians of each.
pub(crate) fn both(
    plan: &Plan,
    durability: Durability,
    run: impl Fn(&Stage) -> Outcome<Duration>,
) -> Outcome<[Duration; 2]> {
    sides(plan, durability, [Side::Floor, Side::Ours], run)
}

fn sides<const SIDES: usize>(
    plan: &Plan,
    durability: Durability,
    sides: [Side; SIDES],
    run: impl Fn(&Stage) -> Outcome<Duration>,
) -> Outcome<[Duration; SIDES]> {
    let mut took = [const { Vec::new() }; SIDES];
    for pair in 0..plan.pairs {
        // None always follows the same one.
        for nth in (0..SIDES).map(|nth| if pair % 2 == 0 { nth } else { SIDES - 1 - nth }) {
            let place = place(&plan.below)?;
            let stage = Stage { side: sides[nth], root: place.path().join("drop"), durability };
            took[nth].push(run(&stage)?);
        }
    }
    let mut medians = [Duration::ZERO; SIDES];
    for (median_of, took) in medians.iter_mut().zip(took) {
        *median_of = median(took).ok_or("no pairs")?;
    }
    Ok(medians)
}

/// What many jobs cost: where they are flushed, beside both floors.
fn rates(
    plan: &Plan,
    durability: Durability,
    what: &str,
    jobs: usize,
    run: impl Fn(&Stage) -> Outcome<Duration>,
) -> Outcome<()> {
    if durability == Durability::Os {
        tell_rates(what, jobs, both(plan, durability, run)?);
        return Ok(());
    }
    let [floor, groups, ours] = sides(plan, durability, [Side::Floor, Side::Groups, Side::Ours], run)?;
    tell_rates(what, jobs, [floor, ours]);
    tell_rates(&format!("{what}, in groups"), jobs, [groups, ours]);
    Ok(())
}

fn tell_times(what: &str, [floor, ours]: [Duration; 2]) {
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
    let took = both(plan, durability, |stage| {
        let mut responder = stage.start(Part::Responder, calls)?;
        let mut caller = stage.start(Part::Caller, calls)?;
        responder.begin()?;
        caller.begin()?;
        let took = caller.took()?;
        responder.end()?;
        Ok(took)
    })?;
    tell_times(&format!("round trip, {}, p50", name(durability)), took);
    Ok(())
}

/// How many jobs so many processes submit in a second.
pub(crate) fn submit(plan: &Plan, durability: Durability) -> Outcome<()> {
    for producers in [1, 8, 32] {
        let each = plan.jobs.div_ceil(producers.min(8));
        let took = both(plan, durability, |stage| {
            let start = |who| stage.start(Part::Producer { who, at_a_time: 1 }, each);
            let mut actors = (0..producers).map(start).collect::<Outcome<Vec<_>>>()?;
            // Not what the slowest of them says: they need not all work at the same time.
            let begin = Instant::now();
            actors.iter_mut().try_for_each(Actor::begin)?;
            actors.iter_mut().try_for_each(|actor| actor.said().map(drop))?;
            Ok(begin.elapsed())
        })?;
        let what = format!("submit, {}, {producers} producers", name(durability));
        tell_rates(&what, each * producers, took);
    }
    Ok(())
}

/// How soon a process that had nothing to do has a job in hand: from before the submission until the handler has the data.
pub(crate) fn pick_up(plan: &Plan, durability: Durability) -> Outcome<()> {
    let jobs = plan.jobs.div_ceil(20);
    let took = both(plan, durability, |stage| {
        let mut picker = stage.start(Part::Picker, jobs)?;
        let mut poker = stage.start(Part::Poker, jobs)?;
        picker.begin()?;
        poker.begin()?;
        poker.end()?;
        picker.took()
    })?;
    tell_times(&format!("pick-up when idle, {}, p50", name(durability)), took);
    Ok(())
}

/// How long it takes to handle what is there.
pub(crate) fn drain(plan: &Plan, durability: Durability) -> Outcome<()> {
    let jobs = plan.jobs * if durability == Durability::Flush { 1 } else { 5 };
    let what = format!("drain of {jobs}, {}", name(durability));
    rates(plan, durability, &what, jobs, |stage| {
        let filling = Stage { durability: Durability::Os, ..stage.clone() };
        let mut producer = filling.start(Part::Producer { who: 0, at_a_time: 1 }, jobs)?;
        producer.begin()?;
        producer.end()?;
        let mut consumer = stage.start(consumer(durability), jobs)?;
        consumer.begin()?;
        consumer.took()
    })
}

/// One process submits, another handles.
pub(crate) fn submit_and_handle(plan: &Plan, durability: Durability) -> Outcome<()> {
    let what = format!("submit and handle, {}", name(durability));
    rates(plan, durability, &what, plan.jobs, |stage| {
        let mut consumer = stage.start(consumer(durability), plan.jobs)?;
        let mut producer = stage.start(Part::Producer { who: 0, at_a_time: BATCH }, plan.jobs)?;
        consumer.begin()?;
        producer.begin()?;
        producer.end()?;
        consumer.took()
    })
}
