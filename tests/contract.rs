//! One suite for every store: what callers may rely on, whatever is underneath.

use std::path::Path;
use std::time::Duration;

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::fs::sim::{Model, SimFs, World};
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Beat, Claim, Claimed, Host, NewJob, Store, Vigil};
use filedrop::words::{Disposition, Envelope, Id, InboxName, Job, Outcome, Payload, Priority, Problem};

/// A store under test: opens it anew, as another process would, and lets time pass.
trait Bench {
    type Host: Host;
    type Store: Store;
    fn open(&self) -> Self::Store;
    /// The store of a Return Address of it.
    fn open_reply(&self, address: &str) -> Self::Store;
    fn host(&self) -> Self::Host;
    /// Lets a lease of [`LEASE`] run out.
    fn outlast_a_lease(&self);
}

const LEASE: Duration = Duration::from_millis(150);

struct Local {
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

struct Simulated(World);

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

macro_rules! contract {
    ($($(#[$doc:meta])* fn $name:ident($bench:ident) $body:block)*) => {
        mod suite {
            use super::*;
            $($(#[$doc])* pub(super) fn $name<B: Bench>($bench: &B) $body)*
        }
        contract!(@run local_folder, local(), $($name)*);
        contract!(@run local_folder_as_if_shared_by_machines, shared(), $($name)*);
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

fn local() -> Local {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let fs = OsFs::at(dir.path()).expect("a file system");
    Local { dir, fs }
}

fn shared() -> Local {
    Local { fs: OsFs::shared(), ..local() }
}

fn name(id: &str) -> Id {
    id.parse().expect("an id")
}

fn job<B: Bench>(bench: &B, priority: u8, change: impl FnOnce(&mut Envelope)) -> NewJob {
    let (id, now) = bench.host().mint();
    let mut envelope = Job::envelope(&id, "/test", "test", now);
    envelope.payload = Some(Payload::detect("1"));
    change(&mut envelope);
    let name = InboxName::job(id, now, Priority::new(priority).expect("0 to 9"));
    NewJob { name, bytes: envelope.encode().expect("small"), due: None, given: false }
}

fn plain<B: Bench>(bench: &B) -> NewJob {
    job(bench, 5, |_| {})
}

fn taken(claimed: Claimed) -> Claim {
    match claimed {
        Claimed::Taken(claim) => claim,
        other => panic!("not taken: {other:?}"),
    }
}

fn outcome<B: Bench>(bench: &B, claim: &Claim, result: Result<&str, Problem>) -> Outcome {
    let job = Job::decode(&claim.name.id, claim.name.attempt, &claim.bytes).expect("a job");
    let (id, now) = bench.host().mint();
    Outcome::of(&job, &id, "/test", now, result.map(Payload::detect))
}

contract! {
    /// P3, P6: what is submitted is ready, in order, and is there byte for byte.
    fn submitted_jobs_are_ready_in_order(bench) {
        let store = bench.open();
        let jobs = [job(bench, 5, |_| {}), job(bench, 0, |_| {}), job(bench, 9, |_| {})];
        store.submit(&jobs).expect("submit");
        let scan = store.scan(10).expect("scan");
        assert_eq!(scan.names, [&jobs[1], &jobs[0], &jobs[2]].map(|job| job.name.clone()));
        let scan = store.scan(1).expect("scan");
        assert_eq!((scan.names.as_slice(), scan.beyond), (&[jobs[1].name.clone()][..], 2));
        let room = store.register(&name("c"), LEASE).expect("register");
        assert_eq!(taken(store.claim(&room, &jobs[1].name).expect("claim")).bytes, jobs[1].bytes);
    }

    /// P3: a submission whose answer was uncertain is repeated, and there is one job.
    fn a_submission_can_be_repeated(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        store.submit(std::slice::from_ref(&job)).expect("submit again");
        assert_eq!(store.scan(10).expect("scan").names, [job.name]);
    }

    /// P6: of many who claim, one gets it.
    fn a_job_is_claimed_once(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let (one, two) = (bench.open(), bench.open());
        let (room1, room2) = (one.register(&name("a"), LEASE).expect("a"), two.register(&name("b"), LEASE).expect("b"));
        taken(one.claim(&room1, &job.name).expect("claim"));
        assert!(matches!(two.claim(&room2, &job.name).expect("claim"), Claimed::Lost));
        assert!(store.scan(10).expect("scan").names.is_empty());
    }

    /// P8: given back, it is as if it had never been taken.
    fn a_released_job_is_ready_again_with_the_same_attempt(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        store.release(&room, &claim).expect("release");
        store.release(&room, &claim).expect("release again");
        assert_eq!(store.scan(10).expect("scan").names, [job.name]);
        store.retire(room).expect("an empty room can be given back");
    }

    /// P10, P11, P14: settled, archived, reported.
    fn a_settled_job_has_its_outcome(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        assert_eq!(store.outcome(&job.name.id).expect("outcome"), None);
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        let outcome = outcome(bench, &claim, Ok("[ 1.0,2e3 ]"));
        assert!(store.settle(&room, &claim, &outcome).expect("settle"));
        let reported = bench.open().outcome(&job.name.id).expect("outcome").expect("it is settled");
        assert_eq!((reported.data(), reported.disposition), (&b"[ 1.0,2e3 ]"[..], Disposition::Succeeded));
        assert_eq!((reported.job_id(), reported.attempt()), (job.name.id.clone(), 1));
        let census = store.census().expect("census");
        assert_eq!((census.rooms.inbox, census.rooms.claimed, census.rooms.done, census.rooms.outcomes), (0, 0, 1, 1));
        store.retire(room).expect("an empty room can be given back");
        assert!(store.census().expect("census").consumers.is_empty());
    }

    /// P11: a failure is buried, an unreadable job is put aside, each with its reason.
    fn failures_go_to_their_graves(bench) {
        let store = bench.open();
        let (failing, mut garbage) = (plain(bench), plain(bench));
        garbage.bytes = b"{".to_vec();
        store.submit(&[failing.clone(), garbage.clone()]).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &failing.name).expect("claim"));
        let failed = outcome(bench, &claim, Err(Problem::handler("as asked")));
        assert!(store.settle(&room, &claim, &failed).expect("settle"));
        let claim = taken(store.claim(&room, &garbage.name).expect("claim"));
        let (id, now) = bench.host().mint();
        let unreadable = Outcome::unreadable(&garbage.name.id, 1, &id, "/test", now, Problem::invalid("no JSON"));
        assert!(store.settle(&room, &claim, &unreadable).expect("settle"));
        let census = store.census().expect("census");
        assert_eq!((census.rooms.dead, census.rooms.invalid, census.rooms.outcomes), (1, 1, 2));
        let problem = store.outcome(&failing.name.id).expect("outcome").and_then(|outcome| outcome.problem());
        assert_eq!(problem, Some(Problem::handler("as asked")));
        let rooms: Vec<_> = store.locate(&garbage.name.id).expect("locate").iter().map(|place| place.room).collect();
        assert_eq!(rooms, ["outcomes", "invalid"]);
    }

    /// P10: the first outcome counts, whoever comes later and however often.
    fn a_job_has_one_outcome_for_ever(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        let (first, second) = (outcome(bench, &claim, Ok("1")), outcome(bench, &claim, Ok("2")));
        assert!(store.settle(&room, &claim, &first).expect("settle"));
        assert!(!store.settle(&room, &claim, &second).expect("settle"));
        assert_eq!(store.outcome(&job.name.id).expect("outcome").expect("settled").data(), b"1");
        assert_eq!(store.census().expect("census").rooms.done, 1);
    }

    /// P7: a settled job that comes back is archived, not handled.
    fn a_settled_job_is_not_taken_again(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        store.settle(&room, &claim, &outcome(bench, &claim, Ok("1"))).expect("settle");
        store.submit(std::slice::from_ref(&job)).expect("it comes back");
        assert!(matches!(store.claim(&room, &job.name).expect("claim"), Claimed::Settled));
        assert!(store.scan(10).expect("scan").names.is_empty());
    }

    /// P13: the silent are judged after their lease, not before, and their claims go back as another attempt.
    fn the_silent_lose_their_claims_after_their_lease(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let silent = store.register(&name("silent"), LEASE).expect("register");
        taken(store.claim(&silent, &job.name).expect("claim"));
        let other = bench.open();
        let room = other.register(&name("other"), LEASE).expect("register");
        let mut vigil = Vigil::default();
        assert_eq!(other.recover(&room, &mut vigil).expect("recover").returned, 0);
        store.beat(&silent).expect("beat");
        bench.outlast_a_lease();
        assert_eq!(other.recover(&room, &mut vigil).expect("recover").returned, 0, "it stirred since the last look");
        bench.outlast_a_lease();
        assert_eq!(other.recover(&room, &mut vigil).expect("recover").returned, 1);
        assert_eq!(store.scan(10).expect("scan").names, [job.name.next_attempt()]);
    }

    /// P13: recovery is done once, and doing it again does nothing.
    fn recovery_can_be_repeated(bench) {
        let store = bench.open();
        let job = plain(bench);
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let dead = store.register(&name("dead"), LEASE).expect("register");
        taken(store.claim(&dead, &job.name).expect("claim"));
        drop(dead);
        let room = store.register(&name("other"), LEASE).expect("register");
        let mut vigil = Vigil::default();
        let mut total = store.recover(&room, &mut vigil).expect("recover");
        bench.outlast_a_lease();
        let later = store.recover(&room, &mut vigil).expect("recover");
        (total.returned, total.cleared) = (total.returned + later.returned, total.cleared + later.cleared);
        assert_eq!((total.returned, total.cleared), (1, 1));
        let again = store.recover(&room, &mut vigil).expect("recover");
        assert_eq!((again.returned, again.cleared, again.unjudged), (0, 0, 0));
    }

    /// P9, P12, P15: an outcome reaches its Return Address once, and is collected once.
    fn an_outcome_reaches_its_return_address(bench) {
        let store = bench.open();
        let job = job(bench, 5, |envelope| envelope.set("replyto", "billing"));
        store.submit(std::slice::from_ref(&job)).expect("submit");
        let room = store.register(&name("c"), LEASE).expect("register");
        let claim = taken(store.claim(&room, &job.name).expect("claim"));
        let outcome = outcome(bench, &claim, Ok("1"));
        assert!(store.settle(&room, &claim, &outcome).expect("settle"));
        store.settle(&room, &claim, &outcome).expect("settling again delivers nothing again");
        let replies = bench.open_reply("billing");
        let names = replies.scan(10).expect("scan").names;
        assert_eq!(names, [job.name.delivery()]);
        let asker = replies.register(&name("asker"), LEASE).expect("register");
        let delivered = taken(replies.claim(&asker, &names[0]).expect("claim"));
        assert_eq!(Outcome::decode(&delivered.bytes).expect("an outcome").job_id(), job.name.id);
        assert!(replies.collected(&asker, &delivered).expect("collected"));
        assert!(!replies.collected(&asker, &delivered).expect("collected"));
        assert!(replies.scan(10).expect("scan").names.is_empty());
        assert!(store.outcome(&job.name.id).expect("outcome").is_some(), "who waits finds it too");
    }

    /// A consumer that left nothing is gone at once.
    fn retiring_leaves_nothing(bench) {
        let store = bench.open();
        let room = store.register(&name("c"), LEASE).expect("register");
        assert_eq!(store.census().expect("census").consumers.len(), 1);
        store.retire(room).expect("retire");
        assert!(store.census().expect("census").consumers.is_empty());
        assert_eq!(store.sweep().expect("sweep"), 0);
    }
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
        assert_eq!(store.beat(&room).expect("beat"), Beat::Alive);
        std::fs::remove_dir(store.layout().claims(room.name())).expect("the room is empty");
        assert_eq!(store.beat(&room).expect("beat"), Beat::Evicted);
        let room = store.register(&name("c"), LEASE).expect("register");
        std::fs::remove_file(store.layout().presence(room.name())).expect("it has a presence");
        assert_eq!(store.beat(&room).expect("beat"), Beat::Evicted);
    }
}
