//! `filedrop dead redrive` and `purge`: one after the other, and what became of each.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use super::pace::{self, Pace};
use super::select::{Found, Selection};
use crate::edge::cli::exit::{Exit, Failure};
use crate::edge::cli::output::{self, Voice};
use crate::edge::cli::progress;
use crate::{DeadLetter, DropFolder, Id, Place};

#[derive(Debug, Args)]
#[command(
    override_usage = "filedrop dead redrive [OPTIONS] <DROP> <ID...|--reason <R>|--type <TYPE>|--all>",
    after_help = after_help(REDRIVE)
)]
pub(super) struct RedriveArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "filedrop dead purge [OPTIONS] <DROP> <ID...|--reason <R>|--type <TYPE>|--all>",
    after_help = after_help(PURGE)
)]
pub(super) struct PurgeArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// The drop folder
    drop: PathBuf,

    #[command(flatten)]
    selection: Selection,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// So many in a second or a minute at most, as 10/s or 30/m
    #[arg(long, value_name = "N/s|N/m", value_parser = pace::rate)]
    rate: Option<Duration>,
}

fn after_help(examples: &str) -> String {
    format!("{examples}\n{}", exit_codes())
}

/// The end of a help text.
pub(super) fn exit_codes() -> String {
    Exit::table(&[
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::NoInput,
        Exit::Io,
        Exit::Unsupported,
        Exit::Interrupted,
        Exit::ClosedPipe,
        Exit::Terminated,
    ])
}

const REDRIVE: &str = "\
A dead letter becomes a new job of the same type and data, without an expiry, and is archived. The old id and the new one \
are printed on a line. To redrive one twice makes one job, and prints the same. One that cannot be redriven, as it is invalid \
or gone meanwhile, is named on stderr; the others are redriven, and the exit code is 1. SIGINT and SIGTERM end it between two.

Examples:
  filedrop dead redrive /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
  filedrop dead redrive /srv/drop --reason timeout --type resize --rate 10/s
  filedrop dead redrive /srv/drop --all --dry-run
";

const PURGE: &str = "\
The job and its reason are removed, and its id is printed. Its outcome stands, for those who ask for it, as long as the folder \
keeps outcomes; with it go the files that travel with the job: at the next `filedrop gc`, or sweep of a consumer, after that. SIGINT and SIGTERM end it between two.

Examples:
  filedrop dead purge /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
  filedrop dead purge /srv/drop --reason expired
";

/// What is done to a letter.
trait Verb {
    /// `redriven`, `purged`
    const DONE: &str;
    /// Does it, or only looks whether it could. What is to be printed: for people, and as JSON; or why it cannot be done.
    fn act(folder: &DropFolder, letter: &DeadLetter, dry_run: bool) -> Result<Line, String>;
    /// Of an id that is no dead letter's: what is to be printed if that is because it was done before.
    fn before(folder: &DropFolder, id: &Id, dry_run: bool) -> Result<Option<Line>, String>;
}

struct Line {
    text: String,
    json: serde_json::Value,
}

struct Redrive;

impl Redrive {
    fn line(old: &Id, new: &Id) -> Line {
        Line { text: format!("{old} {new}"), json: json!({ "id": old, "redriven_as": new }) }
    }
}

const GONE: &str = "it is no dead letter any more";

impl Verb for Redrive {
    const DONE: &str = "redriven";

    fn act(folder: &DropFolder, letter: &DeadLetter, dry_run: bool) -> Result<Line, String> {
        let id = &letter.name.id;
        if letter.room == "invalid" {
            return Err("nobody could read it: mend it, and submit it as a new job".to_owned());
        }
        if !dry_run {
            let new = folder.redrive(letter).map_err(|e| e.to_string())?;
            return Ok(Self::line(id, &new));
        }
        let autopsy = folder.autopsy(letter).map_err(|e| e.to_string())?.ok_or(GONE)?;
        match autopsy.redrives_as {
            Some(new) => Ok(Self::line(id, &new)),
            None => Err("its job or its outcome cannot be read".to_owned()),
        }
    }

    fn before(folder: &DropFolder, id: &Id, dry_run: bool) -> Result<Option<Line>, String> {
        let Some(story) = folder.story(id).map_err(|e| e.to_string())? else { return Ok(None) };
        let archived = story.places.iter().find(|place| place.room == "done").and_then(Place::job);
        let (Some(name), Some(new)) = (archived, &story.redriven_as) else { return Ok(None) };
        if !dry_run {
            // Once more, should it have been interrupted.
            folder.redrive(&DeadLetter { name, room: "dead" }).map_err(|e| e.to_string())?;
        }
        Ok(Some(Self::line(id, new)))
    }
}

