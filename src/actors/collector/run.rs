//! Running a collector, from its registration to its end.

use std::thread;

use super::desk::Desk;
use super::{Collected, CollectorOptions};
use crate::actors::consumer::Stopper;
use crate::actors::heart::Heart;
use crate::actors::observer::{Event, Observer, tell};
use crate::actors::registration::Newcomer;
use crate::actors::troubles::Troubles;
use crate::ports::{Chosen, Recipient, Store, Watch};
use crate::words::{Error, Result};

/// What a collector is made of.
pub struct Setup<'a, S: Store> {
    /// The Return Address's own drop folder.
    pub store: &'a S,
    /// Rings the bell of `stopper`.
    pub watch: Box<dyn Watch>,
    /// What `watch` is, and why.
    pub chosen: Chosen,
    /// How it works.
    pub options: &'a CollectorOptions,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// What stops it, after the outcome that it has in hand.
    pub stopper: &'a Stopper,
}

/// Hands outcomes over until nothing is left, or, if it follows, until it is stopped. Blocks.
///
/// # Errors
/// If it cannot register (if it follows, unless that is because the disk is full or read-only), and
/// [`Refusal::Over`](crate::ports::Refusal::Over). If it does not follow, also that of the first outcome that was not taken over
/// (the others were), and whatever keeps it from going on. If it follows, trouble is told to the observer, and tried again.
pub fn run<S>(setup: Setup<'_, S>, recipient: &mut dyn Recipient) -> Result<Collected>
where
    S: Store + Sync,
    S::Room: Send + Sync,
{
    let Setup { store, watch, chosen, options, observer, stopper } = setup;
    tell(observer, &Event::Watching(&chosen));
    let (name, lease, stays) = (&options.name, options.lease, options.follow);
    let Some((room, _)) = (Newcomer { name, lease, stays, observer, stopper }).register(store)? else {
        return Ok(Collected::default());
    };
    let heart = Heart::new(store, &options.name, options.lease, observer, room);
    let answer = thread::scope(|scope| {
        let beat = || heart.beat();
        let started = thread::Builder::new().name("filedrop-pulse".to_owned()).spawn_scoped(scope, beat);
        let answer = match started {
            Ok(_) => Desk::new(store, &heart, watch, options, observer, stopper, recipient).work(),
            Err(e) => (Err(Error::io("start a thread", "pulse", e)), false),
        };
        heart.stop();
        answer
    });
    let (answer, left) = answer;
    for room in heart.into_rooms() {
        // What could neither be settled nor given back is still in it. Dropping it lets go of the lock: others recover it.
        if left {
            continue;
        }
        if let Err(error) = store.retire(room) {
            Troubles::told_to(observer).with_all("give back the room", None, &error, None);
        }
    }
    answer
}
