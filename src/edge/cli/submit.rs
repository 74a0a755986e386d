//! `producer submit`: one job, or a batch of them.

use std::path::PathBuf;

use clap::Args;

use super::batch;
use super::exit::{Exit, Failure};
use super::job::JobArgs;
use super::output::{self, Voice};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct SubmitArgs {
    /// The drop folder
    drop: PathBuf,

    #[command(flatten)]
    job: JobArgs,

    /// Submit a job for each line of this file of JSON lines; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "file"])]
    batch: Option<PathBuf>,
}

fn after_help() -> String {
    let codes = [
        Exit::Done,
        Exit::Usage,
        Exit::BadData,
        Exit::NoInput,
        Exit::Io,
        Exit::Uncertain,
        Exit::Unsupported,
        Exit::Interrupted,
        Exit::ClosedPipe,
        Exit::Terminated,
    ];
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
The job's id is printed when the job is durable. With neither --data, --file nor --batch the job has no data.

With --batch a line is one job's data, passed on exactly as it is; ids are printed one a line, in the order of the input. \
A byte-order mark, CRLF and blank lines are allowed. A line that is no JSON is reported on stderr with its number; the \
others are submitted, and the exit code is 65.

Examples:
  producer submit /srv/drop --type order.created --data '{\"order\": 4711}'
  producer submit /srv/drop --type resize --file photo.jpg
  mysqldump shop | producer submit /srv/drop --type backup --subject shop --file -
  producer submit /srv/drop --type order.created --batch orders.ndjson > ids
";

pub(super) fn run(args: SubmitArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = super::open(&args.drop)?;
    if let Some(file) = &args.batch {
        let JobArgs { kind, subject, .. } = &args.job;
        return batch::submit(&folder, file, kind, subject.as_deref(), voice);
    }
    let id = folder.submit(args.job.into_submission()?)?;
    output::data(|out| writeln!(out, "{id}"))?;
    Ok(Exit::Done)
}
