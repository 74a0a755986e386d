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

/// What a group asked for before something was done about it, and asks for now; `None`: it gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resubscribed {
    /// Before.
    pub before: Option<Subscription>,
    /// From now on.
    pub now: Option<Subscription>,
}

/// What a group is to ask for, of what it asks for now. An error leaves it as it is.
pub type Wish<'a> = dyn Fn(Option<&Subscription>) -> Result<Option<Subscription>> + 'a;

/// What became of events on their way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FanOut {
    /// Deliveries that were made.
    pub delivered: usize,
    /// Events that are being published, or could not be delivered to all.
    pub left: usize,
    /// Why the latter could not.
    pub troubles: Vec<String>,
}

/// Delivers events to groups. An event is submitted like a job, with a [topic](super::NewJob::topic).
///
/// Every verb may be repeated, by anyone, after it was interrupted at any point.
pub trait Exchange {
    /// Has a group get every event of the topics that it wishes for, of those that are published from now on (P33, P34). What it got
    /// stays. Of several who do that at once on one machine, each sees what the one before it did. Durable when it returns.
    ///
    /// # Errors
    /// [`Busy`](crate::ErrorKind::Busy) if somebody else is doing it; that of the wish; as [`Store::submit`](super::Store::submit).
    fn subscribe(&self, group: &Id, wish: &Wish<'_>) -> Result<Resubscribed>;

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
