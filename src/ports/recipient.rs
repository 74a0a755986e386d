//! Whom outcomes are handed to that were delivered to a Return Address.

use crate::words::{InboxName, Outcome, Result};

/// An outcome on its way to whoever asked for it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The outcome.
    pub outcome: &'a Outcome,
    /// The name that it was delivered under.
    pub name: &'a InboxName,
    /// Whether it may have been handed over before, in part or wholly: then it is not to be handed over twice, if the
    /// recipient can tell.
    pub again: bool,
}

/// Takes outcomes over.
pub trait Recipient {
    /// Takes one over. When this returns it is durable: it is settled then, and does not come again.
    ///
    /// # Errors
    /// If it could not. It stays where it is, and comes again.
    fn take(&mut self, delivery: &Delivery<'_>) -> Result<()>;
}
