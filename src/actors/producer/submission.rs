//! Dropping jobs.

use crate::actors::plain_name;
use crate::ports::{Host, NewJob, Store};
use crate::words::{Error, ErrorKind, Id, InboxName, Job, Millis, Payload, Priority, Result};

/// A job to be dropped.
#[derive(Debug, Clone)]
pub struct Submission {
    kind: String,
    payload: Option<Payload>,
    priority: Priority,
    source: Option<String>,
    /// Further attributes of the envelope, all text.
    attributes: Vec<(&'static str, String)>,
}

impl Submission {
    /// A job of this event type, without data, of priority 5.
    pub fn new(kind: impl Into<String>) -> Self {
        let priority = Priority::default();
        Self { kind: kind.into(), payload: None, priority, source: None, attributes: Vec::new() }
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

    /// The Correlation Identifier of the flow that it belongs to. By default its own id.
    pub fn correlation_id(self, id: impl Into<String>) -> Self {
        self.attribute("correlationid", id.into())
    }

    /// The W3C trace context that its handler and its outcome are to carry on.
    pub fn trace_parent(self, trace_parent: impl Into<String>) -> Self {
        self.attribute("traceparent", trace_parent.into())
    }

    fn attribute(mut self, name: &'static str, value: String) -> Self {
        self.attributes.retain(|(other, _)| *other != name);
        self.attributes.push((name, value));
        self
    }

    fn into_job(self, id: Id, now: Millis, default_source: &str) -> Result<NewJob> {
        let source = self.source.as_deref().unwrap_or(default_source);
        for (what, value) in [("type", self.kind.as_str()), ("source", source)] {
            if value.is_empty() {
                return Err(Error::new(ErrorKind::Invalid, format!("a job's {what} must not be empty")));
            }
        }
        let mut envelope = Job::envelope(&id, source, &self.kind, now);
        for (name, value) in self.attributes {
            envelope.set(name, value);
        }
        envelope.payload = self.payload;
        let bytes = envelope.encode()?;
        Ok(NewJob { name: InboxName::job(id, now, self.priority), bytes })
    }
}

/// Drops jobs, and returns their ids, in order, when all are durable. None is dropped if one of them is not valid.
///
/// # Errors
/// [`ErrorKind::Invalid`] if an event type or a source is empty, or a job is larger than
/// [`MAX_FILE_BYTES`](crate::MAX_FILE_BYTES); [`ErrorKind::Uncertain`] if some may be there, with their ids in its
/// text; [`ErrorKind::Io`] if none is.
pub fn submit<S: Store, H: Host>(store: &S, host: &H, jobs: Vec<Submission>) -> Result<Vec<Id>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let source = format!("//{}/producer", plain_name(&host.name()));
    // Many fall into one millisecond: in ascending order, so that they are handled in the order in which they came.
    let mut minted: Vec<_> = jobs.iter().map(|_| host.mint()).collect();
    minted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let jobs: Vec<_> = jobs
        .into_iter()
        .zip(minted)
        .map(|(job, (id, now))| job.into_job(id, now, &source))
        .collect::<Result<_>>()?;
    store.submit(&jobs).map_err(|e| match e.kind() {
        ErrorKind::Uncertain => {
            let ids: Vec<_> = jobs.iter().map(|job| job.name.id.as_str()).collect();
            Error::new(ErrorKind::Uncertain, format!("{e}; the ids: {}", ids.join(" ")))
        }
        _ => e,
    })?;
    Ok(jobs.into_iter().map(|job| job.name.id).collect())
}
