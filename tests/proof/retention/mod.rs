//! P26: what was kept long enough goes, and never comes back. The sweeper is crashed at every call, and raced with all who may
//! have to do with the same names: another sweeper, consumers, collectors, and submitters that give an old id again.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use filedrop::Id;
use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, World};
use filedrop::ports::{Broom, Fs, Host, NewJob, Store, Submitted};
use filedrop::words::{Disposition, Envelope, InboxName, Job, Outcome, Payload, Priority};

use crate::ledger::{Answer, Ledger};
use crate::operators;
use crate::place::{Place, classify};
use crate::programs::{self, DROP, Kind, Patience, Program};
use crate::search::{Drain, MODELS, Search, drain, power_cuts, prepared, stops, with_address};

mod given;
mod letters;
mod sweepers;

type Make = fn(&Ledger) -> Program;

const SEED: u64 = 5;
const DAY: u64 = 24 * 3600 * 1000;
/// Longer than the folder keeps what is done.
const LONG: u64 = 8 * DAY;

/// A sweep in one go.
fn sweep(_: &Ledger) -> Program {
    Box::new(|fs| {
        let Some(store) = programs::open(fs) else { return };
        let _ = programs::sweep(&store);
    })
}

/// A sweep in the smallest portions that there are: one step each.
fn sweep_in_portions(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        for _ in 0..1000 {
            let mut broom = Broom { dry_run: false, keep: None, budget: Duration::ZERO, each: &mut |_| {} };
            if store.sweep(&mut broom).is_ok_and(|swept| !swept.unfinished) {
                return;
            }
        }
        ledger.violation("I9: a sweep in portions does not come to its end");
    })
}

/// Submits every id that is retired once more.
fn give_again(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let world = fs.world().clone();
        let Some(store) = programs::open(fs) else { return };
        for id in ledger.facts().retired.into_keys() {
            let now = store.host().now();
            let submitted = id.minted_at().unwrap_or(now);
            let mut envelope = Job::envelope(&id, "/sim", "again", submitted);
            envelope.payload = Some(Payload::detect("again"));
            let name = InboxName::job(id.clone(), submitted, Priority::default());
            let bytes = envelope.encode().expect("small");
            let job = NewJob { name, bytes, due: None, given: true, topic: None };
            ledger.give_again(&job.name, Answer::Nothing);
            let gone = !world.tree().iter().any(|(path, data)| data.is_some() && path.contains(id.as_str()));
            let answer = match (0..2).find_map(|_| store.submit(std::slice::from_ref(&job)).ok()) {
                None => Answer::Nothing,
                Some(receipts) if receipts == [Submitted::New] => Answer::New,
                Some(_) if gone => Answer::BeforeButGone,
                Some(_) => Answer::Before,
            };
            ledger.give_again(&job.name, answer);
        }
    })
}

fn consume(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "late", Patience::Drain)
}

fn collect(ledger: &Ledger) -> Program {
    programs::collector(ledger, Patience::Drain)
}

/// Two days later: drafts of submitters who died go, and the day after what they kept.
fn sweep_later(_: &Ledger) -> Program {
    Box::new(|fs| {
        fs.world().advance(2 * DAY);
        let Some(store) = programs::open(fs) else { return };
        for _ in 0..2 {
            let _ = programs::sweep(&store);
        }
    })
}

fn rest(ledger: &Ledger) -> Vec<Program> {
    vec![
        programs::consumer(ledger, "drain", Patience::Endless),
        programs::collector(ledger, Patience::Endless),
        sweep_in_portions(ledger),
        sweep_later(ledger),
        audit(ledger),
    ]
}

/// Somebody gives the ids again, whoever stopped where.
fn rest_and_again(ledger: &Ledger) -> Vec<Program> {
    let mut programs = rest(ledger);
    programs.insert(0, give_again(ledger));
    programs
}

/// What must hold of the retired when nothing is left to do.
fn audit(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        for (id, outcome) in ledger.facts().retired {
            audit_of(fs.world(), &ledger, &id, &outcome);
        }
    })
}

