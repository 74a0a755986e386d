//! Dead letters, as the operator of a drop folder sees them.

use serde::Serialize;

use super::DropFolder;
use crate::adapters::store::local::successor;
use crate::ports::{DeadLetter, Remains, Store as _};
use crate::words::{Attempt, Id, Outcome, Problem, Result};

/// Why a job is a dead letter, and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Autopsy {
    /// The job's id.
    pub id: Id,
    /// `dead`, or `invalid` if nobody could read the job.
    pub room: &'static str,
    /// The job's type, if it can be read.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What the job was about, if it says so.
    pub subject: Option<String>,
    /// When it was submitted: RFC 3339, by the producer's clock.
    pub submitted: String,
    /// When its outcome was decided: RFC 3339, by the consumer's clock.
    pub died: Option<String>,
    /// The last word of the problem's type: `invalid`, `handler`, `timeout`, `output`, `rejected`, `abandoned` or `expired`.
    /// `unknown` if there is no outcome that can be read.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
    /// The number of its last attempt that was made: by a handler, or by a consumer that vanished. 0 if none was.
    pub attempt: u32,
    /// Its attempts, as far as they left a record: at most the last 32.
    pub attempts: Vec<Attempt>,
    /// The last lines that its handler wrote to stderr.
    pub stderr: String,
    /// The id of the job that it becomes when it is redriven. `None`: it cannot be.
    pub redrives_as: Option<Id>,
}

impl Autopsy {
    fn of(letter: &DeadLetter, remains: &Remains) -> Self {
        let DeadLetter { name, room } = letter;
        let Remains { envelope, outcome } = remains;
        let text = |attribute| envelope.as_ref()?.text(attribute).map(str::to_owned);
        let problem = outcome.as_ref().and_then(Outcome::problem);
        let reason = problem.as_ref().map_or("unknown", Problem::reason).to_owned();
        let unknown = || Problem::handler("its reason is not there, or cannot be read");
        let Problem { detail, stderr, attempts, .. } = problem.unwrap_or_else(unknown);
        let whole = *room == "dead" && text("id").as_deref() == Some(name.id.as_str());
        Self {
            id: name.id.clone(),
            room,
            kind: text("type"),
            subject: text("subject"),
            submitted: name.submitted.rfc3339(),
            died: outcome.as_ref().and_then(|outcome| outcome.envelope.text("time")).map(str::to_owned),
            reason,
            detail,
            attempt: outcome.as_ref().map_or(1, Outcome::attempts_made),
            attempts,
            stderr,
            redrives_as: outcome
                .as_ref()
                .filter(|_| whole)
                .and_then(|outcome| Some(successor(name, outcome)?.0)),
        }
    }
}

impl DropFolder {
    /// Jobs that failed for good, expired, or could not be read: by name only, those that were submitted first before the
    /// others.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Job, Submission};
    ///
    /// let id = drop.submit(Submission::new("order"))?;
    /// drop.consumer().max_attempts(1).drain(true).run(async |_: Job| Err::<(), _>("the shop is closed")).await?;
    ///
    /// for letter in drop.dead_letters()? {
    ///     let Some(autopsy) = drop.autopsy(&letter)? else { continue };
    ///     assert_eq!((autopsy.reason.as_str(), autopsy.detail.as_str()), ("handler", "the shop is closed"));
    ///     let new = drop.redrive(&letter)?;
    ///     assert_eq!(Some(&new), autopsy.redrives_as.as_ref());
    ///     assert_eq!(drop.locate(&new)?[0].room, "inbox");
    /// }
    /// # assert!(drop.dead_letter(&id)?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.store.dead()
    }

    /// The dead letter, or invalid job, of this id, if there is one.
    ///
    /// # Errors
    /// As [`dead_letters`](Self::dead_letters).
    pub fn dead_letter(&self, id: &Id) -> Result<Option<DeadLetter>> {
        Ok(self.dead_letters()?.into_iter().find(|letter| letter.name.id == *id))
    }

    /// All that is known of a dead letter. `None` if it is none any more.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn autopsy(&self, letter: &DeadLetter) -> Result<Option<Autopsy>> {
        let remains = self.store.exhume(letter)?;
        Ok(remains.map(|remains| Autopsy::of(letter, &remains)))
    }

    /// Submits a dead letter again: as a new job of the same type, data and flow, without an expiry, whose `causationid` is
    /// the old one. Blocks until that is durable, and returns the new job's id. To redrive one again that is redriven
    /// already returns the same.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if it is no dead letter any more, or an invalid job: that has to
    /// be mended and submitted anew. [`ErrorKind::Uncertain`](crate::ErrorKind::Uncertain) if the new job may be there: redrive
    /// again. [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn redrive(&self, letter: &DeadLetter) -> Result<Id> {
        self.store.redrive(&letter.name)
    }

    /// Removes a dead letter, or an invalid job, and its reason for good. Its outcome stands until it has been kept long
    /// enough.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Disposition, Job, Submission};
    ///
    /// let id = drop.submit(Submission::new("order"))?;
    /// drop.consumer().max_attempts(1).drain(true).run(async |_: Job| Err::<(), _>("no such article")).await?;
    ///
    /// let letter = drop.dead_letter(&id)?.expect("it failed");
    /// drop.purge(&letter)?;
    /// assert!(drop.dead_letters()?.is_empty());
    /// assert_eq!(drop.outcome(&id)?.unwrap().disposition, Disposition::Failed);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn purge(&self, letter: &DeadLetter) -> Result<()> {
        self.store.purge(&letter.name)
    }
}
