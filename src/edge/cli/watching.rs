//! How to learn of changes: `--watch` and `--poll-interval`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::{DropFolder, WatchMode};

#[derive(Debug, Args)]
pub(super) struct Watching {
    /// How to learn of changes: auto is by notifications where the file system gives them, else by polling
    #[arg(long, value_enum, value_name = "HOW", default_value_t = How::Auto)]
    watch: How,

    /// How often to look where there are no notifications (1ms or more)
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::some, default_value = "1s")]
    poll_interval: Duration,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    Auto,
    Notify,
    Poll,
}

impl Watching {
    pub(super) fn of(&self, folder: DropFolder) -> DropFolder {
        let mode = match self.watch {
            How::Auto => WatchMode::Auto,
            How::Notify => WatchMode::Notify,
            How::Poll => WatchMode::Poll,
        };
        folder.with_watch(mode, self.poll_interval)
    }
}
