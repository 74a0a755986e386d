//! What travels beside an envelope: files that are attached to a job, and what a handler leaves for its outcome.

use std::path::PathBuf;

use crate::words::{ClaimCheck, StampedId};

/// A file that is to travel with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Where it is now. It keeps its own name, byte for byte.
    pub path: PathBuf,
    /// How it comes to the job.
    pub how: AttachBy,
}

/// How a file comes to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachBy {
    /// It is copied, sharing blocks where the file system can do that. A symbolic link is followed.
    Copy,
    /// It belongs to the job from then on: its name goes when the job is durable.
    Move,
    /// It gets one more name: who changes it changes what the job has.
    Link,
}

/// What of a workspace is there from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// Its folder for files.
    Folder,
    /// Nothing: who leaves files makes the folder first. It costs a job nothing then.
    Nothing,
}

/// Where a handler may leave something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// A folder for files that are to travel with the outcome.
    pub files: PathBuf,
    /// A file that is not there yet, for data.
    pub data: PathBuf,
    /// What an outcome calls the two.
    pub stamp: StampedId,
}

/// What a handler left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Harvest {
    /// Files.
    pub files: Option<ClaimCheck>,
    /// Data.
    pub data: Option<ClaimCheck>,
}

impl Harvest {
    /// What there is.
    pub fn checks(&self) -> impl Iterator<Item = &ClaimCheck> {
        self.files.iter().chain(&self.data)
    }
}
