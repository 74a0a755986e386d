//! P13: what the dead left is helped on, by anyone, as often as anyone likes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::LocalStore;
use super::presence::Judgement;
use crate::ports::{Admitted, FileKind, Fs, Host, Takeover, Vigil};
use crate::words::{Error, InboxName, Result, RoomName, StagedName, StampedId};

/// When to try again what did not work.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What lies in a room.
enum Left {
    Staged(StagedName),
    Claim(InboxName),
    Taken(StampedId),
    /// What an intake was copying.
    Copying(StampedId),
    /// The same, when it is nobody's any more.
    Spent(StampedId),
    Stranger(std::ffi::OsString),
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    pub(super) fn take_over(&self, own: &RoomName, vigil: &mut Vigil) -> Result<Takeover> {
        let mut takeover = Takeover::default();
        let rooms = self.rooms()?;
        vigil.seen.retain(|room, _| rooms.contains(room));
        for room in rooms.iter().filter(|room| *room != own) {
            let judged = self.judge(room, Some(vigil)).and_then(|judgement| match judgement {
                Judgement::Present(left) => Ok(Some(left)),
                Judgement::Unjudged(left) => {
                    takeover.unjudged += 1;
                    Ok(Some(left))
                }
                Judgement::Absent(lock) => self.clear(room, lock.is_some(), &mut takeover).map(|()| None),
            });
            let left = match judged {
                Ok(None) => continue,
                Ok(Some(left)) => left,
                // One room that cannot be cleared keeps none of the others from it.
                Err(e) => {
                    takeover.troubles.push(e.to_string());
                    TRY_AGAIN
                }
            };
            takeover.look_again = Some(takeover.look_again.map_or(left, |earlier| earlier.min(left)));
        }
        Ok(takeover)
    }

    /// Rooms, and presences without one.
    pub(super) fn rooms(&self) -> Result<BTreeSet<RoomName>> {
        let names = self.names(&self.layout.room("claimed"))?;
        let room = |name: &str| name.strip_suffix(".presence").unwrap_or(name).parse().ok();
        Ok(names.iter().filter_map(|entry| entry.name.to_str().and_then(room)).collect())
    }

    /// Staged outcomes first: a claim whose outcome is staged is finished, not begun again.
    fn clear(&self, room: &RoomName, locked: bool, takeover: &mut Takeover) -> Result<()> {
        let (mut claims, mut taken, mut spent) = (Vec::new(), Vec::new(), Vec::new());
        let mut strangers = false;
        let dir = self.layout.claims(room);
        let left = self.left_in(room)?;
        // Its consumer may have been stopped before it flushed what it staged. As in P9: a slot must not outlive the only name
        // that can still be delivered.
        self.flush_dir_if_there(&dir)?;
        for left in left {
            match left {
                Left::Claim(name) => claims.push(name),
                Left::Taken(stamp) => taken.push(stamp),
                Left::Copying(stamp) => {
                    // By one step, so that its intake, which may only sleep, never takes a part of it for all (P31).
                    let _ =
                        self.fs.rename(&self.layout.copying(room, &stamp), &self.layout.spent(room, &stamp));
                    spent.push(stamp);
                }
                Left::Spent(stamp) => spent.push(stamp),
                Left::Staged(staged) if self.help(room, &staged)? => takeover.helped += 1,
                Left::Staged(staged) => {
                    takeover.strangers.push(self.layout.staged(room, &staged));
                    strangers = true;
                }
                Left::Stranger(name) => {
                    takeover.strangers.push(dir.join(name));
                    strangers = true;
                }
            }
        }
        for name in &claims {
            if self.is_settled(name)? {
                self.archive(room, name)?;
                takeover.archived += 1;
            } else {
                self.relocate(&self.layout.claim(room, name), &self.layout.ready(&name.next_attempt()))?;
                takeover.returned += 1;
            }
        }
        let admitted = self.admit_left(room, &taken);
        for stamp in &spent {
            self.remove_tree(&self.layout.spent(room, stamp))?;
        }
        if !claims.is_empty() {
            self.flush_dir(&self.layout.room("inbox"))?;
        }
        takeover.admitted += admitted?;
        // A consumer that is stopped and still holds its lock keeps its room; only who holds the lock may remove it.
        let stays = strangers || !(locked || self.is_lockless(room)?);
        // P17, also when nothing was left: what its consumer moved away may not be durable yet.
        self.flush_dir_if_there(&dir)?;
        if stays {
            return Ok(());
        }
        let gone = if locked { self.remove_room(&dir)? } else { self.remove_room_of_the_silent(room)? };
        if !gone {
            return Ok(());
        }
        self.remove(&self.layout.presence(room))?;
        takeover.cleared += 1;
        Ok(())
    }

