//! P10–P12: the one outcome of a job, from its draft to the archive.

use std::path::{Path, PathBuf};

use super::LocalStore;
use super::moves::found;
use crate::ports::{Fs, Host};
use crate::words::{
    DeliveryKind, Error, Id, InboxName, MAX_FILE_BYTES, Outcome, Result, RoomName, StagedName,
};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// P10, P12, for our own staged outcome or that of the dead. It is never discarded before a slot exists.
    pub(super) fn help_on(&self, room: &RoomName, staged: &StagedName, address: Option<&Id>) -> Result<()> {
        let Some(counts) = self.decide_staged(room, staged)? else { return Ok(()) };
        self.flush_dir(&self.layout.slot_day(&staged.job))?;
        match address {
            Some(address) if counts => {
                let inbox = self.deliver(room, staged, address)?;
                self.flush_dir(&inbox)?;
                self.flush_dir_if_there(&self.layout.claims(room))
            }
            _ => self.remove(&self.layout.staged(room, staged)),
        }
    }

    /// P10 with a staged outcome: whether it is the one that counts, once the slot's folder is flushed. `None`: it is staged no more,
    /// another has helped it on.
    pub(super) fn decide_staged(&self, room: &RoomName, staged: &StagedName) -> Result<Option<bool>> {
        let path = self.layout.staged(room, staged);
        let Some(file) = self.look(&path)? else { return Ok(None) };
        let link = || self.link_if_free(&path, file.id, &self.layout.slot(&staged.job));
        self.inside(&self.layout.slot_day(&staged.job), link).map(Some)
    }

    /// Whether that outcome is in its slot, durably.
    pub(super) fn is_slot_of(&self, staged: &StagedName) -> Result<bool> {
        let Some(outcome) = self.read_outcome(&self.layout.slot(&staged.job))? else { return Ok(false) };
        self.flush_dir(&self.layout.slot_day(&staged.job))?;
        Ok(outcome.nonce() == staged.nonce)
    }

    /// P12, but for its flushes: of the folder that this returns, and of the room, if that is still there.
    pub(super) fn deliver(&self, room: &RoomName, staged: &StagedName, address: &Id) -> Result<PathBuf> {
        let reply = self.ensure_reply(address)?;
        self.relocate(&self.layout.staged(room, staged), &reply.ready(&staged.job.delivery()))?;
        Ok(reply.room("inbox"))
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
        if let Some(grave) = &grave
            && self.give_reason(job, grave)?
        {
            self.flush_dir(grave)?;
        }
        self.bury(room, job, grave)
    }

    /// P11: the reason beside a job that is to lie there, durable once that folder is flushed. Whether there is one.
    pub(super) fn give_reason(&self, job: &InboxName, grave: &Path) -> Result<bool> {
        let slot = self.layout.slot(job);
        let Some(file) = self.look(&slot)? else { return Ok(false) };
        self.link_if_free(&slot, file.id, &grave.join(job.reason()))?;
        Ok(true)
    }

    /// P11, where the reason is durable.
    pub(super) fn bury(&self, room: &RoomName, job: &InboxName, grave: Option<PathBuf>) -> Result<()> {
        let claim = self.layout.claim(room, job);
        match grave {
            Some(grave) => self.relocate(&claim, &grave.join(job.archived())),
            None => {
                let day = self.layout.archive_day(job);
                self.inside(&day, || self.relocate(&claim, &self.layout.archived(job)))
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
