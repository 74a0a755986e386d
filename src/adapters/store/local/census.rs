//! Counting what lies where, while it moves: a file that vanishes meanwhile is no error.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::LocalStore;
use super::presence::Judgement;
use crate::ports::{Backlog, Census, ConsumerCensus, FileKind, Fs, Host, Listed};
use crate::words::{Customs, DelayedName, DeliveryKind, InboxName, Millis, Result, Sort, StampedId};

/// How many of what is no job are named.
const NAMED: usize = 5;

impl<F: Fs, H: Host> LocalStore<F, H> {
    pub(super) fn count(&self) -> Result<Census> {
        let look = &mut Look { store: self, unreadable: Vec::new() };
        let mut census = Census::default();
        let mut oldest: Option<Millis> = None;
        let (mut strange, customs) = (BTreeSet::new(), Customs::default());
        for entry in look.names(self.layout.room("inbox"))? {
            match job(&entry) {
                Some(name) => {
                    census.rooms.inbox += 1;
                    oldest = Some(oldest.map_or(name.submitted, |earlier| earlier.min(name.submitted)));
                }
                None if is_arriving(&entry, &customs) => census.arriving += 1,
                None => {
                    census.unrecognised += 1;
                    strange.insert(PathBuf::from(entry.name));
                    if strange.len() > NAMED {
                        strange.pop_last();
                    }
                }
            }
        }
        census.unrecognised_names = strange.into_iter().collect();
        census.oldest_ready_seconds = oldest.map(|oldest| self.age(oldest));
        census.consumers = self.consumers_seen_by(look)?;
        census.arriving += census.consumers.iter().map(|consumer| consumer.taken).sum::<usize>();
        census.rooms.claimed = census.consumers.iter().map(|consumer| consumer.claimed).sum();
        census.settled_last_minute =
            census.consumers.iter().filter_map(|consumer| consumer.settled_last_minute).sum();
        let outcome =
            |entry: &Listed| entry.name.to_str().is_some_and(|name| name.ends_with(".outcome.json"));
        let mut next_due: Option<Millis> = None;
        for entry in look.names(self.layout.room("delayed"))? {
            if let Some(delayed) = entry.name.to_str().and_then(|name| name.parse::<DelayedName>().ok()) {
                census.rooms.delayed += 1;
                next_due = Some(next_due.map_or(delayed.due, |earlier| earlier.min(delayed.due)));
            }
        }
        census.next_due_seconds = next_due.map(|due| due.since(self.host.now()).as_secs_f64());
        census.rooms.outcomes = look.count_days(self.layout.room("outcomes"), outcome)?;
        census.rooms.done = look.count_days(self.layout.room("done"), is_archived)?;
        census.rooms.dead = look.count(self.layout.room("dead"), is_archived)?;
        census.rooms.invalid = look.count(self.layout.room("invalid"), is_archived)?;
        census.rooms.tmp = look.count(self.layout.room("tmp"), |_| true)?;
        census.unreadable = std::mem::take(&mut look.unreadable);
        Ok(census)
    }

    /// What waits here, jobs or outcomes that were delivered.
    pub(crate) fn backlog(&self) -> Result<Backlog> {
        let look = &mut Look { store: self, unreadable: Vec::new() };
        let mut backlog = Backlog::default();
        let mut oldest: Option<Millis> = None;
        let mut waits = |name: InboxName| {
            backlog.waiting += 1;
            oldest = Some(oldest.map_or(name.submitted, |earlier| earlier.min(name.submitted)));
        };
        let consumers = self.consumers_seen_by(look)?;
        let claimed = consumers.iter().map(|consumer| self.layout.room("claimed").join(&consumer.room));
        for room in [self.layout.room("inbox")].into_iter().chain(claimed) {
            look.names(room)?.iter().filter_map(delivery).for_each(&mut waits);
        }
        for entry in look.names(self.layout.room("delayed"))? {
            if let Some(delayed) = entry.name.to_str().and_then(|name| name.parse::<DelayedName>().ok()) {
                waits(delayed.job);
            }
        }
        for room in ["dead", "invalid"] {
            backlog.dead += look.count(self.layout.room(room), is_archived)?;
        }
        backlog.oldest_seconds = oldest.map(|oldest| self.age(oldest));
        backlog.consumers = consumers.iter().filter(|consumer| consumer.present != Some(false)).count();
        backlog.unreadable = std::mem::take(&mut look.unreadable);
        backlog.unreadable.dedup();
        Ok(backlog)
    }

