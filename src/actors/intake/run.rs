//! Running an intake, from its registration to its end.

use std::path::PathBuf;
use std::thread;

use super::desk::Desk;
use super::{Ended, IntakeOptions, TakenIn};
use crate::actors::consumer::Stopper;
use crate::actors::heart::Heart;
use crate::actors::observer::{Event, Observer, tell};
use crate::actors::registration::Newcomer;
use crate::ports::{Chosen, Clerk, Foreign, Host, Store, Watch};
use crate::words::{Error, Result};

/// What an intake is made of.
pub struct Setup<'a, S: Store, F: Foreign<Room = S::Room>, H: Host> {
    /// Where the jobs go.
    pub store: &'a S,
    /// Where the files are.
    pub foreign: &'a F,
    /// The path of that folder, as `watch` tells of it.
    pub dir: PathBuf,
    /// The machine.
    pub host: &'a H,
    /// Rings the bell of `stopper`.
    pub watch: Box<dyn Watch>,
    /// What `watch` is, and why.
    pub chosen: Chosen,
    /// How it works.
    pub options: &'a IntakeOptions,
    /// Who keeps the books.
    pub clerk: &'a mut dyn Clerk,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// What stops it, after the job that it has in hand.
    pub stopper: &'a Stopper,
}

/// Takes files until it is stopped, or, if it works once, until none is left that is complete; or until its
/// folder is not the one at its path any more. Blocks.
///
/// # Errors
/// If it cannot begin; unless it works once, it waits while it cannot because the disk is full or read-only. If it works once, also
/// the first error, when all that was possible is done; what is left is for the next one. Otherwise trouble is told to the
/// observer, and tried again.
pub fn run<S, F, H>(setup: Setup<'_, S, F, H>) -> Result<Ended>
where
    S: Store + Sync,
    S::Room: Send + Sync,
    F: Foreign<Room = S::Room> + Sync,
    H: Host + Sync,
{
    let (store, options, observer, stopper) = (setup.store, setup.options, setup.observer, setup.stopper);
    tell(observer, &Event::Watching(&setup.chosen));
    let (name, lease, stays) = (&options.name, options.lease, !options.once);
    let Some((room, _)) = (Newcomer { name, lease, stays, observer, stopper }).register(store)? else {
        return Ok(Ended { taken: TakenIn::default(), moved: false });
    };
    let heart = Heart::new(store, &options.name, options.lease, observer, room);
    let answer = thread::scope(|scope| {
        let beat = || heart.beat();
        let started = thread::Builder::new().name("filedrop-pulse".to_owned()).spawn_scoped(scope, beat);
        let answer = started
            .map_err(|e| Error::io("start a thread", "pulse", e))
            .and_then(|_| Desk::new(setup, &heart).work());
        heart.stop();
        answer
    });
    for room in heart.into_rooms() {
        // What it could not make a job of is still in it, and must be: dropping the room lets go of the lock, and others do it.
        if let Err(error) = store.retire(room) {
            tracing::debug!(%error, "the room is left to recovery");
        }
    }
    answer
}
