//! `filedrop show`: where a job is and what became of it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output::{self, plain};
use super::status::LOOK_CODES;
use crate::{Id, Outcome, Place};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct ShowArgs {
    /// The drop folder
    drop: PathBuf,

    /// The job's id
    id: Id,

    /// Print one JSON object: `id`, `places`, and `outcome` (its envelope, or null)
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let mut codes = LOOK_CODES.to_vec();
    codes.insert(1, Exit::Failed);
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
Examples:
  filedrop show /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
";

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let folder = super::open(&args.drop)?;
    // The places first: a job that is settled meanwhile has its outcome, too.
    let places = folder.locate(&args.id)?;
    let outcome = folder.outcome(&args.id)?;
    if places.is_empty() && outcome.is_none() {
        let drop = args.drop.display();
        return Err(Failure::new(
            Exit::Failed,
            format_args!("no job with this id is in {drop}: {}", args.id),
        ));
    }
    if args.json {
        output::json_line(&as_json(&args.id, &places, outcome.as_ref()))?;
    } else {
        output::data(|out| in_words(&args.id, &places, outcome.as_ref(), out))?;
    }
    Ok(Exit::Done)
}

fn as_json(id: &Id, places: &[Place], outcome: Option<&Outcome>) -> serde_json::Value {
    let place = |place: &Place| {
        json!({
            "room": place.room,
            "path": place.path.to_string_lossy(),
            "attempt": place.attempt,
            "consumer": place.consumer,
        })
    };
    json!({
        "id": id,
        "places": places.iter().map(place).collect::<Vec<_>>(),
        "outcome": outcome.map(|outcome| &outcome.envelope),
    })
}

fn in_words(id: &Id, places: &[Place], outcome: Option<&Outcome>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "job      {id}")?;
    for (nth, place) in places.iter().enumerate() {
        let label = if nth == 0 { "where" } else { "" };
        writeln!(out, "{label:<7}  {}", plain(&words(place)))?;
        writeln!(out, "{:<7}  {}", "", plain(&place.path.to_string_lossy()))?;
    }
    let Some(outcome) = outcome else { return writeln!(out, "outcome  none yet") };
    let how = outcome.disposition.as_str();
    let when = plain(outcome.envelope.text("time").unwrap_or("a time that is not recorded"));
    writeln!(out, "outcome  {how} at {when}, in attempt {}", outcome.attempt())?;
    match outcome.problem() {
        Some(problem) => {
            writeln!(out, "problem  {}", plain(&problem.title))?;
            for line in problem.detail.lines() {
                writeln!(out, "{:<7}  {}", "", plain(line))?;
            }
            Ok(())
        }
        None => writeln!(out, "data     {} bytes", outcome.data().len()),
    }
}

fn words(place: &Place) -> String {
    let mut words = match (place.room, &place.consumer) {
        ("inbox", _) => "ready in the inbox".to_owned(),
        ("delayed", _) => "delayed until it is due".to_owned(),
        ("claimed", Some(consumer)) => format!("claimed by {consumer}"),
        ("outcomes", _) => "its outcome is decided".to_owned(),
        ("done", _) => "archived as done".to_owned(),
        ("dead", _) => "a dead letter".to_owned(),
        ("invalid", _) => "set aside: nobody could read it".to_owned(),
        (room, _) => format!("in {room}"),
    };
    if let Some(attempt) = place.attempt {
        words.push_str(&format!(", attempt {attempt}"));
    }
    words
}
