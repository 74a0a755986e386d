//! Which files of strangers are taken, and when: for whoever watches a folder of theirs.

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::Result;
use crate::words::{Customs, Selection};

#[derive(Debug, Args)]
pub(super) struct Strangers {
    /// How long a dropped file has to be left alone, if nothing else tells that it is complete
    #[arg(long, value_name = "D", value_parser = duration::any, default_value = "2s")]
    pub(super) quiet_period: Duration,

    /// Leave files alone whose names match, too: *, ?, [..] and {a,b}; those of files that are still being written are always left (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = ignorable)]
    ignore: Vec<String>,

    /// Take a file only when there is one beside it with this suffix, such as .done or .sha256 (repeatable: any of them)
    #[arg(long, value_name = "SUFFIX", value_parser = marker)]
    marker: Vec<String>,
}

impl Strangers {
    pub(super) fn customs(&self) -> Result<Customs> {
        Customs::new(&self.ignore, &self.marker)
    }
}

/// A pattern of names.
fn ignorable(text: &str) -> Result<String, String> {
    let given = text.to_owned();
    Customs::new(std::slice::from_ref(&given), &[]).map(|_| given).map_err(|e| e.to_string())
}

/// A suffix of markers.
pub(super) fn marker(text: &str) -> Result<String, String> {
    let given = text.to_owned();
    Customs::new(&[], std::slice::from_ref(&given)).map(|_| given).map_err(|e| e.to_string())
}

/// A pattern of names or paths.
pub(super) fn pattern(text: &str) -> Result<String, String> {
    let given = text.to_owned();
    Selection::new(std::slice::from_ref(&given)).map(|_| given).map_err(|e| e.to_string())
}
