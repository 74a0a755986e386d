//! The command line of `filedrop`, the operator's tool.

use clap::{Parser, Subcommand};

use super::exit::{Exit, Failure};
use super::output::Voice;
use super::{Loudness, Program, dead, doctor, explain, gc, init, show, slips, status, topics};

/// Make drop folders, and look after them
#[derive(Debug, Parser)]
#[command(name = "filedrop", version, max_term_width = 100, after_help = after_help())]
pub(super) struct Filedrop {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    loudness: Loudness,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a drop folder
    Init(init::InitArgs),
    /// Say how many jobs lie where, and who is at work
    Status(status::StatusArgs),
    /// Say where a job is, and what became of it
    Show(show::ShowArgs),
    /// Say why what lies in the inbox is not taken yet
    Explain(explain::ExplainArgs),
    /// Say who subscribed to which topics, and change that
    Topics(topics::TopicsArgs),
    /// Look at dead letters, submit them again, or remove them
    Dead(dead::DeadArgs),
    /// Remove what was kept long enough
    Gc(gc::GcArgs),
    /// Try out what a folder can do, and say what is at risk there
    Doctor(doctor::DoctorArgs),
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&Exit::ALL))
}

const EXAMPLES: &str = "\
Examples:
  filedrop init /srv/drop
  filedrop status /srv/drop
  filedrop show /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
  filedrop explain /srv/drop orders.csv
  filedrop topics /srv/drop
  filedrop dead list /srv/drop
  filedrop gc /srv/drop --dry-run
  filedrop doctor /srv/drop
";

impl Program for Filedrop {
    const NAME: &'static str = "filedrop";
    const LOGS: &'static str = "warn";

    fn loudness(&self) -> &Loudness {
        &self.loudness
    }

    fn explain(wrong: clap::Error) -> clap::Error {
        slips::explain(wrong)
    }

    fn run(self, voice: &Voice) -> Result<Exit, Failure> {
        match self.command {
            Command::Init(args) => init::run(&args, voice),
            Command::Status(args) => status::run(&args),
            Command::Show(args) => show::run(&args),
            Command::Explain(args) => explain::run(&args, voice),
            Command::Topics(args) => topics::run(args, voice),
            Command::Dead(args) => dead::run(&args, voice),
            Command::Gc(args) => gc::run(&args, voice),
            Command::Doctor(args) => doctor::run(&args, voice),
        }
    }
}
