//! P6, P7, P8: what is ready, taking it, and giving it back.

use std::collections::BinaryHeap;
use std::io::ErrorKind as Io;
use std::ops::ControlFlow::{Break, Continue};

use super::LocalStore;
use super::moves::found;
use super::presence::LocalRoom;
use crate::ports::{Claim, Claimed, FileKind, Fs, Host, Listed, Scan};
use crate::words::{
    DeliveryKind, Error, InboxName, InboxNameRead, MAX_FILE_BYTES, Result, RoomName, StagedName,
};

/// Somebody may have moved a hundred thousand dead letters. The others follow once these are where they belong.
const MOST_MISPLACED: usize = 256;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Keeps no more than `limit` names of first attempts and as many of repeated ones in memory, however many there are: the
    /// ones must not hide the others. Goes through `most` names of the folder, and tells whether those were not all.
    pub(super) fn scan_inbox(&self, limit: usize, most: usize) -> Result<Scan> {
        let inbox = self.layout.room("inbox");
        let (mut fresh, mut repeated) = (First::of(limit), First::of(limit));
        let (mut misplaced, mut dropped) = (First::of(MOST_MISPLACED), 0);
        let mut sort = |entry: &Listed| {
            if entry.kind != FileKind::File {
                return;
            }
            let Some(name) = entry.name.to_str() else {
                dropped += 1;
                return;
            };
            match InboxNameRead::of(name) {
                Some(name) if name.attempt == 1 => fresh.offer(&name),
                Some(name) => repeated.offer(&name),
                None => {
                    let archived = InboxName::parse_archived(name).ok();
                    dropped += usize::from(archived.is_none());
                    if let Some(name) = archived.filter(|name| name.kind == DeliveryKind::Job) {
                        misplaced.keep(name);
                    }
                }
            }
        };
        let mut seen = 0;
        let mut each = |entry: Listed| {
            // Only the name after the last one tells that there are more.
            if seen == most {
                return Break(());
            }
            seen += 1;
            sort(&entry);
            Continue(())
        };
        let listed = self.list_unless_empty(&inbox, &mut each);
        let cut_short = listed.map_err(|e| Error::io("list the inbox", &inbox, e))?.is_break();
        let beyond = fresh.beyond + repeated.beyond;
        let mut names = fresh.names.into_sorted_vec();
        names.append(&mut repeated.names.into_vec());
        names.sort_unstable();
        let misplaced = misplaced.names.into_sorted_vec();
        Ok(Scan { names, beyond, seen, cut_short, dropped, misplaced })
    }

    /// P6, P7. What the rename answers is not asked: the job is in the room or it is not.
    pub(super) fn take(&self, room: &LocalRoom<F::File>, name: &InboxName) -> Result<Claimed> {
        let (room, origin) = (room.name(), room.origin());
        let path = self.layout.claim(room, name);
        let answer = self.fs.rename(&self.layout.ready(name), &path);
        let (bytes, unreadable) = match found(self.fs.open(&path)) {
            Ok(None) => {
                return match answer {
                    Err(e) if e.kind() != Io::NotFound => Err(Error::io("claim a job", path, e)),
                    _ => Ok(Claimed::Lost),
                };
            }
            Ok(Some(file)) => self.read_claim(&file, &path)?,
            Err(e) => (Vec::new(), Some(self.verdict_on(e, &path)?)),
        };
        if self.is_settled(name)? {
            self.archive(room, name)?;
            return Ok(Claimed::Settled);
        }
        let claim = Claim { name: name.clone(), bytes, path, origin };
        Ok(match unreadable {
            None => Claimed::Taken(claim),
            Some(why) => Claimed::Unreadable(claim, why),
        })
    }

    fn read_claim(&self, file: &F::File, path: &std::path::Path) -> Result<(Vec<u8>, Option<String>)> {
        match self.fs.read(file, MAX_FILE_BYTES) {
            Ok(bytes) => Ok((bytes, None)),
            Err(e) => Ok((Vec::new(), Some(self.verdict_on(e, path)?))),
        }
    }

    /// Whether an error condemns the file, or is only the machine's trouble of today.
    fn verdict_on(&self, e: std::io::Error, path: &std::path::Path) -> Result<String> {
        match e.kind() {
            Io::PermissionDenied if self.is_barred(path)? => {
                Ok("the consumer has no permission to read it".to_owned())
            }
            Io::FileTooLarge => Ok(format!("it is larger than {MAX_FILE_BYTES} bytes")),
            Io::InvalidInput => Ok("it is not a regular file".to_owned()),
            _ => Err(Error::io("read a claimed job", path, e)),
        }
    }

    /// Whether it is the file itself that may not be read. If only the way to it is closed, for as long as somebody gave a folder
    /// other modes, that is no flaw of the job.
    fn is_barred(&self, path: &std::path::Path) -> Result<bool> {
        let denied =
            |answer: std::io::Result<F::File>| answer.is_err_and(|e| e.kind() == Io::PermissionDenied);
        Ok(self.look(path)?.is_some() && denied(self.fs.open(path)))
    }

    /// P7. If it is, then durably (R5).
    pub(super) fn is_settled(&self, name: &InboxName) -> Result<bool> {
        let (dir, verdict) = self.layout.verdict(name);
        let settled = self.look(&verdict)?.is_some();
        if settled {
            self.flush_dir(&dir)?;
        }
        Ok(settled)
    }

    /// P8. The attempt does not count.
    pub(super) fn hand_back(&self, room: &RoomName, name: &InboxName) -> Result<()> {
        // Its outcome is decided as soon as somebody comes by (P13): it must not be handled again meanwhile.
        let staged = |entry: &Listed| {
            let staged = entry.name.to_str().and_then(|name| name.parse::<StagedName>().ok());
            staged.is_some_and(|staged| staged.job.id == name.id)
        };
        let dir = self.layout.claims(room);
        if self.names(&dir)?.iter().any(staged) {
            return Err(Error::io("hand back a job whose outcome is staged", dir, Io::ResourceBusy.into()));
        }
        self.relocate(&self.layout.claim(room, name), &self.layout.ready(name))?;
        self.flush_dir(&self.layout.room("inbox"))?;
        self.flush_dir(&self.layout.claims(room))
    }
}

/// The first names of many.
struct First {
    names: BinaryHeap<InboxName>,
    limit: usize,
    beyond: usize,
}

impl First {
    fn of(limit: usize) -> Self {
        Self { names: BinaryHeap::new(), limit, beyond: 0 }
    }

    /// Most of many names are not copied.
    fn offer(&mut self, name: &InboxNameRead<'_>) {
        let full = self.names.len() >= self.limit;
        if full && !self.names.peek().is_some_and(|last| name.is_before(last)) {
            self.beyond += 1;
        } else {
            self.keep(name.keep());
        }
    }

    fn keep(&mut self, name: InboxName) {
        self.names.push(name);
        if self.names.len() > self.limit {
            self.names.pop();
            self.beyond += 1;
        }
    }
}
