//! Whom outcomes are handed to that were delivered to a Return Address.

use std::fmt::Display;
use std::path::Path;

use crate::words::{Error, ErrorKind, InboxName, Outcome, Result};

/// An outcome on its way to whoever asked for it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The outcome.
    pub outcome: &'a Outcome,
    /// The name that it was delivered under. Its attempt is the collection, from 1: how often it was taken out of the inbox.
    pub name: &'a InboxName,
    /// Where its envelope lies until it is settled.
    pub path: &'a Path,
    /// Whether it may have been handed over before, in part or wholly: then it is not to be handed over twice, if the
    /// recipient can tell.
    pub again: bool,
}

/// Why an outcome was not taken over.
#[derive(Debug)]
pub enum Refusal {
    /// Not this one, or not now, or only a part of it. It comes again after a pause, to whoever collects there then, as one more
    /// collection.
    Again(Error),
    /// Nothing can be taken over at present, and nothing of this one was: the handler cannot be started. It goes back as if it
    /// had never been claimed, and nothing is claimed for a while.
    NotNow(Error),
    /// Nothing can be taken over any more, and perhaps a part of this one was: nobody reads what is printed. It goes back, as one
    /// more collection, and the collector ends.
    Over(Error),
}

impl Refusal {
    /// It comes [again](Self::Again), because of this.
    pub fn because(why: impl Display) -> Self {
        Self::Again(Error::new(ErrorKind::Refused, why.to_string()))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Again(error)
    }
}

/// Takes outcomes over. A closure can be one.
pub trait Recipient {
    /// Takes one over. When this returns it is durable: it is settled then, and does not come again.
    ///
    /// # Errors
    /// If it could not. It is not settled, and comes again.
    fn take(&mut self, delivery: &Delivery<'_>) -> Result<(), Refusal>;
}

impl<F: FnMut(&Delivery<'_>) -> Result<(), Refusal>> Recipient for F {
    fn take(&mut self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        self(delivery)
    }
}
