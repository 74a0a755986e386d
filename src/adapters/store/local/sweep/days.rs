//! P26: a day's jobs that are done, and their outcomes; at a Return Address, what was collected.
//!
//! In this order for each: the archived job, the records of its attempts, what travelled with it, its slot, the entry of its id.
//! Wherever that is interrupted, the next sweep goes on from the other end: a slot without a job, an entry without a slot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::{Path, PathBuf};

use super::super::layout::Layout;
use super::entries::Entry;
use super::living::Graves;
use super::{Sweep, Visit, WINDOW, Yard};
use crate::ports::{FileId, FileKind, Fs, Host, Meta};
use crate::words::{ClaimCheck, DeliveryKind, Id, InboxName, Millis, Result};

/// How many jobs share the flush of what they have in common.
const CHUNK: usize = 32;

/// The folders of one day.
struct Day {
    name: String,
    yard: Layout,
    done: PathBuf,
    outcomes: PathBuf,
    /// Jobs and events have given ids, and files that travel with them; what was delivered has not.
    of_jobs: bool,
    of_events: bool,
}

/// What is left of one job.
#[derive(Default)]
struct Remains {
    archived: Vec<InboxName>,
    slot: bool,
    records: Vec<String>,
    payloads: Vec<ClaimCheck>,
}

