//! P26: what is left in `ids/` of given ids: drafts of submitters who died, and entries of which nothing has come, or nothing is
//! left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::ledger::{Removal, name_of_entry};
use super::living::Graves;
use super::{LITTER_AGE, Sweep, Visit};
use crate::ports::{FileId, FileKind, Fs, Host};
use crate::words::{ErrorKind, Id, Result, StampedId};

/// An entry that may go: nothing else is its file.
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) file: FileId,
    /// Of the slot of its job.
    pub(super) day: String,
}

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    pub(super) fn visit_shelf(&mut self, shelf: &str, after: &str) -> Result<Visit> {
        let folder = self.store.layout.room("ids").join(shelf);
        let mut names = Vec::new();
        self.store.each_name(&folder, &mut |name, kind| {
            if kind == FileKind::File && name > after {
                names.push(name.to_owned());
            }
        })?;
        names.sort_unstable();
        self.has_listed();
        let mut candidates = BTreeMap::new();
        let mut spent = None;
        for name in names {
            let answer = match (StampedId::parse_draft(&name), name.parse::<Id>()) {
                (Some((stamp, _)), _) if stamp.id.shelf() == shelf => {
                    self.sweep_given_draft(&folder.join(&name)).map(|()| None)
                }
                (_, Ok(id)) if id.shelf() == shelf => self.candidate(id),
                _ => Ok(None),
            };
            match answer {
                Ok(candidate) => candidates.extend(candidate.map(|entry| (entry.id.clone(), entry))),
                Err(e) => self.trouble(&e),
            }
            if self.is_spent() {
                spent = Some(name);
                break;
            }
        }
        if !candidates.is_empty() {
            let yard = self.store.layout.clone();
            let graves = self.strike_living(&yard, &mut |id| drop(candidates.remove(id)))?;
            self.remove_orphans(candidates.into_values().collect(), &graves);
        }
        Ok(spent.map_or(Visit::Done, Visit::Spent))
    }

    /// A day old: its submitter is gone. Was it never linked to the entry, nobody needs it. Was it, then the submission was not
    /// acknowledged, or the job is there under another name too; the entry follows when nothing is left of that.
    fn sweep_given_draft(&mut self, path: &Path) -> Result<()> {
        if self.store.look(path)?.is_some_and(|meta| self.is_old(meta.modified_ms, LITTER_AGE)) {
            self.remove(path)?;
            self.swept.drafts += 1;
        }
        Ok(())
    }

    /// An old entry that nothing else is linked to, and of whose job there is no slot.
    fn candidate(&self, id: Id) -> Result<Option<Entry>> {
        let path = self.store.layout.entry(&id);
        let Some(meta) = self.store.look(&path)? else { return Ok(None) };
        if meta.links != 1 || !self.is_kept_long_enough(&meta) {
            return Ok(None);
        }
        let envelope = match self.store.read_entry(&path) {
            Ok(Some((file, envelope))) if file == meta.id => envelope,
            Ok(_) => return Ok(None),
            // A stranger's file.
            Err(e) if e.kind() == ErrorKind::Invalid => return Ok(None),
            Err(e) => return Err(e),
        };
        let day = name_of_entry(&id, &envelope).day();
        let entry = Entry { id, file: meta.id, day };
        Ok((!self.has_slot(&entry)?).then_some(entry))
    }

    fn has_slot(&self, Entry { id, day, .. }: &Entry) -> Result<bool> {
        Ok(self.store.look(&self.store.layout.slot_on(day, id))?.is_some())
    }

    /// None of them lives; but one may have been settled since.
    fn remove_orphans(&mut self, mut entries: Vec<Entry>, graves: &Graves) {
        entries.retain(|entry| {
            let needed = self.has_slot(entry).and_then(|settled| {
                Ok(settled || self.is_of_the_dead(&self.store.layout.entry(&entry.id), graves)?)
            });
            needed.map_err(|e| self.trouble(&e)).is_ok_and(|needed| !needed)
        });
        self.remove_entries(entries);
    }

    /// Whether the job of an entry was a dead letter before, which is still there.
    pub(super) fn is_of_the_dead(&self, entry: &Path, graves: &Graves) -> Result<bool> {
        match self.store.read_entry(entry) {
            Ok(found) => Ok(found.is_some_and(|(_, envelope)| {
                envelope.text("causationid").is_some_and(|dead| graves.has(dead))
            })),
            Err(e) if e.kind() == ErrorKind::Invalid => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// A slot that came back after a power cut would settle the next job that is given this id: so first it is gone for good.
    pub(super) fn remove_entries(&mut self, entries: Vec<Entry>) {
        let mut gone_for_good = BTreeSet::new();
        for Entry { id, file, day } in entries {
            let removed = self.remove_entry(&id, file, &day, &mut gone_for_good);
            removed.unwrap_or_else(|e| self.trouble(&e));
        }
    }

    fn remove_entry(
        &mut self,
        id: &Id,
        file: FileId,
        day: &str,
        flushed: &mut BTreeSet<String>,
    ) -> Result<()> {
        let path = self.store.layout.entry(id);
        if !self.broom.dry_run {
            if !flushed.contains(day) {
                self.store.flush_absence(day)?;
                flushed.insert(day.to_owned());
            }
            match self.store.take_out(&path, file)? {
                Removal::Done => {}
                // It is being given again, or swept by another.
                Removal::Replaced | Removal::Needed | Removal::Held => return Ok(()),
            }
        }
        (self.broom.each)(&path);
        self.swept.ids += 1;
        Ok(())
    }
}
