//! What the keeper, the pulse and the workers share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::gate::Gate;
use super::pulse::Pulse;
use super::ready::Ready;
use super::stop::Stage;
use super::{ConsumerOptions, MOST_ASIDE, PATIENCE_OF_A_DRAIN, Stopper, Summary, Terms};
use crate::actors::handler::Handler;
use crate::actors::observer::{Event, Observer, tell};
use crate::actors::troubles::Troubles;
use crate::ports::{Host, Store};
use crate::words::{Error, Id, InboxName};

/// What the keeper, the pulse and the workers of one consumer share.
pub(super) struct Floor<'a, S: Store, H: Host> {
    pub(super) store: &'a S,
    pub(super) host: &'a H,
    pub(super) handler: &'a dyn Handler,
    pub(super) runtime: Handle,
    pub(super) observer: &'a dyn Observer,
    /// What does not work at the moment.
    pub(super) troubles: Troubles<'a>,
    pub(super) options: &'a ConsumerOptions,
    pub(super) stopper: &'a Stopper,
    /// `source` of the outcomes.
    pub(super) source: String,
    pub(super) ready: Ready<Arc<S::Room>>,
    /// Where new claims go.
    pub(super) room: Mutex<Arc<S::Room>>,
    /// Tells the handlers to end.
    pub(super) cut: watch::Sender<bool>,
    pub(super) tally: Mutex<Summary>,
    /// Why a drain gave up, or what it put aside first.
    pub(super) failure: Mutex<Option<Error>>,
    /// Jobs that a drain put aside since one was last settled.
    pub(super) aside: AtomicU32,
    /// What lies in the inbox, is no job, and cannot be moved away: it was told of.
    pub(super) stuck: Mutex<HashSet<InboxName>>,
    /// Workers that have not ended.
    pub(super) live: AtomicUsize,
    /// What is told to the porter, and by it.
    pub(super) gate: Gate,
    /// Says that it is alive.
    pub(super) pulse: Pulse,
}

impl<S: Store, H: Host> Floor<'_, S, H> {
    pub(super) fn tell(&self, event: &Event<'_>) {
        tell(self.observer, event);
    }

    /// Something did not work. `retry_in`: when it is tried again.
    pub(super) fn trouble(
        &self,
        doing: &'static str,
        id: Option<&Id>,
        error: &Error,
        retry_in: Option<Duration>,
    ) {
        match id {
            None => self.troubles.with_all(doing, None, error, retry_in),
            Some(id) => self.troubles.with_one(doing, id, error, retry_in),
        }
    }

    /// A name is settled, lost, or left.
    pub(super) fn done(&self, name: &InboxName) {
        self.troubles.done(&name.id);
        self.ready.done(name);
    }

    /// A drain cannot go on.
    pub(super) fn give_up(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
        self.stopper.stop();
    }

    /// So many failures of one kind in a row are enough for a drain. Any other consumer goes on trying.
    pub(super) fn lose_patience(&self, failures: u32, error: Error) {
        if self.options.drain && failures >= PATIENCE_OF_A_DRAIN {
            self.give_up(error);
        }
    }

    /// A drain cannot do this one, and ends with the error; but first it does the others. If none of those works either,
    /// it ends now.
    pub(super) fn put_aside(&self, name: &InboxName, error: Error) {
        self.troubles.done(&name.id);
        self.ready.put_aside(name);
        if self.aside.fetch_add(1, Ordering::AcqRel) + 1 >= MOST_ASIDE {
            return self.give_up(error);
        }
        lock(&self.failure).get_or_insert(error);
    }

    /// On what terms it works.
    pub(super) fn terms(&self) -> Terms<'_> {
        Terms {
            consumer: &self.options.name,
            source: &self.source,
            retry: &self.options.retry,
            max_bytes: self.options.max_bytes,
        }
    }

    /// Says in a room that was just made how it takes the files of strangers. It works without.
    pub(super) fn introduce(&self, room: &S::Room) {
        if let Err(e) = self.store.announce(room, &self.options.habits()) {
            tracing::debug!(error = %e, "cannot say how files are taken");
        }
    }

    pub(super) fn room(&self) -> Arc<S::Room> {
        lock(&self.room).clone()
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Summary)) {
        count(&mut lock(&self.tally));
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopper.stage() != Stage::Run
    }

    pub(super) fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }
}

/// A panic elsewhere has left these values whole: each is changed in one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
