//! One suite for every store: what callers may rely on, whatever is underneath.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::fs::sim::{SimFs, World};
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Beat, Claim, Claimed, Host, NewJob, Progress, Store, Vigil};
use filedrop::words::{Envelope, Id, InboxName, Job, Outcome, Payload, Priority, Problem};

/// A store under test: opens it anew, as another process would, and lets time pass.
pub(crate) trait Bench {
    type Host: Host;
    type Store: Store;
    fn open(&self) -> Self::Store;
    /// The store of a Return Address of it.
    fn open_reply(&self, address: &str) -> Self::Store;
    fn host(&self) -> Self::Host;
    /// Lets a lease of [`LEASE`] run out.
    fn outlast_a_lease(&self);
}

pub(crate) const LEASE: Duration = Duration::from_millis(150);

pub(crate) struct Local {
    dir: tempfile::TempDir,
    fs: OsFs,
}

impl Bench for Local {
    type Host = OsHost;
    type Store = LocalStore<OsFs, OsHost>;
    fn open(&self) -> Self::Store {
        LocalStore::init(self.fs.clone(), OsHost, self.dir.path()).expect("a drop folder")
    }
    fn open_reply(&self, address: &str) -> Self::Store {
        LocalStore::open(self.fs.clone(), OsHost, self.dir.path().join("replies").join(address))
            .expect("a reply folder")
    }
    fn host(&self) -> OsHost {
        OsHost
    }
    fn outlast_a_lease(&self) {
        let start = OsHost.monotonic();
        while OsHost.monotonic() - start <= LEASE {
            std::thread::yield_now();
        }
    }
}

pub(crate) struct Simulated(pub(crate) World);

impl Bench for Simulated {
    type Host = filedrop::adapters::fs::sim::SimHost;
    type Store = LocalStore<SimFs<'static>, filedrop::adapters::fs::sim::SimHost>;
    fn open(&self) -> Self::Store {
        let fs = SimFs::unscheduled(&self.0, 1);
        let host = fs.host();
        LocalStore::init(fs, host, "/drop").expect("a drop folder")
    }
    fn open_reply(&self, address: &str) -> Self::Store {
        let fs = SimFs::unscheduled(&self.0, 1);
        let host = fs.host();
        LocalStore::open(fs, host, Path::new("/drop/replies").join(address)).expect("a reply folder")
    }
    fn host(&self) -> Self::Host {
        SimFs::unscheduled(&self.0, 1).host()
    }
    fn outlast_a_lease(&self) {
        self.0.advance(LEASE.as_millis() as u64 + 1);
    }
}

