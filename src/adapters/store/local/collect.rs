//! P15: a delivered outcome is settled once, because the archive remembers it.

use super::LocalStore;
use crate::ports::{Fs, Host};
use crate::words::{InboxName, Result, RoomName};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Whether this was its first collection. The archive is durable before the claim goes, and both before the answer.
    pub(super) fn archive_delivery(&self, room: &RoomName, name: &InboxName) -> Result<bool> {
        let claim = self.layout.claim(room, name);
        let Some(file) = self.look(&claim)? else { return Ok(false) };
        let day = self.layout.archive_day(name);
        let first = self.inside(&day, || self.link_if_free(&claim, file.id, &self.layout.archived(name)))?;
        self.flush_dir(&day)?;
        self.remove(&claim)?;
        self.flush_dir(&self.layout.claims(room))?;
        Ok(first)
    }
}
