//! What became of a job, from its submission on.

use std::path::{Path, PathBuf};

use super::DropFolder;
use crate::adapters::store::local::successor;
use crate::ports::{Place, Store as _};
use crate::words::{Attempt, Disposition, Envelope, ErrorKind, Id, Outcome, Result, vanished};

/// All that is known of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Its id.
    pub id: Id,
    /// Where it and its outcome are, in the order in which a job goes through the rooms.
    pub places: Vec<Place>,
    /// The job, if it is still there and can be read.
    pub envelope: Option<Envelope>,
    /// Its outcome, if it is decided.
    pub outcome: Option<Outcome>,
    /// What travels with the job: files, and its data if that is not in its envelope. Paths below the drop folder, and sizes in
    /// bytes; none if it is gone.
    pub files: Vec<(PathBuf, u64)>,
    /// What travels with its outcome, likewise.
    pub results: Vec<(PathBuf, u64)>,
    /// The attempts that failed, as far as they left a record.
    pub attempts: Vec<Attempt>,
    /// The attempts that are over and left no record: most likely their consumers vanished.
    pub vanished: Vec<u32>,
    /// The dead letter that it was, before it was redriven as this job.
    pub redriven_from: Option<Id>,
    /// The job that it is now, if it failed and was redriven.
    pub redriven_as: Option<Id>,
    /// Of a job with a Return Address: whether its outcome is there.
    pub reply: Option<ReplyStory>,
    /// Of an event: what has become of it in each group that got it.
    pub groups: Vec<GroupStory>,
}

/// An outcome at a Return Address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyStory {
    /// The address.
    pub address: Id,
    /// Where the outcome is there.
    pub state: Reply,
}

/// Whether the outcome of a job is at its Return Address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// There is no outcome yet.
    Undecided,
    /// It waits to be collected.
    Waiting,
    /// This collector has it in hand, or had it when it died.
    InHand(String),
    /// It was collected.
    Collected,
    /// It is not there: on its way still, or collected so long ago that the address has forgotten it.
    NotThere,
}

/// An event in a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStory {
    /// The group.
    pub group: Id,
    /// Where it is in the group's folder.
    pub places: Vec<Place>,
    /// How it ended there.
    pub disposition: Option<Disposition>,
    /// If it failed and was redriven: as what, and what has become of that.
    pub redriven: Option<Box<(Id, GroupStory)>>,
}

impl Story {
    /// The name of the flow that the job belongs to: that of the job that began it, or its own.
    pub fn flow(&self) -> &str {
        let outcome = self.outcome.as_ref().map(|outcome| &outcome.envelope);
        let named = [self.envelope.as_ref(), outcome].into_iter().flatten();
        named.filter_map(|envelope| envelope.text("correlationid")).next().unwrap_or(self.id.as_str())
    }
}