    /// In seconds, by this machine's clock.
    fn age(&self, since: Millis) -> f64 {
        self.host.now().get().saturating_sub(since.get()) as f64 / 1000.0
    }

    /// Who has a room.
    pub(crate) fn consumers(&self) -> Result<Vec<ConsumerCensus>> {
        self.consumers_seen_by(&mut Look { store: self, unreadable: Vec::new() })
    }

    fn consumers_seen_by(&self, look: &mut Look<'_, F, H>) -> Result<Vec<ConsumerCensus>> {
        let rooms = look.allowed(self.layout.room("claimed"), self.rooms())?;
        let mut consumers = Vec::with_capacity(rooms.len());
        for room in rooms {
            let present = match self.judge(&room, None) {
                Ok(Judgement::Present(_)) => Some(true),
                Ok(Judgement::Absent(_)) => Some(false),
                Ok(Judgement::Unjudged(_)) | Err(_) => None,
            };
            let there = look.names(self.layout.claims(&room)).unwrap_or_else(|e| {
                tracing::warn!(error = %e, "a room is not counted");
                Vec::new()
            });
            let claimed = there.iter().filter(|entry| job(entry).is_some()).count();
            let taken = there.iter().filter(|entry| is_taken(entry)).count();
            let said = if present == Some(false) { None } else { self.said(&room) };
            let (settled_last_minute, takes) =
                said.map_or((None, None), |(tempo, takes)| (Some(tempo), takes));
            let name = room.consumer.to_string();
            let room = room.to_string();
            consumers.push(ConsumerCensus {
                name,
                present,
                claimed,
                settled_last_minute,
                takes,
                taken,
                room,
            });
        }
        Ok(consumers)
    }
}

/// A walk through the folder that keeps in mind where it was not let in.
struct Look<'a, F, H> {
    store: &'a LocalStore<F, H>,
    unreadable: Vec<PathBuf>,
}

impl<F: Fs, H: Host> Look<'_, F, H> {
    /// What was found in a folder: nothing, if one is not let in.
    fn allowed<T: Default>(&mut self, dir: PathBuf, found: Result<T>) -> Result<T> {
        match found {
            Err(e) if e.is_denied() => {
                let below = dir.strip_prefix(self.store.layout.root()).map(Path::to_owned);
                self.unreadable.push(below.unwrap_or(dir));
                Ok(T::default())
            }
            answer => answer,
        }
    }

    fn names(&mut self, dir: PathBuf) -> Result<Vec<Listed>> {
        let names = self.store.names(&dir);
        self.allowed(dir, names)
    }

    fn count_days(&mut self, room: PathBuf, counts: impl Fn(&Listed) -> bool) -> Result<usize> {
        let days = self.names(room.clone())?;
        let folders = days.iter().filter(|day| day.kind == FileKind::Dir);
        folders.map(|day| self.count(room.join(&day.name), &counts)).sum()
    }

    fn count(&mut self, dir: PathBuf, counts: impl Fn(&Listed) -> bool) -> Result<usize> {
        Ok(self.names(dir)?.iter().filter(|entry| counts(entry)).count())
    }
}

/// A regular file with a job's name.
fn job(entry: &Listed) -> Option<InboxName> {
    delivery(entry).filter(|name| name.kind == DeliveryKind::Job)
}

/// A regular file with the name of a job, or of an outcome that was delivered.
fn delivery(entry: &Listed) -> Option<InboxName> {
    entry.name.to_str()?.parse().ok().filter(|_| entry.kind == FileKind::File)
}

fn is_archived(entry: &Listed) -> bool {
    entry.name.to_str().is_some_and(|name| InboxName::parse_archived(name).is_ok())
}

/// A regular file that strangers dropped, by its name.
fn is_arriving(entry: &Listed, customs: &Customs) -> bool {
    let archived = entry.name.to_str().is_some_and(|name| InboxName::parse_archived(name).is_ok());
    entry.kind == FileKind::File && !archived && customs.sort(&entry.name) == Sort::Bare
}

/// A folder with such a file, in a room.
fn is_taken(entry: &Listed) -> bool {
    entry.kind == FileKind::Dir && entry.name.to_str().and_then(StampedId::parse_taken).is_some()
}
