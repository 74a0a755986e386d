//! `filedrop dead show`: the story of one dead letter.

use std::path::PathBuf;

use clap::Args;

use crate::Id;
use crate::edge::cli::exit::{Exit, Failure};
use crate::edge::cli::status::LOOK_CODES;
use crate::edge::cli::{output, story};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct ShowArgs {
    /// The drop folder
    drop: PathBuf,

    /// The dead letter's id
    id: Id,

    /// Print one JSON object, as `filedrop show --json`
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let mut codes = LOOK_CODES.to_vec();
    codes.insert(1, Exit::Failed);
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
The same as `filedrop show`, but only of a job that is a dead letter, was one until it was redriven, or is invalid.

Examples:
  filedrop dead show /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
";

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let ShowArgs { drop, id, json } = args;
    let folder = crate::edge::cli::open(drop)?;
    let story = match folder.dead_letter(id)? {
        Some(_) => folder.story(id)?,
        // It was one.
        None => folder.story(id)?.filter(|story| story.redriven_as.is_some()),
    };
    let Some(story) = story else {
        let why = format!("no dead letter in {} has this id: {id}", drop.display());
        return Err(Failure::new(Exit::Failed, why));
    };
    if *json {
        output::json_line(&story::as_json(&story))?;
    } else {
        output::data(|out| story::in_words(&story, drop, out))?;
    }
    Ok(Exit::Done)
}
