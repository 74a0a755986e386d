//! P33–P37: events, and the groups that subscribe to them.
//!
//! What each group is to get is decided before an event is published: the event's folder in the outbox has a link for each of them.
//! A delivery is the rename of that link into the group's inbox, so it arrives there once, whoever does it.

mod deliver;
mod groups;
mod stage;

pub(super) use stage::{Staged, topic_of};

use super::LocalStore;
use super::layout::Layout;
use crate::ports::{Fs, Host};
use crate::words::Result;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// The same folder, which is that of a group: its consumers help on the events that are on their way in `exchange`.
    pub fn of_group_at(mut self, exchange: Layout) -> Self {
        self.exchange = exchange;
        self
    }

    /// The outbox, made if it is not there.
    fn ensure_outbox(&self) -> Result<Layout> {
        let outbox = self.exchange.outbox();
        self.ensure_nested(&outbox)?;
        Ok(outbox)
    }
}
