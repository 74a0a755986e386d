//! `producer collect`: what was delivered to a Return Address is printed, handed to a command, or becomes files in a folder of
//! somebody else's.

use std::ffi::OsString;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;

use super::durable::Durable;
use super::exit::{Exit, Failure};
use super::output::Voice;
use super::watching::Watching;
use super::{duration, names, output, signals};
use crate::{Collected, Collector, Delivery, Error, ErrorKind, Exec, Id, NamePattern, Refusal};

#[derive(Debug, Args)]
#[command(override_usage = USAGE, after_help = after_help())]
pub(super) struct CollectArgs {
    /// The drop folder
    drop: PathBuf,

    /// The Return Address: what jobs have as their `replyto` (1 to 64 of a-z 0-9 _ -)
    #[arg(long = "as", value_name = "ADDRESS", value_parser = names::address)]
    address: Id,

    /// Deliver outcomes as files, to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    to: Option<PathBuf>,

    /// What delivered files are called: a name with {subject} {name} {stem} {ext} {id} {date} in it
    #[arg(long, value_name = "PATTERN", requires = "to", default_value = "{name}")]
    name: NamePattern,

    /// Go on until stopped; otherwise take what is there, and exit
    #[arg(long)]
    follow: bool,

    #[command(flatten)]
    watching: Watching,

    /// How long this collector may be silent before others take what it has in hand
    #[arg(long, value_name = "D", value_parser = duration::lease, default_value = "30s")]
    lease: Duration,

    /// How many outcomes are handed to CMD at a time (1 to 64): as many collectors, each with a room, threads and an inotify instance of its own
    #[arg(long, value_name = "N", requires = "command", allow_hyphen_values = true, value_parser = clap::value_parser!(u16).range(1..=64), default_value = "1")]
    concurrency: u16,

    /// How long CMD may take for an outcome (1ms or more); then it is ended, and the outcome comes again [default: for ever]
    #[arg(long, value_name = "D", requires = "command", allow_hyphen_values = true, value_parser = duration::some)]
    handler_timeout: Option<Duration>,

    /// How long CMD may go on after a gentle stop; then it is ended, and the outcome goes back
    #[arg(long, value_name = "D", requires = "command", allow_hyphen_values = true, value_parser = duration::any, default_value = "10s")]
    grace: Duration,

    /// The handler of outcomes: a program and its arguments; no shell is involved
    #[arg(last = true, value_names = ["CMD", "ARGS"])]
    command: Vec<OsString>,

    #[command(flatten)]
    durable: Durable,
}

const USAGE: &str = "\
producer collect [OPTIONS] --as <ADDRESS> <DROP>
       producer collect [OPTIONS] --as <ADDRESS> <DROP> -- <CMD> [ARGS]...
       producer collect [OPTIONS] --as <ADDRESS> --to <DIR> <DROP>";

fn after_help() -> String {
    let codes = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::BadData,
        Exit::NoInput,
        Exit::NoHandler,
        Exit::Io,
        Exit::Unsupported,
        Exit::ClosedPipe,
    ];
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
Any number of collectors may share an address, as the instances of a service do: each outcome is taken by one of them, also if \
the one that submitted the job is gone for good, and is settled only when it was taken well. If a collector is killed, the next one \
takes what it had in hand, as one more collection: so an outcome may be seen twice, but is settled once. `producer wait ID` looks \
at an outcome without taking it.

Without CMD and --to, each outcome is printed as an envelope (CloudEvents) on one line, failed ones too, and is settled when its line is \
written: `causationid` is the job's id. When nobody reads any more, what was not written is not settled.

CMD gets the outcome's data on stdin: what the job's handler wrote or, of a job that failed or expired, why (a JSON object with type, title \
and detail). In its environment are FILEDROP_DROP, FILEDROP_ID (the job's), FILEDROP_OUTCOME (succeeded, failed or expired), FILEDROP_SUBJECT, \
FILEDROP_CORRELATION_ID and TRACEPARENT (what it submits with `producer` follows from that job by itself), FILEDROP_ATTEMPT (which collection \
this is, from 1), FILEDROP_JOB (the path of the outcome's envelope), FILEDROP_TYPE (of the outcome) and FILEDROP_PAYLOAD (the folder \
with the files that travel with it, if there are any). Its stdout is that of `collect`; each line of its stderr is logged. If it exits \
with 0 the outcome is settled. If not, it comes again with a higher FILEDROP_ATTEMPT: with --follow after a pause that grows up to 30s, \
else the next time somebody collects (with --concurrency perhaps at once), and the exit code is 1; the others go on. If CMD cannot be started, all wait.

An outcome keeps what travels with it until it is collected. If somebody removed that all the same, whoever collects is told that the job failed, with a \
problem of type urn:filedrop:problem:gone.

With --to, of a job that succeeded the data is one file in DIR, and so is each file that travels with the outcome (no data beside files \
makes no empty file). Of a job that failed or expired it is NAME.failed.json: type, title and detail of the problem, \
outcome, id, subject and time, but neither stderr nor earlier attempts. A file gets its name only when it is complete and \
durable; until then it is .filedrop-*.part. Nothing is ever replaced: if the name x.csv is taken, it is x.2.csv, then x.3.csv. \
The path of each file is printed on stdout when it is there. Files that are there already, with the same content, from a collector that \
was killed, are left as they are.

