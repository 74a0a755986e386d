//! `producer intake`: files that somebody puts into a folder of theirs become jobs.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::output::Voice;
use super::strangers::{marker, pattern};
use super::watching::Watching;
use super::{duration, signals};
use crate::words::{Customs, Selection};
use crate::{ErrorKind, Id, JobRule, ManifestRule, Priority, TakenIn};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct IntakeArgs {
    /// The drop folder
    drop: PathBuf,

    /// The folder to take files from; it is no drop folder
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// The type of the jobs [default: file.<extension>; of several files: files]
    #[arg(long = "type", value_name = "TYPE", value_parser = NonEmptyStringValueParser::new())]
    kind: Option<String>,

    /// The Return Address that outcomes are delivered to (see `producer collect`)
    #[arg(long, value_name = "ADDRESS")]
    reply_to: Option<Id>,

    /// 0 is handled first, 9 last
    #[arg(long, value_name = "N", default_value = "5")]
    priority: Priority,

    /// Take only files that match: *, ?, [..] and {a,b}; with a slash in it, it is about the path in DIR (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = pattern)]
    include: Vec<String>,

    /// Leave files alone that match, likewise (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = pattern)]
    exclude: Vec<String>,

    /// Take files in folders below DIR, too; a job's subject is the path in DIR
    #[arg(long)]
    keep_tree: bool,

    /// Take files only in groups: those that a manifest names are one job
    #[arg(long, value_enum, value_name = "WHAT", requires = "manifest")]
    group_by: Option<GroupBy>,

    /// With --group-by manifest: which files are manifests (repeatable)
    #[arg(long, value_name = "GLOB", requires = "group_by", value_parser = pattern)]
    manifest: Vec<String>,

    /// With --group-by manifest: how long after its own last change a manifest is rejected if its files are not all there, and right
    #[arg(long, value_name = "D", requires = "group_by", value_parser = duration::some, default_value = "1d")]
    manifest_timeout: Duration,

    /// How long a file has to be left alone, if nothing else tells that it is complete
    #[arg(long, value_name = "D", value_parser = duration::any, default_value = "2s")]
    quiet_period: Duration,

    /// Take a file only when there is one beside it with this suffix, such as .done or .sha256 (repeatable: any of them)
    #[arg(long, value_name = "SUFFIX", value_parser = marker)]
    marker: Vec<String>,

    /// Write receipts into this folder: x.csv.accepted, x.csv.rejected, x.csv.done
    #[arg(long, value_name = "DIR")]
    receipts: Option<PathBuf>,

    /// Take what is complete, then exit; otherwise go on until stopped
    #[arg(long)]
    once: bool,

    /// The file that gets a line of JSON for each file that was taken [default: intake.log in the drop folder]
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,

    #[command(flatten)]
    watching: Watching,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GroupBy {
    Manifest,
}

fn after_help() -> String {
    let codes =
        [Exit::Done, Exit::Usage, Exit::BadData, Exit::NoInput, Exit::Io, Exit::Uncertain, Exit::Unsupported];
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
A file is taken when it is complete: renamed or linked into place; or with a marker beside it (x.csv.done, x.csv.sha256, which is \
verified); or left alone for --quiet-period with nobody having it open. Names that begin with a dot, and those that transfer tools \
and editors give to files while they write them, are left. Its handler gets it on stdin and as FILEDROP_PAYLOAD. Markers go with the file.

What is taken lies in DIR/.filedrop/ until its job is durable. If the intake is killed, the next one goes on there, and each file is one \
job. On the drop folder's own file system files are moved; from another one they are copied, flushed, read back and compared, and \
only then removed. One intake at a time works on a folder: another one ends with 75, and with --once and -q it \
says nothing.

A manifest is JSON ({\"files\":[{\"name\":\"a.csv\",\"size\":3,\"sha256\":\"...\"}]}), CSV with a header (name,size,sha256), or what sha256sum \
writes, in UTF-8. The job has all its files, the manifest too, in the folder FILEDROP_PAYLOAD, and a list of them on stdin. A manifest that is \
none, or whose files do not come in time, is rejected: it is moved to DIR/.filedrop/rejected/, its files stay for the next manifest. \
Files that no manifest names stay.

A name with control characters, or that is no UTF-8, is percent-encoded in a job's subject, in the list on stdin and in the audit \
(new%0Aline.csv; see `filedrop explain --help`). Files, and the names of receipts, have it as it is.

A receipt is about the newest file of its name, and replaces those of earlier ones: .accepted when the job is durable, with the checksums; \
.done when it succeeded; .rejected when it failed, or the manifest was rejected, with the reason as text. What became of a job is told by an intake that runs \
then: with --once, by the next one.

Examples:
  producer intake /srv/drop --from /srv/sftp/acme/incoming --include '*.csv' --reply-to acme
  producer intake /srv/drop --from /srv/scans --keep-tree --type scan --quiet-period 10s
  producer intake /srv/drop --from /srv/sftp/acme/incoming --group-by manifest --manifest '*.manifest.json' \
--receipts /srv/sftp/acme/receipts
";

pub(super) fn run(args: IntakeArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = args.watching.of(super::open(&args.drop)?);
    let rule = args.group_by.map(|GroupBy::Manifest| -> crate::Result<_> {
        Ok(ManifestRule { names: Selection::new(&args.manifest)?, patience: args.manifest_timeout })
    });
    let jobs =
        JobRule { kind: args.kind, reply_to: args.reply_to, priority: args.priority, source: String::new() };
    let mut intake = folder
        .intake(&args.from)?
        .once(args.once)
        .select(Selection::new(&args.include)?, Selection::new(&args.exclude)?)
        .customs(Customs::new(&[], &args.marker)?)
        .quiet_period(args.quiet_period)
        .keep_tree(args.keep_tree)
        .manifests(rule.transpose()?)
        .jobs(jobs);
    if let Some(file) = args.audit {
        intake = intake.audit(file);
    }
    if let Some(dir) = args.receipts {
        intake = intake.receipts(dir)?;
    }
    let stopper = intake.stopper();
    signals::listen(move |signal| {
        tracing::info!("{}: stopping", signal.name());
        stopper.stop();
    })?;
    let TakenIn { jobs, files, rejected } = match intake.run() {
        // For cron, whose runs overlap: the other one does the work, and nobody need hear of it.
        Err(e) if args.once && e.kind() == ErrorKind::Busy => {
            voice.note(e);
            return Ok(Exit::Uncertain);
        }
        answer => answer?,
    };
    tracing::info!(jobs, files, rejected, "done");
    Ok(Exit::Done)
}
