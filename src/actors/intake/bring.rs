//! What was taken is brought to the drop folder, and becomes a job.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::actors::heart::Heart;
use crate::ports::{Admitted, Foreign, Store};
use crate::words::{Consignment, Error, ErrorKind, Result, StampedId};

/// On so many threads.
const THREADS: usize = 8;

/// What is taken, and not finished.
pub(super) struct Held<Room> {
    pub(super) consignment: Consignment,
    /// Where it was brought to.
    pub(super) carried: Option<(Arc<Room>, StampedId)>,
    /// It is a job.
    pub(super) admitted: bool,
    /// And that is written down.
    pub(super) recorded: bool,
    pub(super) failures: u32,
    pub(super) due: Instant,
}

impl<Room> Held<Room> {
    pub(super) fn new(consignment: Consignment) -> Self {
        Self {
            consignment,
            carried: None,
            admitted: false,
            recorded: false,
            failures: 0,
            due: Instant::now(),
        }
    }
}

/// Makes a job of what was taken. What was done of that before is not done again.
pub(super) fn bring<S: Store, F: Foreign<Room = S::Room>>(
    store: &S,
    foreign: &F,
    heart: &Heart<'_, S>,
    held: &mut Held<S::Room>,
) -> Result<()> {
    if held.admitted {
        return Ok(());
    }
    let consignment = &held.consignment;
    if held.carried.is_none() {
        let room = heart.room();
        held.carried = foreign.carry(&room, consignment)?.map(|stamp| (room, stamp));
    }
    let admitted = match &held.carried {
        Some((room, stamp)) => store.admit(room, std::slice::from_ref(stamp))?.pop().transpose()?,
        None => None,
    };
    // It was brought to a room before; is that one's owner dead, whoever recovers it makes the job.
    if matches!(admitted, None | Some(Admitted::Nothing)) && store.locate(&consignment.stamp.id)?.is_empty() {
        let why = "its files were brought to a room whose owner is dead, and nobody has recovered that yet";
        return Err(Error::new(ErrorKind::Uncertain, why));
    }
    held.admitted = true;
    Ok(())
}

/// Does it to each, several at a time: most of it is waiting for the disk, which flushes for all that wait at once.
pub(super) fn side_by_side<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if items.len() < 2 {
        return items.into_iter().map(work).collect();
    }
    let threads = THREADS.min(items.len());
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let items = Mutex::new(items.into_iter().enumerate());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let drain = || {
        while let Some((nth, item)) = next() {
            let answer = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((nth, answer));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // With fewer threads it takes longer.
            let _ = thread::Builder::new().name("filedrop-intake".to_owned()).spawn_scoped(scope, drain);
        }
        drain();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(nth, _)| *nth);
    done.into_iter().map(|(_, answer)| answer).collect()
}
