//! The command line of `consumer`.

use clap::{Parser, Subcommand};

use super::exit::{Exit, Failure};
use super::output::Voice;
use super::{Loudness, Program, run, slips, subscribe};

/// Handle the jobs of a drop folder
#[derive(Debug, Parser)]
#[command(name = "consumer", version, max_term_width = 100, after_help = after_help())]
pub(super) struct Consumer {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    loudness: Loudness,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Handle jobs with a command; as many consumers as you like may share a folder
    Run(run::RunArgs),
    /// Handle the events of some topics with a command, as one of a group
    Subscribe(subscribe::SubscribeArgs),
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&Exit::ALL))
}

const EXAMPLES: &str = "\
Examples:
  consumer run /srv/drop --concurrency 4 -- ./resize --width 800
  consumer run /srv/drop --drain -- ./resize --width 800
  consumer subscribe /srv/drop --as billing --topic 'orders.*' -- ./bill
";

impl Program for Consumer {
    const NAME: &'static str = "consumer";
    const LOGS: &'static str = "info";

    fn loudness(&self) -> &Loudness {
        &self.loudness
    }

    fn explain(wrong: clap::Error) -> clap::Error {
        slips::explain(wrong)
    }

    fn run(self, voice: &Voice) -> Result<Exit, Failure> {
        match self.command {
            Command::Run(args) => run::run(args),
            Command::Subscribe(args) => subscribe::run(args, voice),
        }
    }
}
