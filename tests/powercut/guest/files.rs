//! What lies in one drop folder, read from the files and not through the library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use filedrop::{
    ClaimCheck, ClaimCheckKind, DelayedName, DeliveryName, EventName, Id, InboxName, Job, Outcome,
    StagedName, StampedId,
};

use crate::contents::{broken_seal, sum, sum_in_answer, sum_of_outcome};
use crate::{Fallible, contents};

/// The files of a drop folder, but those in `tmp/`, and those of the drop folders in it.
#[derive(Default)]
pub(crate) struct Files {
    /// Jobs that are still to be handled, or in hand: with the sum of their data.
    pub(crate) open: BTreeMap<String, String>,
    /// Jobs in `done/`, `dead/` and `invalid/`: where.
    pub(crate) archived: BTreeMap<String, Vec<PathBuf>>,
    /// Slots, of this folder; outcomes that were collected, of an address. With what they hold.
    pub(crate) outcomes: BTreeMap<String, Vec<Told>>,
    /// Outcomes that were delivered, and not yet collected.
    pub(crate) delivered: BTreeMap<String, Told>,
    /// Links to slots beside dead letters.
    reasons: BTreeMap<String, Told>,
    /// Events on their way: to whom still.
    pub(crate) on_their_way: BTreeMap<String, (String, BTreeSet<String>)>,
    /// What must not be.
    pub(crate) faults: Vec<String>,
    payloads: Vec<PathBuf>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Told {
    /// Of the outcome.
    pub(crate) sum: String,
    /// Of the data of the job that it is the outcome of, if it succeeded.
    pub(crate) answers: Option<String>,
}

impl Files {
    pub(crate) fn read(root: &Path) -> Fallible<Self> {
        let mut files = Self::default();
        for name in names(root)? {
            let path = root.join(&name);
            let kept = match name.as_str() {
                "tmp" | "payload" | "subscribers" | "replies" | "outbox" => Ok(()),
                "filedrop.json" | "subscription.json" => json(&path),
                "inbox" | "delayed" | "claimed" | "outcomes" | "done" | "dead" | "invalid" | "ids" => {
                    files.walk(&path, &name)
                }
                _ => Err("nothing has such a name".into()),
            };
            files.note(kept, &path);
        }
        let payloads = std::mem::take(&mut files.payloads);
        for reference in payloads {
            let kept = payload(&root.join(&reference));
            files.note(kept, &reference);
        }
        for (id, reason) in &files.reasons {
            if files.outcomes.get(id).is_none_or(|slots| !slots.contains(reason)) {
                files.faults.push(format!("the reason of {id} is not its outcome"));
            }
        }
        Ok(files)
    }

    fn note(&mut self, kept: Fallible<()>, path: &Path) {
        if let Err(why) = kept {
            self.faults.push(format!("{}: {why}", path.display()));
        }
    }

