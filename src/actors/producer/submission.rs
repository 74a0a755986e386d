//! A job, before it is dropped.

mod event;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::ports::{AttachBy, Attachment};
use crate::words::{
    Cause, Envelope, Error, ErrorKind, Id, InboxName, Job, Millis, Payload, Priority, Result, Topic,
};

/// A job to be dropped.
#[derive(Debug, Clone)]
pub struct Submission {
    kind: String,
    payload: Option<Payload>,
    priority: Priority,
    source: Option<String>,
    /// Further attributes of the envelope.
    attributes: Vec<(String, Value)>,
    cause: Option<Cause>,
    id: Option<Id>,
    due: Option<When>,
    expires: Option<When>,
    max_attempts: Option<u32>,
    files: Vec<Attachment>,
    topic: Option<Topic>,
}

/// What is to become of a [`Submission`].
pub(super) struct Plan {
    pub(super) name: InboxName,
    pub(super) envelope: Envelope,
    pub(super) due: Option<Millis>,
    pub(super) given: bool,
    pub(super) files: Vec<Attachment>,
    pub(super) topic: Option<Topic>,
}

/// A time, or one that counts from the submission.
#[derive(Debug, Clone, Copy)]
enum When {
    At(Millis),
    After(Duration),
}

impl When {
    fn from(self, now: Millis) -> Result<Millis> {
        match self {
            When::At(time) => Ok(time),
            When::After(pause) => now.checked_later(pause).ok_or_else(|| {
                let (seconds, last) = (pause.as_secs(), Millis::MAX.rfc3339());
                Error::new(
                    ErrorKind::Invalid,
                    format!("{seconds} seconds from now is later than {last}, the last time there is"),
                )
            }),
        }
    }
}

