//! `producer submit`: one job, or a batch of them.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::batch;
use super::durable::Durable;
use super::exit::{Exit, Failure};
use super::flow::{self, Flow};
use super::job::{JobArgs, Reply};
use super::output::Voice;
use super::policies::Policies;
use crate::Submission;

#[derive(Debug, Args)]
#[command(override_usage = USAGE, after_help = after_help())]
pub(super) struct SubmitArgs {
    /// The drop folder
    drop: PathBuf,

    /// What kind of job it is; handlers see it as FILEDROP_TYPE
    #[arg(long = "type", value_name = "TYPE", value_parser = NonEmptyStringValueParser::new(), required_unless_present = "envelopes")]
    kind: Option<String>,

    #[command(flatten)]
    job: JobArgs,

    #[command(flatten)]
    reply: Reply,

    /// Submit a job for each line of this file of JSON lines; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "file", "id", "attach", "move_in", "link"])]
    batch: Option<PathBuf>,

    /// Each line of the batch is a whole envelope (CloudEvents) that says all about its job
    #[arg(long, requires = "batch", conflicts_with_all = ["kind", "subject", "reply_to", "priority", "delay", "at", "expires", "max_attempts", "correlation_id", "causation_id", "trace_parent"])]
    envelopes: bool,

    #[command(flatten)]
    policies: Policies,

    #[command(flatten)]
    flow: Flow,

    #[command(flatten)]
    durable: Durable,
}

const USAGE: &str = "\
producer submit [OPTIONS] --type <TYPE> <DROP>
       producer submit [OPTIONS] --batch <FILE> --envelopes <DROP>";

/// How whoever submits ends.
pub(super) const SUBMIT_CODES: [Exit; 10] = [
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

fn after_help() -> String {
    format!("{}\n{}", EXAMPLES.replace("{FLOW}", flow::HELP), Exit::table(&SUBMIT_CODES))
}

const EXAMPLES: &str = "\
The job's id is printed when the job is durable. With neither --data, --file nor --batch the job has no data. An id that \
is given with --id, and was given before, is printed too: the first job counts, whatever has become of it, as long as the \
folder keeps it. So a submission whose end is not known can be repeated.

With --batch a line is one job's data, passed on exactly as it is; ids are printed one a line, in the order of the input. \
A byte-order mark, CRLF and blank lines are allowed. A line that is no JSON is reported on stderr with its number; the \
others are submitted, and the exit code is 65. With --envelopes a line is a whole event: what is in it is kept but its \
`time`; its `id`, if it has one, is given; and what its attributes priority, notbefore, expirytime, maxattempts, replyto and \
correlationid ask for is done.

{FLOW}

Files of any size travel with a job beside its envelope: each under its own name, two of one name are refused, and so is what is \
no regular file (--attach follows a symbolic link, --move and --link refuse it). --attach shares blocks where the file system can. \
--move is quick on the drop folder's own file system, and copies elsewhere; if anything fails the file stays. Name DROP first: \
these options take as many files as follow.

Examples:
  producer submit /srv/drop --type order.created --data '{\"order\": 4711}'
  producer submit /srv/drop --type resize --file photo.jpg
  producer submit /srv/drop --type invoice --id invoice-4711 --delay 2h --expires 7d
  producer submit /srv/drop --type transcode --move take1.mov take2.mov
  producer submit /srv/drop --type invoice --reply-to billing --data '{\"order\": 4711}'
  mysqldump shop | producer submit /srv/drop --type backup --subject shop --file -
  producer submit /srv/drop --type order.created --batch orders.ndjson > ids
";

pub(super) fn run(args: SubmitArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = args.durable.open(&args.drop)?;
    args.policies.check()?;
    if let (Some(file), true) = (&args.batch, args.envelopes) {
        let cause = flow::of_environment();
        let event = |line: Vec<u8>| Ok(Submission::from_event(&line)?.caused_by(cause.clone()));
        return batch::submit(&folder, file, &event, voice);
    }
    let job = args.reply.of(Submission::new(args.kind.unwrap_or_default()));
    let job = args.flow.of(args.policies.of(job));
    match &args.batch {
        None => args.job.submit(&folder, job, voice),
        Some(file) => batch::submit_data(&folder, file, job, args.job.subject, voice),
    }
}