    fn walk(&mut self, folder: &Path, room: &str) -> Fallible<()> {
        for name in names(folder)? {
            let path = folder.join(&name);
            let kept = match name.parse::<EventName>() {
                Ok(event) => self.event(&path, &event),
                Err(_) if path.is_dir() => self.walk(&path, room),
                // Who finds it half takes it for none.
                Err(_) if name.ends_with(".presence") => Ok(()),
                Err(_) => self.file(&path, &name, room),
            };
            self.note(kept, &path);
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str, room: &str) -> Fallible<()> {
        let own = |id: &Id| id.as_str().to_owned();
        if room == "ids" {
            let id = StampedId::parse_draft(name)
                .map(|(stamp, _)| Ok(stamp.id))
                .unwrap_or_else(|| name.parse())?;
            self.job(path, &id)?;
        } else if let Some(stem) = name.strip_suffix(".reason.json") {
            let id = InboxName::parse_archived(&format!("{stem}.job.json"))?.id;
            let told = self.outcome(path, &id)?;
            self.reasons.insert(own(&id), told);
        } else if InboxName::parse_attempt_record(name).is_some() {
            json(path)?;
        } else if let Some(id) = InboxName::parse_slot(name).filter(|_| room == "outcomes") {
            let told = self.outcome(path, &id)?;
            self.outcomes.entry(own(&id)).or_default().push(told);
        } else if name.ends_with(".outcome.json") {
            self.delivery(path, name, room)?;
        } else if matches!(room, "done" | "dead" | "invalid") {
            let id = InboxName::parse_archived(name)?.id;
            self.job(path, &id)?;
            self.archived.entry(own(&id)).or_default().push(path.to_owned());
        } else {
            let name = match name.parse::<DelayedName>() {
                Ok(delayed) => delayed.job,
                Err(_) => name.parse::<InboxName>()?,
            };
            let sum = self.job(path, &name.id)?;
            self.open.insert(own(&name.id), sum);
        }
        Ok(())
    }

    /// A staged outcome, or one that was delivered, or collected.
    fn delivery(&mut self, path: &Path, name: &str, room: &str) -> Fallible<()> {
        if let Ok(staged) = name.parse::<StagedName>() {
            // Two may have staged one each: only one will count.
            return self.outcome(path, &staged.job.id).map(|_| ());
        }
        if room == "done" {
            let id = InboxName::parse_archived(name)?.id;
            let told = self.outcome(path, &id)?;
            self.outcomes.entry(id.as_str().to_owned()).or_default().push(told);
        } else {
            let id = name.parse::<InboxName>()?.id;
            let told = self.outcome(path, &id)?;
            self.delivered.insert(id.as_str().to_owned(), told);
        }
        Ok(())
    }

    /// An event counts from when it is published.
    fn event(&mut self, folder: &Path, event: &EventName) -> Fallible<()> {
        let published = folder.join(EventName::PUBLISHED);
        if !published.exists() {
            return Ok(());
        }
        let sum = self.job(&published, &event.job.id)?;
        let mut groups = BTreeSet::new();
        for name in names(folder)?.iter().filter(|name| *name != EventName::PUBLISHED) {
            self.job(&folder.join(name), &event.job.id)?;
            groups.insert(name.parse::<DeliveryName>()?.group.to_string());
        }
        self.on_their_way.insert(event.job.id.to_string(), (sum, groups));
        Ok(())
    }

    /// A job that is whole: the sum of its data.
    fn job(&mut self, path: &Path, id: &Id) -> Fallible<String> {
        let job = Job::decode(id, 1, &std::fs::read(path)?)?;
        if let Some(how) = broken_seal(&job) {
            return Err(how.into());
        }
        // Of a draft of a given id nobody knows yet whether it becomes a job.
        if !path.components().any(|part| part.as_os_str() == "ids" || part.as_os_str() == "outbox") {
            self.payloads.extend(job.files_ref().iter().chain(&job.data_ref()).map(reference));
        }
        Ok(sum(job.data()))
    }

    fn outcome(&mut self, path: &Path, id: &Id) -> Fallible<Told> {
        let outcome = Outcome::decode(&std::fs::read(path)?)?;
        if outcome.job_id() != *id {
            return Err("it is the outcome of another job".into());
        }
        let answers = match outcome.problem() {
            Some(_) => None,
            None => Some(sum_in_answer(outcome.data()).ok_or("the outcome is half")?),
        };
        Ok(Told { sum: sum_of_outcome(&outcome), answers })
    }
}

fn reference(check: &ClaimCheck) -> PathBuf {
    let name = Path::new("payload").join(check.name());
    debug_assert!(check.kind == ClaimCheckKind::Files, "no data here is too large for an envelope");
    name
}

/// Its files are called as their sums are.
fn payload(folder: &Path) -> Fallible<()> {
    let names = names(folder)?;
    if names.is_empty() {
        return Err("its files are not there".into());
    }
    for name in names {
        if contents::sum(&std::fs::read(folder.join(&name))?) != name {
            return Err(format!("{name} is half").into());
        }
    }
    Ok(())
}

fn json(path: &Path) -> Fallible<()> {
    serde_json::from_slice::<serde_json::Value>(&std::fs::read(path)?)?;
    Ok(())
}

/// What lies in a folder.
pub(crate) fn names(folder: &Path) -> Fallible<Vec<String>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries
        .into_iter()
        .map(|entry| entry.file_name().into_string().map_err(|_| "a name is no text".into()))
        .collect()
}
