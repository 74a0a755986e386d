//! A job: where it is, and why it is not further.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::super::exit::Failure;
use super::super::shell;
use super::super::story::{self, Page};
use super::takers::{self, is_deserted};
use crate::{Disposition, Explainer, Outcome, Place, Story};

/// What is said of a job.
pub(super) struct Told {
    reason: &'static str,
    why: String,
    next: String,
}

/// Says why a job is where it is.
pub(super) fn tell(story: &Story, explainer: &Explainer, drop: &Path) -> Result<Told, Failure> {
    let command = |words: &str| format!("filedrop {words} {} {}", shell::word(drop), story.id);
    let show = || format!("its whole story: {}", command("show"));
    let told = |reason, why: String, next: String| Ok(Told { reason, why, next });
    if let Some(outcome) = &story.outcome {
        let (reason, mut why) = decided(outcome);
        if let Some(reply) = &story.reply {
            why = format!("{why}; at {}: {}", reply.address, story::state_of(&reply.state));
        }
        let redrive = format!("to try it again: {}", command("dead redrive"));
        let again = story.places.iter().any(|place| place.room == "dead");
        return told(reason, why, if again { format!("{}\n{redrive}", show()) } else { show() });
    }
    let Some(place) = story.places.first() else { return told("invalid", String::new(), show()) };
    match (place.room, place.job()) {
        ("inbox", Some(_)) if place.attempt.is_none() => {
            told("archived", "it was archived; the next consumer puts it back".to_owned(), show())
        }
        ("inbox", Some(name)) => {
            let ahead = match explainer.ahead_of(&name)? {
                0 => "no job comes before it".to_owned(),
                1 => "1 job comes before it".to_owned(),
                n => format!("{n} jobs come before it"),
            };
            if is_deserted(explainer) {
                let start = format!("start a consumer: consumer run {} -- CMD", shell::word(drop));
                return told("ready", format!("{ahead}, and nobody is there to take it"), start);
            }
            told("ready", format!("{ahead}; it is taken in its turn"), String::new())
        }
        ("delayed", Some(_)) => {
            let last = story.attempts.last().map(|last| story::why(&last.problem));
            let why = match last {
                Some(problem) => format!("its last attempt failed ({problem}); the next one is due then"),
                None => "its producer asked for it (`notbefore`)".to_owned(),
            };
            told("delayed", why, show())
        }
        ("claimed", _) => {
            let claimed = explainer
                .claimed_at(place)
                .map_or(String::new(), |at| format!("claimed at {}; ", at.rfc3339()));
            let (alive, next) = of_claim(place, explainer, drop);
            told("claimed", format!("{claimed}{alive}"), next)
        }
        ("outbox", _) => {
            let why = match story.groups.len() {
                _ if place.path.starts_with("outbox/inbox") => {
                    "it is an event: published, and on its way to its groups".to_owned()
                }
                0 => "it is an event; no group got it, or has it any more".to_owned(),
                1 => "it is an event; 1 group got it".to_owned(),
                n => format!("it is an event; {n} groups got it"),
            };
            told("published", why, show())
        }
        _ => told("invalid", "it has no outcome, and lies where jobs with one do".to_owned(), show()),
    }
}

/// Whether the consumer that has a claim lives; and if not, who goes on with it.
pub(crate) fn of_claim(place: &Place, explainer: &Explainer, drop: &Path) -> (&'static str, String) {
    match explainer.is_alive(place) {
        Some(true) => ("its consumer is alive", String::new()),
        Some(false) if is_deserted(explainer) => {
            let start = format!("consumer run {} -- CMD", shell::word(drop));
            let next = format!("the next consumer takes it over, as another attempt; start one: {start}");
            ("its consumer is gone, and no other is there", next)
        }
        Some(false) => {
            let next = "one of the other consumers takes it over, as another attempt".to_owned();
            ("its consumer is gone", next)
        }
        None => {
            let next = "if it is not, another takes it over when its lease is over".to_owned();
            ("whether its consumer is alive cannot be told at once", next)
        }
    }
}

fn decided(outcome: &Outcome) -> (&'static str, String) {
    let problem = outcome.problem();
    let why = problem.as_ref().map_or("nothing is left to do".to_owned(), story::why);
    let reason = match outcome.disposition {
        Disposition::Succeeded => "succeeded",
        Disposition::Expired => "expired",
        Disposition::Failed if problem.is_some_and(|problem| problem.kind == crate::Problem::INVALID) => {
            "invalid"
        }
        Disposition::Failed => "failed",
    };
    (reason, why)
}

pub(super) fn in_words(
    story: &Story,
    told: &Told,
    explainer: &Explainer,
    out: &mut dyn Write,
) -> io::Result<()> {
    let page = &mut Page(out);
    page.line("job", story.id.as_str())?;
    let subject = story.envelope.as_ref().and_then(|job| job.text("subject"));
    page.line("subject", subject.unwrap_or_default())?;
    if let Some(place) = place(story) {
        page.line("where", &story::words(place))?;
        page.line("", &place.path.to_string_lossy())?;
    }
    page.line("why", &told.why)?;
    page.line("next", &told.next)?;
    if told.reason == "ready" { takers::print(explainer, page) } else { Ok(()) }
}

pub(super) fn as_json(story: &Story, told: &Told) -> Value {
    let place = place(story);
    json!({
        "job": story.id,
        "subject": story.envelope.as_ref().and_then(|job| job.text("subject")),
        "room": place.map(|place| place.room),
        "consumer": place.and_then(|place| place.consumer.as_ref()),
        "due": place.and_then(|place| place.due).map(|due| due.rfc3339()),
        "reason": told.reason,
        "why": told.why,
        "next": told.next,
    })
}

/// Where it lies, rather than its outcome.
fn place(story: &Story) -> Option<&Place> {
    story.places.iter().find(|place| place.room != "outcomes").or(story.places.first())
}
