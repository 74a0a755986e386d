//! What a worker is given to do.

use std::time::{Duration, Instant};

use super::Conclusion;
use crate::ports::Claim;
use crate::words::{Error, InboxName};

/// What did not work, and is to be tried again.
pub(super) struct Again<R> {
    /// What.
    pub(super) task: Task<R>,
    /// How often it has been tried.
    pub(super) tries: u32,
    pub(super) due: Instant,
}

/// What can be tried again.
pub(super) enum Task<R> {
    /// To take a name into this room: it may be there already.
    Take(InboxName, R),
    /// To do with a claim what was concluded.
    Settle(Box<Unsettled<R>>),
}

/// A claim that was handled.
pub(super) struct Unsettled<R> {
    pub(super) room: R,
    pub(super) claim: Claim,
    pub(super) conclusion: Conclusion,
    /// When it was claimed.
    pub(super) began: Instant,
}

/// What a worker is to do.
pub(super) enum Next<R> {
    /// Take this.
    New(InboxName),
    /// Try this again.
    Again(Again<R>),
    /// Tell of a scan that did not work, for so many times now, and will be tried again after that pause.
    Trouble(Error, u32, Duration),
    /// End.
    Closed,
}