/// A job that was kept long enough.
struct Over {
    remains: Remains,
    id: Id,
    has_entry: bool,
    /// The entry, if it may go too.
    entry: Option<FileId>,
}

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    /// The days that may hold anything old, oldest first: nothing is settled before the day on which it was submitted.
    pub(super) fn old_days(&mut self, yard: &Layout) -> BTreeSet<String> {
        let mut days = BTreeSet::new();
        for room in ["done", "outcomes"] {
            days.extend(self.folders(&yard.room(room)));
        }
        days.retain(|day| Millis::of_day(day).is_some_and(|start| self.is_old(start.get(), self.keep)));
        days
    }

    pub(super) fn visit_day(&mut self, of: &Yard, day: &str, after: &str) -> Result<Visit> {
        let yard = self.layout_of(of);
        let day = Day {
            name: day.to_owned(),
            done: yard.room("done").join(day),
            outcomes: yard.room("outcomes").join(day),
            of_jobs: !matches!(of, Yard::Reply(_)),
            of_events: *of == Yard::Outbox,
            yard,
        };
        // The order is the point: only what was settled before the living are looked for can be told from them.
        let (mut remains, more) = self.remains_of(&day, after)?;
        let last = remains.last_key_value().map(|(id, _)| id.to_string());
        let graves = self.strike_living(&day.yard, &mut |id| drop(remains.remove(id)))?;
        // In a folder that was restored from a copy, link counts may say nothing of what is to be collected.
        if matches!(of, Yard::Own) {
            self.strike_delivered(&mut |id| drop(remains.remove(id)))?;
        }
        if day.of_jobs {
            self.find_payloads(&mut remains)?;
        }
        let mut remains = remains.into_iter();
        let mut after = after.to_owned();
        loop {
            let mut over = Vec::new();
            let mut looked_at = None;
            for (id, remains) in remains.by_ref() {
                looked_at = Some(id.to_string());
                match self.examine(&day, id, remains, &graves) {
                    Ok(job) => over.extend(job),
                    Err(e) => self.trouble(&e),
                }
                if over.len() == CHUNK || self.is_spent() {
                    break;
                }
            }
            let Some(looked_at) = looked_at else { break };
            match self.remove_jobs(&day, &over)? {
                Continue(()) => after = looked_at,
                Break(Some(id)) => return Ok(Visit::Spent(id.to_string())),
                Break(None) => return Ok(Visit::Spent(after)),
            }
            if self.is_spent() {
                return Ok(Visit::Spent(after));
            }
        }
        if let (true, Some(last)) = (more, last) {
            return Ok(Visit::More(last));
        }
        // Whoever is about to put something into them makes them again.
        self.remove_folder(&day.done)?;
        self.remove_folder(&day.outcomes)?;
        Ok(Visit::Done)
    }

    /// What is left of the first jobs after this id, in order of their ids; and whether there are more.
    fn remains_of(&self, day: &Day, after: &str) -> Result<(BTreeMap<Id, Remains>, bool)> {
        let kind = if day.of_jobs { DeliveryKind::Job } else { DeliveryKind::Outcome };
        let mut first: BTreeMap<Id, Remains> = BTreeMap::new();
        let mut more = false;
        let mut note = |id: Id, what: &dyn Fn(&mut Remains)| {
            if id.as_str() <= after {
                return;
            }
            what(first.entry(id).or_default());
            if first.len() > WINDOW {
                first.pop_last();
                more = true;
            }
        };
        self.store.each_name(&day.done, &mut |name, of| {
            if let Ok(job) = InboxName::parse_archived(name)
                && (of, job.kind) == (FileKind::File, kind)
            {
                note(job.id.clone(), &|remains| remains.archived.push(job.clone()));
            }
        })?;
        self.store.each_name(&day.outcomes, &mut |name, of| {
            if of != FileKind::File {
            } else if let Some(id) = InboxName::parse_slot(name) {
                note(id, &|remains| remains.slot = true);
            } else if let Some(id) = InboxName::parse_attempt_record(name) {
                note(id, &|remains| remains.records.push(name.to_owned()));
            }
        })?;
        Ok((first, more))
    }

    /// `None`: it stays.
    fn examine(&self, day: &Day, id: Id, mut remains: Remains, graves: &Graves) -> Result<Option<Over>> {
        let slot = day.slot(&id);
        let files = |paths: Vec<PathBuf>| -> Result<Vec<Meta>> {
            let found = paths.iter().filter_map(|path| self.store.look(path).transpose());
            found.collect()
        };
        let settled = files(vec![slot])?;
        let archived = files(remains.archived.iter().map(|name| day.archived(name)).collect())?;
        let records = files(remains.records.iter().map(|name| day.outcomes.join(name)).collect())?;
        remains.slot = !settled.is_empty();
        // The slot says when it was settled. Without one the job does, which is older; without either what there is.
        let age = [&settled, &archived, &records].into_iter().find(|files| !files.is_empty());
        let Some(age) = age else { return Ok(None) };
        let all = settled.iter().chain(&archived).chain(&records);
        if !age.iter().all(|meta| self.is_kept_long_enough(meta))
            || all.into_iter().any(|meta| meta.kind != FileKind::File)
        {
            return Ok(None);
        }
        let would_be_gone = u64::from(self.forgotten.contains(&id));
        if day.of_jobs
            && settled.iter().any(|slot| slot.links > 1 + would_be_gone)
            && self.is_to_be_collected(&day.slot(&id))?
        {
            return Ok(None);
        }
        let mut over = Over { remains, id, has_entry: false, entry: None };
        if !day.of_jobs {
            return Ok(Some(over));
        }
        let path = self.store.layout.entry(&over.id);
        let Some(entry) = self.store.look(&path)?.filter(|meta| meta.kind == FileKind::File) else {
            return Ok(Some(over));
        };
        over.has_entry = true;
        let names = 1 + archived.iter().filter(|meta| meta.id == entry.id).count() as u64;
        // The submission of a given id may have left its draft, which can still become the job (P20). It goes when it is a day
        // old, and then this.
        if entry.links > names && self.store.draft_of(&over.id, entry.id)?.is_some() {
            return Ok(None);
        }
        // A group has the event still. Whoever gives the id again has to find it.
        if day.of_events && entry.links > names {
            return Ok(None);
        }
        // A redrive was interrupted: to begin it again must find that its job is done (P21).
        if !graves.is_empty() && self.is_of_the_dead(&path, graves)? {
            return Ok(None);
        }
        over.entry = (entry.links == names && self.is_kept_long_enough(&entry)).then_some(entry.id);
        Ok(Some(over))
    }

    /// Of an outcome that has another name than its slot: whether that is at a Return Address. There it waits, is in somebody's hand, or
    /// was collected and is in the archive, which goes first. So the job stays, with all that travels with it, until it was collected.
    fn is_to_be_collected(&self, slot: &Path) -> Result<bool> {
        Ok(self.store.read_outcome(slot)?.is_some_and(|outcome| outcome.reply_to().is_some()))
    }

    /// Breaks with the last one that was finished when the budget is over.
    fn remove_jobs(&mut self, day: &Day, over: &[Over]) -> Result<ControlFlow<Option<Id>>> {
        if !self.broom.dry_run {
            // The draft of a given id is gone; from now on for good.
            let given = over.iter().filter(|job| job.has_entry);
            let shelves: BTreeSet<PathBuf> = given.map(|job| self.store.layout.shelf(&job.id)).collect();
            for shelf in shelves {
                self.store.flush_dir_if_there(&shelf)?;
            }
        }
        let mut finished: Option<Id> = None;
        let mut entries = Vec::new();
        let mut spent = false;
        for job in over {
            match self.remove_job(day, job) {
                Ok(Continue(())) => entries.extend(job.entry.map(|file| Entry {
                    id: job.id.clone(),
                    file,
                    day: day.name.clone(),
                })),
                Ok(Break(())) => {
                    spent = true;
                    break;
                }
                Err(e) => self.trouble(&e),
            }
            finished = Some(job.id.clone());
        }
        self.remove_entries(entries);
        Ok(if spent { Break(finished) } else { Continue(()) })
    }

    fn remove_job(&mut self, day: &Day, job: &Over) -> Result<ControlFlow<()>> {
        if self.broom.dry_run && !day.of_jobs {
            self.forgotten.insert(job.id.clone());
        }
        for name in &job.remains.archived {
            self.remove(&day.archived(name))?;
            match name.kind {
                DeliveryKind::Job => self.swept.jobs += 1,
                DeliveryKind::Outcome => self.swept.outcomes += 1,
            }
            if self.is_spent() {
                return Ok(Break(()));
            }
        }
        for record in &job.remains.records {
            self.remove(&day.outcomes.join(record))?;
            self.swept.outcomes += 1;
            if self.is_spent() {
                return Ok(Break(()));
            }
        }
        for check in &job.remains.payloads {
            if self.remove_payload(check)?.is_break() {
                return Ok(Break(()));
            }
        }
        if job.remains.slot {
            self.remove(&day.slot(&job.id))?;
            self.swept.outcomes += 1;
        }
        Ok(Continue(()))
    }

    fn find_payloads(&self, remains: &mut BTreeMap<Id, Remains>) -> Result<()> {
        self.each_payload(&mut |check| {
            if let Some(remains) = remains.get_mut(&check.stamp.id) {
                remains.payloads.push(check);
            }
        })
    }
}

impl Day {
    fn slot(&self, id: &Id) -> PathBuf {
        self.outcomes.join(id.slot())
    }

    fn archived(&self, name: &InboxName) -> PathBuf {
        self.done.join(name.archived())
    }
}
