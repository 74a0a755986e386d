//! Names in `claimed/`: consumers' rooms, and what is staged in them.

use std::fmt;
use std::str::FromStr;

use super::{Id, InboxName, NameError, parse_nonce};

/// `<priority>.<submitted-ms>.<id>.<attempt>.<nonce>.outcome.json`: an outcome in its consumer's room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StagedName {
    /// The job that it answers.
    pub job: InboxName,
    /// Never used twice.
    pub nonce: u64,
}

impl fmt::Display for StagedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{:016x}.outcome.json", self.job.stem(), self.job.attempt, self.nonce)
    }
}

impl FromStr for StagedName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let (job, nonce) = s.strip_suffix(".outcome.json")?.rsplit_once('.')?;
            let job: InboxName = format!("{job}.job.json").parse().ok()?;
            Some(Self { job, nonce: parse_nonce(nonce)? })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "the name of a staged outcome"))
    }
}

/// `<consumer>-<nonce>`: a consumer's room. New for each start, never reused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName {
    /// Whose it is.
    pub consumer: Id,
    /// Never used twice.
    pub nonce: u64,
}

impl RoomName {
    /// The name of the presence file beside the room.
    pub fn presence(&self) -> String {
        format!("{self}.presence")
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.consumer, self.nonce)
    }
}

impl FromStr for RoomName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let (consumer, nonce) = s.rsplit_once('-')?;
            Some(Self { consumer: consumer.parse().ok()?, nonce: parse_nonce(nonce)? })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "the name of a consumer's room"))
    }
}
