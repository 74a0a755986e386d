//! Waiting for outcomes: one listener for all who wait in this process. It hands each outcome to whoever waits for it.

mod desk;
mod listener;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::ports::{Bell, Chosen, Interest, Store, Watch};
use crate::words::{Error, ErrorKind, Id, Outcome, Result};

use desk::{Answers, Desk, MOST_HELD};

/// Makes the watch that rings this bell, and says which it is.
type Watcher = dyn Fn(&Bell) -> Result<(Box<dyn Watch>, Chosen)> + Send + Sync;

/// Waits for outcomes on behalf of any number of callers, with one thread and one watch: both begin with the first who
/// waits, and end a second after the last.
pub struct Dispatcher<S>(Arc<Shared<S>>);

impl<S> Clone for Dispatcher<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Shared<S> {
    store: Arc<S>,
    watcher: Box<Watcher>,
    poll_interval: Duration,
    bell: Bell,
    desk: Mutex<Desk>,
    /// That there are no notifications was said, and that there are some again was not.
    said_deaf: AtomicBool,
}

impl<S> Shared<S> {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Store + Send + Sync + 'static> Dispatcher<S> {
    /// For those who wait for outcomes in this store. `poll_interval`: how often to look with a watch that is deaf.
    pub fn new(
        store: Arc<S>,
        watcher: impl Fn(&Bell) -> Result<(Box<dyn Watch>, Chosen)> + Send + Sync + 'static,
        poll_interval: Duration,
    ) -> Self {
        let (bell, desk, said_deaf) = Default::default();
        Self(Arc::new(Shared { store, watcher: Box::new(watcher), poll_interval, bell, desk, said_deaf }))
    }

    /// The outcome of a job as soon as it is durable. Without `patience` it waits for ever. Needs no runtime; dropping the
    /// future ends the waiting.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if `patience` ran out; [`ErrorKind::Unsupported`] if there is no watch to be had; any kind of
    /// [`Store::outcome`].
    pub async fn outcome(&self, id: &Id, patience: Option<Duration>) -> Result<Outcome> {
        self.one(id, patience, false).await
    }

    /// The same for a job that was submitted just now under an id that was minted for it: a listener that is at work already need not be
    /// woken.
    ///
    /// # Errors
    /// As [`outcome`](Self::outcome).
    pub async fn outcome_of_new(&self, id: &Id, patience: Option<Duration>) -> Result<Outcome> {
        self.one(id, patience, true).await
    }

    async fn one(&self, id: &Id, patience: Option<Duration>, new: bool) -> Result<Outcome> {
        let since = Instant::now();
        let (send, told) = oneshot::channel();
        let deadline = patience.and_then(|patience| since.checked_add(patience));
        let ticket = self.enter(BTreeSet::from([id.clone()]), deadline, Answers::One(send), new)?;
        // What came before that was not heard for this one.
        if ticket.quiet && self.0.store.may_be_decided(id) {
            ticket.look();
        }
        told.await.unwrap_or_else(|_| Err(unanswered(&BTreeSet::from([id.clone()]), since, deadline)))
    }

