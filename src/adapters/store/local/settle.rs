//! P9–P12: the one outcome of a job, from the handler's answer to the archive.

use std::path::{Path, PathBuf};

use super::LocalStore;
use super::layout::Layout;
use super::moves::found;
use crate::ports::{Fs, Host};
use crate::words::{
    DeliveryKind, Error, Id, InboxName, MAX_FILE_BYTES, Outcome, Result, RoomName, StagedName,
};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Whether it was this outcome that counts.
    pub(super) fn decide_and_archive(
        &self,
        room: &RoomName,
        job: &InboxName,
        outcome: &Outcome,
    ) -> Result<bool> {
        let bytes = outcome.envelope.encode()?;
        let staged = job.staged(outcome.nonce());
        let counts = match outcome.reply_to() {
            // The slot may be taken by this very outcome: an earlier call came so far, and then something failed.
            None => {
                self.decide(job, || self.publish_if_free(&bytes, &self.layout.slot(job)))?
                    || self.is_slot_of(&staged)?
            }
            Some(address)
                if self.look(&self.layout.staged(room, &staged))?.is_none()
                    && self.is_slot_of(&staged)? =>
            {
                self.flush_delivery(room, &self.ensure_reply(&address)?)?;
                true
            }
            Some(address) => {
                self.stage(room, &staged, &bytes)?;
                self.help_on(room, &staged, Some(&address))?
            }
        };
        if counts {
            self.move_to_rest(room, job, self.layout.grave(outcome))?;
        } else {
            self.archive(room, job)?;
        }
        Ok(counts)
    }

    /// P9. The name in the room must be durable before the slot can be: only this file can be delivered.
    fn stage(&self, room: &RoomName, staged: &StagedName, bytes: &[u8]) -> Result<()> {
        let path = self.layout.staged(room, staged);
        if self.look(&path)?.is_none() {
            self.publish(bytes, &path)?;
        }
        self.flush_dir(&self.layout.claims(room))
    }

    /// P10, P12, for our own staged outcome or that of the dead. It is never discarded before a slot exists.
    /// Whether it is the one that counts.
    pub(super) fn help_on(&self, room: &RoomName, staged: &StagedName, address: Option<&Id>) -> Result<bool> {
        let path = self.layout.staged(room, staged);
        // Gone: another has helped it on.
        let Some(file) = self.look(&path)? else { return self.is_slot_of(staged) };
        let counts =
            self.decide(&staged.job, || self.link_if_free(&path, file.id, &self.layout.slot(&staged.job)))?;
        match address {
            Some(address) if counts => self.deliver(room, staged, address)?,
            _ => self.remove(&path)?,
        }
        Ok(counts)
    }

    /// P10. `link` says whether the slot is ours; either way it is durable when this returns.
    fn decide(&self, job: &InboxName, link: impl Fn() -> Result<bool>) -> Result<bool> {
        let day = self.layout.slot_day(job);
        let counts = self.inside(&day, link)?;
        self.flush_dir(&day)?;
        Ok(counts)
    }

    fn is_slot_of(&self, staged: &StagedName) -> Result<bool> {
        let Some(outcome) = self.read_outcome(&self.layout.slot(&staged.job))? else { return Ok(false) };
        self.flush_dir(&self.layout.slot_day(&staged.job))?;
        Ok(outcome.nonce() == staged.nonce)
    }

    /// P12.
    fn deliver(&self, room: &RoomName, staged: &StagedName, address: &Id) -> Result<()> {
        let reply: Layout = self.ensure_reply(address)?;
        self.relocate(&self.layout.staged(room, staged), &reply.ready(&staged.job.delivery()))?;
        self.flush_delivery(room, &reply)
    }

    fn flush_delivery(&self, room: &RoomName, reply: &Layout) -> Result<()> {
        self.flush_dir(&reply.room("inbox"))?;
        self.flush_dir_if_there(&self.layout.claims(room))
    }

    /// P11 for a claim whose slot is durable: as the outcome in the slot says, whoever's it is.
    pub(super) fn archive(&self, room: &RoomName, name: &InboxName) -> Result<()> {
        match name.kind {
            DeliveryKind::Outcome => self.remove(&self.layout.claim(room, name)),
            DeliveryKind::Job => {
                let grave = match self.read_outcome(&self.layout.slot(name))? {
                    Some(outcome) => self.grave_of(name, &outcome)?,
                    // What lies in the slot is not an outcome. It decides all the same; people should look at it.
                    None => Some(self.layout.room("dead")),
                };
                self.move_to_rest(room, name, grave)
            }
        }
    }

    fn move_to_rest(&self, room: &RoomName, job: &InboxName, grave: Option<PathBuf>) -> Result<()> {
        let claim = self.layout.claim(room, job);
        match grave {
            None => {
                let day = self.layout.archive_day(job);
                self.inside(&day, || self.relocate(&claim, &self.layout.archived(job)))
            }
            Some(grave) => {
                let slot = self.layout.slot(job);
                if let Some(file) = self.look(&slot)? {
                    self.link_if_free(&slot, file.id, &grave.join(job.reason()))?;
                    self.flush_dir(&grave)?;
                }
                self.relocate(&claim, &grave.join(job.archived()))
            }
        }
    }

    /// `None` if there is none, or none that can be read.
    pub(super) fn read_outcome(&self, path: &Path) -> Result<Option<Outcome>> {
        let failed = |e| Error::io("read an outcome", path, e);
        let Some(file) = found(self.fs.open(path)).map_err(failed)? else { return Ok(None) };
        let bytes = self.fs.read(&file, MAX_FILE_BYTES).map_err(failed)?;
        Outcome::decode(&bytes).map(Some).or_else(|e| {
            tracing::warn!(path = %path.display(), error = %e, "this is no outcome; somebody else wrote it");
            Ok(None)
        })
    }
}
