//! P15: a delivered outcome is settled once, because the archive remembers it.

use std::io::ErrorKind;
use std::path::Path;

use super::LocalStore;
use crate::ports::{Fs, Host};
use crate::words::{Error, InboxName, Result, RoomName};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Whether this was its first collection. The archive is durable before the claim goes, and both before the answer.
    pub(super) fn archive_delivery(&self, room: &RoomName, name: &InboxName) -> Result<bool> {
        let claim = self.layout.claim(room, name);
        let day = self.layout.archive_day(name);
        let first = self.inside(&day, || self.link_to_archive(&claim, &self.layout.archived(name)))?;
        self.flush_dir(&day)?;
        self.remove(&claim)?;
        self.flush_dir(&self.layout.claims(room))?;
        Ok(first)
    }

    /// As P13 does it for the dead: whoever collects it next has to know that it may have been handed over.
    pub(super) fn count_and_return(&self, room: &RoomName, name: &InboxName) -> Result<()> {
        self.relocate(&self.layout.claim(room, name), &self.layout.ready(&name.next_attempt()))?;
        self.flush_dir(&self.layout.room("inbox"))?;
        self.flush_dir_if_there(&self.layout.claims(room))
    }

    /// Whether this call made the link. The archive may be a link to this very file and yet another's doing: a zombie's
    /// claim went back to the inbox and was collected, or a power cut left one file under two names. So what is there
    /// already is never ours; what was not there before a lost answer is, if our claim still is where it was.
    fn link_to_archive(&self, claim: &Path, archived: &Path) -> Result<bool> {
        let answer = self.fs.link(claim, archived);
        let e = match answer {
            Ok(()) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(e) => e,
        };
        match (self.look(claim)?, self.look(archived)?) {
            (None, _) => Ok(false),
            (Some(ours), Some(there)) => Ok(ours.id == there.id),
            (Some(_), None) => Err(Error::io("archive a delivered outcome", archived, e)),
        }
    }
}
