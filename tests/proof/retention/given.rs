//! Ids that are given, and given again when their job is forgotten.

use super::*;

/// An id of anybody's, and one of a UUIDv7: then the new job has the very paths of the old one.
#[test]
fn p26_sweeper_and_submitter_of_an_old_id() {
    for model in MODELS {
        for kind in [Kind::Given(5), Kind::Plain] {
            let start = old(model, &[kind]);
            let what = format!("P26 sweeper and submitter, {kind:?}, model {model:?}");
            interleave(&what, &start, sweep, give_again, rest, &ANYWHERE);
        }
    }
}

/// Where locks count, nobody is swept by a sweeper that was stopped while another one did its work, and the id was given again:
/// the new job has the very paths of the old one.
#[test]
fn p26_a_sweeper_sleeps_while_an_old_id_is_given_again() {
    for model in MODELS {
        for kind in [Kind::Given(5), Kind::Plain] {
            let start = old(model, &[kind]);
            let mut search = Search::with(rest, 0);
            for i in 0.. {
                let (world, ledger) = again(&start);
                let mut sleeper = Actor::start(&world, 2, sweep(&ledger));
                if sleeper.steps(i) < i {
                    break;
                }
                finish(&world, 3, sweep(&ledger));
                finish(&world, 4, give_again(&ledger));
                finish(&world, 5, consume(&ledger));
                search.stop_here(&world, &ledger);
                while sleeper.step(Fate::Proceed) {
                    search.stop_here(&world, &ledger);
                }
                search.conclude(&world, &ledger, 0);
            }
            search.expect_none(&format!("P26 a sweeper sleeps, {kind:?}, model {model:?}"));
        }
    }
}

/// A submission of a given id was broken off, and a week later it is given again: that is one job, whatever is swept meanwhile.
#[test]
fn p26_unfinished_submissions_of_given_ids() {
    let start = |model| prepared(World::new(model, SEED), &[]);
    let first: Make = |ledger| programs::producer(ledger, &[Kind::Given(5)]);
    let second: Make = |ledger| programs::producer(ledger, &[Kind::Given(4)]);
    let give: Drain = |ledger| {
        let mut programs = rest(ledger);
        programs.insert(0, programs::producer(ledger, &[Kind::Given(3)]));
        programs
    };
    for model in MODELS {
        for later in [2 * DAY, LONG] {
            let mut search = Search::with(give, 0);
            for wreck in wrecks(&start(model), first) {
                wreck.0.advance(later);
                let (world, ledger) = again(&wreck);
                let mut sweeper = Actor::start(&world, 3, sweep(&ledger));
                search.stop_here(&world, &ledger);
                while sweeper.step(Fate::Proceed) {
                    search.stop_here(&world, &ledger);
                }
                search.interleave(|| again(&wreck), second, sweep, stops, model == Model::B);
                search.interleave(|| again(&wreck), sweep, second, stops, model == Model::B);
            }
            search.expect_none(&format!("P26 unfinished submissions, {} days, model {model:?}", later / DAY));
        }
    }
}

/// A power cut may leave the draft of a given id beside the job that it became. Whoever gives the id again would make it the job
/// once more: so as long as it is there, or may come back, the outcome stays.
#[test]
fn p26_the_draft_of_a_job_that_is_done() {
    let first: Make = |ledger| programs::producer(ledger, &[Kind::Given(5)]);
    for model in MODELS {
        let mut search = Search::with(rest_and_again, 0);
        for (world, ledger) in wrecks(&prepared(World::new(model, SEED), &[]), first) {
            finish(&world, 3, programs::consumer(&ledger, "earlier", Patience::Endless));
            world.take_changes();
            world.advance(LONG);
            retire(&world, &ledger);
            if ledger.facts().retired.is_empty() {
                continue;
            }
            let mut sweeper = Actor::start(&world, 4, sweep(&ledger));
            search.stop_here(&world, &ledger);
            while sweeper.step(Fate::Proceed) {
                search.stop_here(&world, &ledger);
            }
        }
        search.expect_none(&format!("P26 a draft beside its job, model {model:?}"));
    }
}

/// Where things are kept for less than a day, a new job of an old id may have the old one's day, and so its slot: that must be gone
/// for good before the entry is.
#[test]
fn p26_given_again_on_the_same_day() {
    let soon: Make = |_| {
        Box::new(|fs| {
            let Some(store) = programs::open(fs) else { return };
            let keep = Some(Duration::from_secs(60));
            let _ =
                store.sweep(&mut Broom { dry_run: false, keep, budget: Duration::MAX, each: &mut |_| {} });
        })
    };
    let then: Drain = |ledger| {
        let audited = ledger.clone();
        let audit: Program = Box::new(move |fs| {
            let facts = audited.facts();
            let new = facts.again.iter().filter(|(_, answer)| **answer == Answer::New);
            for (name, _) in new {
                let outcome = outcomes(fs.world()).remove(&name.id);
                let outcome = outcome.and_then(|outcome| outcome.envelope.text("id").map(str::to_owned));
                if outcome.is_none_or(|outcome| outcome == facts.retired[&name.id]) {
                    audited.violation("I1: a new job of an old id was settled by the outcome of the old one");
                }
            }
        });
        vec![give_again(ledger), programs::consumer(ledger, "drain", Patience::Endless), audit]
    };
    for model in MODELS {
        let (world, ledger) = prepared(World::new(model, SEED), &[Kind::Given(5)]);
        finish(&world, 3, programs::consumer(&ledger, "earlier", Patience::Drain));
        come_to_rest(&world);
        world.advance(120_000);
        retire(&world, &ledger);
        let start = (world, ledger);
        crash_everywhere(&format!("P26 kept for a minute, model {model:?}"), &start, soon, then);
        interleave(
            &format!("P26 kept for a minute, model {model:?}"),
            &start,
            soon,
            give_again,
            then,
            &ANYWHERE,
        );
    }
}