fn audit_of(world: &World, ledger: &Ledger, id: &Id, first: &str) {
    let facts = ledger.facts();
    let mut answers: Vec<Answer> =
        facts.again.iter().filter(|(name, _)| name.id == *id).map(|(_, answer)| *answer).collect();
    answers.sort_unstable();
    let (mut outcomes, mut archived) = (Vec::new(), 0);
    for (path, data) in world.tree() {
        let Some(data) = data.filter(|_| path.contains(id.as_str())) else { continue };
        let of_it = |place: &str| {
            ledger.violation(format!("I9: of a job that was kept long enough there is {place}"))
        };
        match classify(&path) {
            // A submitter may have died just now; nobody reads `tmp/`. A redrive may have; then the reason is left, in a folder that
            // is not swept.
            Some(Place::Draft | Place::Reason) => {}
            // A power cut may have brought them back: they go with the job that has the id now.
            Some(Place::Entry | Place::EntryDraft | Place::Record | Place::Payload)
                if !answers.is_empty() => {}
            Some(Place::Slot(_)) => {
                let outcome = Outcome::decode(&data).expect("an outcome");
                outcomes.push(outcome.envelope.text("id").unwrap_or_default().to_owned());
            }
            Some(Place::Archived("done", _)) if !path.contains("/replies/") => {
                archived += 1;
                if facts.attempted.iter().any(|(name, bytes)| name.id == *id && **bytes == *data) {
                    ledger.violation("I9: a job that was kept long enough is there again");
                }
            }
            other => of_it(&format!("{other:?}")),
        }
    }
    if outcomes.iter().any(|outcome| outcome == first) {
        ledger.violation("I9: of a job that was kept long enough its outcome is left");
    }
    match (answers.last(), &outcomes[..], archived) {
        (None, [], 0) => {}
        (None, ..) => ledger.violation("I9: a job whose outcome was removed ran again"),
        (Some(Answer::New | Answer::BeforeButGone), [_], 1) => {}
        (Some(Answer::New | Answer::BeforeButGone), [], 0) => {
            ledger.violation("I1: an old id was given again and acknowledged, and its job is gone");
        }
        (Some(_), [_], 1) | (Some(Answer::Before | Answer::Nothing), [] | [_], 0) => {}
        (Some(_), outcomes, jobs) => {
            ledger.violation(format!(
                "I9: an id that was given again is {jobs} jobs with {} outcomes",
                outcomes.len()
            ));
        }
    }
    let asks = |(name, bytes): (&InboxName, &Vec<u8>)| {
        let envelope = Envelope::decode(bytes);
        name.id == *id && envelope.is_ok_and(|envelope| envelope.text("replyto").is_some())
    };
    if facts.attempted.iter().any(asks) && !facts.handed_over.contains_key(id) {
        ledger.violation("I6: an outcome never reached its Return Address");
    }
    if answers.iter().filter(|answer| **answer == Answer::New).count() > 1 {
        ledger.violation("I9: an id that was given again twice was new twice");
    }
}

fn outcomes(world: &World) -> BTreeMap<Id, Outcome> {
    let tree = world.tree();
    let outcomes = tree.into_iter().filter_map(|(path, data)| match (classify(&path), data) {
        (Some(Place::Slot(id)), Some(data)) => Some((id.parse().ok()?, Outcome::decode(&data).ok()?)),
        _ => None,
    });
    outcomes.collect()
}

/// From now on what has succeeded need not be there any more. Dead letters stay.
fn retire(world: &World, ledger: &Ledger) {
    let decided = outcomes(world);
    if world.after_power_cut().iter().any(|cut| outcomes(cut).keys().ne(decided.keys())) {
        // So long after a kill that is durable by itself.
        world.flush_all();
    }
    for (id, outcome) in decided {
        if outcome.disposition == Disposition::Succeeded {
            ledger.retire(&id, outcome.envelope.text("id").unwrap_or_default());
        }
    }
}

fn has_staged(world: &World) -> bool {
    let places = world.tree().into_iter().filter_map(|(path, _)| classify(&path));
    places.into_iter().any(|place| matches!(place, Place::Staged(..)))
}

fn finish(world: &World, pid: u32, program: Program) {
    Actor::start(world, pid, program).finish();
}