/// Runs each behaviour on every store.
macro_rules! contract {
    ($($(#[$doc:meta])* fn $name:ident($bench:ident) $body:block)*) => {
        mod suite {
            use super::*;
            $($(#[$doc])* pub(super) fn $name<B: Bench>($bench: &B) $body)*
        }
        contract!(@run local_folder, local(), $($name)*);
        contract!(@run local_folder_as_if_shared_by_machines, shared(), $($name)*);
        contract!(@run local_folder_of_a_group, crate::of_a_group(), $($name)*);
        contract!(@run simulated_folder, Simulated(World::new(Model::A, 7)), $($name)*);
        contract!(@run simulated_folder_shared_by_machines, Simulated(World::new(Model::B, 7).shared_by_machines()), $($name)*);
    };
    (@run $on:ident, $bench:expr, $($name:ident)*) => {
        mod $on {
            use super::*;
            $(#[test] fn $name() { suite::$name(&$bench) })*
        }
    };
}

mod claims;
mod policies;

pub(crate) fn local() -> Local {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let fs = OsFs::at(dir.path()).expect("a file system");
    Local { dir, fs }
}

pub(crate) fn shared() -> Local {
    Local { fs: OsFs::shared(), ..local() }
}

pub(crate) fn of_a_group() -> Local {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o2770)).expect("ours");
    let fs = OsFs::at(dir.path()).expect("a file system");
    Local { dir, fs }
}

pub(crate) fn name(id: &str) -> Id {
    id.parse().expect("an id")
}

pub(crate) fn job<B: Bench>(bench: &B, priority: u8, change: impl FnOnce(&mut Envelope)) -> NewJob {
    let (id, now) = bench.host().mint();
    let mut envelope = Job::envelope(&id, "/test", "test", now);
    envelope.payload = Some(Payload::detect("1"));
    change(&mut envelope);
    let name = InboxName::job(id, now, Priority::new(priority).expect("0 to 9"));
    NewJob { name, bytes: envelope.encode().expect("small"), due: None, given: false, topic: None }
}

pub(crate) fn plain<B: Bench>(bench: &B) -> NewJob {
    job(bench, 5, |_| {})
}

pub(crate) fn taken(claimed: Claimed) -> Claim {
    match claimed {
        Claimed::Taken(claim) => claim,
        other => panic!("not taken: {other:?}"),
    }
}

pub(crate) fn outcome<B: Bench>(bench: &B, claim: &Claim, result: Result<&str, Problem>) -> Outcome {
    let job = Job::decode(&claim.name.id, claim.name.attempt, &claim.bytes).expect("a job");
    let (id, now) = bench.host().mint();
    Outcome::of(&job, &id, "/test", now, result.map(Payload::detect))
}

/// A folder that is exported: its server sees a local file system, its clients a network. A client's consumer takes no lock, and
/// a judge on the server must not take that for death.
#[test]
fn a_consumer_without_a_lock_is_judged_by_its_silence_only() {
    let bench = local();
    let server = bench.open();
    let client = LocalStore::open(OsFs::shared(), OsHost, bench.dir.path()).expect("the same folder");
    let living = client.register(&name("client"), Duration::from_secs(3600)).expect("register");
    let job = plain(&bench);
    server.submit(std::slice::from_ref(&job)).expect("submit");
    taken(client.claim(&living, &job.name).expect("claim"));
    let room = server.register(&name("server"), LEASE).expect("register");
    let takeover = server.recover(&room, &mut Vigil::default()).expect("recover");
    assert_eq!((takeover.returned, takeover.cleared, takeover.unjudged), (0, 0, 1));
    let census = server.census().expect("census");
    let client = census.consumers.iter().find(|consumer| consumer.name == "client").expect("it is there");
    assert_eq!(client.present, None, "nobody can tell yet");
    let server = census.consumers.iter().find(|consumer| consumer.name == "server").expect("it is there");
    assert_eq!(server.present, Some(true), "it holds its lock");
}

/// P13: strange things among the rooms, and replies, keep nobody from recovering the dead, nor from counting.
#[test]
fn what_cannot_be_read_stops_nobody() {
    let bench = local();
    let store = bench.open();
    let root = bench.dir.path();
    std::fs::create_dir(root.join("claimed/aaa-0123456789abcdef.presence")).expect("a folder");
    std::fs::write(root.join("claimed/aab-0123456789abcdef"), "a file where a room should be")
        .expect("a file");
    std::os::unix::fs::symlink("/nowhere", root.join("claimed/aac-0123456789abcdef.presence"))
        .expect("a link");
    std::fs::write(root.join("replies/.DS_Store"), "").expect("a file");
    let job = plain(&bench);
    store.submit(std::slice::from_ref(&job)).expect("submit");
    let dead = store.register(&name("dead"), LEASE).expect("register");
    taken(store.claim(&dead, &job.name).expect("claim"));
    drop(dead);
    let room = store.register(&name("living"), LEASE).expect("register");
    let takeover = store.recover(&room, &mut Vigil::default()).expect("recover");
    assert_eq!((takeover.returned, takeover.cleared), (1, 1), "{takeover:?}");
    assert_eq!(store.census().expect("census").rooms.inbox, 1);
}

/// P5: whose room is gone can claim nothing, and has to be told so.
#[test]
fn a_consumer_without_its_room_is_evicted() {
    for bench in [local(), shared()] {
        let store = bench.open();
        let room = store.register(&name("c"), LEASE).expect("register");
        assert_eq!(store.beat(&room, Progress::default()).expect("beat"), Beat::Alive);
        std::fs::remove_dir(store.layout().claims(room.name())).expect("the room is empty");
        assert_eq!(store.beat(&room, Progress::default()).expect("beat"), Beat::Evicted);
        let room = store.register(&name("c"), LEASE).expect("register");
        std::fs::remove_file(store.layout().presence(room.name())).expect("it has a presence");
        assert_eq!(store.beat(&room, Progress::default()).expect("beat"), Beat::Evicted);
    }
}
