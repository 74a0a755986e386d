//! `filedrop status`: how many jobs lie where, and who is at work.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::live::{self, Screen};
use super::{duration, output};
use crate::{Backlog, Census};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct StatusArgs {
    /// The drop folder
    drop: PathBuf,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Count again every D (2s if there is none), until interrupted: on a terminal in place, else one after the other
    #[arg(long, value_name = "D", value_parser = duration::pause, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "2s")]
    watch: Option<Duration>,
}

pub(super) const LOOK_CODES: [Exit; 6] =
    [Exit::Done, Exit::Usage, Exit::NoInput, Exit::Io, Exit::Unsupported, Exit::ClosedPipe];

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&LOOK_CODES))
}

const EXAMPLES: &str = "\
LAST MINUTE is how many jobs a consumer settled in the minute before its last beat. \
Counts are of jobs; in `outcomes` of outcomes, in `tmp` of files being written. A consumer's presence is `unknown` \
where only watching it for its lease could tell. What lies in inbox/ and is no job is counted, and some of it named: `filedrop explain` says why. `arriving` are files that become \
jobs when they are complete.

Of each ADDRESS it says how many outcomes wait to be collected, of each GROUP how many events wait to be handled: those in somebody's hand, and \
those that are to be tried again, among them.

With --watch, D may be a plain number of seconds. SIGINT and SIGTERM end it with 0.

Examples:
  filedrop status /srv/drop
  filedrop status /srv/drop --json | jq .rooms.inbox
  filedrop status /srv/drop --watch=500ms
";

pub(super) fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    // Opened each time: a folder that is gone is no empty one.
    let count = || -> Result<Census, Failure> { Ok(super::open(&args.drop)?.census()?) };
    match args.watch {
        None => {
            let census = count()?;
            if args.json { output::json_line(&census) } else { output::data(|out| table(&census, out)) }?;
            Ok(Exit::Done)
        }
        Some(every) if args.json => live::repeat(every, || output::json_line(&count()?)),
        Some(every) => {
            let mut screen = Screen::new();
            live::repeat(every, || {
                let census = count()?;
                screen.show(|out| table(&census, out))
            })
        }
    }
}

fn table(census: &Census, out: &mut dyn Write) -> io::Result<()> {
    let rooms = &census.rooms;
    let counts = [
        ("inbox", rooms.inbox),
        ("delayed", rooms.delayed),
        ("claimed", rooms.claimed),
        ("outcomes", rooms.outcomes),
        ("done", rooms.done),
        ("dead", rooms.dead),
        ("invalid", rooms.invalid),
        ("tmp", rooms.tmp),
    ];
    writeln!(out, "{:<10}{:>8}", "ROOM", "COUNT")?;
    for (room, count) in counts {
        write!(out, "{room:<10}{count:>8}")?;
        match (room, census.oldest_ready_seconds, census.next_due_seconds) {
            ("inbox", Some(age), _) => {
                writeln!(out, "  the oldest for {}", duration::show(whole_seconds(age)))?;
            }
            ("delayed", _, Some(0.0)) => writeln!(out, "  the next is due")?,
            ("delayed", _, Some(due)) => {
                writeln!(out, "  the next in {}", duration::show(whole_seconds(due)))?;
            }
            _ => writeln!(out)?,
        }
    }
    if !census.consumers.is_empty() {
        let names = census.consumers.iter().map(|consumer| consumer.name.as_str());
        let width = width("CONSUMER", names);
        writeln!(out, "\n{:<width$}  {:<7}{:>8}{:>12}", "CONSUMER", "PRESENT", "CLAIMED", "LAST MINUTE")?;
        for consumer in &census.consumers {
            let present = match consumer.present {
                Some(true) => "yes",
                Some(false) => "no",
                None => "unknown",
            };
            let settled = consumer.settled_last_minute.map_or("?".to_owned(), |settled| settled.to_string());
            writeln!(out, "{:<width$}  {present:<7}{:>8}{settled:>12}", consumer.name, consumer.claimed)?;
        }
    }
    if !census.replies.is_empty() {
        let width = width("ADDRESS", census.replies.keys().map(String::as_str));
        writeln!(out, "\n{:<width$}  {:>8}  {:<8}{:>12}", "ADDRESS", "WAITING", "OLDEST", "COLLECTORS")?;
        for (address, Backlog { waiting, oldest_seconds, consumers, .. }) in &census.replies {
            writeln!(out, "{address:<width$}  {waiting:>8}  {:<8}{consumers:>12}", age(*oldest_seconds))?;
        }
    }
    if !census.groups.is_empty() {
        let width = width("GROUP", census.groups.keys().map(String::as_str));
        writeln!(
            out,
            "\n{:<width$}  {:>8}  {:<8}{:>6}{:>11}",
            "GROUP", "WAITING", "OLDEST", "DEAD", "CONSUMERS"
        )?;
        for (group, Backlog { waiting, oldest_seconds, dead, consumers, .. }) in &census.groups {
            let oldest = age(*oldest_seconds);
            writeln!(out, "{group:<width$}  {waiting:>8}  {oldest:<8}{dead:>6}{consumers:>11}")?;
        }
    }
    match census.arriving {
        0 => {}
        1 => writeln!(out, "\n1 file becomes a job when it is complete (see `filedrop explain`)")?,
        n => writeln!(out, "\n{n} files become jobs when they are complete (see `filedrop explain`)")?,
    }
    match census.unrecognised {
        0 => {}
        1 => writeln!(out, "\n1 file in inbox/ is no job; it is left alone (see `filedrop explain`):")?,
        n => {
            writeln!(out, "\n{n} files in inbox/ are no jobs; they are left alone (see `filedrop explain`):")?
        }
    }
    for name in &census.unrecognised_names {
        writeln!(out, "  {}", on_one_line(name))?;
    }
    match census.unrecognised.saturating_sub(census.unrecognised_names.len()) {
        0 => {}
        more => writeln!(out, "  and {more} more")?,
    }
    if !census.unreadable.is_empty() {
        writeln!(out, "\nNot counted, since you may not read it:")?;
    }
    census.unreadable.iter().try_for_each(|dir| writeln!(out, "  {}/", on_one_line(dir)))
}

/// A path that a stranger chose.
fn on_one_line(path: &Path) -> String {
    output::plain(&path.to_string_lossy().replace('\n', "\\n"))
}

fn width<'a>(heading: &str, names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0).max(heading.len())
}

/// In whole seconds, or a dash.
pub(super) fn age(seconds: Option<f64>) -> String {
    seconds.map_or("-".to_owned(), |age| duration::show(whole_seconds(age)).to_string())
}

fn whole_seconds(seconds: f64) -> Duration {
    Duration::from_secs(Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs())
}
