//! Which files of strangers are taken, and when: for whoever watches a folder of theirs.

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::Result;
use crate::words::Customs;

#[derive(Debug, Args)]
pub(super) struct Strangers {
    /// How long a dropped file has to be left alone, if nothing else tells that it is complete
    #[arg(long, value_name = "D", value_parser = duration::any, default_value = "2s")]
    pub(super) quiet_period: Duration,

    /// Leave files alone whose names match, too: *, ? and [..]; those of files that are still being written are always left (repeatable)
    #[arg(long, value_name = "GLOB")]
    ignore: Vec<String>,

    /// Take a file only when there is one beside it with this suffix, such as .done or .sha256 (repeatable: any of them)
    #[arg(long, value_name = "SUFFIX")]
    marker: Vec<String>,
}

impl Strangers {
    pub(super) fn customs(&self) -> Result<Customs> {
        Customs::new(&self.ignore, &self.marker)
    }
}
