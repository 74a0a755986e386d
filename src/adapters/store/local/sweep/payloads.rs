//! P26: what nobody refers to in `payload/`: the files of submissions that were given up, and of attempts that failed.

use std::collections::BTreeMap;
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::Path;

use super::living::Graves;
use super::{LITTER_AGE, Sweep, Visit, WINDOW, Yard};
use crate::ports::{FileKind, Fs, Host};
use crate::words::{ClaimCheck, ClaimCheckKind, Error, Id, InboxName, Orphan, Result};

/// What may be nobody's, with its name, under the id of its job.
type Orphans = BTreeMap<Id, Vec<(ClaimCheck, String)>>;

/// What a name in `payload/` says.
enum Lot {
    /// Somebody may refer to it.
    Placed(ClaimCheck),
    /// A sweep took it aside, and did not get any further.
    Aside(ClaimCheck),
    /// It is to go.
    Spent(ClaimCheck),
}

/// What is to go, and under which name.
struct Going {
    check: ClaimCheck,
    name: String,
}

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    /// Calls `each` for all that has a name of ours in `payload/`, and is what its name says.
    fn each_lot(&self, each: &mut dyn FnMut(&str, Lot)) -> Result<()> {
        self.store.each_name(&self.store.layout.room("payload"), &mut |name, kind| {
            let lot = if let Ok(check) = ClaimCheck::parse_name(name) {
                Some((check.kind, Lot::Placed(check)))
            } else if let Some(orphan) = Orphan::parse_name(name) {
                Some((orphan.check.kind, Lot::Aside(orphan.check)))
            } else {
                Orphan::parse_spent(name).map(|orphan| (orphan.check.kind, Lot::Spent(orphan.check)))
            };
            match (kind, lot) {
                (FileKind::Dir, Some((ClaimCheckKind::Files, lot)))
                | (FileKind::File, Some((ClaimCheckKind::Data, lot))) => each(name, lot),
                _ => {}
            }
        })
    }

    /// All that has such a name that somebody may refer to it.
    pub(super) fn each_payload(&self, each: &mut dyn FnMut(ClaimCheck)) -> Result<()> {
        self.each_lot(&mut |_, lot| {
            if let Lot::Placed(check) = lot {
                each(check);
            }
        })
    }

    pub(super) fn visit_payloads(&mut self, after: &str) -> Result<Visit> {
        let mut first: BTreeMap<String, Lot> = BTreeMap::new();
        let mut more = false;
        self.each_lot(&mut |name, lot| {
            if name > after {
                first.insert(name.to_owned(), lot);
                if first.len() > WINDOW {
                    first.pop_last();
                    more = true;
                }
            }
        })?;
        self.has_listed();
        let (mut orphans, mut aside, mut going) = (Orphans::new(), Vec::new(), Vec::new());
        let mut looked_at = after.to_owned();
        let mut spent = false;
        for (name, lot) in first {
            looked_at.clone_from(&name);
            match lot {
                Lot::Placed(check) => match self.may_be_orphan(&check) {
                    Ok(true) => orphans.entry(check.stamp.id.clone()).or_default().push((check, name)),
                    Ok(false) => {}
                    Err(e) => self.trouble(&e),
                },
                Lot::Aside(check) => aside.push((check, name)),
                Lot::Spent(check) => going.push(Going { check, name }),
            }
            if self.is_spent() {
                spent = true;
                break;
            }
        }
        self.strike_known(&mut orphans)?;
        aside.extend(orphans.into_values().flatten());
        going.extend(self.condemn(aside)?);
        // What is gone in part must not have its old name again after a power cut, whoever spent it.
        if !self.broom.dry_run && !going.is_empty() {
            self.store.flush_dir(&self.store.layout.room("payload"))?;
        }
        going.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut last = after.to_owned();
        for Going { check, name } in going {
            match self.remove_lot(&check, &name) {
                Ok(Continue(())) => {}
                // Its name is new. It may stand before what was looked at.
                Ok(Break(())) => return Ok(Visit::Spent(last.min(check.name()))),
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

    /// Of what nobody seemed to refer to, what nobody refers to: that was looked at once more when it was aside ([`orphan`]). The rest
    /// is where it was.
    ///
    /// [`orphan`]: super::super::orphan
    fn condemn(&mut self, found: Vec<(ClaimCheck, String)>) -> Result<Vec<Going>> {
        let mut unknown = Orphans::new();
        let mut aside = Vec::new();
        for (check, name) in found {
            if self.broom.dry_run {
                unknown.entry(check.stamp.id.clone()).or_default().push((check, name));
                continue;
            }
            match self.store.take_aside(&name, &check) {
                Ok(orphan) => aside.extend(orphan),
                Err(e) => self.trouble(&e),
            }
        }
        for orphan in &aside {
            let lot = (orphan.check.clone(), orphan.name());
            unknown.entry(orphan.check.stamp.id.clone()).or_default().push(lot);
        }
        // If that fails, who refers to them brings them back, or the next sweep does.
        self.strike_known(&mut unknown)?;
        unknown.retain(|id, _| match self.store.look(&self.store.layout.entry(id)) {
            Ok(entry) => entry.is_none(),
            Err(e) => {
                self.trouble(&e);
                false
            }
        });
        if self.broom.dry_run {
            let going = unknown.into_values().flatten();
            return Ok(going.map(|(check, name)| Going { check, name }).collect());
        }
        let mut going = Vec::new();
        for orphan in aside {
            match self.pass_sentence(&orphan, unknown.contains_key(&orphan.check.stamp.id)) {
                Ok(true) => going.push(Going { name: orphan.spent(), check: orphan.check }),
                Ok(false) => {}
                Err(e) => self.trouble(&e),
            }
        }
        Ok(going)
    }

    /// Whether it is to go.
    fn pass_sentence(&self, orphan: &Orphan, unknown: bool) -> Result<bool> {
        if !unknown && self.store.bring_back(orphan)? {
            return Ok(false);
        }
        self.store.spend(orphan)
    }

    /// A day old, and neither has its id an entry nor its job a slot where one would look first. What was moved or linked there may have
    /// been written long before.
    fn may_be_orphan(&mut self, check: &ClaimCheck) -> Result<bool> {
        let id = &check.stamp.id;
        let layout = &self.store.layout;
        let Some(meta) = self.store.look(&layout.payload(check))? else { return Ok(false) };
        if !self.is_old(meta.modified_ms.max(meta.changed_ns / 1_000_000), LITTER_AGE) {
            return Ok(false);
        }
        // Its submission may still be finished by whoever gives the id again.
        if self.store.look(&layout.entry(id))?.is_some() {
            return Ok(false);
        }
        let Some(day) = self.store.day_of(id) else { return Ok(true) };
        Ok(self.store.look(&layout.slot_on(&day, id))?.is_none())
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

    pub(super) fn remove_payload(&mut self, check: &ClaimCheck) -> Result<ControlFlow<()>> {
        self.remove_lot(check, &check.name())
    }

    /// Breaks when the budget is over before it is gone altogether.
    fn remove_lot(&mut self, check: &ClaimCheck, name: &str) -> Result<ControlFlow<()>> {
        if !self.broom.dry_run {
            let path = self.store.layout.room("payload").join(name);
            let removed = match check.kind {
                ClaimCheckKind::Files => self.clear(&path)?,
                ClaimCheckKind::Data => self.store.remove(&path).map(|()| Continue(()))?,
            };
            if removed.is_break() {
                return Ok(Break(()));
            }
        }
        (self.broom.each)(&self.store.layout.payload(check));
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
