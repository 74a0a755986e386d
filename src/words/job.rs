//! A job, as its handler sees it.

use std::ffi::OsString;

use super::{ClaimCheck, Envelope, Error, ErrorKind, Id, Millis, Result, from_reference};

/// A job, as its handler sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The id in the file's name.
    pub id: Id,
    /// Which attempt this is, from 1: the fencing token. It is higher after a claim was taken from a consumer that is
    /// absent, and the same after one was handed back: then the earlier handler had been ended first.
    pub attempt: u32,
    /// Attributes and data.
    pub envelope: Envelope,
}

impl Job {
    /// Reads a job's envelope; `id` is the one in the file's name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] as [`Envelope::decode`], and if the envelope has another id, a `replyto` that is no
    /// address, a `notbefore` or `expirytime` that is no time, a `filesref` or `dataref` that leads elsewhere.
    pub fn decode(id: &Id, attempt: u32, bytes: &[u8]) -> Result<Self> {
        let envelope = Envelope::decode(bytes)?;
        if envelope.text("id") != Some(id.as_str()) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the id in the envelope is not the one in the file's name",
            ));
        }
        if let Some(address) = envelope.attribute("replyto") {
            address.as_str().unwrap_or_default().parse::<Id>()?;
        }
        for name in ["notbefore", "expirytime"] {
            if let Some(time) = envelope.attribute(name) {
                Millis::parse_rfc3339(time.as_str().unwrap_or_default())?;
            }
        }
        let job = Self { id: id.clone(), attempt, envelope };
        let leads_away = |name: &str| {
            let inside = name == "dataref" && job.data_file().is_some();
            job.envelope.attribute(name).is_some() && job.envelope.claim_check(name).is_none() && !inside
        };
        if let Some(name) = ["filesref", "dataref"].into_iter().find(|name| leads_away(name)) {
            let why = format!("{name} is no reference below payload/");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        Ok(job)
    }

    /// The bytes that the producer gave; nothing, if they are [elsewhere](Self::data_ref).
    pub fn data(&self) -> &[u8] {
        self.envelope.data()
    }

    /// The event type.
    pub fn kind(&self) -> &str {
        self.envelope.text("type").unwrap_or_default()
    }

    /// The Return Address, if the outcome is to be delivered to one.
    pub fn reply_to(&self) -> Option<Id> {
        self.envelope.text("replyto")?.parse().ok()
    }

    /// The Correlation Identifier: that of the flow that the job belongs to, else its own id.
    pub fn correlation_id(&self) -> &str {
        self.envelope.text("correlationid").unwrap_or(self.id.as_str())
    }

    /// How many attempts it asks for.
    pub fn max_attempts(&self) -> Option<u32> {
        let attempts = self.envelope.attribute("maxattempts")?.as_u64()?;
        u32::try_from(attempts).ok().filter(|attempts| *attempts >= 1)
    }

    /// When it expires.
    pub fn expires(&self) -> Option<Millis> {
        self.envelope.time("expirytime")
    }

    /// Where its data is, if it is too large for the envelope.
    pub fn data_ref(&self) -> Option<ClaimCheck> {
        self.envelope.claim_check("dataref")
    }

    /// Its data is this one of the [files](Self::files_ref) that travel with it: it was dropped as a file.
    pub fn data_file(&self) -> Option<OsString> {
        let folder = self.envelope.text("filesref")?;
        let name = self.envelope.text("dataref")?.strip_prefix(folder)?;
        self.files_ref().and_then(|_| from_reference(name))
    }

    /// Where the files are that travel with it.
    pub fn files_ref(&self) -> Option<ClaimCheck> {
        self.envelope.claim_check("filesref")
    }

    /// Makes the envelope of a new job.
    pub fn envelope(id: &Id, source: &str, kind: &str, time: Millis) -> Envelope {
        let mut envelope = Envelope::new(id.as_str(), source, kind);
        envelope.set("time", time.rfc3339());
        envelope
    }
}
