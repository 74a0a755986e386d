//! Names of events on their way, in the outbox.

use std::fmt;
use std::str::FromStr;

use super::{Id, InboxName, Millis, NameError, parse_nonce};

/// `<priority>.<submitted-ms>.<id>.<nonce>.event`: the folder of one try to publish an event. Nobody else ever makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName {
    /// What it is called in the inboxes that it is delivered to.
    pub job: InboxName,
    /// Never used twice.
    pub nonce: u64,
}

impl EventName {
    /// What makes the event of such a folder one that is published.
    pub const PUBLISHED: &str = "event.json";
    /// What it is before.
    pub const DRAFT: &str = "draft.json";
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}.event", self.job.stem(), self.nonce)
    }
}

impl FromStr for EventName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let (stem, nonce) = s.strip_suffix(".event")?.rsplit_once('.')?;
            let job = InboxName::parse_archived(&format!("{stem}.job.json")).ok()?;
            Some(Self { job, nonce: parse_nonce(nonce)? })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "the name of an event on its way"))
    }
}

/// `<group>.job.json`, or `<due-ms>.<group>.job.json`, in such a folder: what a group is still to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryName {
    /// Who gets it.
    pub group: Id,
    /// When it is due, if that is not at once.
    pub due: Option<Millis>,
}

impl fmt::Display for DeliveryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(due) = self.due {
            write!(f, "{due}.")?;
        }
        write!(f, "{}.job.json", self.group)
    }
}

impl FromStr for DeliveryName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let stem = s.strip_suffix(".job.json")?;
            let (due, group) = match stem.split_once('.') {
                Some((due, group)) => (Some(due.parse().ok()?), group),
                None => (None, stem),
            };
            Some(Self { group: group.parse().ok()?, due })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "what a group is still to get"))
    }
}
