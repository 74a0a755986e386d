//! P26: what a sweep took aside in `payload/`, because it found nobody who refers to it.
//!
//! Nobody refers to what travels with a job before that is published, so a sweep may look just before that happens. Therefore it
//! gives what it would remove a name of its own, and looks once more; and who published a job looks, after that, whether what
//! travels with it is there. Of the two at least one sees the other: if the name was still there when the publisher looked, the
//! sweep took it later, and its second look finds the job. So nothing of a job that was acknowledged is removed, whatever the
//! clocks say.
//!
//! What is aside is whole, and who refers to it may bring it back: a sweep that died cannot. Before anything in it is removed it
//! is spent, by another rename, which only that sweep can do that took it aside and then found nobody.

use super::LocalStore;
use super::moves::found;
use crate::ports::{FileKind, Fs, Host, Meta};
use crate::words::{ClaimCheck, ClaimCheckKind, Error, ErrorKind, Orphan, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// What a reference leads to, if it is there, and what it should be.
    pub(super) fn cargo(&self, check: &ClaimCheck) -> Result<Meta> {
        let path = self.layout.payload(check);
        let kind = if check.kind == ClaimCheckKind::Data { FileKind::File } else { FileKind::Dir };
        let look = || self.look(&path).map(|there| there.filter(|meta| meta.kind == kind));
        if let Some(there) = look()? {
            return Ok(there);
        }
        let mut aside = Vec::new();
        let payload = self.layout.room("payload");
        let listed = self.fs.list(&payload, &mut |entry| {
            let orphan = entry.name.to_str().and_then(Orphan::parse_name);
            aside.extend(orphan.filter(|orphan| orphan.check == *check));
        });
        found(listed).map_err(|e| Error::io("list a folder", &payload, e))?;
        for orphan in &aside {
            self.bring_back(orphan)?;
        }
        let why = "what travelled with the job is not there any more";
        look()?.ok_or_else(|| Error::new(ErrorKind::NotFound, why).at(&path))
    }

    /// Gives it the name that is referred to. Not if something else has that by now.
    pub(super) fn bring_back(&self, orphan: &Orphan) -> Result<bool> {
        let payload = self.layout.room("payload");
        let (from, to) = (payload.join(orphan.name()), self.layout.payload(&orphan.check));
        let answer = match orphan.check.kind {
            ClaimCheckKind::Data => self.fs.rename_new(&from, &to),
            // It replaces no folder in which there is anything.
            ClaimCheckKind::Files => self.fs.rename(&from, &to),
        };
        let came = match (self.look(&from)?, answer) {
            // Or another did it.
            (None, _) => true,
            (Some(_), Err(e)) if self.look(&to)?.is_none() => {
                return Err(Error::io("bring back what travels with a job", from, e));
            }
            (Some(_), _) => false,
        };
        self.flush_dir(&payload)?;
        Ok(came)
    }

    /// Takes what nobody seems to refer to aside, whatever it was called. `None`: another did it.
    pub(super) fn take_aside(&self, was: &str, check: &ClaimCheck) -> Result<Option<Orphan>> {
        let payload = self.layout.room("payload");
        let orphan = Orphan { check: check.clone(), nonce: self.host.nonce() };
        let (from, to) = (payload.join(was), payload.join(orphan.name()));
        let answer = self.fs.rename(&from, &to);
        match (self.look(&to)?, answer) {
            (Some(_), _) => Ok(Some(orphan)),
            (None, Err(e)) if self.look(&from)?.is_some() => {
                Err(Error::io("take aside what nobody refers to", from, e))
            }
            (None, _) => Ok(None),
        }
    }

    /// From now on nobody may bring it back. Whether it was still ours.
    pub(super) fn spend(&self, orphan: &Orphan) -> Result<bool> {
        let payload = self.layout.room("payload");
        let (from, to) = (payload.join(orphan.name()), payload.join(orphan.spent()));
        let answer = self.fs.rename(&from, &to);
        match (self.look(&to)?, answer) {
            (Some(_), _) => Ok(true),
            (None, Err(e)) if self.look(&from)?.is_some() => Err(Error::io("rename", from, e)),
            (None, _) => Ok(false),
        }
    }
}
