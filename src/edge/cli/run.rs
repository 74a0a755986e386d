//! `consumer run`: the handler is a command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::durable::Durable;
use super::exit::{Exit, Failure};
use super::strangers::Strangers;
use super::watching::Watching;
use super::{duration, signals, size};
use crate::actors::handler::MAX_OUTPUT_BYTES;
use crate::{Consumer, DropFolder, Exec, MAX_FILE_BYTES, Summary};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct RunArgs {
    /// The drop folder
    drop: PathBuf,

    #[command(flatten)]
    work: Work,

    /// The handler: a program and its arguments; no shell is involved
    #[arg(last = true, required = true, value_names = ["CMD", "ARGS"])]
    command: Vec<OsString>,
}

/// How a consumer works: `run` and `subscribe` take the same.
#[derive(Debug, Args)]
pub(super) struct Work {
    /// How many jobs to handle at a time (1 to 65535)
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(u16).range(1..), default_value = "1")]
    concurrency: u16,

    /// Keep the handler's processes for many jobs: each is given a line of JSON for a job, and answers with one (see `consumer run --help`)
    #[arg(long)]
    worker: bool,

    /// Handle what is there, then exit
    #[arg(long)]
    drain: bool,

    #[command(flatten)]
    durable: Durable,

    #[command(flatten)]
    watching: Watching,

    /// How long this consumer may be silent before others take its jobs for abandoned (100ms or more)
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::lease, default_value = "30s")]
    lease: Duration,

    /// How long a handler may take (1ms or more); then it is ended and the attempt has failed [default: for ever]
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::some)]
    handler_timeout: Option<Duration>,

    /// How often a job is attempted at most (1 or more), if it does not say so itself
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..), default_value = "5")]
    max_attempts: u32,

    /// The longest pause before the second attempt; it doubles with each attempt, up to an hour
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::any, default_value = "10s")]
    backoff: Duration,

    /// The largest envelope to take (1KiB to 16MiB); larger ones are invalid [default: 16MiB]
    #[arg(long, value_name = "SIZE", value_parser = size::within(1 << 10..=MAX_FILE_BYTES), allow_hyphen_values = true)]
    max_bytes: Option<usize>,

    /// How much output goes into an outcome's envelope (0 to 2MiB); if there is more, all goes into a file beside it
    /// [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size::within(0..=MAX_OUTPUT_BYTES), allow_hyphen_values = true)]
    max_output: Option<usize>,

    #[command(flatten)]
    strangers: Strangers,

    /// How long handlers may go on after a gentle stop; then they are ended and their jobs handed back
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::any, default_value = "10s")]
    grace: Duration,
}

/// How whoever handles jobs ends.
pub(super) const WORK_CODES: [Exit; 7] =
    [Exit::Done, Exit::Usage, Exit::NoInput, Exit::NoHandler, Exit::Io, Exit::Uncertain, Exit::Unsupported];

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&WORK_CODES))
}

const EXAMPLES: &str = "\
The handler gets the job's data on stdin; what it writes to stdout is the outcome's data. If it exits with 0 \
the job succeeded; with 65, no further attempt is worth it; with anything else it is tried again, after a pause \
(--max-attempts, --backoff). In its environment are FILEDROP_DROP, FILEDROP_ID, FILEDROP_TYPE, FILEDROP_SUBJECT (of \
a file: its name, percent-encoded if it has control characters, or is no UTF-8), FILEDROP_CORRELATION_ID and TRACEPARENT (what it submits with `producer` follows from this job by itself), FILEDROP_ATTEMPT, FILEDROP_JOB (the path of the envelope), FILEDROP_PAYLOAD (the folder with the files that travel with the \
job, if there are any; for a file that was dropped, or taken in by itself, that file) and FILEDROP_RESULT_DIR: files that it leaves in \
that folder, also in folders of its own, travel with the outcome if the job succeeds; anything else there is removed. Each line of its \
stderr is logged, and the last ones are told when it fails.

More output than --max-output goes into a file beside the outcome, of type text/plain if it is UTF-8, else \
application/octet-stream. The disk is its only limit: if that is full, the handler is ended, its job goes back uncounted, and is \
handled again after a pause.

