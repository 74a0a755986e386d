//! P4, P5: a consumer's room, and the file beside it that says whether its consumer lives.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LocalStore;
use super::moves::found;
use crate::ports::{Beat, FileKind, Fs, Host, Origin, Progress, Sighting, Vigil};
use crate::words::{DEFAULT_LEASE, Error, Habits, Id, Result, RoomName};

/// A consumer's registration. When it is dropped, or its process dies, the lock on its presence is free.
pub struct LocalRoom<File> {
    name: RoomName,
    origin: Option<Origin>,
    /// None once it is [abandoned](crate::ports::Store::abandon).
    file: Mutex<Option<Arc<File>>>,
    presence: Presence,
    beats: AtomicU64,
    takes: OnceLock<Value>,
}

impl<File> LocalRoom<File> {
    /// The room's name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// The drop folder that it was made in.
    pub(super) fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Its presence, if it is not abandoned.
    fn held(&self) -> Option<Arc<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of its presence, and so of the file system that it lies on.
    pub(super) fn let_go(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What a presence file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Presence {
    host: String,
    pid: u32,
    lease_ms: u64,
    lock: bool,
    beat: u64,
    /// Jobs that it has settled, and how many that were a minute ago: for people. No number here ever shrinks, so that a new
    /// content covers the old one.
    #[serde(default)]
    settled: u64,
    #[serde(default)]
    settled_a_minute_ago: u64,
    /// Its [`Habits`], likewise. Whatever stands here must not keep anybody from reading the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takes: Option<Value>,
}

const PRESENCE_LIMIT: usize = 64 << 10;

/// Longer ones are not told: the presence must stay readable.
const HABITS_LIMIT: usize = 32 << 10;

/// What is known of a consumer.
pub(super) enum Judgement<File> {
    /// Somebody is there. By its lock, or by a beat that was seen; look again when its lease could have run out.
    Present(Duration),
    /// Nobody is there. With its lock in hand, if it had one that was free.
    Absent(Option<File>),
    /// Only its silence could tell, and that is not long enough yet.
    Unjudged(Duration),
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// P4. Locked before it is seen: a judge never finds a presence whose owner has not come to lock it yet.
    pub(super) fn make_room(&self, consumer: &Id, lease: Duration) -> Result<LocalRoom<F::File>> {
        let name = RoomName { consumer: consumer.clone(), nonce: self.host.nonce() };
        let presence = Presence {
            host: self.host.name(),
            pid: self.host.pid(),
            lease_ms: lease.as_millis() as u64,
            lock: self.fs.is_local(),
            beat: 0,
            settled: 0,
            settled_a_minute_ago: 0,
            takes: None,
        };
        let origin = self.origin()?;
        let draft = self.draft_path();
        let failed = |e| Error::io("write a presence file", &draft, e);
        let file = self.fs.create(&draft).map_err(failed)?;
        let settle_in = || {
            self.fs.write(&file, &to_json(&presence)).map_err(failed)?;
            if presence.lock && !self.fs.try_lock(&file).map_err(failed)? {
                return Err(failed(std::io::ErrorKind::ResourceBusy.into()));
            }
            // After a power cut an empty one would say nothing of a lock: everybody would wait for a lease.
            self.fs.flush(&file).map_err(failed)?;
            self.relocate(&draft, &self.layout.presence(&name))?;
            // The flush in it covers both names.
            self.ensure_dir(&self.layout.claims(&name))
        };
        if let Err(e) = settle_in() {
            // A presence that came to its place and a room are left to the judges: nothing is in it.
            self.remove(&draft)?;
            return Err(e);
        }
        let file = Mutex::new(Some(Arc::new(file)));
        Ok(LocalRoom { name, origin, file, presence, beats: AtomicU64::new(0), takes: OnceLock::new() })
    }

    /// P5, and what it says stays for all further beats.
    pub(super) fn tell_habits(&self, room: &LocalRoom<F::File>, habits: &Habits) -> Result<Beat> {
        let told = serde_json::to_value(habits).expect("strings and a number are JSON");
        if told.to_string().len() > HABITS_LIMIT {
            tracing::debug!("so many patterns are not told to others");
        } else {
            room.takes.get_or_init(|| told);
        }
        self.change_presence(room, Progress::default())
    }

    /// P5. Whose presence or room is gone, or another's, was taken for dead.
    pub(super) fn change_presence(&self, room: &LocalRoom<F::File>, progress: Progress) -> Result<Beat> {
        let path = self.layout.presence(&room.name);
        let failed = |e| Error::io("beat", &path, e);
        let beat = room.beats.fetch_add(1, Ordering::Relaxed) + 1;
        let Progress { settled, a_minute_ago: settled_a_minute_ago } = progress;
        let presence = Presence {
            beat,
            settled,
            settled_a_minute_ago,
            takes: room.takes.get().cloned(),
            ..room.presence.clone()
        };
        let Some(file) = room.held() else { return Ok(Beat::Evicted) };
        let written = self.fs.write(&file, &to_json(&presence));
        let own = self.fs.stat_open(&file);
        let there = self.look(&path)?;
        // Another machine removed it (NFS), or its server is gone (FUSE): what is at the path now is seen by another mount.
        let Ok(own) = own else { return Ok(Beat::Evicted) };
        let ours = there.is_some_and(|there| there.id == own.id);
        // A disk may have failed, and be unmounted by now: what cannot be written to is not there any more either.
        if ours {
            written.map_err(failed)?;
        }
        let housed = self.look(&self.layout.claims(&room.name))?.is_some();
        Ok(if ours && housed { Beat::Alive } else { Beat::Evicted })
    }

    /// P17. The room first: a presence without a room is cleared by anyone, a room without a presence only after a lease.
    pub(super) fn leave(&self, room: &LocalRoom<F::File>) -> Result<()> {
        let dir = self.layout.claims(&room.name);
        // A power cut may take the room and bring back what was in it: then it would be nowhere.
        self.flush_dir_if_there(&dir)?;
        if let Err(e) = self.fs.remove_dir(&dir)
            && self.look(&dir)?.is_some()
        {
            return Err(Error::io("remove the room", dir, e));
        }
        self.remove(&self.layout.presence(&room.name))
    }

    /// Judges a consumer by lock or by silence. Without a `vigil` nobody is ever judged by silence.
    pub(super) fn judge(&self, room: &RoomName, vigil: Option<&mut Vigil>) -> Result<Judgement<F::File>> {
        // Taken before the read: a lease must have run out when the presence was still unchanged.
        let now = self.host.monotonic();
        let path = self.layout.presence(room);
        let failed = |e| Error::io("judge a presence file", &path, e);
        // What is not there, or no presence, says nothing. That we cannot read it does not say that its owner is silent.
        let file = if_any(self.fs.open(&path)).map_err(failed)?;
        let content = match &file {
            Some(file) => if_any(self.fs.read(file, PRESENCE_LIMIT)).map_err(failed)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let presence = from_json(&content);
        let mut held = false;
        let locks = self.fs.is_local() && presence.as_ref().is_some_and(|presence| presence.lock);
        if let (Some(file), true) = (file, locks) {
            if self.fs.try_lock(&file).map_err(failed)? {
                // A lock on a file that is no longer the one at this path says nothing.
                let own = self.fs.stat_open(&file).map_err(failed)?.id;
                return Ok(match self.look(&path)? {
                    Some(there) if there.id == own => Judgement::Absent(Some(file)),
                    _ => Judgement::Present(DEFAULT_LEASE),
                });
            }
            held = true;
        }
        let lease = presence.map_or(DEFAULT_LEASE, |presence| Duration::from_millis(presence.lease_ms));
        let fresh = || Sighting { content: content.clone(), since: now, stirred: false };
        let Some(vigil) = vigil else {
            return Ok(if held { Judgement::Present(lease) } else { Judgement::Unjudged(lease) });
        };
        let sighting = vigil.seen.entry(room.clone()).or_insert_with(fresh);
        if sighting.content != content {
            *sighting = Sighting { stirred: true, ..fresh() };
        }
        let left = lease.saturating_sub(now.saturating_sub(sighting.since));
        Ok(match (left.is_zero(), held || sighting.stirred) {
            (true, _) => Judgement::Absent(None),
            (false, true) => Judgement::Present(left),
            (false, false) => Judgement::Unjudged(left),
        })
    }

    /// What a consumer says for people: how many jobs it settled in the last minute, and how it takes the files of strangers.
    pub(super) fn said(&self, room: &RoomName) -> Option<(u64, Option<Habits>)> {
        let file = self.fs.open(&self.layout.presence(room)).ok()?;
        let content = self.fs.read(&file, PRESENCE_LIMIT).ok()?;
        let presence = from_json(&content)?;
        let habits = presence.takes.and_then(|habits| serde_json::from_value(habits).ok());
        Some((presence.settled.saturating_sub(presence.settled_a_minute_ago), habits))
    }

    /// Whether the presence of an absent consumer may be removed by a judge who does not hold its lock.
    pub(super) fn is_lockless(&self, room: &RoomName) -> Result<bool> {
        let path = self.layout.presence(room);
        let Some(meta) = self.look(&path)? else { return Ok(true) };
        if meta.kind != FileKind::File {
            return Ok(false);
        }
        let failed = |e| Error::io("read a presence file", &path, e);
        let Some(file) = found(self.fs.open(&path)).map_err(failed)? else { return Ok(true) };
        let content = self.fs.read(&file, PRESENCE_LIMIT).map_err(failed)?;
        Ok(!from_json(&content).is_some_and(|presence| presence.lock))
    }
}

/// `None`: there is none, or something else: no regular file, or a larger one.
fn if_any<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge) => Ok(None),
        answer => found(answer),
    }
}

fn to_json(presence: &Presence) -> Vec<u8> {
    serde_json::to_vec(presence).expect("numbers and strings serialise")
}

/// A power cut may leave it as long as its last beat was, with the content of an earlier one (btrfs): the rest is zero bytes. What
/// is asked of the dead, its lock and its lease, was the same in all of them.
fn from_json(content: &[u8]) -> Option<Presence> {
    let end = content.iter().rposition(|byte| *byte != 0)? + 1;
    serde_json::from_slice(&content[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_power_cut_left_of_a_presence_says_whether_it_was_locked() {
        let written = br#"{"host":"mill","pid":7,"lease_ms":30000,"lock":true,"beat":0}"#.to_vec();
        let left = [&written[..], &[0; 26]].concat();
        assert!(from_json(&left).is_some_and(|presence| presence.lock && presence.lease_ms == 30_000));
        assert!(from_json(&written[..20]).is_none() && from_json(&[0; 26]).is_none());
        assert!(from_json(&[&[0], &written[..]].concat()).is_none(), "only its end may be missing");
    }
}
