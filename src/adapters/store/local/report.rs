//! P14: telling of an outcome, and where a job is.

use super::LocalStore;
use crate::ports::{FileKind, Fs, Host, Place};
use crate::words::{DelayedName, Error, ErrorKind, EventName, Id, InboxName, Outcome, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Durable before it is told.
    pub(super) fn report(&self, id: &Id) -> Result<Option<Outcome>> {
        let outcomes = self.layout.room("outcomes");
        let slot = format!("{id}.outcome.json");
        let shortcut = self.day_of(id);
        if let Some(day) = &shortcut
            && let Some(outcome) = self.report_from(&outcomes.join(day), &slot)?
        {
            return Ok(Some(outcome));
        }
        for day in self.names(&outcomes)? {
            if day.kind == FileKind::Dir
                && day.name.to_str() != shortcut.as_deref()
                && let Some(outcome) = self.report_from(&outcomes.join(&day.name), &slot)?
            {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    fn report_from(&self, day: &std::path::Path, slot: &str) -> Result<Option<Outcome>> {
        let path = day.join(slot);
        // Looked for before it is read: what is read as nothing and seen only then has come in between.
        if self.look(&path)?.is_none() {
            return Ok(None);
        }
        match self.read_outcome(&path)? {
            None if self.look(&path)?.is_some() => {
                Err(Error::new(ErrorKind::Invalid, "what lies here is no outcome").at(path))
            }
            None => Ok(None),
            found => {
                self.flush_dir(day)?;
                Ok(found)
            }
        }
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
                self.find_in(id, room, std::path::Path::new(room).join(day.name), None, &mut places)?;
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
        dir: std::path::PathBuf,
        consumer: Option<String>,
        places: &mut Vec<Place>,
    ) -> Result<()> {
        let full = self.layout.root().join(&dir);
        if self.look(&full)?.is_none_or(|meta| meta.kind != FileKind::Dir) {
            return Ok(());
        }
        let slot = format!("{id}.outcome.json");
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
