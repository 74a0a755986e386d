//! `filedrop init`: make a drop folder.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Voice;
use super::{duration, group};
use crate::{DropFolder, InitOptions};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct InitArgs {
    /// The folder; it is made if it is not there, and so are those above it
    drop: PathBuf,

    /// Let all users of this group (its name or number) produce and consume here, whatever their umask, and nobody else
    #[arg(long, value_name = "GROUP", value_parser = group::number)]
    shared: Option<u32>,

    /// How long settled jobs and their outcomes are kept at least (whole seconds) [default: 7d]
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = keep)]
    keep: Option<Duration>,
}

fn keep(text: &str) -> Result<Duration, String> {
    match duration::any(text)? {
        keep if keep.subsec_nanos() == 0 && !keep.is_zero() => Ok(keep),
        _ => Err("jobs are kept for whole seconds, at least 1s".to_owned()),
    }
}

fn after_help() -> String {
    let codes = [Exit::Done, Exit::Usage, Exit::CannotCreate, Exit::Unsupported];
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
What is there already stays as it is: to init again is harmless, and mends an init that was interrupted. Only `--shared` \
changes a folder that is there, with all that is its own in it; programs that have it open should be started anew then. \
Files whose names are none of a drop folder's, and hard links to files elsewhere (`--link`), stay as they are, and stderr names \
them. How long \
jobs are kept is in its filedrop.json (`keep_seconds`), for people to edit.

Examples:
  filedrop init /srv/drop
  filedrop init /srv/drop --shared staff --keep 30d
";

pub(super) fn run(args: &InitArgs, voice: &Voice) -> Result<Exit, Failure> {
    let mut options = InitOptions::new();
    if let Some(gid) = args.shared {
        options = options.shared(gid);
    }
    if let Some(keep) = args.keep {
        options = options.keep(keep);
    }
    let (folder, shared) =
        DropFolder::init_and_tell(&args.drop, &options).map_err(|e| match Exit::of(&e) {
            Exit::Unsupported => e.into(),
            _ => Failure::new(Exit::CannotCreate, e),
        })?;
    voice.note(format_args!("{} is a drop folder", folder.path().display()));
    if let Some(shared) = shared {
        voice.note(shared);
    }
    Ok(Exit::Done)
}
