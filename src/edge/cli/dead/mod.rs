//! `filedrop dead`: look at dead letters, submit them again, or remove them.

mod act;
mod list;
mod pace;
mod select;
mod show;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::output::Voice;

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct DeadArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters and invalid jobs
    List(list::ListArgs),
    /// Tell all that is known of one
    Show(show::ShowArgs),
    /// Submit dead letters again, as new jobs
    Redrive(act::RedriveArgs),
    /// Remove dead letters and invalid jobs for good
    Purge(act::PurgeArgs),
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", act::exit_codes())
}

const EXAMPLES: &str = "\
A job that failed for good, or expired, lies in dead/; one that nobody could read in invalid/; each beside its reason. There \
they stay until somebody redrives or purges them.

Examples:
  filedrop dead list /srv/drop
  filedrop dead show /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
  filedrop dead redrive /srv/drop --reason timeout --rate 10/s
  filedrop dead purge /srv/drop --reason expired
";

pub(super) fn run(args: &DeadArgs, voice: &Voice) -> Result<Exit, Failure> {
    match &args.command {
        Command::List(args) => list::run(args, voice),
        Command::Show(args) => show::run(args),
        Command::Redrive(args) => act::redrive(args, voice),
        Command::Purge(args) => act::purge(args, voice),
    }
}