    /// Blocks until `each` has been called with the outcome of each of these jobs, as soon as it is durable, or `each` breaks.
    /// Without `patience` it waits for ever.
    ///
    /// # Errors
    /// As [`outcome`](Self::outcome). What was told before is told.
    pub fn each(
        &self,
        ids: &[Id],
        patience: Option<Duration>,
        each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
    ) -> Result<()> {
        let since = Instant::now();
        let mut missing: BTreeSet<Id> = ids.iter().cloned().collect();
        let deadline = patience.and_then(|patience| since.checked_add(patience));
        if !missing.is_empty() && patience != Some(Duration::ZERO) {
            let (send, told) = mpsc::channel();
            let held = Arc::<AtomicUsize>::default();
            let ticket = self.enter(missing.clone(), deadline, Answers::Each(send, held.clone()), false)?;
            // Ends when all are told, or at the deadline.
            for (id, answer) in told {
                let outcome = answer?;
                let size = desk::size(&outcome);
                missing.remove(&id);
                if each(outcome).is_break() {
                    return Ok(());
                }
                if held.fetch_sub(size, Ordering::AcqRel) >= MOST_HELD {
                    ticket.look();
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        match self.last_look(&mut missing, each) {
            // The listener tells of what does not pass; this may, and who asks again later may look again.
            Err(e) if e.kind() == ErrorKind::Io && patience != Some(Duration::ZERO) => {
                tracing::debug!(error = %e, "cannot look for outcomes a last time");
            }
            answer => answer?,
        }
        if missing.is_empty() { Ok(()) } else { Err(unanswered(&missing, since, deadline)) }
    }

    /// What is there when the time is over is told, however long the listener or `each` took.
    fn last_look(
        &self,
        missing: &mut BTreeSet<Id>,
        each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
    ) -> Result<()> {
        let ids: Vec<Id> = missing.iter().cloned().collect();
        let mut looked = Ok(());
        self.0.store.outcomes(&ids, true, &mut |id, answer| match answer {
            Ok(outcome) => {
                missing.remove(id);
                let goes_on = each(outcome);
                if goes_on.is_break() {
                    missing.clear();
                }
                goes_on
            }
            Err(e) => {
                looked = Err(e);
                ControlFlow::Break(())
            }
        });
        looked
    }

    fn enter(
        &self,
        ids: BTreeSet<Id>,
        deadline: Option<Instant>,
        answers: Answers,
        new: bool,
    ) -> Result<Ticket<S>> {
        let folders = new.then(|| {
            let ids: Vec<Id> = ids.iter().cloned().collect();
            self.0.store.hints(Interest::Outcomes(&ids))
        });
        let mut desk = self.0.desk();
        let soon = Instant::now() + listener::FIRST_RESCAN;
        let quiet = folders.is_some_and(|folders| desk.serves(&folders, deadline, soon));
        let number = desk.enter(ids, deadline, answers, quiet);
        let ticket = Ticket { shared: self.0.clone(), number, quiet };
        if quiet {
            return Ok(ticket);
        }
        if !desk.attended {
            let shared = self.0.clone();
            let thread = thread::Builder::new().name("filedrop-wait".to_owned());
            if let Err(e) = thread.spawn(move || listener::attend(&shared)) {
                std::mem::drop(desk);
                return Err(Error::new(ErrorKind::Io, "cannot start a thread to wait in").because(e));
            }
            desk.attended = true;
        }
        std::mem::drop(desk);
        self.0.bell.ring();
        Ok(ticket)
    }
}

/// Somebody who waits. Dropping it ends that.
struct Ticket<S> {
    shared: Arc<Shared<S>>,
    number: u64,
    /// The listener was not told of it.
    quiet: bool,
}

impl<S> Ticket<S> {
    /// Has the listener look: outcomes that were held back may come now.
    fn look(&self) {
        self.shared.desk().look_again(self.number);
        self.shared.bell.ring();
    }
}

impl<S> Drop for Ticket<S> {
    fn drop(&mut self) {
        let mut desk = self.shared.desk();
        // Who was served is known to the listener.
        if desk.leave(self.number) && desk.is_empty() {
            self.shared.bell.ring();
        }
    }
}

/// Why there is no answer: the time is over, or else the listener panicked.
fn unanswered(missing: &BTreeSet<Id>, since: Instant, deadline: Option<Instant>) -> Error {
    const NAMED: usize = 3;
    let named: Vec<_> = missing.iter().take(NAMED).map(Id::as_str).collect();
    let more = match missing.len() {
        n if n > NAMED => format!(" and {} more", n - NAMED),
        _ => String::new(),
    };
    let (named, waited) = (named.join(" "), since.elapsed().as_secs_f64());
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        let message = format!("no outcome yet of {named}{more} after {waited:.1} s; ask again later");
        return Error::new(ErrorKind::TimedOut, message);
    }
    Error::new(ErrorKind::Io, format!("the thread that waited for {named}{more} has failed; ask again"))
}
