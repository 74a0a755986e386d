//! Publish and subscribe, beside the verbs of a queue.

use crate::words::{Id, Result, Subscription};

/// Who asked for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Id,
    /// What it asked for.
    pub subscription: Subscription,
}

/// What became of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscribed {
    /// The group is there from now on.
    New,
    /// It had asked for just that before.
    Before,
    /// It had asked for this before, and what it is asking for now counts instead.
    Changed(Subscription),
    /// It had asked for this before, and that still counts.
    Differs(Subscription),
}

/// What became of events on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FanOut {
    /// Deliveries that were made.
    pub delivered: usize,
    /// Events that are being published, or could not be delivered to all.
    pub left: usize,
}

/// Delivers events to groups. An event is submitted like a job, with a [topic](super::NewJob::topic).
///
/// Every verb may be repeated, by anyone, after it was interrupted at any point.
pub trait Exchange {
    /// Has a group get every event of these topics that is published from now on (P33). If it asked for others before, those count
    /// on, unless it is to `update` (P34). Durable when it returns.
    ///
    /// # Errors
    /// As [`Store::submit`](super::Store::submit).
    fn subscribe(&self, group: &Id, wanted: &Subscription, update: bool) -> Result<Subscribed>;

    /// Has a group get no more events (P34). What it got stays. Returns what it had asked for; `None`: there was no such group.
    ///
    /// # Errors
    /// As [`Store::submit`](super::Store::submit).
    fn unsubscribe(&self, group: &Id) -> Result<Option<Subscription>>;

    /// All groups, in the order of their names.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if what one asked for cannot be read: then nobody knows what it is to get.
    fn groups(&self) -> Result<Vec<Group>>;

    /// Delivers what publishers that died left on its way (P36, P37).
    ///
    /// # Errors
    /// If the outbox cannot be read. An event that cannot be delivered is [counted](FanOut::left).
    fn fan_out(&self) -> Result<FanOut>;
}
