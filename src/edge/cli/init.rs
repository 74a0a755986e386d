//! `filedrop init`: make a drop folder.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Voice;
use crate::{DropFolder, ErrorKind};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct InitArgs {
    /// The folder; it is made if it is not there, and so are those above it
    drop: PathBuf,
}

fn after_help() -> String {
    let codes = [Exit::Done, Exit::Usage, Exit::CannotCreate, Exit::Unsupported];
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
What is there already stays as it is: to init again is harmless, and mends an init that was interrupted.

Examples:
  filedrop init /srv/drop
";

pub(super) fn run(args: &InitArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = DropFolder::init(&args.drop).map_err(|e| match e.kind() {
        ErrorKind::Io | ErrorKind::NotFound => Failure::new(Exit::CannotCreate, e),
        _ => e.into(),
    })?;
    voice.note(format_args!("{} is a drop folder", folder.path().display()));
    Ok(Exit::Done)
}
