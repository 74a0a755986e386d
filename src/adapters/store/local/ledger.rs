//! P20: an id that is given twice is one job.
//!
//! The entry `ids/<xx>/<id>` is a link to the first job's own file: whoever links it has the id. The draft beside it is the one
//! name that is renamed to the inbox, by its submitter or by anyone who gives the id again: so it arrives there once.

use std::collections::HashMap;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use super::LocalStore;
use super::exchange::{Staged, topic_of};
use super::moves::{found, parent};
use super::submit::uncertain;
use crate::ports::{FileId, Fs, Host, NewJob, Submitted};
use crate::words::{Envelope, Error, Id, InboxName, MAX_FILE_BYTES, Millis, Result, StampedId};

/// How often an entry that turns out to be void is replaced before that is called an error.
const TRIES: usize = 3;
/// How often every room is looked into for a job that moves meanwhile, and may move back.
pub(super) const LOOKS: usize = 3;
/// The days of so many given ids are remembered.
const MOST_KNOWN: usize = 64 << 10;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// `look_first`: the id may have been submitted without an entry, so that to have the entry is not enough.
    pub(super) fn publish_given(&self, job: &NewJob, look_first: bool) -> Result<Submitted> {
        for _ in 0..TRIES {
            if let Some(answer) = self.try_given(job, look_first)? {
                return Ok(answer);
            }
        }
        let e = "publish a job: its entry was removed again and again; repeat with the same id";
        Err(uncertain(Error::io(e, self.layout.entry(&job.name.id), Io::NotFound.into())))
    }

    /// `None`: the entry that was there was void, and is gone.
    fn try_given(&self, job: &NewJob, look_first: bool) -> Result<Option<Submitted>> {
        let id = &job.name.id;
        let shelf = self.layout.shelf(id);
        let entry = self.layout.entry(id);
        let stamp = StampedId { id: id.clone(), nonce: self.host.nonce() };
        let draft = shelf.join(if job.topic.is_some() { stamp.event_draft() } else { stamp.to_string() });
        self.ensure_dir(&shelf)?;
        // Many ids are given again and again: then nothing need be written.
        if self.look(&entry)?.is_some() {
            return self.vouch_for_given(id).map_err(uncertain);
        }
        self.publish(&job.bytes, &draft)?;
        let Some(file) = self.look(&draft)? else { return Ok(None) };
        let ours = match self.link_if_free(&draft, file.id, &entry) {
            Ok(ours) => ours,
            Err(e) => {
                // It may be linked all the same, and is then nobody's: a day later it goes.
                return Err(uncertain(e));
            }
        };
        if ours {
            // An earlier entry of this id may have had another day.
            self.known_days().remove(id);
        }
        let publish = || {
            self.flush_dir(&shelf)?;
            if !ours {
                self.remove(&draft)?;
                return self.vouch_for_given(id);
            }
            if look_first {
                for _ in 0..LOOKS {
                    if self.vouch_for(id)? {
                        self.remove(&draft)?;
                        return Ok(Some(Submitted::Before));
                    }
                }
            }
            let (place, staged) = self.destination(job, &draft)?;
            match self.fs.rename(&draft, &place) {
                Ok(()) => {
                    if let Some(staged) = &staged {
                        self.keep_published(staged)?;
                    }
                    Ok(Some(Submitted::New))
                }
                Err(e) if self.look(&draft)?.is_some() => Err(Error::io("publish a job", place, e)),
                // Another gave the id too, and has done it; or the draft was swept away. If the job is this file all the same,
                // what travels with it is ours.
                Err(_) => {
                    if let Some(staged) =
                        staged.filter(|_| self.look(&place).is_ok_and(|there| there.is_none()))
                    {
                        self.abandon(&staged);
                    }
                    let ours = self.look(&entry)?.is_some_and(|there| there.id == file.id);
                    let answer = self.vouch_for_given(id)?;
                    Ok(answer.map(|before| if ours { Submitted::New } else { before }))
                }
            }
        };
        publish().map_err(uncertain)
    }

    /// The id is taken, and whoever gave it is to be told that its job is there. It is not without what travels with it, and the first
    /// submitter may have died before it looked.
    fn vouch_for_given(&self, id: &Id) -> Result<Option<Submitted>> {
        let answer = self.settle_given(id)?;
        if answer.is_some()
            && let Some((_, envelope)) = self.read_entry(&self.layout.entry(id))?
        {
            let place = self.first_place(&name_of_entry(id, &envelope), envelope.time("notbefore"));
            if self.look(&place)?.is_some() {
                self.demand_cargo(&envelope)?;
            }
        }
        Ok(answer)
    }

    fn demand_cargo(&self, envelope: &Envelope) -> Result<()> {
        let checks = ["filesref", "dataref"].into_iter().filter_map(|name| envelope.claim_check(name));
        checks.map(|check| self.cargo(&check)).try_for_each(|there| there.map(drop))
    }

    /// The id is taken. Sees to it that its job is there, durably. `None`: there is no such job, and the entry is gone.
    pub(super) fn settle_given(&self, id: &Id) -> Result<Option<Submitted>> {
        let (shelf, path) = (self.layout.shelf(id), self.layout.entry(id));
        self.flush_dir(&shelf)?;
        let Some((file, envelope)) = self.read_entry(&path)? else { return Ok(None) };
        let name = name_of_entry(id, &envelope);
        // Where it most probably is, before every room is looked into.
        let places =
            [self.layout.slot(&name), self.layout.ready(&name), self.layout.outbox().archived(&name)];
        for place in places {
            if self.look(&place)?.is_some() {
                self.flush_dir(parent(&place))?;
                return Ok(Some(Submitted::Before));
            }
        }
        if let Some((draft, is_event)) = self.draft_of(id, file)? {
            // A minted id may be that of a job which has no entry, and is being handled.
            if id.minted_at().is_some() && self.vouch_for(id)? {
                self.remove(&draft)?;
                return Ok(Some(Submitted::Before));
            }
            // If they are gone, the draft goes when it is a day old, and with it the entry.
            self.demand_cargo(&envelope)?;
            let job = NewJob {
                due: envelope.time("notbefore"),
                topic: topic_of(&envelope).filter(|_| is_event),
                bytes: envelope.encode()?,
                given: true,
                name,
            };
            let (place, staged) = self.destination(&job, &draft)?;
            self.relocate(&draft, &place)?;
            match staged.filter(|_| self.look(&place).is_ok_and(|there| there.is_none())) {
                // Another was quicker.
                Some(staged) => self.abandon(&staged),
                None => self.flush_dir(parent(&place))?,
            }
        }
        for _ in 0..LOOKS {
            if self.vouch_for(id)? {
                return Ok(Some(Submitted::Before));
            }
        }
        let removal = self.take_out(&path, file)?;
        if matches!(removal, Removal::Done | Removal::Replaced) {
            self.known_days().remove(id);
        }
        match removal {
            Removal::Done => {
                tracing::debug!(entry = %path.display(), "an entry without a job; beginning anew");
                Ok(None)
            }
            Removal::Replaced => Ok(None),
            Removal::Held => Err(Error::io("lock an entry", path, Io::WouldBlock.into())),
            Removal::Needed if self.forget_aside(file)? => Ok(None),
            // The job is somewhere, and moved each time that we looked.
            Removal::Needed => Err(Error::io("find the job of an entry", path, Io::ResourceBusy.into())),
        }
    }

    /// Where a draft becomes a job; of an event that is in a folder, which is made.
    fn destination(&self, job: &NewJob, draft: &Path) -> Result<(PathBuf, Option<Staged>)> {
        if job.topic.is_none() {
            return Ok((self.first_place(&job.name, job.due), None));
        }
        let staged = self.stage_event(job, draft)?;
        Ok((staged.published(), Some(staged)))
    }

    /// The draft that waits to become the job of this entry, and whether that is an event.
    pub(super) fn draft_of(&self, id: &Id, file: FileId) -> Result<Option<(PathBuf, bool)>> {
        let shelf = self.layout.shelf(id);
        for listed in self.names(&shelf)? {
            let draft = listed.name.to_str().and_then(StampedId::parse_draft);
            if let Some((_, is_event)) = draft.filter(|(stamp, _)| stamp.id == *id) {
                let draft = shelf.join(&listed.name);
                if self.look(&draft)?.is_some_and(|there| there.id == file) {
                    return Ok(Some((draft, is_event)));
                }
            }
        }
        Ok(None)
    }

    /// Whether there is a job or an outcome of this id. Where it is, it is durable when this returns; and if there is none, that
    /// is: a slot that was kept long enough must not come back and settle the next job of this id.
    fn vouch_for(&self, id: &Id) -> Result<bool> {
        let places = self.find(id)?;
        for place in &places {
            let path = self.layout.root().join(&place.path);
            self.flush_dir_if_there(parent(&path))?;
        }
        if places.is_empty()
            && let Some(day) = self.day_of(id)
        {
            self.flush_absence(&day)?;
        }
        Ok(!places.is_empty())
    }

    /// Makes durable which slots of a day are not there, also if the day itself is not.
    pub(super) fn flush_absence(&self, day: &str) -> Result<()> {
        let outcomes = self.layout.room("outcomes");
        self.flush_dir_if_there(&outcomes.join(day))?;
        self.flush_dir(&outcomes)
    }

    /// Removes an entry that nothing else is linked to: its draft was swept away, or all that came of it was kept long enough.
    /// Never another one that has taken its place, whatever its inode is called: the job of that one is a link to it.
    pub(super) fn take_out(&self, entry: &Path, file: FileId) -> Result<Removal> {
        let failed = |e| Error::io("lock an entry", entry, e);
        let Some(open) = found(self.fs.open(entry)).map_err(failed)? else { return Ok(Removal::Replaced) };
        // Who holds the lock knows that nobody else removes it, so that it stays the one at this path.
        if self.fs.is_local() && !self.fs.try_lock(&open).map_err(failed)? {
            return Ok(Removal::Held);
        }
        if self.fs.stat_open(&open).map_err(failed)?.id != file {
            return Ok(Removal::Replaced);
        }
        match self.look(entry)? {
            Some(there) if there.id != file => return Ok(Removal::Replaced),
            None => return Ok(Removal::Replaced),
            Some(there) if there.links > 1 => return Ok(Removal::Needed),
            Some(_) if self.fs.is_local() => return self.remove(entry).map(|()| Removal::Done),
            Some(_) => {}
        }
        // Without locks: first away with it, to where nobody takes it for a draft, then look whose it was.
        let aside = self.draft_path();
        if self.fs.rename(entry, &aside).is_err() && self.look(&aside)?.is_none() {
            return Ok(Removal::Replaced);
        }
        let taken = self.look(&aside)?;
        let ours = taken.is_none_or(|taken| taken.id == file && taken.links == 1);
        if let (Some(taken), false) = (taken, ours) {
            self.link_if_free(&aside, taken.id, entry)?;
        }
        self.remove(&aside)?;
        Ok(if ours { Removal::Done } else { Removal::Replaced })
    }

    /// Who took an entry out without a lock, saw that it is needed, and linked it back, may have died before it removed the name
    /// that it had made. Only called while the entry is there: then that name is nobody's.
    fn forget_aside(&self, file: FileId) -> Result<bool> {
        let tmp = self.layout.room("tmp");
        for listed in self.names(&tmp)? {
            let path = tmp.join(&listed.name);
            if self.look(&path)?.is_some_and(|there| there.id == file) {
                return self.remove(&path).map(|()| true);
            }
        }
        Ok(false)
    }

    pub(super) fn read_entry(&self, entry: &Path) -> Result<Option<(FileId, Envelope)>> {
        let failed = |e| Error::io("read an entry", entry, e);
        let Some(open) = found(self.fs.open(entry)).map_err(failed)? else { return Ok(None) };
        let file = self.fs.stat_open(&open).map_err(failed)?.id;
        let bytes = self.fs.read(&open, MAX_FILE_BYTES).map_err(failed)?;
        let envelope = Envelope::decode(&bytes).map_err(|e| e.at(entry))?;
        Ok(Some((file, envelope)))
    }

    /// The day of a job, if its id or its entry tells: only a shortcut.
    pub(super) fn day_of(&self, id: &Id) -> Option<String> {
        if let Some(minted) = id.minted_at() {
            return Some(minted.day());
        }
        let (_, envelope) = self.read_entry(&self.layout.entry(id)).ok()??;
        let day = name_of_entry(id, &envelope).day();
        let mut days = self.known_days();
        if days.len() >= MOST_KNOWN {
            days.clear();
        }
        days.insert(id.clone(), day.clone());
        Some(day)
    }

    /// The same, for who asks at every ring: an entry is read once, since that means its whole envelope. Another process may have removed
    /// it meanwhile, and the id may be given again, on another day: so who finds nothing there asks [`day_of`](Self::day_of) now and then.
    pub(super) fn probable_day_of(&self, id: &Id) -> Option<String> {
        let known = self.known_days().get(id).cloned();
        known.or_else(|| self.day_of(id))
    }

    fn known_days(&self) -> MutexGuard<'_, HashMap<Id, String>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of an entry that was to be removed.
pub(super) enum Removal {
    /// It is gone.
    Done,
    /// Another has taken its place, or has removed it.
    Replaced,
    /// Something else is a link to it: there is a job.
    Needed,
    /// Somebody else is at it.
    Held,
}

/// The name of an entry's job in the inbox: everything that is needed for it stands in its envelope.
pub(super) fn name_of_entry(id: &Id, envelope: &Envelope) -> InboxName {
    let submitted = id.minted_at().or_else(|| envelope.time("time")).unwrap_or(Millis::MIN);
    InboxName::job(id.clone(), submitted, envelope.priority())
}
