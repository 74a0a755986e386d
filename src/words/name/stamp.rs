//! Names that are made once: an id and a nonce.

use std::fmt;
use std::str::FromStr;

use super::{Id, NameError, parse_nonce};

/// `<id>.<nonce>`: nobody else ever makes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StampedId {
    /// The job's id.
    pub id: Id,
    /// Never used twice.
    pub nonce: u64,
}

impl StampedId {
    /// `<id>.<nonce>.bare`: the folder, in a consumer's room, with a file that was dropped.
    pub fn taken(&self) -> String {
        format!("{self}.bare")
    }

    /// `<id>.<nonce>.job.json`: in it, the envelope that the job is to have, if it is not to follow from the file. No file of a
    /// stranger that is taken has such a name.
    pub fn taken_draft(&self) -> String {
        format!("{self}.job.json")
    }

    /// `<id>.<nonce>.copy`: the same folder, in an intake's room, while files are copied into it.
    pub fn copying(&self) -> String {
        format!("{self}.copy")
    }

    /// `<id>.<nonce>.spent`: such a folder that is to go.
    pub fn spent(&self) -> String {
        format!("{self}.spent")
    }

    /// `<id>.<nonce>.event`: beside the entry of a given id, the draft of an event. That of a job is `<id>.<nonce>`.
    pub fn event_draft(&self) -> String {
        format!("{self}.event")
    }

    /// Parses the name of a draft beside an entry, and says whether it is that of an event.
    pub fn parse_draft(name: &str) -> Option<(Self, bool)> {
        let stem = name.strip_suffix(".event");
        let stamp = stem.unwrap_or(name).parse().ok()?;
        Some((stamp, stem.is_some()))
    }

    /// Parses the name of a folder with a file that was dropped.
    pub fn parse_taken(name: &str) -> Option<Self> {
        name.strip_suffix(".bare")?.parse().ok()
    }

    /// Parses the name of a folder that files are copied into.
    pub fn parse_copying(name: &str) -> Option<Self> {
        name.strip_suffix(".copy")?.parse().ok()
    }

    /// Parses the name of a folder that is to go.
    pub fn parse_spent(name: &str) -> Option<Self> {
        name.strip_suffix(".spent")?.parse().ok()
    }

    /// Parses the name of an envelope in such a folder.
    pub fn parse_taken_draft(name: &str) -> Option<Self> {
        name.strip_suffix(".job.json")?.parse().ok()
    }
}

impl fmt::Display for StampedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.id, self.nonce)
    }
}

impl FromStr for StampedId {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let (id, nonce) = s.split_once('.')?;
            Some(Self { id: id.parse().ok()?, nonce: parse_nonce(nonce)? })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "an id and a nonce"))
    }
}

/// What travels beside a job or an outcome (Claim Check), below `payload/`: a reference in an envelope leads there.
///
/// It names nothing outside of `payload/`, whatever the envelope says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimCheck {
    /// The job that it travels with (or with its outcome), and a nonce.
    pub stamp: StampedId,
    /// A folder of files, or data.
    pub kind: ClaimCheckKind,
}

/// What a [`ClaimCheck`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimCheckKind {
    /// `<id>.<nonce>/`: a folder of files (`filesref`).
    Files,
    /// `<id>.<nonce>.data`: data that is too large for an envelope (`dataref`).
    Data,
}

impl ClaimCheck {
    /// The attribute that refers to it.
    pub fn attribute(&self) -> &'static str {
        match self.kind {
            ClaimCheckKind::Files => "filesref",
            ClaimCheckKind::Data => "dataref",
        }
    }

    /// Its name in `payload/`.
    pub fn name(&self) -> String {
        match self.kind {
            ClaimCheckKind::Files => self.stamp.to_string(),
            ClaimCheckKind::Data => format!("{}.data", self.stamp),
        }
    }

    /// Parses a name in `payload/`.
    pub fn parse_name(name: &str) -> Result<Self, NameError> {
        let (stamp, kind) = match name.strip_suffix(".data") {
            Some(stamp) => (stamp, ClaimCheckKind::Data),
            None => (name, ClaimCheckKind::Files),
        };
        Ok(Self { stamp: stamp.parse()?, kind })
    }
}

/// What a sweep took aside in `payload/`, to look again whether anybody refers to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Orphan {
    /// What it was before, and is again if somebody does.
    pub check: ClaimCheck,
    /// Fresh each time that it is taken aside: so each sweep knows what is its own.
    pub nonce: u64,
}

impl Orphan {
    /// `<name>.<nonce>.orphan`: all of it is there, and anybody who refers to it may bring it back.
    pub fn name(&self) -> String {
        format!("{}.{:016x}.orphan", self.check.name(), self.nonce)
    }

    /// `<name>.<nonce>.spent`: it is to go, and may be gone in part.
    pub fn spent(&self) -> String {
        format!("{}.{:016x}.spent", self.check.name(), self.nonce)
    }

    /// Parses the name of what is aside.
    pub fn parse_name(name: &str) -> Option<Self> {
        Self::parse_stem(name.strip_suffix(".orphan")?)
    }

    /// Parses the name of what is to go.
    pub fn parse_spent(name: &str) -> Option<Self> {
        Self::parse_stem(name.strip_suffix(".spent")?)
    }

    fn parse_stem(stem: &str) -> Option<Self> {
        let (check, nonce) = stem.rsplit_once('.')?;
        Some(Self { check: ClaimCheck::parse_name(check).ok()?, nonce: parse_nonce(nonce)? })
    }
}

/// As it stands in an envelope: relative to the drop folder.
impl fmt::Display for ClaimCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.kind == ClaimCheckKind::Files { "/" } else { "" };
        write!(f, "payload/{}{slash}", self.name())
    }
}

impl FromStr for ClaimCheck {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let check = Self::parse_name(s.strip_prefix("payload/")?.trim_end_matches('/')).ok()?;
            (check.to_string() == s).then_some(check)
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "a reference below payload/"))
    }
}
