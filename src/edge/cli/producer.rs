//! The command line of `producer`.

use clap::{Parser, Subcommand};

use super::exit::{Exit, Failure};
use super::output::Voice;
use super::{Loudness, Program, call, collect, intake, publish, slips, submit, wait};

/// Submit jobs to a drop folder, and fetch their outcomes
#[derive(Debug, Parser)]
#[command(name = "producer", version, max_term_width = 100, after_help = after_help())]
pub(super) struct Producer {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    loudness: Loudness,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Submit a job, or a batch of them, and print the ids
    Submit(submit::SubmitArgs),
    /// Submit a job, block until it is handled, and print its outcome
    Call(call::CallArgs),
    /// Publish an event, or a batch of them, for all who subscribed to its topic
    Publish(publish::PublishArgs),
    /// Wait for jobs that were submitted before, and print their outcomes
    Wait(wait::WaitArgs),
    /// Take the outcomes for a Return Address, each once: print them, hand them to a command, or deliver them as files
    Collect(collect::CollectArgs),
    /// Take the files that somebody puts into a folder of theirs, and submit them as jobs
    Intake(intake::IntakeArgs),
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&Exit::ALL))
}

const EXAMPLES: &str = "\
Examples:
  producer submit /srv/drop --type resize --file photo.jpg
  producer wait /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77 --timeout 30s
  producer call /srv/drop --type add --data '[1, 2]'
  producer publish /srv/drop --topic orders.created --data '{\"order\": 4711}'
  producer intake /srv/drop --from /srv/sftp/acme/incoming --reply-to acme
  producer collect /srv/drop --as acme --to /srv/sftp/acme/outgoing
  producer submit /srv/drop --type invoice --reply-to billing --data '{\"order\": 4711}'
  producer collect /srv/drop --as billing --follow -- ./paid
";

impl Program for Producer {
    const NAME: &'static str = "producer";
    /// What handlers write to stderr is shown, as by a consumer.
    const LOGS: &'static str = "warn,filedrop::actors::handler=info";

    fn loudness(&self) -> &Loudness {
        &self.loudness
    }

    fn explain(wrong: clap::Error) -> clap::Error {
        slips::explain(wrong)
    }

    fn run(self, voice: &Voice) -> Result<Exit, Failure> {
        match self.command {
            Command::Submit(args) => submit::run(args, voice),
            Command::Call(args) => call::run(args, voice),
            Command::Publish(args) => publish::run(args, voice),
            Command::Wait(args) => wait::run(&args, voice),
            Command::Collect(args) => collect::run(args, voice),
            Command::Intake(args) => intake::run(args, voice),
        }
    }
}
