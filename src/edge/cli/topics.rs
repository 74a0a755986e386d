//! `filedrop topics`: who subscribed to what.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{self, Voice};
use super::{names, shell, status};
use crate::{Backlog, DropFolder, Id, Subscribed, Subscription, TopicPattern};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct TopicsArgs {
    /// The drop folder
    drop: PathBuf,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the groups, what they subscribed to, and what waits for them; this is what happens without a command, too
    List(ListArgs),
    /// Subscribe a group to topics, beside those that it has
    Add(ChangeArgs),
    /// Unsubscribe a group from these topics, or from all
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print a JSON object for each group, one a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ChangeArgs {
    /// The group (1 to 64 of a-z 0-9 _ -)
    #[arg(value_parser = names::group)]
    group: Id,

    /// Topics, in quotes: * stands for one token, > at the end for the rest
    #[arg(required = true, value_name = "PATTERN")]
    topics: Vec<TopicPattern>,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// The group
    #[arg(value_parser = names::group)]
    group: Id,

    /// Only these; otherwise all, and the group gets no more events
    #[arg(value_name = "PATTERN")]
    topics: Vec<TopicPattern>,
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&status::LOOK_CODES))
}

const EXAMPLES: &str = "\
WAITING is how many events a group has still to handle, those that are to be tried again or in somebody's hand among them, and OLDEST since \
when. A group that is removed keeps the events that it got, and is listed as long as there are any: its folder, DROP/subscribers/GROUP, is a drop \
folder and can be drained (`consumer run`), or removed by hand.

Put patterns in quotes: to the shell, * stands for the names of files.

Examples:
  filedrop topics /srv/drop
  filedrop topics /srv/drop list --json
  filedrop topics /srv/drop add billing 'orders.*'
  filedrop topics /srv/drop remove billing
";

/// What `--json` says of a group.
#[derive(Debug, Serialize)]
struct Line {
    group: Id,
    /// None: it is not subscribed any more.
    topics: Vec<TopicPattern>,
    waiting: usize,
    oldest_seconds: Option<f64>,
    dead: usize,
    consumers: usize,
}

pub(super) fn run(args: TopicsArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = super::open(&args.drop)?;
    match args.command {
        None => list(&folder, false),
        Some(Command::List(ListArgs { json })) => list(&folder, json),
        Some(Command::Add(ChangeArgs { group, topics })) => {
            let done = folder.add_topics(&group, &topics)?;
            let now = done.now.as_ref().filter(|now| done.before.as_ref() != Some(now));
            if let Some(now) = now {
                tell(&group, now, done.before.as_ref(), voice);
            }
            Ok(Exit::Done)
        }
        Some(Command::Remove(RemoveArgs { group, topics })) => remove(&folder, &group, &topics, voice),
    }
}

/// Subscribes, and says what changes, or would.
pub(super) fn ask_for(
    folder: &DropFolder,
    group: &Id,
    wanted: &Subscription,
    update: bool,
    voice: &Voice,
) -> Result<(), Failure> {
    let answer = if update { folder.resubscribe(group, wanted) } else { folder.subscribe(group, wanted) };
    match answer? {
        Subscribed::New => tell(group, wanted, None, voice),
        Subscribed::Before => {}
        Subscribed::Changed(before) => tell(group, wanted, Some(&before), voice),
        Subscribed::Differs(before) => {
            let why = format!(
                "the group {group} is subscribed to {before}, and would be to {wanted} instead; to change that, add --update"
            );
            return Err(Failure::new(Exit::BadData, why));
        }
    }
    Ok(())
}

fn tell(group: &Id, now: &Subscription, before: Option<&Subscription>, voice: &Voice) {
    match before {
        None => voice.note(format_args!("{group} is subscribed to {now}")),
        Some(before) => {
            voice.note(format_args!("{group} is subscribed to {now}; before, it was to {before}"))
        }
    }
}

fn remove(folder: &DropFolder, group: &Id, topics: &[TopicPattern], voice: &Voice) -> Result<Exit, Failure> {
    let (before, now) = if topics.is_empty() {
        (folder.unsubscribe(group)?, None)
    } else {
        let done = folder.remove_topics(group, topics)?;
        (done.before, done.now)
    };
    match (&before, &now) {
        (before, Some(now)) => tell(group, now, before.as_ref(), voice),
        (Some(_), None) => match folder.group(group)?.backlog()?.waiting {
            0 => voice.note(format_args!("{group} gets no more events; what it got is handled")),
            waiting => {
                let own = folder.path().join("subscribers").join(group.as_str());
                voice.note(format_args!(
                        "{group} gets no more events; {waiting} that it got are not handled yet; to handle them: consumer run {} --drain -- CMD",
                        shell::word(&own)
                    ));
            }
        },
        (None, None) => {
            let why =
                format!("there is no group {group} (see `filedrop topics {}`)", folder.path().display());
            return Err(Failure::new(Exit::NoInput, why));
        }
    }
    Ok(Exit::Done)
}

fn list(folder: &DropFolder, json: bool) -> Result<Exit, Failure> {
    let mut subscribed: BTreeMap<Id, Subscription> =
        folder.groups()?.into_iter().map(|group| (group.name, group.subscription)).collect();
    let mut lines = Vec::new();
    for (group, own) in folder.group_folders()? {
        let Backlog { waiting, oldest_seconds, dead, consumers, .. } = own.backlog()?;
        let topics = subscribed.remove(&group).map_or(Vec::new(), |asked| asked.topics().to_vec());
        if !topics.is_empty() || waiting + dead > 0 {
            lines.push(Line { group, topics, waiting, oldest_seconds, dead, consumers });
        }
    }
    if json {
        for line in &lines {
            output::json_line(line)?;
        }
    } else {
        output::data(|out| table(&lines, out))?;
    }
    Ok(Exit::Done)
}

fn table(lines: &[Line], out: &mut dyn Write) -> io::Result<()> {
    let width = lines.iter().map(|line| line.group.as_str().len()).chain([5]).max().unwrap_or(5);
    writeln!(
        out,
        "{:<width$}  {:>8}  {:<8}{:>6}{:>11}  TOPICS",
        "GROUP", "WAITING", "OLDEST", "DEAD", "CONSUMERS"
    )?;
    for Line { group, topics, waiting, oldest_seconds, dead, consumers } in lines {
        let oldest = status::age(*oldest_seconds);
        let group = group.as_str();
        writeln!(
            out,
            "{group:<width$}  {waiting:>8}  {oldest:<8}{dead:>6}{consumers:>11}  {}",
            list_of(topics)
        )?;
    }
    Ok(())
}

fn list_of(topics: &[TopicPattern]) -> String {
    if topics.is_empty() {
        return "(unsubscribed)".to_owned();
    }
    topics.iter().map(TopicPattern::as_str).collect::<Vec<_>>().join(", ")
}
