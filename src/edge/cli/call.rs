//! `producer call`: submit, and block until the outcome is there.

use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::attach;
use super::durable::Durable;
use super::exit::{Exit, Failure};
use super::flow::{self, Flow};
use super::job::{self, JobArgs, Reply};
use super::output::Voice;
use super::policies::Policies;
use super::signals;
use super::wait::{self, Patience};
use crate::Id;

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct CallArgs {
    /// The drop folder
    drop: PathBuf,

    /// What kind of job it is; handlers see it as FILEDROP_TYPE
    #[arg(long = "type", value_name = "TYPE", value_parser = NonEmptyStringValueParser::new())]
    kind: String,

    #[command(flatten)]
    job: JobArgs,

    #[command(flatten)]
    reply: Reply,

    #[command(flatten)]
    policies: Policies,

    #[command(flatten)]
    flow: Flow,

    #[command(flatten)]
    patience: Patience,

    #[command(flatten)]
    durable: Durable,
}

fn after_help() -> String {
    let codes = Exit::ALL.into_iter().filter(|exit| !matches!(exit, Exit::NoHandler | Exit::CannotCreate));
    let text = EXAMPLES.replace("{FLOW}", flow::HELP);
    format!("{text}\n{}", Exit::table(&codes.collect::<Vec<_>>()))
}

const EXAMPLES: &str = "\
It prints what the handler wrote, byte for byte. Of a failed job nothing is on stdout; why it failed is on \
stderr. If it times out or is interrupted, the job goes on: its id, and the command that waits for it, are on stderr.

{FLOW}

Examples:
  producer call /srv/drop --type add --data '[1, 2]'
  producer call /srv/drop --type ocr --file scan.png --timeout 30s > scan.txt
  producer call /srv/drop --type thumbnails --attach *.jpg --files thumbnails
";

pub(super) fn run(args: CallArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = args.durable.open(&args.drop)?;
    args.policies.check()?;
    let bytes = args.job.attachments.size()?;
    let source = args.job.file.clone();
    let job = args.flow.of(args.policies.of(args.reply.of(args.job.into_submission(args.kind)?)));
    let submitted = Arc::new(Mutex::new(None::<Id>));
    say_the_id_when_stopped(&submitted, folder.path().to_owned(), *voice)?;
    let prepared = attach::prepare(&folder, job, bytes, voice);
    let prepared = prepared.map_err(|e| job::refused(e, source.as_deref()))?;
    let since = Instant::now();
    let id = {
        // A signal waits until it is known what became of the job.
        let mut submitted = submitted.lock().unwrap_or_else(PoisonError::into_inner);
        submitted.insert(job::publish(&folder, prepared, voice)?).clone()
    };
    let answer =
        wait::print_outcomes(&folder, std::slice::from_ref(&id), &args.patience, since, voice, false);
    answer.map_err(|failure| match failure {
        // It names the command already.
        Failure { exit: Exit::TimedOut, .. } => failure,
        // Whoever closed the pipe wants to hear nothing.
        Failure { message: None, .. } => failure,
        Failure { exit, message: Some(why) } => {
            let command = wait::wait_command(folder.path(), id.as_str());
            Failure::new(
                exit,
                format_args!("{why}; the job is submitted, ask for its outcome with: {command}"),
            )
        }
    })
}

fn say_the_id_when_stopped(
    submitted: &Arc<Mutex<Option<Id>>>,
    drop: PathBuf,
    voice: Voice,
) -> Result<(), Failure> {
    let submitted = Arc::clone(submitted);
    signals::listen(move |signal| {
        let submitted = submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let by = signal.name();
        match &*submitted {
            Some(id) => {
                let command = wait::wait_command(&drop, id.as_str());
                voice.error(format_args!(
                    "stopped by {by}; the job goes on, ask for its outcome with: {command}"
                ));
            }
            None => voice.error(format_args!("stopped by {by}; nothing is submitted")),
        }
        process::exit(i32::from(signal.exit().code()));
    })
}
