//! What a consumer sees of its work.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::ports::FileId;
use crate::words::{Error, Id, InboxName, Millis, RoomName, StampedId};

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest<'a> {
    /// Jobs that are ready, and consumers that come and go.
    Ready,
    /// The outcomes of these jobs.
    Outcomes(&'a [Id]),
}

/// How much a consumer has settled. Both numbers only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since it began.
    pub settled: u64,
    /// The same, as it was a minute ago.
    pub a_minute_ago: u64,
}

/// What a beat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// All is well.
    Alive,
    /// Others took this consumer for dead and cleared its room: register anew.
    Evicted,
}

/// What a scan saw.
///
/// Folders tell names in no order. So one that was cut short has the first names of those that it saw, and there may be earlier
/// ones, also of a higher priority, that only a longer scan sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The first names, in order.
    pub names: Vec<InboxName>,
    /// How many more it saw.
    pub beyond: usize,
    /// How many names it went through, of whatever sort.
    pub seen: usize,
    /// It was cut short: it did not go through all names.
    pub cut_short: bool,
    /// Files that bear no name of ours: they may be jobs of strangers.
    pub dropped: usize,
    /// Names without an attempt: these are no jobs any more, and somebody put them here (P22). The first few hundred, in order.
    pub misplaced: Vec<InboxName>,
}

/// What came due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Promotion {
    /// How many jobs moved to the inbox.
    pub moved: usize,
    /// When the next one is due.
    pub next: Option<Millis>,
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
    /// The drop folder that it came from, as far as that is known.
    pub origin: Option<Origin>,
}

/// What tells a drop folder from another that is put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its folder of outcomes.
    pub id: FileId,
    /// When that was made, where the file system tells.
    pub born_ns: Option<u64>,
}

impl Origin {
    /// Whether it is not the same. A disk that was unmounted may come back as another device, so that counts only where nothing
    /// better is known.
    pub fn differs_from(self, other: Self) -> bool {
        match (self.born_ns, other.born_ns) {
            (Some(mine), Some(its)) => (mine, self.id.ino) != (its, other.id.ino),
            _ => self.id != other.id,
        }
    }
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

/// What became of a stranger's file that was to be taken.
#[derive(Debug)]
pub enum Fetched {
    /// It is in the room, and what was judged: it is to be admitted.
    Here(StampedId),
    /// It is gone, or is not what was judged any more.
    Not,
    /// That did not work. What there may be of it in the room is to be put back: it may not be what was judged.
    Failed(StampedId, Error),
}

/// What a recovery did, and what it must look at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeover {
    /// Claims that went back to the inbox.
    pub returned: usize,
    /// Files that strangers had dropped, and that were taken; they are jobs now.
    pub admitted: usize,
    /// Staged outcomes that were helped on.
    pub helped: usize,
    /// Events of publishers that died, or are at it, that were delivered to a group.
    pub events: usize,
    /// Claims that were settled already, and archived.
    pub archived: usize,
    /// Rooms that are gone now.
    pub cleared: usize,
    /// Files in rooms of the dead that bear no name of ours; they are left, and so are their rooms.
    pub strangers: Vec<PathBuf>,
    /// What did not work, in rooms and with events that are to be tried again. The others were recovered.
    pub troubles: Vec<String>,
    /// Consumers that can be judged by nothing but their silence, and are not judged yet.
    pub unjudged: usize,
    /// When to look again at the silent, at the latest.
    pub look_again: Option<Duration>,
}

impl Takeover {
    /// How much was done; 0 if there was nothing to do, or nothing that could be done.
    pub fn done(&self) -> usize {
        self.returned + self.admitted + self.helped + self.events + self.archived + self.cleared
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_same_on_a_disk_that_comes_back_as_another_device() {
        let origin = |dev, ino, born_ns| Origin { id: FileId { dev, ino }, born_ns };
        let first = origin(1, 12, Some(7));
        assert!(!first.differs_from(origin(2, 12, Some(7))));
        assert!(first.differs_from(origin(1, 13, Some(7))) && first.differs_from(origin(1, 12, Some(8))));
        let unborn = origin(1, 12, None);
        assert!(!unborn.differs_from(unborn) && unborn.differs_from(origin(2, 12, None)));
    }
}
