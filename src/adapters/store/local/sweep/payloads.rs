//! P26: what nobody refers to in `payload/`: the files of submissions that were given up, and of attempts that failed.

use std::collections::BTreeMap;
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::Path;

use super::living::Graves;
use super::{LITTER_AGE, Sweep, Visit, WINDOW, Yard};
use crate::ports::{FileKind, Fs, Host};
use crate::words::{ClaimCheck, ClaimCheckKind, Error, Id, InboxName, Result};

/// What may be nobody's.
type Orphans = BTreeMap<Id, Vec<ClaimCheck>>;

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    /// Calls `each` for all that has a name of ours in `payload/`, and is what its name says.
    pub(super) fn each_payload(&self, each: &mut dyn FnMut(ClaimCheck)) -> Result<()> {
        self.store.each_name(&self.store.layout.room("payload"), &mut |name, kind| {
            if let Ok(check) = ClaimCheck::parse_name(name) {
                match (kind, check.kind) {
                    (FileKind::Dir, ClaimCheckKind::Files) | (FileKind::File, ClaimCheckKind::Data) => {
                        each(check);
                    }
                    _ => {}
                }
            }
        })
    }

    pub(super) fn visit_payloads(&mut self, after: &str) -> Result<Visit> {
        let mut first: BTreeMap<String, ClaimCheck> = BTreeMap::new();
        let mut more = false;
        self.each_payload(&mut |check| {
            let name = check.name();
            if name.as_str() > after {
                first.insert(name, check);
                if first.len() > WINDOW {
                    first.pop_last();
                    more = true;
                }
            }
        })?;
        self.has_listed();
        let mut orphans = Orphans::new();
        let mut looked_at = after.to_owned();
        let mut spent = false;
        for (name, check) in first {
            match self.may_be_orphan(&check, &name) {
                Ok(true) => orphans.entry(check.stamp.id.clone()).or_default().push(check),
                Ok(false) => {}
                Err(e) => self.trouble(&e),
            }
            looked_at = name;
            if self.is_spent() {
                spent = true;
                break;
            }
        }
        self.strike_known(&mut orphans)?;
        let mut orphans: Vec<_> =
            orphans.into_values().flatten().map(|check| (check.name(), check)).collect();
        orphans.sort_unstable();
        let mut last = after.to_owned();
        for (name, check) in orphans {
            match self.remove_payload(&check) {
                Ok(Continue(())) => {}
                Ok(Break(())) => {
                    self.begun = Some(name);
                    return Ok(Visit::Spent(last));
                }
                Err(e) => self.trouble(&e),
            }
            last = name;
            if self.is_spent() {
                return Ok(Visit::Spent(last));
            }
        }
        Ok(match (spent, more) {
            (true, _) => Visit::Spent(looked_at),
            (false, true) => Visit::More(looked_at),
            (false, false) => Visit::Done,
        })
    }

    /// A day old, or begun to be removed, which makes it young; and neither has its id an entry nor its job a slot where one
    /// would look first.
    fn may_be_orphan(&mut self, check: &ClaimCheck, name: &str) -> Result<bool> {
        let id = &check.stamp.id;
        let begun = self.begun.take_if(|begun| begun == name).is_some();
        let layout = &self.store.layout;
        let Some(meta) = self.store.look(&layout.payload(check))? else { return Ok(false) };
        if !begun && !self.is_old(meta.modified_ms, LITTER_AGE) {
            return Ok(false);
        }
        // Its submission may still be finished by whoever gives the id again.
        if self.store.look(&layout.entry(id))?.is_some() {
            return Ok(false);
        }
        let Some(day) = self.store.day_of(id) else { return Ok(true) };
        let slot = layout.room("outcomes").join(day).join(format!("{id}.outcome.json"));
        Ok(self.store.look(&slot)?.is_none())
    }

    /// Strikes out those whose job lives, and then those whose job is anywhere in the archives: it may have come there meanwhile.
    fn strike_known(&mut self, orphans: &mut Orphans) -> Result<()> {
        if orphans.is_empty() {
            return Ok(());
        }
        let mut strike = |id: &Id| drop(orphans.remove(id));
        let yard = self.store.layout.clone();
        // The files of an event are there before it is published, let alone delivered. First: what comes from there is seen below.
        let homes = self.store.home.iter().map(|home| home.layout.outbox());
        for outbox in homes.chain([yard.outbox()]) {
            self.store.strike_names(&outbox.room("inbox"), &mut Graves::default(), &mut strike)?;
        }
        self.strike_living(&yard, &mut strike)?;
        // Whose slots somebody removed while their outcomes wait to be collected. What is staged was seen above.
        for address in self.addresses() {
            let reply = self.layout_of(&Yard::Reply(address));
            self.strike_living(&reply, &mut strike)?;
        }
        for room in ["outcomes", "done"] {
            let room = yard.room(room);
            for day in self.store.names(&room)? {
                self.store.each_name(&room.join(day.name), &mut |name, _| {
                    let archived = || InboxName::parse_archived(name).ok().map(|name| name.id);
                    if let Some(id) = InboxName::parse_slot(name).or_else(archived) {
                        strike(&id);
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Breaks when the budget is over before it is gone altogether.
    pub(super) fn remove_payload(&mut self, check: &ClaimCheck) -> Result<ControlFlow<()>> {
        let path = self.store.layout.payload(check);
        if !self.broom.dry_run {
            let removed = match check.kind {
                ClaimCheckKind::Files => self.clear(&path)?,
                ClaimCheckKind::Data => self.store.remove(&path).map(|()| Continue(()))?,
            };
            if removed.is_break() {
                return Ok(Break(()));
            }
        }
        (self.broom.each)(&path);
        self.swept.payloads += 1;
        Ok(if self.is_spent() { Break(()) } else { Continue(()) })
    }

    /// Removes a folder with all that is in it; of links only the links.
    fn clear(&mut self, root: &Path) -> Result<ControlFlow<()>> {
        let mut folders = vec![(root.to_owned(), false)];
        while let Some((folder, is_listed)) = folders.pop() {
            if is_listed {
                if let Err(e) = self.store.fs.remove_dir(&folder)
                    && self.store.look(&folder)?.is_some()
                {
                    return Err(Error::io("remove a folder", folder, e));
                }
                if !folders.is_empty() && self.is_spent() {
                    return Ok(Break(()));
                }
                continue;
            }
            let entries = self.store.names(&folder)?;
            folders.push((folder.clone(), true));
            for entry in entries {
                let path = folder.join(entry.name);
                if entry.kind == FileKind::Dir {
                    folders.push((path, false));
                    continue;
                }
                self.store.remove(&path)?;
                if self.is_spent() {
                    return Ok(Break(()));
                }
            }
        }
        Ok(Continue(()))
    }
}
