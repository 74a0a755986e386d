//! `filedrop doctor`: what a folder can do, what filedrop chooses there, and what is at risk.

mod table;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::{self, Voice};
use super::{duration, signals};
use crate::DropFolder;

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct DoctorArgs {
    /// The folder: a drop folder, or one that may become one
    drop: PathBuf,

    /// Also find another `filedrop doctor --peer` in this folder, best on another machine, and try out what one sees of the other
    #[arg(long)]
    peer: bool,

    /// How long the other one may take to come, and for each of its answers (1ms or more)
    #[arg(long, value_name = "D", requires = "peer", allow_hyphen_values = true, value_parser = duration::some, default_value = "60s")]
    within: Duration,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let codes = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::NoInput,
        Exit::Io,
        Exit::Unsupported,
        Exit::TimedOut,
        Exit::Interrupted,
        Exit::ClosedPipe,
        Exit::Terminated,
    ];
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
All of this is tried out, which takes some seconds: whether names are replaced at once, hard links, files without a name, flushes and \
what they cost, notifications and how soon they come, locks, who tells of writers, times of files. What filedrop chooses is found \
out by what its programs ask when they start. Whether a disk keeps what it says that it has flushed, nobody can try out so; where \
power was cut again and again, and nothing was lost, is known: on ext4 with a journal, and on xfs.

`RISK` says that a promise does not hold there, as that a job survives a power cut: then the exit code is 1. `note` is what \
costs time, or is good to know. On a disk that is read-only, full, or too full to try anything, that is the first of what is told, and the exit \
code is 74. Of a drop folder each folder in it is looked at, too: whether it is there, on the same file system, and open to \
the user of this program; so run it as the one that consumers run as.

What it makes lies in one folder (.*.probe, in tmp/ of a drop folder) and is removed again, also on SIGINT and SIGTERM. What one that was \
killed has left goes a day later, as drafts do. Consumers never see it.

With --peer two runs find each other in the folder; each waits for the other. They compare clocks, and try how long a name takes to \
appear, whether notifications and locks reach the other, and whether each of 100 names and files goes to exactly one of them. On \
a folder that is shared by machines (NFS, FUSE …) only that tells what one machine sees of the other.

Examples:
  filedrop doctor /srv/drop
  filedrop doctor /srv/drop --json | jq '.risks[] | select(.breaks_promise)'
  filedrop doctor /mnt/drop --peer                     # on both machines
";

pub(super) fn run(args: &DoctorArgs, voice: &Voice) -> Result<Exit, Failure> {
    let mut doctor = DropFolder::doctor(&args.drop)?;
    if args.peer {
        doctor = doctor.peer(args.within);
        voice.note("waiting for another `filedrop doctor --peer` in this folder");
    }
    let (stopper, stopped) = (doctor.stopper(), Arc::new(OnceLock::new()));
    let by = stopped.clone();
    signals::listen(move |signal| {
        by.get_or_init(|| signal);
        stopper.stop();
    })?;
    let diagnosis = match (doctor.examine(), stopped.get()) {
        (Err(_), Some(signal)) => {
            return Err(Failure::new(signal.exit(), format_args!("stopped by {}", signal.name())));
        }
        (diagnosis, _) => diagnosis?,
    };
    if args.json {
        output::json_line(&diagnosis)?;
    } else {
        output::data(|out| table::print(&diagnosis, out))?;
    }
    Ok(match diagnosis.tried {
        None => Exit::Io,
        Some(_) if diagnosis.is_sound() => Exit::Done,
        Some(_) => Exit::Failed,
    })
}
