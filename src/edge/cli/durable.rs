//! What acknowledged means: `--durability`.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::exit::Failure;
use crate::{DropFolder, Durability};

#[derive(Debug, Args)]
pub(super) struct Durable {
    /// What acknowledged means: flush, it survives a power cut; os, it survives the death of programs, but a power cut may undo the
    /// last seconds
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = What::Flush)]
    durability: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Flush,
    Os,
}

impl Durable {
    pub(super) fn open(&self, drop: &Path) -> Result<DropFolder, Failure> {
        let folder = super::open(drop)?;
        Ok(match self.durability {
            What::Flush => folder,
            What::Os => folder.with_durability(Durability::Os)?,
        })
    }
}
