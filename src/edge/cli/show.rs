//! `filedrop show`: where a job is and what became of it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::status::LOOK_CODES;
use super::story::Page;
use super::{explain, output, story};
use crate::{DropFolder, Id, Story};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct ShowArgs {
    /// The drop folder
    drop: PathBuf,

    /// The job's id
    id: Id,

    /// Print one JSON object: what is known of the job, its `places`, its `attempts`, the numbers of
    /// those that `vanished` without a record, and its `outcome` (an envelope, or null)
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let mut codes = LOOK_CODES.to_vec();
    codes.insert(1, Exit::Failed);
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
It tells where the job is, what it asked for, the cause, flow and trace that it belongs to, its attempts, its outcome, and whether that waits at a \
Return Address or was collected. Of an event it tells what has become of it in each group; for the rest: filedrop show DROP/subscribers/GROUP ID.

There is no list of the jobs of a flow; to find them is to read all envelopes, which grep does: correlationid is the id of the job that began it, or the \
one that was given.

Examples:
  filedrop show /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
  grep -rlE '\"correlationid\": ?\"0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77\"' /srv/drop
";

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let ShowArgs { drop, id, json } = args;
    let folder = super::open(drop)?;
    // The outcomes at a Return Address are those of jobs in the drop folder that it is in.
    let home = folder.home_of_address()?;
    let drop = home.as_ref().map_or(drop.as_path(), DropFolder::path);
    let folder = home.as_ref().unwrap_or(&folder);
    let Some(story) = folder.story(id)? else {
        let why = format!("no job with this id is in {}: {id}", drop.display());
        return Err(Failure::new(Exit::Failed, why));
    };
    if *json {
        output::json_line(&story::as_json(&story))?;
    } else {
        let left = left_by_its_consumer(&story, folder, drop);
        output::data(|out| {
            story::in_words(&story, drop, out)?;
            let (why, next) = left.as_ref().map_or(("", ""), |(why, next)| (*why, &**next));
            Page(out).line("consumer", why)?;
            Page(out).line("next", next)
        })?;
    }
    Ok(Exit::Done)
}

/// Why a job that is claimed may not go on by itself, and who goes on with it. A look that fails says nothing: the story is known.
fn left_by_its_consumer(story: &Story, folder: &DropFolder, drop: &Path) -> Option<(&'static str, String)> {
    let claim =
        story.places.iter().find(|place| place.room == "claimed").filter(|_| story.outcome.is_none())?;
    let (why, next) = explain::of_claim(claim, &folder.explain().ok()?, drop);
    // Of a consumer that lives there is nothing to say.
    Some((why, next)).filter(|(_, next)| !next.is_empty())
}
