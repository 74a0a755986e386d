//! Says that somebody with a room is alive, on a thread of its own: to hand an outcome over, or to copy a file, may take long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actors::observer::{Event, Observer, tell};
use crate::ports::{Beat, Bell, Progress, Store};
use crate::words::{Error, Id};

/// What the thread and its owner share.
pub(super) struct Heart<'a, S: Store> {
    store: &'a S,
    name: &'a Id,
    lease: Duration,
    observer: &'a dyn Observer,
    /// All rooms that there ever were; the last one is for new claims.
    rooms: Mutex<Vec<Arc<S::Room>>>,
    bell: Bell,
    over: AtomicBool,
}

impl<'a, S: Store> Heart<'a, S> {
    pub(super) fn new(
        store: &'a S,
        name: &'a Id,
        lease: Duration,
        observer: &'a dyn Observer,
        room: S::Room,
    ) -> Self {
        let rooms = Mutex::new(vec![Arc::new(room)]);
        Self { store, name, lease, observer, rooms, bell: Bell::default(), over: AtomicBool::new(false) }
    }

    pub(super) fn room(&self) -> Arc<S::Room> {
        self.rooms().last().cloned().expect("it began with one")
    }

    /// All rooms, when nobody else has them any more.
    pub(super) fn into_rooms(self) -> Vec<S::Room> {
        let rooms = self.rooms.into_inner().unwrap_or_else(PoisonError::into_inner);
        rooms.into_iter().filter_map(Arc::into_inner).collect()
    }

    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Beats until it is stopped.
    pub(super) fn beat(&self) {
        let usual = (self.lease / 4).clamp(Duration::from_millis(5), Duration::from_secs(60 * 60));
        let mut pause = usual;
        loop {
            self.bell.wait(pause);
            if self.over.load(Ordering::Acquire) {
                return;
            }
            pause = usual;
            if let Err((doing, error)) = self.beat_once() {
                pause = usual.min(Duration::from_secs(1));
                tell(
                    self.observer,
                    &Event::Trouble { doing, id: None, error: &error, retry_in: Some(pause) },
                );
            }
        }
    }

    fn beat_once(&self) -> Result<(), (&'static str, Error)> {
        let alive = self.store.beat(&self.room(), Progress::default());
        if alive.map_err(|e| ("say that it is alive", e))? == Beat::Alive {
            return Ok(());
        }
        tell(self.observer, &Event::Evicted);
        let room = self.store.register(self.name, self.lease);
        self.rooms().push(Arc::new(room.map_err(|e| ("register anew", e))?));
        tell(self.observer, &Event::Registered { consumer: self.name });
        Ok(())
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<Arc<S::Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