    /// Its consumer may be only silent, and moving something out of it right now. So the room loses its name first: then that is done, or
    /// fails, and the flush makes it durable before a power cut could take the room. Who woke so far that something is in it again keeps
    /// it. Whether it is gone.
    fn remove_room_of_the_silent(&self, room: &RoomName) -> Result<bool> {
        let dir = self.layout.claims(room);
        if !self.names(&dir)?.is_empty() {
            return Ok(false);
        }
        let fresh = RoomName { consumer: room.consumer.clone(), nonce: self.host.nonce() };
        let nobodys = self.layout.claims(&fresh);
        if let Err(e) = self.fs.rename(&dir, &nobodys)
            && self.look(&dir)?.is_some()
        {
            return Err(Error::io("rename a room", dir, e));
        }
        self.flush_dir_if_there(&nobodys)?;
        let gone = self.remove_room(&nobodys)?;
        if !gone {
            // If this fails, it is the room of somebody who never was.
            let _ = self.fs.rename(&nobodys, &dir);
        }
        Ok(gone)
    }

    /// Unless there is something in it. Whether it is gone.
    fn remove_room(&self, dir: &Path) -> Result<bool> {
        match self.fs.remove_dir(dir) {
            Err(e) if e.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(e) if self.look(dir)?.is_some() => Err(Error::io("remove a room", dir, e)),
            _ => Ok(true),
        }
    }

    /// P29, for the dead. How many there were. One that cannot be admitted keeps none of the others from it.
    fn admit_left(&self, room: &RoomName, taken: &[StampedId]) -> Result<usize> {
        let (mut admitted, mut trouble) = (0, Ok(()));
        let mut judged = Vec::with_capacity(taken.len());
        for stamp in taken {
            match self.drop_admitted(room, stamp).and_then(|()| self.is_unjudged(room, stamp)) {
                Ok(true) => trouble = trouble.and(self.give_back(room, stamp, |_| false)),
                Ok(false) => judged.push(stamp.clone()),
                Err(e) => trouble = trouble.and(Err(e)),
            }
        }
        if !judged.is_empty() {
            for answer in self.admit_taken(room, &judged)? {
                match answer {
                    Ok(answer) => admitted += usize::from(answer != Admitted::Nothing),
                    Err(e) => trouble = trouble.and(Err(e)),
                }
            }
        }
        trouble.map(|()| admitted)
    }

    /// Whether it was an outcome that could be read: what cannot be is nobody's to decide with.
    fn help(&self, room: &RoomName, staged: &StagedName) -> Result<bool> {
        let path = self.layout.staged(room, staged);
        let Some(outcome) = self.read_outcome(&path)? else { return Ok(self.look(&path)?.is_none()) };
        self.help_on(room, staged, outcome.reply_to().as_ref())?;
        Ok(true)
    }

    fn left_in(&self, room: &RoomName) -> Result<Vec<Left>> {
        let names = self.names(&self.layout.claims(room))?;
        Ok(names
            .into_iter()
            .map(|entry| {
                let text = entry.name.to_str();
                if let Some(folder) = text.filter(|_| entry.kind == FileKind::Dir).and_then(folder_left) {
                    return folder;
                }
                let name = text.filter(|_| entry.kind == FileKind::File);
                match (name.and_then(|name| name.parse().ok()), name.and_then(|name| name.parse().ok())) {
                    (Some(staged), _) => Left::Staged(staged),
                    (None, Some(claim)) => Left::Claim(claim),
                    (None, None) => Left::Stranger(entry.name),
                }
            })
            .collect())
    }
}

fn folder_left(name: &str) -> Option<Left> {
    let taken = StampedId::parse_taken(name).map(Left::Taken);
    let copying = || StampedId::parse_copying(name).map(Left::Copying);
    taken.or_else(copying).or_else(|| StampedId::parse_spent(name).map(Left::Spent))
}
