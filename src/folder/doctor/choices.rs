//! What filedrop does in a folder, where it has a choice.

use serde::Serialize;

use super::Tried;
use crate::ports::{Chosen, WatchMode};

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// For what.
    pub what: &'static str,
    /// What, in a word.
    pub how: &'static str,
    /// What that means, for people.
    pub says: String,
}

pub(super) fn of(found: &Tried, watching: &Chosen) -> Vec<Choice> {
    let choice = |what, how, says: &str| Choice { what, how, says: says.to_owned() };
    let watch = match watching.mode {
        WatchMode::Notify => {
            ("notifications", "programs are told of what comes: the kernel's notifications work here")
        }
        // What was chosen is one of the two.
        WatchMode::Poll | WatchMode::Auto => ("polling", "programs look every --poll-interval (1s)"),
    };
    let presence = match found.locks.trusted {
        true => choice("presence", "lock", "a consumer that is killed is noticed at once, by its lock"),
        false => choice(
            "presence",
            "lease",
            "a consumer that is killed is noticed after its --lease (30s): no lock is trusted here",
        ),
    };
    let drafts = match found.names.unnamed_files.works {
        true => choice("drafts", "unnamed", "a file gets its first name when it is complete (O_TMPFILE)"),
        false => choice("drafts", "named", "a file is written in tmp/ first, and then gets its name"),
    };
    let moves = match found.names.rename_replaces_nothing.works {
        true => choice("moves", "rename", "files of others are moved by a rename that replaces nothing"),
        false => choice("moves", "link", "files of others are moved in three steps: link, flush, unlink"),
    };
    let writers = match found.locks.writers_told.works {
        true => {
            choice("writers", "kernel", "the kernel is asked whether a dropped file is still being written")
        }
        false => choice(
            "writers",
            "quiet",
            "whether a dropped file is still being written only --quiet-period (2s) or a marker can tell",
        ),
    };
    let watch = Choice { what: "watch", how: watch.0, says: format!("{} ({})", watch.1, watching.why) };
    vec![watch, presence, drafts, moves, writers]
}
