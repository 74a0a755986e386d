//! Names in an inbox, in `delayed/` and in the archives.

use std::fmt;
use std::str::FromStr;

use super::{Id, Millis, NameError, Priority, StagedName, parse_nonce};

/// What lies in an inbox: a job in that of a drop folder, an outcome in that of a Return Address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryKind {
    /// `….job.json`
    Job,
    /// `….outcome.json`
    Outcome,
}

impl DeliveryKind {
    const fn suffix(self) -> &'static str {
        match self {
            DeliveryKind::Job => "job.json",
            DeliveryKind::Outcome => "outcome.json",
        }
    }
}

/// `<priority>.<submitted-ms>.<id>.<attempt>.job.json`, or `.outcome.json` for a delivered outcome (its id is the job's).
///
/// Names order as consumers take them: by priority, then by time of submission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxName {
    /// 0 first.
    pub priority: Priority,
    /// When the job was submitted, by the producer's clock.
    pub submitted: Millis,
    /// The job's id.
    pub id: Id,
    /// Which attempt (for an outcome: which collection) this is, from 1. The fencing token.
    pub attempt: u32,
    /// Job or outcome.
    pub kind: DeliveryKind,
}

impl InboxName {
    /// The name of a new job.
    pub fn job(id: Id, submitted: Millis, priority: Priority) -> Self {
        Self { priority, submitted, id, attempt: 1, kind: DeliveryKind::Job }
    }

    /// The same, one attempt later.
    pub fn next_attempt(&self) -> Self {
        Self { attempt: self.attempt.saturating_add(1), ..self.clone() }
    }

    /// The same, due only then.
    pub fn delayed(&self, due: Millis) -> DelayedName {
        DelayedName { due, job: self.clone() }
    }

    /// The UTC day below which its outcome and its archive lie.
    pub fn day(&self) -> String {
        self.submitted.day()
    }

    /// Its name in an archive, without the attempt: two attempts of one job are one there.
    pub fn archived(&self) -> String {
        format!("{}.{}", self.stem(), self.kind.suffix())
    }

    /// `<id>.<attempt>.attempt.json`: the record of an attempt that failed, beside the slot.
    pub fn attempt_record(&self) -> String {
        format!("{}.{}.attempt.json", self.id, self.attempt)
    }

    /// The name of the reason beside a dead letter.
    pub fn reason(&self) -> String {
        format!("{}.reason.json", self.stem())
    }

    /// The name under which its outcome is delivered to a Return Address.
    pub fn delivery(&self) -> Self {
        Self { attempt: 1, kind: DeliveryKind::Outcome, ..self.clone() }
    }

    /// The name of its outcome while it is staged in a consumer's room.
    pub fn staged(&self, nonce: u64) -> StagedName {
        StagedName { job: self.clone(), nonce }
    }

    pub(super) fn stem(&self) -> String {
        format!("{}.{}.{}", self.priority, self.submitted, self.id)
    }

    /// Parses a name in `done/`, `dead/` or `invalid/`. The attempt is not in it; it is given as 1.
    pub fn parse_archived(s: &str) -> Result<Self, NameError> {
        let with_attempt = |kind: DeliveryKind| {
            let stem = s.strip_suffix(kind.suffix())?.strip_suffix('.')?;
            format!("{stem}.1.{}", kind.suffix()).parse().ok()
        };
        with_attempt(DeliveryKind::Job)
            .or_else(|| with_attempt(DeliveryKind::Outcome))
            .ok_or_else(|| NameError(s.to_owned(), "the name of an archived file"))
    }

    /// Its name in `tmp/` while it is seen whether it has come to its place in the archive: `<nonce>.<archived name>`.
    pub fn aside(&self, nonce: u64) -> String {
        format!("{nonce:016x}.{}", self.archived())
    }

    /// Parses the name of what is aside. The attempt is given as 1.
    pub fn parse_aside(s: &str) -> Option<Self> {
        let (nonce, archived) = s.split_once('.')?;
        let name = parse_nonce(nonce).and_then(|_| Self::parse_archived(archived).ok())?;
        (name.kind == DeliveryKind::Job).then_some(name)
    }

    /// The id in the name of a slot, `<id>.outcome.json`.
    pub fn parse_slot(s: &str) -> Option<Id> {
        s.strip_suffix(".outcome.json")?.parse().ok()
    }

    /// The id in the name of the record of an attempt, `<id>.<attempt>.attempt.json`.
    pub fn parse_attempt_record(s: &str) -> Option<Id> {
        let (id, attempt) = s.strip_suffix(".attempt.json")?.split_once('.')?;
        parse_attempt(attempt).and_then(|_| id.parse().ok())
    }
}

impl fmt::Display for InboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}.{}", self.priority, self.submitted, self.id, self.attempt, self.kind.suffix())
    }
}

impl FromStr for InboxName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let read = InboxNameRead::of(s).map(|read| read.keep());
        read.ok_or_else(|| NameError(s.to_owned(), "the name of a job or a delivered outcome"))
    }
}

/// An [`InboxName`] as it was read, nothing of it copied: of a million names in a folder most are only compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InboxNameRead<'s> {
    priority: Priority,
    submitted: Millis,
    id: &'s str,
    pub(crate) attempt: u32,
    kind: DeliveryKind,
}

impl<'s> InboxNameRead<'s> {
    /// `None` if it is no such name.
    pub(crate) fn of(s: &'s str) -> Option<Self> {
        let mut parts = s.splitn(5, '.');
        let priority = parts.next()?.parse().ok()?;
        let submitted = Millis::parse(parts.next()?)?;
        let id = Some(parts.next()?).filter(|id| Id::is_one(id))?;
        let attempt = parse_attempt(parts.next()?)?;
        let kind = match parts.next()? {
            "job.json" => DeliveryKind::Job,
            "outcome.json" => DeliveryKind::Outcome,
            _ => return None,
        };
        Some(Self { priority, submitted, id, attempt, kind })
    }

    /// Whether it comes before that one.
    pub(crate) fn is_before(&self, other: &InboxName) -> bool {
        let Self { priority, submitted, id, attempt, kind } = *self;
        let of_other = (other.priority, other.submitted, other.id.as_str(), other.attempt, other.kind);
        (priority, submitted, id, attempt, kind) < of_other
    }

    /// The name.
    pub(crate) fn keep(&self) -> InboxName {
        let Self { priority, submitted, id, attempt, kind } = *self;
        InboxName { priority, submitted, id: Id(id.to_owned()), attempt, kind }
    }
}

/// Only the one way that a number is printed: no sign, no leading zero.
fn parse_attempt(s: &str) -> Option<u32> {
    let is_printed_so = !s.starts_with(['0', '+']);
    s.parse().ok().filter(|_| is_printed_so)
}

/// `<due-ms>.<inbox name>`: a job that is not due yet. Names order by when they are due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelayedName {
    /// When it is due, by the wall clock of whoever looks.
    pub due: Millis,
    /// What it is called when it is due.
    pub job: InboxName,
}

impl fmt::Display for DelayedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.due, self.job)
    }
}

impl FromStr for DelayedName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let (due, job) = s.split_once('.')?;
            Some(Self { due: due.parse().ok()?, job: job.parse().ok()? })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "the name of a delayed job"))
    }
}
