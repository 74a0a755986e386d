//! What lies where, for people.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::words::{DelayedName, DeliveryKind, Envelope, Habits, InboxName, Millis, Outcome};

/// One place where a job, or its outcome, was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The room: `inbox`, `delayed`, `claimed`, `outcomes`, `done`, `dead` or `invalid`; of an event: `outbox`.
    pub room: &'static str,
    /// The file, below the drop folder.
    pub path: PathBuf,
    /// Which attempt, where the name tells.
    pub attempt: Option<u32>,
    /// Who has it, if it is claimed.
    pub consumer: Option<String>,
    /// When it is due, if it is delayed.
    pub due: Option<Millis>,
}

impl Place {
    /// Whether consumers take jobs from here, now or later.
    pub fn waits(&self) -> bool {
        matches!(self.room, "inbox" | "delayed")
    }

    /// The name that the job here has in the inbox. Where the file's name tells no attempt, it is 1. `None` if it is not a
    /// job that lies here.
    pub fn job(&self) -> Option<InboxName> {
        let name = self.path.file_name()?.to_str()?;
        let delayed = name.parse::<DelayedName>().ok().map(|delayed| delayed.job);
        let ready = delayed.or_else(|| name.parse().ok());
        ready.or_else(|| InboxName::parse_archived(name).ok()).filter(|name| name.kind == DeliveryKind::Job)
    }
}

/// A dead letter, or an invalid job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name; the attempt in it means nothing.
    pub name: InboxName,
    /// `dead` or `invalid`.
    pub room: &'static str,
}

/// What lies in a dead letter's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Remains {
    /// The job, unless nobody can read it.
    pub envelope: Option<Envelope>,
    /// Its outcome, unless something else lies in its slot.
    pub outcome: Option<Outcome>,
}

/// How many jobs (in `outcomes`: outcomes) lie in each room.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)] // the rooms' names
pub struct RoomCounts {
    pub inbox: usize,
    pub delayed: usize,
    pub claimed: usize,
    pub outcomes: usize,
    pub done: usize,
    pub dead: usize,
    pub invalid: usize,
    pub tmp: usize,
}

/// A consumer, as others see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConsumerCensus {
    /// Its name.
    pub name: String,
    /// Whether it lives. `None` if only watching it for its lease could tell.
    pub present: Option<bool>,
    /// How many claims it has.
    pub claimed: usize,
    /// How many jobs it settled in the minute before its last beat, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_last_minute: Option<u64>,
    /// How it takes the files that strangers drop, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Habits>,
    /// How many files of strangers it has taken that are no jobs yet.
    #[serde(skip)]
    pub taken: usize,
    /// Its room: the name of a folder in `claimed/`.
    #[serde(skip)]
    pub room: String,
}

/// What lies where.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Census {
    /// Jobs in each room.
    pub rooms: RoomCounts,
    /// Files that strangers dropped, and that are no jobs yet: in `inbox/`, by their names, and those that a consumer has just taken.
    pub arriving: usize,
    /// What else lies in `inbox/` and is no job.
    pub unrecognised: usize,
    /// The names of those, the first 5.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_text")]
    pub unrecognised_names: Vec<PathBuf>,
    /// How long the oldest ready job has waited, by its name and this machine's clock.
    pub oldest_ready_seconds: Option<f64>,
    /// How many jobs those who are present settled in the minute before their last beats.
    pub settled_last_minute: u64,
    /// In how long the next delayed job is due, likewise; 0 if one is due already.
    pub next_due_seconds: Option<f64>,
    /// Who has a room.
    pub consumers: Vec<ConsumerCensus>,
    /// Outcomes that are not collected yet, for each Return Address. Of a [store](super::Store) alone: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replies: BTreeMap<String, Backlog>,
    /// Events that are not handled yet, for each group; likewise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Backlog>,
    /// Folders below the drop folder that this process may not read: what lies in them is not counted.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_text")]
    pub unreadable: Vec<PathBuf>,
}

/// What waits in a drop folder inside of another one: outcomes at a Return Address, events of a group.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Backlog {
    /// What is not over: ready, due later, or in somebody's hand, whether that lives or not.
    pub waiting: usize,
    /// How long the oldest of that has been there, in seconds, by its name and this machine's clock.
    pub oldest_seconds: Option<f64>,
    /// Dead letters, and what is invalid.
    pub dead: usize,
    /// Who is there to take it, and not known to be gone.
    pub consumers: usize,
    /// Folders that this process may not read, below its own: what lies in them is not counted.
    #[serde(skip)]
    pub unreadable: Vec<PathBuf>,
}

/// As text, whatever bytes they are made of: a stranger may have made them.
fn as_text<S: serde::Serializer>(paths: &[PathBuf], to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}
