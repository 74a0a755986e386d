//! Running a consumer, from its registration to its end.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::floor::{Floor, lock};
use super::gate::Gate;
use super::keeper::Keeper;
use super::porter::Porter;
use super::pulse::Pulse;
use super::ready::Ready;
use super::{ConsumerOptions, Stopper, Summary};
use crate::actors::handler::Handler;
use crate::actors::observer::{Event, Observer, tell};
use crate::actors::plain_name;
use crate::actors::registration::Newcomer;
use crate::actors::troubles::Troubles;
use crate::ports::{Bell, Chosen, Host, Store, Watch};
use crate::words::{Error, Result};

/// What a consumer is made of.
pub struct Setup<'a, S: Store, H: Host> {
    /// Where the jobs are.
    pub store: &'a S,
    /// The machine.
    pub host: &'a H,
    /// Rings the bell of `stopper`.
    pub watch: Box<dyn Watch>,
    /// What `watch` is, and why.
    pub chosen: Chosen,
    /// How it works.
    pub options: &'a ConsumerOptions,
    /// What handles the jobs.
    pub handler: &'a dyn Handler,
    /// On which the handlers' timers and pipes live. It has to outlive the consumer.
    pub runtime: Handle,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// What stops it.
    pub stopper: &'a Stopper,
}

/// Runs a consumer until it is stopped, or has drained. Blocks; the handlers run on threads of their own.
///
/// # Errors
/// If it cannot register, or a drain cannot go on, or had to put a job aside. Otherwise trouble is told to the observer, and tried
/// again. So is, unless it drains, a registration that fails because the disk is full or read-only.
pub fn run<S, H>(setup: Setup<'_, S, H>) -> Result<Summary>
where
    S: Store + Sync,
    S::Room: Send + Sync,
    H: Host + Sync,
{
    let Setup { store, host, watch, chosen, options, handler, runtime, observer, stopper } = setup;
    tell(observer, &Event::Watching(&chosen));
    let (name, lease, stays) = (&options.name, options.lease, !options.drain);
    let Some((room, began)) = (Newcomer { name, lease, stays, observer, stopper }).register(store)? else {
        return Ok(Summary::default());
    };
    let room = Arc::new(room);
    let mut rooms = vec![room.clone()];
    let floor = Floor {
        store,
        host,
        handler,
        runtime,
        observer,
        troubles: Troubles::told_to(observer),
        options,
        stopper,
        source: format!("//{}/{}", plain_name(&host.name()), options.name),
        ready: Ready::new(host.nonce()),
        room: Mutex::new(room),
        cut: watch::Sender::new(false),
        tally: Mutex::default(),
        failure: Mutex::default(),
        aside: AtomicU32::new(0),
        stuck: Mutex::default(),
        live: AtomicUsize::new(0),
        gate: Gate::default(),
        pulse: Pulse::default(),
    };
    floor.trust_from(began);
    floor.introduce(&floor.room());
    thread::scope(|scope| {
        let (pulse, rooms) = (&floor, &mut rooms);
        let beat = move || pulse.beat_on(rooms);
        if let Err(e) = thread::Builder::new().name("filedrop-pulse".to_owned()).spawn_scoped(scope, beat) {
            // The others see it when they begin.
            floor.give_up(Error::io("start a thread", "pulse", e));
        }
        let porter = &floor;
        let attend = move || Porter::new(porter).attend();
        if let Err(e) = thread::Builder::new().name("filedrop-porter".to_owned()).spawn_scoped(scope, attend)
        {
            floor.give_up(Error::io("start a thread", "porter", e));
        }
        if store.settles_together() {
            let (settler, name) = (&floor, "filedrop-settler".to_owned());
            match thread::Builder::new().name(name).spawn_scoped(scope, move || settler.settle_together()) {
                // Before the first worker asks.
                Ok(_) => floor.ready.is_attended(),
                Err(e) => {
                    let e = Error::io("start a thread", "settler", e);
                    floor.trouble("settle jobs together", None, &e, None);
                }
            }
        }
        for nth in 0..options.concurrency.max(1) {
            // The worker's own thread starts its children and outlives them: a parent-death signal is sent when the
            // thread that started the child ends.
            let name = format!("filedrop-{nth}");
            let alive = Alive::new(&floor.live, stopper.bell());
            let floor = &floor;
            let work = move || {
                let _alive = alive;
                floor.work();
            };
            if let Err(e) = thread::Builder::new().name(name).spawn_scoped(scope, work) {
                let e = Error::io("start a thread", "worker", e);
                floor.trouble("start all workers", None, &e, None);
                if nth == 0 {
                    floor.give_up(e);
                }
                break;
            }
        }
        Keeper::new(&floor, watch).keep();
        floor.gate.end();
        floor.pulse.end();
        // Also if no worker lived to see the end.
        floor.ready.close();
    });
    let (tally, failure) = (*lock(&floor.tally), lock(&floor.failure).take());
    // With it go the last references to the rooms.
    drop(floor);
    for room in rooms.into_iter().filter_map(Arc::into_inner) {
        if let Err(error) = store.retire(room) {
            Troubles::told_to(observer).with_all("give back the room", None, &error, None);
        }
    }
    failure.map_or(Ok(tally), Err)
}

/// Counts a worker for as long as it lives, even if it panics.
struct Alive<'a> {
    live: &'a AtomicUsize,
    bell: &'a Bell,
}

impl<'a> Alive<'a> {
    fn new(live: &'a AtomicUsize, bell: &'a Bell) -> Self {
        live.fetch_add(1, Ordering::AcqRel);
        Self { live, bell }
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::AcqRel);
        self.bell.ring();
    }
}
