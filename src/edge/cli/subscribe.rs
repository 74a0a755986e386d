//! `consumer subscribe`: the handler is a command, the jobs are a group's events.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Voice;
use super::run::{self, Work};
use super::{names, topics};
use crate::{Id, Subscription, TopicPattern};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct SubscribeArgs {
    /// The drop folder
    drop: PathBuf,

    /// The group that this consumer is of (1 to 64 of a-z 0-9 _ -): each event is handled by one consumer of each group
    #[arg(long = "as", value_name = "GROUP", value_parser = names::group)]
    group: Id,

    /// Topics to subscribe to: * stands for one token, > at the end for the rest [default: what the group subscribed to before]
    #[arg(long = "topic", value_name = "PATTERN")]
    topics: Vec<TopicPattern>,

    /// Let these topics count instead, if the group subscribed to others before
    #[arg(long, requires = "topics")]
    update: bool,

    #[command(flatten)]
    work: Work,

    /// The handler: a program and its arguments; no shell is involved
    #[arg(last = true, required = true, value_names = ["CMD", "ARGS"])]
    command: Vec<OsString>,
}

fn after_help() -> String {
    let mut codes = run::WORK_CODES.to_vec();
    codes.insert(2, Exit::BadData);
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
The group gets every matching event that is published from now on, also while none of its consumers is up, until it is \
unsubscribed (`filedrop topics DROP remove GROUP`). A subscription can be made before its consumer first runs: `filedrop topics DROP add`. \
If the group had subscribed to other topics before, that is an error that says what would change; --update changes it.

Everything else is as with `consumer run`: the handler's environment (FILEDROP_TOPIC is the topic, FILEDROP_TYPE the event's type, which is the topic \
unless the publisher gave another one; FILEDROP_DROP is DROP), attempts, outcomes, stopping. A group's folder, DROP/subscribers/GROUP, is a drop \
folder: `filedrop status`, `show`, `dead` and `explain` work on it.

Examples:
  consumer subscribe /srv/drop --as billing --topic 'orders.*' -- ./bill
  consumer subscribe /srv/drop --as audit --topic '>' --drain -- ./log-event
";

pub(super) fn run(args: SubscribeArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = args.work.open(&args.drop)?;
    // Before anything is changed: a mistyped command must not leave a group that nobody handles.
    let handler = args.work.handler(args.command)?;
    if !args.topics.is_empty() {
        topics::ask_for(&folder, &args.group, &Subscription::new(args.topics)?, args.update, voice)?;
    } else if folder.groups()?.iter().all(|group| group.name != args.group) {
        let why = format!("there is no group {}; say what it is to get: --topic PATTERN", args.group);
        return Err(Failure::new(Exit::NoInput, why));
    }
    run::work(folder.subscriber(&args.group)?, &folder.group(&args.group)?, &args.work, handler)
}
