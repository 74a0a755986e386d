//! Dead letters and invalid jobs, for people: what there is, what is in it, and away with it.

use std::collections::BTreeSet;
use std::io::ErrorKind as Io;
use std::path::Path;

use super::LocalStore;
use super::moves::found;
use crate::ports::{DeadLetter, FileKind, Fs, Host, Remains};
use crate::words::{DeliveryKind, Envelope, Error, Id, InboxName, MAX_FILE_BYTES, Outcome, Result};

const GRAVES: [&str; 2] = ["dead", "invalid"];

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// A reason without a job counts too: an interrupted redrive, or a power cut, may leave one. To redrive or to purge it
    /// ends what was begun.
    pub(super) fn letters(&self) -> Result<Vec<DeadLetter>> {
        let mut letters = BTreeSet::new();
        for room in GRAVES {
            for entry in self.names(&self.layout.room(room))? {
                let name = entry.name.to_str().filter(|_| entry.kind == FileKind::File);
                if let Some(name) = name.and_then(letter_of) {
                    letters.insert((name.submitted, name, room));
                }
            }
        }
        Ok(letters.into_iter().map(|(_, name, room)| DeadLetter { name, room }).collect())
    }

    pub(super) fn remains_of(&self, letter: &DeadLetter) -> Result<Option<Remains>> {
        let DeadLetter { name, room } = letter;
        let grave = self.layout.room(room);
        let job = self.read_for_people(&grave.join(name.archived()))?;
        let reason = self.read_for_people(&grave.join(name.reason()))?;
        if job.is_none() && reason.is_none() {
            return Ok(None);
        }
        let outcome = match reason.and_then(|bytes| Outcome::decode(&bytes).ok()) {
            None => self.read_outcome(&self.layout.slot(name))?,
            outcome => outcome,
        };
        Ok(Some(Remains { envelope: job.and_then(|bytes| Envelope::decode(&bytes).ok()), outcome }))
    }

    /// The reason first: what is left by an interruption is then a whole job, whose outcome still stands in its slot.
    pub(super) fn remove_letter(&self, letter: &InboxName) -> Result<()> {
        for grave in GRAVES.map(|room| self.layout.room(room)) {
            let (reason, job) = (grave.join(letter.reason()), grave.join(letter.archived()));
            if self.look(&reason)?.is_some() || self.look(&job)?.is_some() {
                self.remove(&reason)?;
                self.remove(&job)?;
                self.flush_dir(&grave)?;
            }
        }
        Ok(())
    }

    /// It moves while we look: what was gone the first time is looked for once more.
    pub(super) fn envelope_of(&self, id: &Id) -> Result<Option<Envelope>> {
        for _ in 0..2 {
            for place in self.find(id)?.into_iter().filter(|place| place.room != "outcomes") {
                if let Some(bytes) = self.read_for_people(&self.layout.root().join(&place.path))? {
                    return Ok(Envelope::decode(&bytes).ok());
                }
            }
        }
        Ok(None)
    }

    /// `None` if it is not there. What nobody can read is as good as empty: no envelope.
    fn read_for_people(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let opened = found(self.fs.open(path));
        let read = opened.and_then(|file| file.map(|file| self.fs.read(&file, MAX_FILE_BYTES)).transpose());
        match read {
            Ok(bytes) => Ok(bytes),
            Err(e) if matches!(e.kind(), Io::PermissionDenied | Io::FileTooLarge | Io::InvalidInput) => {
                Ok(Some(Vec::new()))
            }
            Err(e) => Err(Error::io("read a file", path, e)),
        }
    }
}

/// The letter that a file in a grave belongs to.
fn letter_of(name: &str) -> Option<InboxName> {
    let job = match name.strip_suffix(".reason.json") {
        Some(stem) => InboxName::parse_archived(&format!("{stem}.job.json")),
        None => InboxName::parse_archived(name),
    };
    job.ok().filter(|name| name.kind == DeliveryKind::Job)
}