In PATTERN, {subject} is that of the job, without one its id; {name} the file's own name, for data the subject (of a file \
whose name has control characters: new%0Aline.csv); {stem} and \
{ext} are the two parts of {name}; {id} is the job's id, {date} the UTC day of its submission. What no name can have (/ \\ control \
characters, a dot in front, a dot or a space at the end) becomes _ or goes, and a long name is shortened to 200 bytes: files lie in DIR \
and nowhere else, whatever the subject.

On SIGTERM or SIGINT it ends after the outcome that it has in hand; CMD has --grace to finish, and a second signal ends it at once.

Examples:
  producer collect /srv/drop --as billing | jq -c '[.causationid, .outcome]'
  producer collect /srv/drop --as billing --follow -- ./paid
  producer collect /srv/drop --as acme --to /srv/sftp/acme/outgoing --name '{stem}-{date}.{ext}' --follow
";

pub(super) fn run(args: CollectArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = args.watching.of(args.durable.open(&args.drop)?);
    let mut command = args.command.into_iter();
    // Before anything is claimed: no outcome is to come again because of a mistyped command.
    let command = command.next().map(|program| Exec::find(program, command.collect())).transpose()?;
    if !args.follow && !folder.addresses()?.contains(&args.address) {
        if let Some(dir) = args.to {
            // It has to be right all the same, and what the dead left there goes.
            folder.outgoing(dir, args.name, |_| ())?;
        }
        voice.note(nothing_at(&args.address, &folder.addresses()?));
        return Ok(Exit::Done);
    }
    let collector = |_| Ok(folder.collector(&args.address)?.follow(args.follow).lease(args.lease));
    let mut collectors = (0..args.concurrency).map(collector).collect::<crate::Result<Vec<_>>>()?;
    let stoppers: Vec<_> = collectors.iter().map(Collector::stopper).collect();
    let mut told = false;
    signals::listen(move |signal| {
        tracing::info!("{}: stopping", signal.name());
        let again = std::mem::replace(&mut told, true);
        stoppers.iter().for_each(|stopper| if again { stopper.stop_now() } else { stopper.stop() });
    })?;
    let Collected { succeeded, failed, twice, refused } = match (command, args.to) {
        (Some(command), _) => {
            let hand = |collector: Collector| {
                let handing = collector.command(command.clone())?;
                collector.run(&mut handing.timeout(args.handler_timeout).grace(args.grace))
            };
            all(collectors, args.follow, &hand)?
        }
        // There is one: more need a command.
        (None, Some(dir)) => deliver(collectors.remove(0), dir, args.name)?,
        (None, None) => print(collectors.remove(0))?,
    };
    let some = |n: u64| (n > 0).then_some(n);
    tracing::info!(succeeded, failed, twice = some(twice), refused = some(refused), "done");
    Ok(Exit::Done)
}

/// A mistyped address looks like one to which nothing was delivered yet.
fn nothing_at(address: &Id, there: &[Id]) -> String {
    let there: Vec<&str> = there.iter().map(Id::as_str).collect();
    match there.len() {
        0 => format!("nothing was ever delivered to {address}, nor to any other address"),
        _ => format!("nothing was ever delivered to {address}; there are: {}", there.join(", ")),
    }
}

/// Runs them all. If one does not follow and fails, the others still do what they can.
fn all(
    collectors: Vec<Collector>,
    follow: bool,
    run: &(dyn Fn(Collector) -> crate::Result<Collected> + Sync),
) -> crate::Result<Collected> {
    let stoppers: Vec<_> = collectors.iter().map(Collector::stopper).collect();
    let stop_all = || stoppers.iter().for_each(crate::Stopper::stop);
    let one = |collector| {
        run(collector).inspect_err(|_| {
            if follow {
                stop_all()
            }
        })
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let start = |collector| {
            let thread = thread::Builder::new().name("filedrop-desk".to_owned());
            let started = thread.spawn_scoped(scope, move || one(collector));
            started.map_err(|e| Error::io("start a thread", "desk", e)).inspect_err(|_| stop_all())
        };
        let running: Vec<_> = collectors.into_iter().map(start).collect();
        let ended = |running: crate::Result<thread::ScopedJoinHandle<'_, _>>| {
            running?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        running.into_iter().map(ended).collect()
    });
    answers.into_iter().try_fold(Collected::default(), |sum, answer| Ok(sum + answer?))
}

/// What was printed is settled. What was not, or only in part, goes back.
fn print(collector: Collector) -> Result<Collected, Failure> {
    let mut cannot = None;
    let answer = collector.run(&mut |delivery: &Delivery<'_>| {
        let printed = output::json_line(&delivery.outcome.envelope).and_then(|()| output::make_durable());
        printed.map_err(|failure| {
            cannot = Some(failure);
            Refusal::Over(Error::new(ErrorKind::Io, "cannot write to standard output"))
        })
    });
    cannot.map_or_else(|| Ok(answer?), Err)
}

fn deliver(collector: Collector, dir: PathBuf, name: NamePattern) -> Result<Collected, Failure> {
    let stopper = collector.stopper();
    let mut cannot = None;
    let mut outgoing = collector.outgoing(dir, name, |path| {
        if let Err(failure) = output::line(path) {
            // What is delivered is delivered; whoever read of it is gone.
            cannot.get_or_insert(failure);
            stopper.stop();
        }
    })?;
    let answer = collector.run(&mut outgoing);
    drop(outgoing);
    cannot.map_or_else(|| Ok(answer?), Err)
}
