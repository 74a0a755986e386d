//! P33–P37: events, and the groups that subscribe to them.
//!
//! What each group is to get is decided before an event is published: the event's folder in the outbox has a link for each of them.
//! A delivery is the rename of that link into the group's inbox, so it arrives there once, whoever does it.

mod deliver;
mod groups;
mod stage;

pub(super) use stage::{Staged, topic_of};

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::LocalStore;
use super::layout::Layout;
use crate::ports::{Fs, Host};
use crate::words::Result;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// The same folder, which is that of a group in `home`: its consumers help on the events that are on their way there, and sweep
    /// there too, since nobody else may be at work there.
    pub fn of_group_in(mut self, home: Arc<Self>) -> Self {
        self.home = Some(home);
        self
    }

    /// Whoever handles the events of a group is told, once, that no more will come.
    pub(super) fn tell_if_unsubscribed(&self) {
        let gone = matches!(self.look(&self.layout.subscription()), Ok(None));
        if gone && !self.unsubscribed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "this group is not subscribed any more: it gets no more events; what it got is handled"
            );
        } else if !gone {
            self.unsubscribed.store(false, Ordering::Relaxed);
        }
    }

    /// The outbox, made if it is not there.
    fn ensure_outbox(&self) -> Result<Layout> {
        let outbox = self.layout.outbox();
        self.ensure_nested(&outbox)?;
        Ok(outbox)
    }
}
