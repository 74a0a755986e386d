//! Dead letters, and what they became.

use super::*;

/// A dead letter is as old as its outcome: once it is redriven it may go at once. Not so what it became, and not before that is
/// there.
#[test]
fn p26_sweeper_and_redriver() {
    let redrive: Make = |ledger| operators::redriver(ledger);
    let then: Drain = |ledger| {
        vec![
            operators::redriver(ledger),
            programs::consumer(ledger, "drain", Patience::Endless),
            sweep_later(ledger),
            audit_redriven(ledger),
        ]
    };
    for model in MODELS {
        let start = dead(model);
        start.0.advance(LONG);
        for id in outcomes(&start.0).into_keys() {
            start.1.retire(&id, "");
        }
        let what = format!("P26 sweeper and redriver, model {model:?}");
        interleave(&what, &start, sweep, redrive, then, &ANYWHERE);
        interleave(&what, &start, redrive, sweep, then, &ANYWHERE);
    }
}

/// A redrive was interrupted somewhere, what it had published is done for long, and somebody finishes it now: that is still one
/// job, which is handled once.
#[test]
fn p26_an_interrupted_redrive_is_finished_after_a_week() {
    let then: Drain = |ledger| {
        vec![
            // What it tells is no news to the ledger.
            operators::redriver(&Ledger::default()),
            programs::consumer(ledger, "drain", Patience::Endless),
            sweep_later(ledger),
            audit(ledger),
        ]
    };
    for model in MODELS {
        let mut search = Search::with(then, 0);
        for (world, ledger) in wrecks(&dead(model), |_| operators::redriver(&Ledger::default())) {
            finish(&world, 3, programs::consumer(&ledger, "earlier", Patience::Endless));
            come_to_rest(&world);
            // Without it there is a redrive, not the end of one.
            if outcomes(&world).len() < 2 {
                continue;
            }
            world.advance(LONG);
            for (id, outcome) in outcomes(&world) {
                ledger.retire(&id, outcome.envelope.text("id").unwrap_or_default());
            }
            let mut sweeper = Actor::start(&world, 4, sweep(&ledger));
            search.stop_here(&world, &ledger);
            while sweeper.step(Fate::Proceed) {
                search.stop_here(&world, &ledger);
            }
        }
        search.expect_none(&format!("P26 an interrupted redrive, model {model:?}"));
    }
}

/// A job that expired, and would succeed.
fn dead(model: Model) -> (World, Ledger) {
    let (world, ledger) = prepared(World::new(model, SEED), &[Kind::Expiring]);
    world.advance(11_000);
    finish(&world, 9, programs::consumer(&ledger, "gravedigger", Patience::Endless));
    come_to_rest(&world);
    (world, ledger)
}

/// A dead letter became a job, and nothing but its reason is left of it.
fn audit_redriven(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        for dead in ledger.facts().retired.into_keys() {
            let mut successors = 0;
            for (path, data) in fs.world().tree() {
                let Some(data) = data else { continue };
                let place = classify(&path);
                if path.contains(dead.as_str()) && !matches!(place, Some(Place::Reason | Place::Draft)) {
                    ledger.violation(format!("I9: of a dead letter that was redriven there is {place:?}"));
                }
                let cause = Envelope::decode(&data).ok();
                let cause = cause.and_then(|envelope| envelope.text("causationid").map(str::to_owned));
                let archived = matches!(place, Some(Place::Archived("done", _)));
                successors += usize::from(archived && cause.as_deref() == Some(dead.as_str()));
            }
            if successors != 1 {
                ledger.violation(format!("I8: a dead letter became {successors} jobs"));
            }
        }
    })
}
