//! `producer collect`: what was delivered to a Return Address becomes files in a folder of somebody else's.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::watching::Watching;
use super::{duration, output, signals};
use crate::{Collected, Id, NamePattern};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct CollectArgs {
    /// The drop folder
    drop: PathBuf,

    /// The Return Address: what jobs have as their `replyto`
    #[arg(long = "as", value_name = "ADDRESS")]
    address: Id,

    /// The folder to deliver to
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// What delivered files are called: a name with {subject} {name} {stem} {ext} {id} {date} in it
    #[arg(long, value_name = "PATTERN", default_value = "{name}")]
    name: NamePattern,

    /// Go on until stopped; otherwise deliver what is there, and exit
    #[arg(long)]
    follow: bool,

    #[command(flatten)]
    watching: Watching,

    /// How long this collector may be silent before others take what it has in hand
    #[arg(long, value_name = "D", value_parser = duration::lease, default_value = "30s")]
    lease: Duration,
}

fn after_help() -> String {
    let codes = [
        Exit::Done,
        Exit::Usage,
        Exit::BadData,
        Exit::NoInput,
        Exit::Io,
        Exit::Unsupported,
        Exit::ClosedPipe,
    ];
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
Of a job that succeeded, the data is one file in DIR, and so is each file that travels with the outcome (no data beside files \
makes no empty file). Of a job that failed or expired it is NAME.failed.json: type, title and detail of the problem, \
outcome, id, subject and time, but neither stderr nor earlier attempts. A file gets its name only when it is complete and \
durable; until then it is .filedrop-*.part. Nothing is ever replaced: if the name x.csv is taken, it is x.2.csv, then x.3.csv. \
The path of each file is printed on stdout when it is there.

In PATTERN, {subject} is that of the job, without one its id; {name} the file's own name, for data the subject (of a file \
whose name has control characters: new%0Aline.csv); {stem} and \
{ext} are the two parts of {name}; {id} is the job's id, {date} the UTC day of its submission. What no name can have (/ \\ control \
characters, a dot in front, a dot or a space at the end) becomes _ or goes, and a long name is shortened to 200 bytes: files lie in DIR \
and nowhere else, whatever the subject.

Several collectors may share an address: each outcome is taken by one of them. It is settled only after its files are durable: \
if a collector is killed, the next one delivers what it had in hand again; files that are there already, with the same content, are then \
left as they are. On SIGTERM or SIGINT it ends after the outcome that it has in hand.

Examples:
  producer collect /srv/drop --as acme --to /srv/sftp/acme/outgoing
  producer collect /srv/drop --as acme --to /srv/sftp/acme/outgoing --name '{stem}-{date}.{ext}' --follow
";

pub(super) fn run(args: CollectArgs) -> Result<Exit, Failure> {
    let folder = args.watching.of(super::open(&args.drop)?);
    let collector = folder.collector(&args.address)?.follow(args.follow).lease(args.lease);
    let stopper = collector.stopper();
    let asked = stopper.clone();
    signals::listen(move |signal| {
        tracing::info!("{}: stopping", signal.name());
        asked.stop();
    })?;
    let mut cannot = None;
    let mut outgoing = collector.outgoing(args.to, args.name, |path| {
        if let Err(failure) = output::line(path) {
            // What is delivered is delivered; whoever read of it is gone.
            cannot.get_or_insert(failure);
            stopper.stop();
        }
    })?;
    let answer = collector.run(&mut outgoing);
    drop(outgoing);
    if let Some(failure) = cannot {
        return Err(failure);
    }
    let Collected { succeeded, failed, twice } = answer?;
    let twice = (twice > 0).then_some(twice);
    tracing::info!(succeeded, failed, twice, "done");
    Ok(Exit::Done)
}
