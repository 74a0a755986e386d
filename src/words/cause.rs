//! Why a job is: the CloudEvents extensions for correlation, and the W3C trace context.

use super::{Id, Job, Outcome};

/// What a job that follows from another has from it: its direct cause, and the flow that both belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The job that it follows from (`causationid`).
    pub job: Option<Id>,
    /// The name of the whole flow (`correlationid`): the id of the job that began it, or whatever that had been given.
    pub flow: Option<String>,
    /// The W3C trace context (`traceparent`).
    pub trace_parent: Option<String>,
}

impl Cause {
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let cause = self.job.as_ref().map(Id::as_str);
        // Who knows its cause and nothing of a flow follows from what began one.
        let flow = self.flow.as_deref().or(cause);
        let attributes =
            [("causationid", cause), ("correlationid", flow), ("traceparent", self.trace_parent.as_deref())];
        attributes.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

impl From<&Job> for Cause {
    fn from(job: &Job) -> Self {
        Self {
            job: Some(job.id.clone()),
            flow: Some(job.correlation_id().to_owned()),
            trace_parent: job.envelope.text("traceparent").map(str::to_owned),
        }
    }
}

/// What follows from an outcome follows from the job that it answers: that is what can be looked up.
impl From<&Outcome> for Cause {
    fn from(outcome: &Outcome) -> Self {
        let text = |name| outcome.envelope.text(name).map(str::to_owned);
        Self { job: Some(outcome.job_id()), flow: text("correlationid"), trace_parent: text("traceparent") }
    }
}

/// Whether a text is a W3C `traceparent`: version, trace id, parent id and flags, in lower-case hex. Later versions may have more.
pub fn is_trace_parent(text: &str) -> bool {
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |part: &str, digits| hex(part, digits) && part.bytes().any(|b| b != b'0');
    let mut parts = text.splitn(5, '-');
    let [version, trace, parent, flags] = [(); 4].map(|()| parts.next().unwrap_or_default());
    let no_more = parts.next().is_none();
    hex(version, 2)
        && version != "ff"
        && some(trace, 32)
        && some(parent, 16)
        && hex(flags, 2)
        && (no_more || version != "00")
}

#[cfg(test)]
mod tests {
    use super::super::{Millis, Payload};
    use super::*;

    #[test]
    fn trace_parents() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for good in [format!("00-{trace}"), format!("01-{trace}"), format!("cc-{trace}-more-to-come")] {
            assert!(is_trace_parent(&good), "{good}");
        }
        let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let upper = format!("00-{}", trace.to_uppercase());
        for bad in [format!("ff-{trace}"), format!("00-{trace}-more"), format!("0-{trace}"), upper] {
            assert!(!is_trace_parent(&bad), "{bad}");
        }
        assert!([zeros, "", "00", "00---", "no trace at all"].into_iter().all(|bad| !is_trace_parent(bad)));
    }

    #[test]
    fn a_job_and_its_outcome_are_the_same_cause() {
        let now = Millis::parse_rfc3339("2026-11-23T06:00:00Z").expect("a time");
        let [id, answer] =
            ["first", "0198c0de-0000-7000-8000-000000000001"].map(|id| id.parse::<Id>().expect("an id"));
        let mut job = Job { id: id.clone(), attempt: 1, envelope: Job::envelope(&id, "/test", "test", now) };
        job.envelope.set("correlationid", "the-flow");
        job.envelope.set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let outcome = Outcome::of(&job, &answer, "/test", now, Ok(Payload::detect("1")));
        let cause = Cause::from(&job);
        assert_eq!(Cause::from(&outcome), cause);
        let all = [
            ("causationid", "first"),
            ("correlationid", "the-flow"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ];
        assert_eq!(cause.attributes().collect::<Vec<_>>(), all);
        let alone = Cause { job: Some(id), ..Cause::default() };
        let all = [("causationid", "first"), ("correlationid", "first")];
        assert_eq!(alone.attributes().collect::<Vec<_>>(), all, "it began the flow");
        assert_eq!(Cause::default().attributes().count(), 0);
    }
}