impl DropFolder {
    /// All that is known of a job, wherever it is. `None` if there is no trace of it.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Job, Submission};
    ///
    /// let id = drop.submit(Submission::new("order").max_attempts(1))?;
    /// drop.consumer().drain(true).run(async |_: Job| Err::<(), _>("the shop is closed")).await?;
    /// let new = drop.redrive(&drop.dead_letter(&id)?.expect("it failed"))?;
    ///
    /// let story = drop.story(&id)?.expect("it is archived");
    /// assert_eq!(story.attempts[0].problem.detail, "the shop is closed");
    /// assert_eq!(story.redriven_as.as_ref(), Some(&new));
    /// assert_eq!(drop.story(&new)?.unwrap().redriven_from, Some(id));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn story(&self, id: &Id) -> Result<Option<Story>> {
        // The places first: a job that is settled meanwhile has its outcome, too.
        let mut places = self.locate(id)?;
        let mut outcome = self.outcome(id)?;
        // Nor is it missed when it is handed back, which is the other way.
        if places.is_empty() && outcome.is_none() {
            places = self.locate(id)?;
            outcome = self.outcome(id)?;
        }
        // Unless it was decided only in between, what still waits was put there by somebody.
        if outcome.is_some() && places.iter().any(Place::waits) {
            places = self.locate(id)?;
        }
        if places.is_empty() && outcome.is_none() {
            return Ok(None);
        }
        let envelope = self.store.envelope(id)?;
        let files = self.travelling_with(envelope.as_ref())?;
        let results = self.travelling_with(outcome.as_ref().map(|outcome| &outcome.envelope))?;
        let attempts = self.attempts_of(&places, outcome.as_ref())?;
        let present = places.iter().filter_map(|place| place.attempt).max();
        let vanished = vanished(&attempts, outcome.as_ref().map(Outcome::attempt).or(present).unwrap_or(1));
        let redriven_from =
            envelope.as_ref().map(|envelope| self.cause_of(id, envelope)).transpose()?.flatten();
        let redriven_as = outcome.as_ref().and_then(|outcome| redriven_as(&places, outcome));
        let groups = self.in_groups(id, &places)?;
        let reply = self.reply_of(id, envelope.as_ref(), outcome.as_ref())?;
        let id = id.clone();
        Ok(Some(Story {
            id,
            places,
            envelope,
            outcome,
            files,
            results,
            attempts,
            vanished,
            redriven_from,
            redriven_as,
            reply,
            groups,
        }))
    }

    /// Only an event is in the outbox.
    fn in_groups(&self, id: &Id, places: &[Place]) -> Result<Vec<GroupStory>> {
        let mut groups = Vec::new();
        if places.iter().all(|place| place.room != "outbox") {
            return Ok(groups);
        }
        for (group, folder) in self.group_folders()? {
            groups.extend(folder.in_group(&group, id)?);
        }
        Ok(groups)
    }

    /// In this folder, which is the group's.
    fn in_group(&self, group: &Id, id: &Id) -> Result<Option<GroupStory>> {
        let (places, outcome) = (self.locate(id)?, self.outcome(id)?);
        if places.is_empty() && outcome.is_none() {
            return Ok(None);
        }
        let redriven = match outcome.as_ref().and_then(|outcome| redriven_as(&places, outcome)) {
            Some(new) => self.in_group(group, &new)?.map(|story| Box::new((new, story))),
            None => None,
        };
        let disposition = outcome.map(|outcome| outcome.disposition);
        Ok(Some(GroupStory { group: group.clone(), places, disposition, redriven }))
    }

    fn reply_of(
        &self,
        id: &Id,
        job: Option<&Envelope>,
        outcome: Option<&Outcome>,
    ) -> Result<Option<ReplyStory>> {
        let told = |envelope: &Envelope| envelope.text("replyto")?.parse::<Id>().ok();
        let Some(address) = outcome.map(|outcome| &outcome.envelope).or(job).and_then(told) else {
            return Ok(None);
        };
        let places = match self.open_nested(&Path::new("replies").join(address.as_str())) {
            Ok(replies) => replies.locate(id)?,
            // It is made with the first delivery.
            Err(e) if matches!(e.kind(), ErrorKind::NotADropFolder | ErrorKind::NotFound) => Vec::new(),
            Err(e) => return Err(e),
        };
        let is_in = |room: &str| places.iter().find(|place| place.room == room);
        let state = if is_in("done").is_some() {
            Reply::Collected
        } else if let Some(claim) = is_in("claimed") {
            Reply::InHand(claim.consumer.clone().unwrap_or_default())
        } else if !places.is_empty() {
            Reply::Waiting
        } else if outcome.is_some() {
            Reply::NotThere
        } else {
            Reply::Undecided
        };
        Ok(Some(ReplyStory { address, state }))
    }

    fn travelling_with(&self, envelope: Option<&Envelope>) -> Result<Vec<(PathBuf, u64)>> {
        let checks =
            ["filesref", "dataref"].map(|name| envelope.and_then(|envelope| envelope.claim_check(name)));
        let mut found = Vec::new();
        for check in checks.iter().flatten() {
            match self.files(check) {
                Ok(files) => found.extend(files),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let below = |(path, size): (PathBuf, u64)| {
            let below = path.strip_prefix(self.path()).map(Path::to_owned);
            (below.unwrap_or(path), size)
        };
        Ok(found.into_iter().map(below).collect())
    }

    fn attempts_of(&self, places: &[Place], outcome: Option<&Outcome>) -> Result<Vec<Attempt>> {
        let told = outcome.and_then(Outcome::problem).map(|problem| problem.attempts).unwrap_or_default();
        if !told.is_empty() {
            return Ok(told);
        }
        let Some(mut name) = places.iter().filter_map(Place::job).max_by_key(|name| name.attempt) else {
            return Ok(Vec::new());
        };
        name.attempt = name.attempt.max(outcome.map_or(1, Outcome::attempt));
        self.store.attempts(&name)
    }

    /// The dead letter that was redriven as this job.
    fn cause_of(&self, id: &Id, envelope: &Envelope) -> Result<Option<Id>> {
        let Some(cause) = envelope.text("causationid").and_then(|id| id.parse().ok()) else {
            return Ok(None);
        };
        let Some(outcome) = self.outcome(&cause)? else { return Ok(None) };
        let places = self.locate(&cause)?;
        // Not only the cause of this job in a flow of jobs, but this very one.
        Ok((redriven_as(&places, &outcome).as_ref() == Some(id)).then_some(cause))
    }
}

/// A job that failed is archived as done by nothing else than a redrive.
fn redriven_as(places: &[Place], outcome: &Outcome) -> Option<Id> {
    let archived = places.iter().find(|place| place.room == "done").and_then(Place::job)?;
    let failed = outcome.disposition != Disposition::Succeeded;
    Some(successor(&archived, outcome).filter(|_| failed)?.0)
}