fn come_to_rest(world: &World) {
    world.flush_all();
    world.take_changes();
}

/// Data that travels with each job.
fn attach(world: &World, ledger: &Ledger) {
    let fs = SimFs::unscheduled(world, 7);
    for name in ledger.facts().attempted.into_keys() {
        let path = format!("{DROP}/payload/{}.0123456789abcdef.data", name.id);
        let file = fs.create(path.as_ref()).expect("a file");
        fs.write(&file, b"data").and_then(|()| fs.flush(&file)).expect("written");
    }
}

/// Jobs of these kinds, done long ago, and their outcomes collected where they were delivered.
fn old(model: Model, kinds: &[Kind]) -> (World, Ledger) {
    grow_old(prepared(World::new(model, SEED), kinds))
}

fn grow_old((world, ledger): (World, Ledger)) -> (World, Ledger) {
    attach(&world, &ledger);
    finish(&world, 3, programs::consumer(&ledger, "earlier", Patience::Endless));
    finish(&world, 4, programs::collector(&ledger, Patience::Drain));
    come_to_rest(&world);
    world.advance(LONG);
    retire(&world, &ledger);
    (world, ledger)
}

/// The start of a history, as often as it is needed.
fn again((world, ledger): &(World, Ledger)) -> (World, Ledger) {
    (world.fork(), ledger.fork())
}

fn without_locks(world: &World, shared: bool) -> World {
    if shared { world.fork().shared_by_machines() } else { world.fork() }
}

/// A program alone, and everything may end at each of its calls.
fn crash_everywhere(what: &str, start: &(World, Ledger), program: Make, then: Drain) {
    for shared in [false, true] {
        let mut search = Search::with(then, 0);
        let (world, ledger) = (without_locks(&start.0, shared), start.1.fork());
        let mut actor = Actor::start(&world, 2, program(&ledger));
        search.stop_here(&world, &ledger);
        while actor.step(Fate::Proceed) {
            search.stop_here(&world, &ledger);
        }
        search.conclude(&world, &ledger, 0);
        search.expect_none(&format!("{what}, shared by machines: {shared}"));
    }
}

fn errors_everywhere(what: &str, start: &(World, Ledger), program: Make, then: Drain) {
    let mut search = Search::with(then, 0);
    for fate in [Fate::LoseAnswer, Fate::Fail] {
        for at in 0.. {
            let (world, ledger) = again(start);
            let mut actor = Actor::start(&world, 2, program(&ledger));
            if actor.steps(at) < at {
                break;
            }
            actor.step(fate);
            search.stop_here(&world, &ledger);
            while actor.step(Fate::Proceed) {
                search.stop_here(&world, &ledger);
            }
            search.conclude(&world, &ledger, 0);
        }
    }
    search.expect_none(&format!("{what}, an error at each call"));
}

/// `a` does i calls, `b` does j, `a` the rest, `b` the rest; everything may end at any of these moments.
fn interleave(what: &str, start: &(World, Ledger), a: Make, b: Make, then: Drain, shared: &[bool]) {
    for shared in shared {
        let mut search = Search::with(then, 0);
        let fresh = || (without_locks(&start.0, *shared), start.1.fork());
        search.interleave(fresh, a, b, stops, true);
        search.expect_none(&format!("{what}, shared by machines: {shared}"));
    }
}

const ANYWHERE: [bool; 2] = [false, true];

/// Every disk that a program leaves behind that dies, or is cut off, at any of its calls.
fn wrecks(start: &(World, Ledger), program: Make) -> Vec<(World, Ledger)> {
    let mut seen = HashSet::new();
    let mut wrecks = Vec::new();
    for at in 0.. {
        let (world, ledger) = again(start);
        let mut actor = Actor::start(&world, 2, program(&ledger));
        if actor.steps(at) < at {
            return wrecks;
        }
        drop(actor);
        let cuts = power_cuts(&world);
        for wreck in std::iter::once(world.fork()).chain(cuts) {
            if seen.insert((wreck.fingerprint(), ledger.fingerprint())) {
                wreck.take_changes();
                wrecks.push((wreck, ledger.fork()));
            }
        }
    }
    wrecks
}
