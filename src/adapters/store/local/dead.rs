//! P21: a dead letter is submitted again as a new job, and never as itself.

use std::path::{Path, PathBuf};

use super::LocalStore;
use super::moves::found;
use super::submit::uncertain;
use crate::ports::{Fs, Host, NewJob, Submitted};
use crate::words::{
    ClaimCheckKind, Envelope, Error, ErrorKind, Id, InboxName, Job, MAX_FILE_BYTES, Millis, Outcome, Result,
    to_reference,
};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// The folder for a job that this outcome stands for: none if it succeeded, or was redriven. Then the new job is there,
    /// durably, when this returns: a redrive may have been interrupted.
    pub(super) fn grave_of(&self, name: &InboxName, outcome: &Outcome) -> Result<Option<PathBuf>> {
        let Some(grave) = self.layout.grave(outcome) else { return Ok(None) };
        let Some((id, _)) = successor(name, outcome) else { return Ok(Some(grave)) };
        let begun = self.look(&self.layout.entry(&id))?.is_some();
        let redriven = begun && self.settle_given(&id)?.is_some();
        Ok((!redriven).then_some(grave))
    }

    /// P21. A redrive that was interrupted is finished by the next one: the new id is always the same. That is so, too, if the
    /// letter is archived already: by the first redrive, or because it was put back (P22) in the midst of it.
    pub(super) fn submit_again(&self, letter: &InboxName) -> Result<Id> {
        let dead = self.layout.room("dead").join(letter.archived());
        let no_such = |what| Error::new(ErrorKind::NotFound, what).at(&dead);
        let outcome = self.read_outcome(&self.layout.slot(letter))?;
        let failed = outcome.as_ref().is_some_and(|outcome| self.layout.grave(outcome).is_some());
        let bytes = match self.read_letter(&dead)? {
            // A job that failed is archived by nothing else.
            None if failed => self.read_letter(&self.layout.archived(letter))?,
            bytes => bytes,
        };
        let bytes = bytes.ok_or_else(|| no_such("there is no such dead letter"))?;
        let job = Job::decode(&letter.id, letter.attempt, &bytes).map_err(|e| e.at(&dead))?;
        let outcome = outcome.ok_or_else(|| no_such("a dead letter without an outcome"))?;
        let no_uuid = || Error::new(ErrorKind::Invalid, "the id of its outcome is no UUID").at(&dead);
        let (id, submitted) = successor(letter, &outcome).ok_or_else(no_uuid)?;
        let mut envelope = renewed(&job, &id, submitted);
        let mut travelling = Vec::new();
        for old in [job.files_ref(), job.data_ref()].into_iter().flatten() {
            let new = self.hand_down(&old, &id)?;
            envelope.set(new.attribute(), new.to_string());
            if let (ClaimCheckKind::Files, Some(name)) = (new.kind, job.data_file()) {
                envelope.set("dataref", format!("{new}{}", to_reference(&name)));
            }
            travelling.push(new);
        }
        let name = InboxName::job(id.clone(), submitted, letter.priority);
        let new = NewJob { name, bytes: envelope.encode()?, due: None, given: true, topic: None };
        let submitted = self.publish_given(&new, false);
        // If it is not certain that no job refers to them, retention will see.
        if matches!(&submitted, Ok(Submitted::Before)) || submitted.as_ref().is_err_and(is_certain) {
            for check in &travelling {
                if let Err(e) = self.throw_away(check) {
                    tracing::warn!(%check, error = %e, "what was to travel with a job is not removed");
                }
            }
        }
        let is_new = matches!(&submitted, Ok(Submitted::New));
        submitted?;
        self.flush_dir(&self.layout.room("inbox"))?;
        // As of any job (P23). Its letter stays, and what travelled with that.
        if is_new {
            travelling.iter().try_for_each(|check| self.cargo(check).map(drop)).map_err(uncertain)?;
        }
        let day = self.layout.archive_day(letter);
        self.inside(&day, || self.relocate(&dead, &self.layout.archived(letter)))?;
        // Who died long ago is swept from there at once (P26), and its day with it.
        self.flush_dir_if_there(&day)?;
        self.remove(&self.layout.room("dead").join(letter.reason()))?;
        // Nobody else would end it, if a power cut brought the old name back beside the new one.
        self.flush_dir(&self.layout.room("dead"))?;
        Ok(id)
    }

    fn read_letter(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let failed = |e| Error::io("read a dead letter", path, e);
        let Some(file) = found(self.fs.open(path)).map_err(failed)? else { return Ok(None) };
        self.fs.read(&file, MAX_FILE_BYTES).map(Some).map_err(failed)
    }
}

/// The id of the job that a dead letter becomes, and the millisecond in it: they follow from its outcome. `None` if that has no
/// UUID, which every outcome has to have: it would be the id of other letters too.
pub(crate) fn successor(letter: &InboxName, outcome: &Outcome) -> Option<(Id, Millis)> {
    let bits = outcome.bits()?;
    let died = outcome.envelope.text("id").and_then(|id| id.parse::<Id>().ok());
    let submitted = died.and_then(|id| id.minted_at()).unwrap_or(letter.submitted);
    // The last 80 bits: all but the milliseconds.
    Some((Id::mint(submitted, !bits << 48), submitted))
}

fn is_certain(e: &Error) -> bool {
    e.kind() != ErrorKind::Uncertain
}

/// The same job under another id.
fn renewed(job: &Job, id: &Id, submitted: Millis) -> Envelope {
    let mut envelope = job.envelope.clone();
    envelope.set("id", id.as_str());
    envelope.set("time", submitted.rfc3339());
    envelope.set("correlationid", job.correlation_id());
    envelope.set("causationid", job.id.as_str());
    for over in ["expirytime", "notbefore"] {
        envelope.unset(over);
    }
    envelope
}