impl Submission {
    /// A job of this event type, without data, of priority 5.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            payload: None,
            priority: Priority::default(),
            source: None,
            attributes: Vec::new(),
            cause: None,
            id: None,
            due: None,
            expires: None,
            max_attempts: None,
            files: Vec::new(),
            topic: None,
        }
    }

    /// An event of this topic, whose type is the topic too. It is [published](crate::DropFolder::publish): each group that subscribed
    /// to its topic gets it as a job.
    pub fn event(topic: Topic) -> Self {
        let event = Self::new(topic.as_str()).attribute("topic", topic.as_str());
        Self { topic: Some(topic), ..event }
    }

    /// Its topic, if it is an event.
    pub fn topic(&self) -> Option<&Topic> {
        self.topic.as_ref()
    }

    /// Its event type, if that is not its topic.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Its data. The handler gets exactly these bytes; whether they are JSON, text or neither is found out.
    pub fn data(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.payload(Payload::detect(bytes))
    }

    /// Its data, of a content type that the caller knows.
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// What it is about, in the context of its source.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.attribute("subject", subject.into())
    }

    /// Its place in the order: 0 is handled first, 9 last.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Where it comes from, as a URI reference. By default `//<host>/producer`.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The Return Address that its outcome is delivered to, beside the place where [`wait`](crate::DropFolder::wait) finds it:
    /// whoever [collects](crate::DropFolder::collector) there gets it, this program or another, now or later.
    pub fn reply_to(self, address: &Id) -> Self {
        self.attribute("replyto", address.as_str())
    }

    /// What it follows from: a job, as its handler has it, or an outcome that was collected. So it has a cause (`causationid`),
    /// and belongs to the same flow (`correlationid`) and trace (`traceparent`), wherever it is dropped. What is said of these
    /// expressly stands.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// # let (orders, invoices) = (&drop, filedrop::DropFolder::init(place.path().join("invoices"))?);
    /// use filedrop::{Job, Submission};
    ///
    /// let id = orders.submit(Submission::new("order").data("7"))?;
    /// let handler = move |job: Job| {
    ///     let invoice = invoices.submit(Submission::new("invoice").caused_by(&job));
    ///     async move { invoice.map(|id| id.to_string()) }
    /// };
    /// # let invoices = filedrop::DropFolder::open(place.path().join("invoices"))?;
    /// orders.consumer().drain(true).run(handler).await?;
    ///
    /// let invoice = String::from_utf8_lossy(orders.wait(&id, None).await?.data()).parse().unwrap();
    /// let envelope = invoices.story(&invoice)?.unwrap().envelope.unwrap();
    /// assert_eq!(envelope.text("causationid"), Some(id.as_str()));
    /// assert_eq!(envelope.text("correlationid"), Some(id.as_str()), "it began the flow");
    /// # Ok(())
    /// # }
    /// ```
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The Correlation Identifier of the flow that it belongs to. By default its own id.
    pub fn correlation_id(self, id: impl Into<String>) -> Self {
        self.attribute("correlationid", id.into())
    }

    /// What it follows from directly: usually the id of a job.
    pub fn causation_id(self, id: impl Into<String>) -> Self {
        self.attribute("causationid", id.into())
    }

    /// The W3C trace context that its handler and its outcome are to carry on.
    pub fn trace_parent(self, trace_parent: impl Into<String>) -> Self {
        self.attribute("traceparent", trace_parent.into())
    }

    /// Its id, given rather than minted. To drop two jobs of one id is to drop the first one, whatever has become of it, for
    /// as long as its archive is kept: so a submission that may have worked can be repeated.
    pub fn id(mut self, id: Id) -> Self {
        self.id = Some(id);
        self
    }

    /// Not to be handled earlier than so long after its submission, by the wall clock of whoever handles it.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Some(When::After(delay));
        self
    }

    /// Not to be handled before this time, likewise.
    pub fn not_before(mut self, time: Millis) -> Self {
        self.due = Some(When::At(time));
        self
    }

    /// Not to be handled later than so long after its submission, by the wall clock of whoever handles it: then its outcome
    /// is that it expired.
    pub fn expires_after(mut self, time: Duration) -> Self {
        self.expires = Some(When::After(time));
        self
    }

    /// Not to be handled from this time on, likewise.
    pub fn expires_at(mut self, time: Millis) -> Self {
        self.expires = Some(When::At(time));
        self
    }

    /// How often it is attempted at most, whatever its consumer says. At least once.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts.max(1));
        self
    }

    /// Has a copy of this file travel with it, under the file's own name. Its handler finds it in the folder
    /// `FILEDROP_PAYLOAD`, or by [`Job::files_ref`]. A symbolic link is followed; what is no regular file is refused, and so
    /// are two files of one name.
    pub fn attach(self, path: impl Into<PathBuf>) -> Self {
        self.file(path, AttachBy::Copy)
    }

    /// Likewise, and the file is the job's from then on: its name here goes when the job is durable, without a copy on the
    /// drop folder's own file system. If anything fails it stays where it is. A symbolic link is refused.
    pub fn move_in(self, path: impl Into<PathBuf>) -> Self {
        self.file(path, AttachBy::Move)
    }

    /// Likewise, by a hard link: who writes to the file later changes what the job has. It has to be on the drop folder's
    /// own file system, and whoever handles the job has to be allowed to read it. A symbolic link is refused.
    pub fn link(self, path: impl Into<PathBuf>) -> Self {
        self.file(path, AttachBy::Link)
    }

    /// Whether its id is given.
    pub(crate) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// Whether files are to travel with it.
    pub(crate) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    fn file(mut self, path: impl Into<PathBuf>, how: AttachBy) -> Self {
        self.files.push(Attachment { path: path.into(), how });
        self
    }

    fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.retain(|(other, _)| other != name);
        self.attributes.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn plan(self, minted: Id, now: Millis, default_source: &str) -> Result<Plan> {
        let source = self.source.as_deref().unwrap_or(default_source);
        for (what, value) in [("type", self.kind.as_str()), ("source", source)] {
            if value.is_empty() {
                return Err(Error::new(ErrorKind::Invalid, format!("a job's {what} must not be empty")));
            }
        }
        if self.topic.is_some() && self.attributes.iter().any(|(name, _)| name == "replyto") {
            let why = "an event has no Return Address: it has an outcome in each group that gets it";
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        let given = self.id.is_some();
        let id = self.id.unwrap_or(minted);
        // Who repeats a submission has to find the first one under the name that it had.
        let submitted = id.minted_at().filter(|_| given).unwrap_or(now);
        let due = self.due.map(|due| due.from(now)).transpose()?.filter(|due| *due > now);
        let expires = self.expires.map(|expires| expires.from(now)).transpose()?;
        if let Some(expires) = expires.filter(|expires| *expires <= due.unwrap_or(now)) {
            let (expires, from) = (expires.rfc3339(), due.unwrap_or(now).rfc3339());
            let why = format!("the job would expire ({expires}) before it could be handled ({from})");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        let mut envelope = Job::envelope(&id, source, &self.kind, submitted);
        for (name, value) in self.attributes {
            envelope.set(&name, value);
        }
        for (name, value) in self.cause.iter().flat_map(Cause::attributes) {
            if envelope.attribute(name).is_none() {
                envelope.set(name, value);
            }
        }
        for (name, time) in [("notbefore", due), ("expirytime", expires)] {
            if let Some(time) = time {
                envelope.set(name, time.rfc3339());
            }
        }
        if self.priority != Priority::default() {
            envelope.set("priority", self.priority.get());
        }
        if let Some(attempts) = self.max_attempts {
            envelope.set("maxattempts", attempts);
        }
        envelope.payload = self.payload;
        let name = InboxName::job(id, submitted, self.priority);
        Ok(Plan { name, envelope, due, given, files: self.files, topic: self.topic })
    }
}
