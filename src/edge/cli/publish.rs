//! `producer publish`: an event, or a batch of them.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::batch;
use super::durable::Durable;
use super::exit::{Exit, Failure};
use super::flow::{self, Flow};
use super::job::JobArgs;
use super::output::Voice;
use super::policies::Policies;
use super::submit::SUBMIT_CODES;
use crate::{Submission, Topic};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct PublishArgs {
    /// The drop folder
    drop: PathBuf,

    /// What it is about: tokens of A-Z a-z 0-9 _ - with dots between them, as orders.created
    #[arg(long, value_name = "TOPIC")]
    topic: Topic,

    /// Its event type; handlers see it as FILEDROP_TYPE [default: the topic]
    #[arg(long = "type", value_name = "TYPE", value_parser = NonEmptyStringValueParser::new())]
    kind: Option<String>,

    #[command(flatten)]
    job: JobArgs,

    /// Publish an event for each line of this file of JSON lines; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "file", "id", "attach", "move_in", "link"])]
    batch: Option<PathBuf>,

    #[command(flatten)]
    policies: Policies,

    #[command(flatten)]
    flow: Flow,

    #[command(flatten)]
    durable: Durable,
}

fn after_help() -> String {
    format!("{}\n{}", EXAMPLES.replace("{FLOW}", flow::HELP), Exit::table(&SUBMIT_CODES))
}

const EXAMPLES: &str = "\
Each group that subscribed to the topic before (`consumer subscribe`, `filedrop topics`) gets the event as a job of its own, \
whether it is up now or not. The event's id is printed when that is durable. If nobody subscribed, nobody gets it; that is no error (-v says so). \
To publish again under an --id that was given before changes nothing, as with `producer submit`.

{FLOW}

Examples:
  producer publish /srv/drop --topic orders.created --data '{\"order\": 4711}'
  producer publish /srv/drop --topic scans.incoming --attach scan.tif
  producer publish /srv/drop --topic prices.changed --batch prices.ndjson
";

pub(super) fn run(args: PublishArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = args.durable.open(&args.drop)?;
    args.policies.check()?;
    // To look costs a listing, which is only worth it where somebody reads of it.
    if tracing::enabled!(tracing::Level::DEBUG) {
        let asked = folder.groups()?;
        if !asked.iter().any(|group| group.subscription.matches(&args.topic)) {
            tracing::debug!(topic = %args.topic, "no group asked for this topic: nobody gets the event");
        }
    }
    let event = Submission::event(args.topic);
    let event = args.flow.of(args.policies.of(match args.kind {
        Some(kind) => event.kind(kind),
        None => event,
    }));
    let Some(file) = &args.batch else {
        return args.job.submit(&folder, event, voice);
    };
    batch::submit_data(&folder, file, event, args.job.subject, voice)
}
