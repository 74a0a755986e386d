//! P29: the job that a file becomes, also if one of its id was submitted before.
//!
//! That one may have had it under another name: then this name is one too many. But the file may have been moved out of that job's
//! folder, to have it handled again; then nothing else has it, and it is another job.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;

use super::LocalStore;
use super::admission::cargo_of;
use crate::ports::{Admitted, FileId, FileKind, Fs, Host, Meta, NewJob, Submitted};
use crate::words::{
    ClaimCheck, ClaimCheckKind, Envelope, Error, Id, InboxName, Result, StampedId, envelope_of_file,
    id_of_another,
};

/// `source` of the jobs that files in the inbox make.
const SOURCE: &str = "/inbox";

/// What of an envelope refers to what travels with it.
const REFERENCES: [&str; 2] = ["filesref", "dataref"];

/// What becomes of a payload whose id was submitted before.
enum Fate {
    /// That job refers to it.
    Referred,
    /// It is one too many.
    Spare,
    /// Nothing else has what is in it.
    Needed,
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Whether what was taken under this name is on its way to be a job.
    pub(super) fn has_cargo(&self, taken: &StampedId) -> Result<bool> {
        let at = |stamp: &StampedId| self.look(&self.layout.payload(&cargo_of(stamp)));
        Ok(at(taken)?.is_some() || at(&another(taken))?.is_some())
    }

    /// Whether there is a job that refers to it, or it is decided that it becomes another one.
    pub(super) fn is_submitted(&self, taken: &StampedId) -> Result<bool> {
        if self.look(&self.layout.payload(&cargo_of(&another(taken))))?.is_some() {
            return Ok(true);
        }
        let first = self.read_entry(&self.layout.entry(&taken.id))?;
        let theirs = first.and_then(|(_, first)| first.claim_check("filesref"));
        Ok(theirs.is_some_and(|theirs| theirs == cargo_of(taken)))
    }

    /// `given`: its envelope, if that is not to follow from the file.
    pub(super) fn submit_taken(&self, given: Option<Envelope>, taken: &StampedId) -> Result<Admitted> {
        let (check, heir) = (cargo_of(taken), cargo_of(&another(taken)));
        let was_given = given.is_some();
        let Some(envelope) = given.map_or_else(|| self.of_file(&check, &heir), |given| Ok(Some(given)))?
        else {
            return Ok(Admitted::Nothing);
        };
        let place = self.layout.payload(&heir);
        if self.look(&place)?.is_none() {
            if self.submit_file(&taken.id, &envelope)? == Submitted::New {
                return Ok(Admitted::New(taken.id.clone()));
            }
            match self.fate_of(&check, was_given)? {
                Fate::Referred => return Ok(Admitted::Before(taken.id.clone())),
                Fate::Spare => {
                    if !was_given {
                        tracing::info!(
                            job = %taken.id,
                            "a dropped name became no job of its own: its file has another name, which is that job"
                        );
                    }
                    return self.throw_away(&check).map(|()| Admitted::Before(taken.id.clone()));
                }
                Fate::Needed => {}
            }
            tracing::info!(
                id = %heir.stamp.id,
                before = %taken.id,
                "a file came again that an earlier job does not have any more; it is another job"
            );
            self.make_payload_folder(&place)?;
            self.flush_dir(&self.layout.room("payload"))?;
        }
        self.bequeath(&self.layout.payload(&check), &place)?;
        let id = &heir.stamp.id;
        Ok(match self.submit_file(id, &renamed(envelope, &check, &heir))? {
            Submitted::New => Admitted::New(id.clone()),
            Submitted::Before => Admitted::Before(id.clone()),
        })
    }

    /// From the first name in either place; none if there is none.
    fn of_file(&self, check: &ClaimCheck, heir: &ClaimCheck) -> Result<Option<Envelope>> {
        let first = |check| self.first_name(&self.layout.payload(check));
        let Some(name) = first(check)?.map_or_else(|| first(heir), |name| Ok(Some(name)))? else {
            return Ok(None);
        };
        Ok(Some(envelope_of_file(&check.stamp.id, &name, check, SOURCE, self.host.now())))
    }

    fn first_name(&self, folder: &Path) -> Result<Option<OsString>> {
        Ok(self.names(folder)?.into_iter().next().map(|entry| entry.name))
    }

    fn submit_file(&self, id: &Id, envelope: &Envelope) -> Result<Submitted> {
        let now = self.host.now();
        let submitted = id.minted_at().or_else(|| envelope.time("time")).unwrap_or(now);
        let name = InboxName::job(id.clone(), submitted, envelope.priority());
        let job = NewJob { name, bytes: envelope.encode()?, due: None, given: true, topic: None };
        let answer = self.publish_given(&job, id.minted_at().is_some())?;
        self.flush_dir(&self.layout.room("inbox"))?;
        Ok(answer)
    }

    fn fate_of(&self, check: &ClaimCheck, was_given: bool) -> Result<Fate> {
        let id = &check.stamp.id;
        let first = self.read_entry(&self.layout.entry(id))?;
        let theirs = first.and_then(|(_, first)| first.claim_check("filesref"));
        if theirs.as_ref() == Some(check) {
            return Ok(Fate::Referred);
        }
        let theirs = theirs.filter(|theirs| theirs.kind == ClaimCheckKind::Files);
        let there = theirs.map_or_else(|| Ok(Vec::new()), |theirs| self.files_below(&theirs))?;
        let there: HashSet<FileId> = there.into_iter().map(|meta| meta.id).collect();
        let ours = self.files_below(check)?;
        // An intake mints the id (P30): whatever is here under it is that one's once more, such as a copy from another file system.
        Ok(if was_given || ours.iter().all(|meta| there.contains(&meta.id)) {
            Fate::Spare
        } else {
            Fate::Needed
        })
    }

    fn files_below(&self, check: &ClaimCheck) -> Result<Vec<Meta>> {
        let root = self.layout.payload(check);
        let all = self.walk(&root).map_err(|e| Error::io("list a folder", &root, e))?;
        let files = all.iter().filter(|found| found.kind == FileKind::File);
        files.filter_map(|found| self.look(&found.path).transpose()).collect()
    }

    /// Everything that is in one payload goes to another.
    fn bequeath(&self, from: &Path, to: &Path) -> Result<()> {
        for entry in self.names(from)? {
            self.relocate(&from.join(&entry.name), &to.join(&entry.name))?;
        }
        self.flush_dir(to)?;
        // What is left of it retention removes.
        let _ = self.fs.remove_dir(from);
        Ok(())
    }
}

/// What that becomes if it is another job than its id says. The nonce is its own already.
pub(super) fn another(taken: &StampedId) -> StampedId {
    StampedId { id: id_of_another(taken), nonce: taken.nonce }
}

/// The same job under another id, with its files in another place.
fn renamed(mut envelope: Envelope, check: &ClaimCheck, heir: &ClaimCheck) -> Envelope {
    let (old, new) = (check.to_string(), heir.to_string());
    for name in REFERENCES {
        let below = envelope.text(name).and_then(|text| text.strip_prefix(&old)).map(str::to_owned);
        if let Some(below) = below {
            envelope.set(name, format!("{new}{below}"));
        }
    }
    envelope.set("causationid", check.stamp.id.as_str());
    envelope.set("id", heir.stamp.id.as_str());
    envelope
}