struct Purge;

impl Verb for Purge {
    const DONE: &str = "purged";

    fn act(folder: &DropFolder, letter: &DeadLetter, dry_run: bool) -> Result<Line, String> {
        if !dry_run {
            folder.purge(letter).map_err(|e| e.to_string())?;
        }
        let DeadLetter { name, room } = letter;
        Ok(Line { text: name.id.to_string(), json: json!({ "id": name.id, "room": room }) })
    }

    fn before(_: &DropFolder, _: &Id, _: bool) -> Result<Option<Line>, String> {
        Ok(None)
    }
}

pub(super) fn redrive(args: &RedriveArgs, voice: &Voice) -> Result<Exit, Failure> {
    each::<Redrive>(&args.common, voice)
}

pub(super) fn purge(args: &PurgeArgs, voice: &Voice) -> Result<Exit, Failure> {
    each::<Purge>(&args.common, voice)
}

/// What came of it so far.
struct Tally<'a> {
    args: &'a Common,
    voice: &'a Voice,
    bar: ProgressBar,
    done: usize,
    failed: usize,
}

fn each<V: Verb>(args: &Common, voice: &Voice) -> Result<Exit, Failure> {
    let folder = crate::edge::cli::open(&args.drop)?;
    let filters = &args.selection.filters;
    let Found { mut letters, missing } = filters.find(&folder)?;
    // One that somebody copied lies in two rooms, under one name.
    letters.dedup_by(|a, b| a.name == b.name);
    let mut pace = Pace::new(args.rate)?;
    let bar = progress::of_jobs(voice, letters.len());
    let mut tally = Tally { args, voice, bar, done: 0, failed: 0 };
    for id in &missing {
        match V::before(&folder, id, args.dry_run) {
            Ok(Some(line)) => {
                tally.print(&line)?;
                voice.note(format_args!("{id}: was {} before", V::DONE));
            }
            Ok(None) => tally.cannot(id, "no dead letter has this id"),
            Err(why) => tally.cannot(id, &why),
        }
    }
    for (nth, letter) in (0..).zip(&letters) {
        tally.bar.set_position(nth);
        let id = &letter.name.id;
        if filters.look_inside() {
            match folder.autopsy(letter) {
                Ok(Some(autopsy)) if filters.mean(&autopsy) => {}
                Ok(_) => continue,
                Err(e) => {
                    tally.cannot(id, &e.to_string());
                    continue;
                }
            }
        }
        if let Some(signal) = pace.wait() {
            let (by, done) = (signal.name(), V::DONE);
            tally.bar.finish_and_clear();
            let so_far = format!("{} {done} before, {id} and those after it are not", tally.done);
            return Err(Failure::new(signal.exit(), format_args!("stopped by {by}; {so_far}")));
        }
        match V::act(&folder, letter, args.dry_run) {
            Ok(line) => {
                tally.done += 1;
                tally.print(&line)?;
            }
            Err(why) => tally.cannot(id, &why),
        }
    }
    Ok(tally.end::<V>())
}

impl Tally<'_> {
    fn print(&self, line: &Line) -> Result<(), Failure> {
        progress::beside(&self.bar, || match self.args.json {
            true => output::json_line(&line.json),
            false => output::data(|out| writeln!(out, "{}", line.text)),
        })
    }

    fn cannot(&mut self, id: &Id, why: &str) {
        self.failed += 1;
        self.bar.suspend(|| self.voice.error(format_args!("{id}: {why}")));
    }

    fn end<V: Verb>(self) -> Exit {
        self.bar.finish_and_clear();
        let (failed, done, verb) = (self.failed, self.done, V::DONE);
        match (self.args.dry_run, failed) {
            (true, 0) => self.voice.note(format_args!("a dry run: nothing was {verb}; {done} could be")),
            (true, _) => {
                self.voice.error(format_args!(
                    "a dry run: nothing was {verb}; {done} could be, {failed} could not"
                ));
            }
            (false, 0) => {}
            (false, _) => self.voice.error(format_args!("{failed} not {verb}; {done} {verb}")),
        }
        if failed == 0 { Exit::Done } else { Exit::Failed }
    }
}
