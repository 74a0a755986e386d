//! What is submitted.

use crate::words::{InboxName, Millis, Topic};

/// A job to be published.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its name; its id is nobody else's.
    pub name: InboxName,
    /// Its envelope.
    pub bytes: Vec<u8>,
    /// When it is due, if that is not now.
    pub due: Option<Millis>,
    /// Whether the id was given, so that somebody may give it again.
    pub given: bool,
    /// Of an event: it goes to each group that subscribed to this (P35).
    pub topic: Option<Topic>,
}

/// What became of a job that was to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is there.
    New,
    /// One of this id was there, or is handled already. It is the one that counts.
    Before,
}
