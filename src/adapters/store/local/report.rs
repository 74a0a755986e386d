//! P14: telling of an outcome, and where a job is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::slice;

use super::LocalStore;
use super::ledger::LOOKS;
use crate::ports::{FileKind, Fs, Host, Place};
use crate::words::{DelayedName, Error, ErrorKind, EventName, Id, InboxName, Outcome, Result};

/// So many bytes of outcomes are read before their folder is flushed and they are told.
const PORTION: usize = 16 << 20;

type Tell<'a> = dyn FnMut(&Id, Result<Outcome>) -> ControlFlow<()> + 'a;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Durable before it is told.
    pub(super) fn report(&self, id: &Id) -> Result<Option<Outcome>> {
        let mut answer = Ok(None);
        let _ = self.report_all(slice::from_ref(id), true, &mut |_, told| {
            answer = told.map(Some);
            ControlFlow::Break(())
        });
        answer
    }

    /// Those that there are, with one flush for all of a folder. A folder is not listed for it: that takes a microsecond a name,
    /// and a day may have a million, while a look at a name that is not there takes four, and only who waits pays.
    pub(super) fn report_all(&self, ids: &[Id], everywhere: bool, tell: &mut Tell<'_>) -> ControlFlow<()> {
        let outcomes = self.layout.room("outcomes");
        let mut missing: BTreeMap<Option<String>, Vec<&Id>> = BTreeMap::new();
        for id in ids {
            let day = if everywhere { self.day_of(id) } else { self.probable_day_of(id) };
            missing.entry(day).or_default().push(id);
        }
        for (day, ids) in &mut missing {
            if let Some(day) = day {
                self.report_from(&outcomes.join(day), ids, tell)?;
            }
        }
        missing.retain(|day, ids| (everywhere || day.is_none()) && !ids.is_empty());
        if missing.is_empty() {
            return ControlFlow::Continue(());
        }
        match self.names(&outcomes) {
            Ok(days) => {
                for day in days.iter().filter(|day| day.kind == FileKind::Dir) {
                    for (own, ids) in &mut missing {
                        if own.as_deref() != day.name.to_str() {
                            self.report_from(&outcomes.join(&day.name), ids, tell)?;
                        }
                    }
                }
            }
            Err(e) => missing.values().flatten().try_for_each(|id| tell(id, Err(e.again())))?,
        }
        ControlFlow::Continue(())
    }

    /// Whether there is anything in its slot, unless that cannot be told.
    pub(super) fn has_slot(&self, id: &Id) -> bool {
        let Some(day) = self.probable_day_of(id) else { return true };
        !matches!(self.look(&self.layout.slot_on(&day, id)), Ok(None))
    }

    /// Tells those that are in one folder, and leaves the others.
    fn report_from(&self, day: &Path, ids: &mut Vec<&Id>, tell: &mut Tell<'_>) -> ControlFlow<()> {
        let mut missing = Vec::new();
        let (mut read, mut bytes) = (Vec::new(), 0);
        for id in ids.drain(..) {
            match self.read_slot(&day.join(id.slot())) {
                Ok(None) => missing.push(id),
                Err(e) => tell(id, Err(e))?,
                Ok(Some(outcome)) => {
                    bytes += outcome.data().len();
                    read.push((id, outcome));
                    if bytes >= PORTION {
                        bytes = 0;
                        self.tell_durably(day, &mut read, tell)?;
                    }
                }
            }
        }
        *ids = missing;
        self.tell_durably(day, &mut read, tell)
    }

    fn tell_durably(
        &self,
        day: &Path,
        read: &mut Vec<(&Id, Outcome)>,
        tell: &mut Tell<'_>,
    ) -> ControlFlow<()> {
        let flushed = if read.is_empty() { Ok(()) } else { self.flush_dir(day) };
        read.drain(..).try_for_each(|(id, outcome)| match &flushed {
            Ok(()) => tell(id, Ok(outcome)),
            Err(e) => tell(id, Err(e.again())),
        })
    }

    fn read_slot(&self, path: &Path) -> Result<Option<Outcome>> {
        // Looked for before it is read: what is read as nothing and seen only then has come in between.
        if self.look(path)?.is_none() {
            return Ok(None);
        }
        match self.read_outcome(path)? {
            None if self.look(path)?.is_some() => {
                Err(Error::new(ErrorKind::Invalid, "what lies here is no outcome").at(path))
            }
            found => Ok(found),
        }
    }

    /// The same as [`find`](Self::find), of a job that may move meanwhile to where was looked before: what is nowhere is looked for again.
    pub(super) fn find_moving(&self, id: &Id) -> Result<Vec<Place>> {
        for _ in 1..LOOKS {
            let places = self.find(id)?;
            if !places.is_empty() {
                return Ok(places);
            }
        }
        self.find(id)
    }

    /// Every place that has a file of this id, in the order in which a job goes through them.
    pub(super) fn find(&self, id: &Id) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        for room in ["inbox", "delayed"] {
            self.find_in(id, room, room.into(), None, &mut places)?;
        }
        for room in self.rooms()? {
            let dir = format!("claimed/{room}");
            self.find_in(id, "claimed", dir.into(), Some(room.consumer.to_string()), &mut places)?;
        }
        for room in ["outcomes", "done"] {
            for day in self.names(&self.layout.room(room))? {
                self.find_in(id, room, Path::new(room).join(day.name), None, &mut places)?;
            }
        }
        for room in ["dead", "invalid"] {
            self.find_in(id, room, room.into(), None, &mut places)?;
        }
        self.find_event(id, &mut places)?;
        Ok(places)
    }

    /// An event on its way, or archived.
    fn find_event(&self, id: &Id, places: &mut Vec<Place>) -> Result<()> {
        let outbox = self.layout.outbox();
        let mut folders = Vec::new();
        for entry in self.names(&outbox.room("inbox"))? {
            let event = entry.name.to_str().and_then(|name| name.parse::<EventName>().ok());
            let published = outbox.room("inbox").join(&entry.name).join(EventName::PUBLISHED);
            if event.is_some_and(|event| event.job.id == *id) && self.look(&published)?.is_some() {
                folders.push(published);
            }
        }
        for day in self.names(&outbox.room("done"))? {
            let day = outbox.room("done").join(&day.name);
            for entry in self.names(&day)? {
                let name = entry.name.to_str().and_then(|name| InboxName::parse_archived(name).ok());
                if name.is_some_and(|name| name.id == *id) {
                    folders.push(day.join(&entry.name));
                }
            }
        }
        let root = self.layout.root();
        let place = |path: std::path::PathBuf| Place {
            room: "outbox",
            path: path.strip_prefix(root).map(std::path::Path::to_owned).unwrap_or(path),
            attempt: None,
            consumer: None,
            due: None,
        };
        places.extend(folders.into_iter().map(place));
        Ok(())
    }

    fn find_in(
        &self,
        id: &Id,
        room: &'static str,
        dir: PathBuf,
        consumer: Option<String>,
        places: &mut Vec<Place>,
    ) -> Result<()> {
        let full = self.layout.root().join(&dir);
        if self.look(&full)?.is_none_or(|meta| meta.kind != FileKind::Dir) {
            return Ok(());
        }
        let slot = id.slot();
        for entry in self.names(&full)? {
            let Some(name) = entry.name.to_str().filter(|_| entry.kind == FileKind::File) else { continue };
            let (due, job) = match name.parse::<DelayedName>() {
                Ok(delayed) if room == "delayed" => (Some(delayed.due), Ok(delayed.job)),
                _ => (None, name.parse::<InboxName>()),
            };
            let found = match &job {
                Ok(job) => job.id == *id,
                Err(_) if room == "outcomes" => name == slot,
                Err(_) => InboxName::parse_archived(name).is_ok_and(|job| job.id == *id),
            };
            if found {
                places.push(Place {
                    room,
                    path: dir.join(name),
                    attempt: job.ok().map(|job| job.attempt),
                    consumer: consumer.clone(),
                    due,
                });
            }
        }
        Ok(())
    }
}
