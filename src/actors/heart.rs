//! Says that somebody with a room is alive, on a thread of its own: to hand an outcome over, or to copy a file, may take long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actors::observer::{Event, Observer, tell};
use crate::actors::troubles::Troubles;
use crate::ports::{Beat, Bell, Progress, Store};
use crate::words::{Error, Id};

pub(super) const BEAT: &str = "say that it is alive";
pub(super) const REGISTER: &str = "register anew";

/// What the thread and its owner share.
pub(super) struct Heart<'a, S: Store> {
    store: &'a S,
    name: &'a Id,
    lease: Duration,
    observer: &'a dyn Observer,
    pub(super) troubles: Troubles<'a>,
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
        let (troubles, bell, over) = (Troubles::told_to(observer), Bell::default(), AtomicBool::new(false));
        Self { store, name, lease, observer, troubles, rooms, bell, over }
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
        let usual = beat_interval(self.lease);
        let mut pause = usual;
        // It was evicted, and could not register anew yet.
        let mut homeless = false;
        loop {
            self.bell.wait(pause);
            if self.over.load(Ordering::Acquire) {
                return;
            }
            pause = usual;
            match self.beat_once(&mut homeless) {
                Ok(()) => [BEAT, REGISTER].iter().for_each(|doing| self.troubles.works(doing)),
                Err((doing, error)) => {
                    pause = usual.min(Duration::from_secs(1));
                    self.troubles.with_all(doing, None, &error, Some(pause));
                }
            }
        }
    }

    fn beat_once(&self, homeless: &mut bool) -> Result<(), (&'static str, Error)> {
        let room = self.room();
        if self.store.beat(&room, Progress::default()).map_err(|e| (BEAT, e))? == Beat::Alive {
            *homeless = false;
            return Ok(());
        }
        if !std::mem::replace(homeless, true) {
            tell(self.observer, &Event::Evicted);
        }
        // Here and in the list: nobody has anything in hand there. A disk that somebody wants to unmount waits for its descriptors.
        if Arc::strong_count(&room) == 2 {
            self.store.abandon(&room);
        }
        drop(room);
        let room = self.store.register(self.name, self.lease).map_err(|e| (REGISTER, e))?;
        *homeless = false;
        let mut rooms = self.rooms();
        // Of those before it, the ones in which nothing is in hand: others see to what is left in them.
        rooms.retain(|room| Arc::strong_count(room) > 1);
        rooms.push(Arc::new(room));
        drop(rooms);
        tell(self.observer, &Event::Registered { consumer: self.name });
        Ok(())
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<Arc<S::Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause between two beats: three in a lease, and one more for a slow one.
pub(super) fn beat_interval(lease: Duration) -> Duration {
    (lease / 4).clamp(Duration::from_millis(5), Duration::from_secs(60 * 60))
}