With --worker as many processes as --concurrency says are kept. A line on stdin is a job: {\"attempt\":1,\"job\":\"PATH\",\"event\":{\"id\":\"0198…\",\"type\":\"order\",\"data\":…}}, where event is its whole envelope; payload and data_file (the data, if it is not in the envelope) are paths, if there are any; result_dir is a folder to be made, if files are to travel with the outcome. A line on stdout is the answer: {\"id\":\"0198…\",\"data\":…}, with data, data_base64 and datacontenttype as in an envelope, or {\"id\":\"0198…\",\"error\":\"why\"}, with \"final\":true if no further attempt is worth it. A process that answers anything else, ends while it has a job, or takes longer than --handler-timeout has failed that job, and another takes its place; it may end with 0 after an answer. At the end its stdin is closed. See examples/worker.py and examples/worker.sh.

It may run again for a job: with a higher FILEDROP_ATTEMPT after it failed, or its consumer crashed or was silent for its --lease (also then, unless with --durability os, \
up to 64 jobs that were handled, and are being settled together); with \
the same one after a stop that it did not finish in time for. If its consumer is killed, so is the handler (on Linux), but not \
what the handler has started itself: `exec` the last command of a script.

On SIGTERM or SIGINT it claims no more jobs, and gives the handlers --grace to finish; a second one ends them at once. It \
exits with 0 when it has drained or was asked to stop, whatever became of the jobs; failed ones are logged, also with -q, \
and lie in dead/, each beside its reason (see `filedrop dead`). Started with `&` by a script it ignores SIGINT, as \
shells ask for. RUST_LOG sets what is logged, and \
wins over -q and -v.

Examples:
  consumer run /srv/drop -- ./resize --width 800
  consumer run /srv/drop --concurrency 8 --handler-timeout 2m -- python3 handler.py
  consumer run /srv/drop --worker --concurrency 4 -- python3 worker.py
  consumer run /srv/drop --drain -- sh -c 'jq .order | psql shop'
";

pub(super) fn run(args: RunArgs) -> Result<Exit, Failure> {
    let folder = args.work.open(&args.drop)?;
    let handler = args.work.handler(args.command)?;
    work(folder.consumer(), &folder, &args.work, handler)
}

impl Work {
    pub(super) fn open(&self, drop: &Path) -> Result<DropFolder, Failure> {
        Ok(self.watching.of(self.durable.open(drop)?))
    }

    /// Found before anything is claimed: a job must not fail because of a mistyped command.
    pub(super) fn handler(&self, command: Vec<OsString>) -> Result<Exec, Failure> {
        let mut command = command.into_iter();
        let program = command.next().unwrap_or_default();
        let handler = Exec::find(program, command.collect())?;
        Ok(match self.max_output {
            Some(bytes) => handler.max_output(bytes),
            None => handler,
        })
    }
}

/// `folder` is that of the consumer's jobs.
pub(super) fn work(
    consumer: Consumer,
    folder: &DropFolder,
    args: &Work,
    handler: Exec,
) -> Result<Exit, Failure> {
    let consumer = consumer
        .concurrency(args.concurrency.into())
        .drain(args.drain)
        .lease(args.lease)
        .handler_timeout(args.handler_timeout)
        .grace(args.grace)
        .quiet_period(args.strangers.quiet_period)
        .customs(args.strangers.customs()?)
        .max_attempts(args.max_attempts)
        .backoff(args.backoff)
        .max_bytes(args.max_bytes.unwrap_or(MAX_FILE_BYTES));
    let stopper = consumer.stopper();
    let mut told = false;
    signals::listen(move |signal| {
        if std::mem::replace(&mut told, true) {
            tracing::warn!("{} again: ending the handlers", signal.name());
            stopper.stop_now();
        } else {
            tracing::info!("{}: stopping when the handlers are done; once more to end them", signal.name());
            stopper.stop();
        }
    })?;
    let Summary { succeeded, failed, invalid, expired, postponed, handed_back, superseded, left, lost } =
        if args.worker { consumer.run_workers(handler)? } else { consumer.run_command(handler)? };
    // Rare, and worth a question: they are only there if there is something to ask.
    let some = |n: u64| (n > 0).then_some(n);
    let (expired, superseded, left, lost) = (some(expired), some(superseded), some(left), some(lost));
    tracing::info!(
        succeeded,
        failed,
        invalid,
        expired,
        postponed,
        handed_back,
        superseded,
        left,
        lost,
        "done"
    );
    if args.drain {
        say_what_others_have(folder);
    }
    Ok(Exit::Done)
}

/// A drain does not wait for those who are there; and one that is only stopped (SIGSTOP) is, until it was watched for its lease. A look
/// that fails says nothing: all is done.
fn say_what_others_have(folder: &DropFolder) {
    let Ok(there) = folder.explain() else { return };
    let consumers = there.takers().iter().flat_map(|taker| &taker.consumers).chain(there.others());
    for consumer in consumers.filter(|consumer| consumer.claimed > 0) {
        let (consumer, jobs) = (&consumer.name, consumer.claimed);
        tracing::info!(
            consumer,
            jobs,
            "left what another consumer has in hand; if it vanished, it is taken over when its lease is over, by who is there then"
        );
    }
}
