//! The queue's verbs. The local folder implements them with links and renames; a bucket could with conditional puts.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use crate::words::{Id, InboxName, Outcome, Result, RoomName};

/// A queue of jobs, and where their outcomes are decided.
///
/// Every verb may be repeated, by anyone, after it was interrupted at any point.
pub trait Store {
    /// A consumer's registration. Dropping it without [`retire`](Store::retire) is what a crash does.
    type Room;

    /// Publishes jobs, and returns when all are durable (P2, P3).
    ///
    /// # Errors
    /// [`Uncertain`](crate::ErrorKind::Uncertain): some may be there. Any other kind: the named ones are not.
    fn submit(&self, jobs: &[NewJob]) -> Result<()>;

    /// The first `limit` ready names in the order in which they should be taken.
    fn scan(&self, limit: usize) -> Result<Scan>;

    /// Makes a room for a consumer that is silent for no longer than `lease` (P4).
    fn register(&self, consumer: &Id, lease: Duration) -> Result<Self::Room>;

    /// Says that the consumer is alive (P5).
    fn beat(&self, room: &Self::Room) -> Result<Beat>;

    /// Takes a job, or a delivered outcome, unless another was quicker or it is settled already (P6, P7).
    fn claim(&self, room: &Self::Room, name: &InboxName) -> Result<Claimed>;

    /// Gives a claim back, as if it had never been taken (P8).
    fn release(&self, room: &Self::Room, claim: &Claim) -> Result<()>;

    /// Decides a job's outcome, delivers it to its Return Address and archives the job (P9–P12). Returns whether it was
    /// this outcome that counts. An error means: settle it again, or leave it to recovery.
    fn settle(&self, room: &Self::Room, claim: &Claim, outcome: &Outcome) -> Result<bool>;

    /// Settles the claim of a delivered outcome that was handed over (P15). Returns whether this was its first collection.
    fn collected(&self, room: &Self::Room, claim: &Claim) -> Result<bool>;

    /// Takes over what absent consumers left, and clears their rooms (P13). `vigil` remembers what was seen before.
    fn recover(&self, room: &Self::Room, vigil: &mut Vigil) -> Result<Takeover>;

    /// Gives back the room, which must be empty of claims.
    fn retire(&self, room: Self::Room) -> Result<()>;

    /// The outcome of a job, durable, if it is decided (P14).
    fn outcome(&self, id: &Id) -> Result<Option<Outcome>>;

    /// The folders in which a change may mean that there is something new. None, if this store has no folders: then
    /// whoever waits has to look again after a while.
    fn hints(&self, what: Interest<'_>) -> Vec<PathBuf> {
        let _ = what;
        Vec::new()
    }

    /// Where a job is, for people: it may be elsewhere a moment later.
    fn locate(&self, id: &Id) -> Result<Vec<Place>>;

    /// What lies where.
    fn census(&self) -> Result<Census>;

    /// Removes litter of the dead (P16); returns how much.
    fn sweep(&self) -> Result<usize>;
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest<'a> {
    /// Jobs that are ready, and consumers that come and go.
    Ready,
    /// The outcomes of these jobs.
    Outcomes(&'a [Id]),
}

/// A job to be published.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its name; its id is nobody else's.
    pub name: InboxName,
    /// Its envelope.
    pub bytes: Vec<u8>,
}

/// What a scan saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The first names, in order.
    pub names: Vec<InboxName>,
    /// How many more there are.
    pub beyond: usize,
}

/// What a beat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// All is well.
    Alive,
    /// Others took this consumer for dead and cleared its room: register anew.
    Evicted,
}

/// A file in a consumer's room.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its name.
    pub name: InboxName,
    /// Its envelope.
    pub bytes: Vec<u8>,
    /// Where it can be read as long as it is claimed.
    pub path: PathBuf,
}

/// What became of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// It is ours.
    Taken(Claim),
    /// It is ours, but nobody can read it, and why. Its bytes are empty.
    Unreadable(Claim, String),
    /// It had an outcome already and was archived.
    Settled,
    /// Another took it.
    Lost,
}

/// What a recovery did, and what it must look at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeover {
    /// Claims that went back to the inbox.
    pub returned: usize,
    /// Staged outcomes that were helped on.
    pub helped: usize,
    /// Claims that were settled already, and archived.
    pub archived: usize,
    /// Rooms that are gone now.
    pub cleared: usize,
    /// Files in rooms of the dead that bear no name of ours; they are left, and so are their rooms.
    pub strangers: Vec<PathBuf>,
    /// What did not work, in rooms that are to be tried again. The others were recovered.
    pub troubles: Vec<String>,
    /// Consumers that can be judged by nothing but their silence, and are not judged yet.
    pub unjudged: usize,
    /// When to look again at the silent, at the latest.
    pub look_again: Option<Duration>,
}

/// What a judge remembers of the consumers that it watches: what their presence said, and since when (on its own clock).
#[derive(Debug, Default)]
pub struct Vigil {
    pub(crate) seen: HashMap<RoomName, Sighting>,
}

/// A presence, and since when it has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) content: Vec<u8>,
    pub(crate) since: Duration,
    /// It changed under our eyes, so somebody is alive there.
    pub(crate) stirred: bool,
}

/// One place where a job, or its outcome, was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The room: `inbox`, `delayed`, `claimed`, `outcomes`, `done`, `dead` or `invalid`.
    pub room: &'static str,
    /// The file, below the drop folder.
    pub path: PathBuf,
    /// Which attempt, where the name tells.
    pub attempt: Option<u32>,
    /// Who has it, if it is claimed.
    pub consumer: Option<String>,
}

/// How many jobs (in `outcomes`: outcomes) lie in each room.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)] // the rooms' names
pub struct RoomCounts {
    pub inbox: usize,
    pub delayed: usize,
    pub claimed: usize,
    pub outcomes: usize,
    pub done: usize,
    pub dead: usize,
    pub invalid: usize,
    pub tmp: usize,
}

/// A consumer, as others see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConsumerCensus {
    /// Its name.
    pub name: String,
    /// Whether it lives. `None` if only watching it for its lease could tell.
    pub present: Option<bool>,
    /// How many claims it has.
    pub claimed: usize,
}

/// What lies where.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Census {
    /// Jobs in each room.
    pub rooms: RoomCounts,
    /// What lies in `inbox/` and is no job.
    pub unrecognised: usize,
    /// How long the oldest ready job has waited, by its name and this machine's clock.
    pub oldest_ready_seconds: Option<f64>,
    /// Who has a room.
    pub consumers: Vec<ConsumerCensus>,
    /// Delivered and not yet collected outcomes, for each Return Address.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replies: BTreeMap<String, usize>,
}
