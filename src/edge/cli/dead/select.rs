//! Which dead letters are meant.

use std::collections::BTreeSet;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args};

use crate::{Autopsy, DeadLetter, DropFolder, Id, Problem};

/// Which ones; without any of these, all.
#[derive(Debug, Args)]
pub(super) struct Filters {
    /// Ids of dead letters
    id: Vec<Id>,

    /// Only those that died of this; may be given several times
    #[arg(long, value_parser = PossibleValuesParser::new(Problem::REASONS), value_name = "R", value_delimiter = ',')]
    reason: Vec<String>,

    /// Only those of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    kind: Vec<String>,
}

/// Which ones, said expressly: what happens to them is not undone.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["id", "reason", "kind", "all"]).required(true).multiple(true))]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) filters: Filters,

    /// All of them
    #[arg(long, conflicts_with_all = ["id", "reason", "kind"])]
    all: bool,
}

/// What the ids stand for.
pub(super) struct Found {
    /// Still to be filtered by what is in them.
    pub(super) letters: Vec<DeadLetter>,
    /// Ids of no dead letter.
    pub(super) missing: Vec<Id>,
}

impl Filters {
    /// Reads names only.
    pub(super) fn find(&self, folder: &DropFolder) -> crate::Result<Found> {
        let mut letters = folder.dead_letters()?;
        let mut missing: BTreeSet<&Id> = self.id.iter().collect();
        if !missing.is_empty() {
            let asked = missing.clone();
            letters.retain(|letter| asked.contains(&letter.name.id));
            for letter in &letters {
                missing.remove(&letter.name.id);
            }
        }
        Ok(Found { letters, missing: missing.into_iter().cloned().collect() })
    }

    /// Whether a letter has to be read to know whether it is meant.
    pub(super) fn look_inside(&self) -> bool {
        !(self.reason.is_empty() && self.kind.is_empty())
    }

    pub(super) fn mean(&self, autopsy: &Autopsy) -> bool {
        let reason = || self.reason.contains(&autopsy.reason);
        let kind = || self.kind.iter().any(|kind| Some(kind) == autopsy.kind.as_ref());
        (self.reason.is_empty() || reason()) && (self.kind.is_empty() || kind())
    }
}
