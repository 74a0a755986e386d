//! The one outcome of a job.

use serde::{Deserialize, Serialize};

use super::{
    ClaimCheck, ClaimCheckKind, Envelope, Error, ErrorKind, Id, Job, Millis, Payload, Problem, Result,
};

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Disposition {
    /// Its handler said so.
    Succeeded,
    /// Its handler failed, or nobody could read it. The data is a [`Problem`].
    Failed,
    /// Nobody came to handle it before its `expirytime`. The data is a [`Problem`].
    Expired,
}

impl Disposition {
    /// As it stands in the envelope.
    pub fn as_str(self) -> &'static str {
        match self {
            Disposition::Succeeded => "succeeded",
            Disposition::Failed => "failed",
            Disposition::Expired => "expired",
        }
    }
}

/// The outcome of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Attributes and data.
    pub envelope: Envelope,
    /// How it ended.
    pub disposition: Disposition,
}

impl Outcome {
    const TYPE: &str = "filedrop.outcome";

    /// The outcome of a job that a handler was given. `id` is the outcome's own.
    pub fn of(job: &Job, id: &Id, source: &str, time: Millis, result: Result<Payload, Problem>) -> Self {
        let mut outcome = Self::bare(&job.id, job.attempt, id, source, time, result);
        outcome.envelope.set("correlationid", job.correlation_id());
        for passed_on in ["replyto", "subject", "traceparent"] {
            if let Some(value) = job.envelope.text(passed_on) {
                outcome.envelope.set(passed_on, value);
            }
        }
        outcome
    }

    /// The outcome of a job of which nothing but the name is known.
    pub fn unreadable(job: &Id, attempt: u32, id: &Id, source: &str, time: Millis, why: Problem) -> Self {
        Self::bare(job, attempt, id, source, time, Err(why))
    }

    fn bare(
        job: &Id,
        attempt: u32,
        id: &Id,
        source: &str,
        time: Millis,
        result: Result<Payload, Problem>,
    ) -> Self {
        let disposition = match &result {
            Ok(_) => Disposition::Succeeded,
            Err(problem) if problem.kind == Problem::EXPIRED => Disposition::Expired,
            Err(_) => Disposition::Failed,
        };
        let mut envelope = Job::envelope(id, source, Self::TYPE, time);
        envelope.set("causationid", job.as_str());
        envelope.set("correlationid", job.as_str());
        envelope.set("outcome", disposition.as_str());
        envelope.set("attempt", attempt);
        envelope.payload = Some(result.unwrap_or_else(|problem| {
            let json = serde_json::to_vec(&problem).expect("a problem serialises");
            Payload::typed(json, "application/problem+json")
        }));
        Self { envelope, disposition }
    }

    /// Reads an outcome.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] as [`Envelope::decode`], and if an attribute of an outcome is missing.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let envelope = Envelope::decode(bytes)?;
        let missing = |what| Error::new(ErrorKind::Invalid, format!("not an outcome: no {what}"));
        let disposition = match envelope.text("outcome") {
            Some("succeeded") => Disposition::Succeeded,
            Some("failed") => Disposition::Failed,
            Some("expired") => Disposition::Expired,
            _ => return Err(missing("outcome")),
        };
        envelope
            .text("causationid")
            .and_then(|id| id.parse::<Id>().ok())
            .ok_or_else(|| missing("causationid"))?;
        Ok(Self { envelope, disposition })
    }

    /// The id of the job that it answers.
    pub fn job_id(&self) -> Id {
        let id = self.envelope.text("causationid").unwrap_or_default();
        id.parse().expect("checked where it was made")
    }

    /// How many attempts were made: by handlers, or by consumers that vanished.
    pub fn attempts_made(&self) -> u32 {
        let refused = self.problem().is_some_and(|problem| problem.is_refusal());
        self.attempt().saturating_sub(refused.into())
    }

    /// Which attempt gave it; one in which no handler saw the job counts, too.
    pub fn attempt(&self) -> u32 {
        let attempt = self.envelope.attribute("attempt").and_then(serde_json::Value::as_u64);
        attempt.and_then(|n| n.try_into().ok()).unwrap_or(1)
    }

    /// 64 bits that no other outcome of ours has: the random end of its id.
    pub(crate) fn nonce(&self) -> u64 {
        self.bits().unwrap_or(0) as u64
    }

    /// All bits of its id, if it is a UUID.
    pub(crate) fn bits(&self) -> Option<u128> {
        Some(uuid::Uuid::try_parse(self.envelope.text("id")?).ok()?.as_u128())
    }

    /// What the handler wrote, byte for byte; nothing, if it is [elsewhere](Self::data_ref).
    pub fn data(&self) -> &[u8] {
        self.envelope.data()
    }

    /// Where its data is, if it is too large for the envelope.
    pub fn data_ref(&self) -> Option<ClaimCheck> {
        self.envelope.claim_check("dataref")
    }

    /// The same outcome, with what travels beside it. Data that is there is not in the envelope.
    pub fn with(mut self, check: &ClaimCheck) -> Self {
        self.envelope.set(check.attribute(), check.to_string());
        if check.kind == ClaimCheckKind::Data
            && let Some(content_type) = self.envelope.payload.take().and_then(|payload| payload.content_type)
        {
            self.envelope.set("datacontenttype", content_type);
        }
        self
    }

    /// What is left of an outcome whose result is lost: a failure, of this problem.
    pub(crate) fn lost(&self, problem: &Problem) -> Self {
        let mut lost = Self { disposition: Disposition::Failed, ..self.clone() };
        lost.envelope.set("outcome", lost.disposition.as_str());
        ["dataref", "filesref", "datacontenttype"].into_iter().for_each(|name| lost.envelope.unset(name));
        let json = serde_json::to_vec(problem).expect("a problem serialises");
        lost.envelope.payload = Some(Payload::typed(json, "application/problem+json"));
        lost
    }

    /// Where the files are that travel with it.
    pub fn files_ref(&self) -> Option<ClaimCheck> {
        self.envelope.claim_check("filesref")
    }

    /// Why it failed or expired, if it did.
    pub fn problem(&self) -> Option<Problem> {
        (self.disposition != Disposition::Succeeded).then(|| {
            serde_json::from_slice(self.data())
                .unwrap_or_else(|_| Problem::handler(String::from_utf8_lossy(self.data())))
        })
    }

    /// The Return Address that it is to be delivered to.
    pub fn reply_to(&self) -> Option<Id> {
        self.envelope.text("replyto")?.parse().ok()
    }
}
