//! Why a job failed: RFC 9457 problem details.

use serde::{Deserialize, Serialize};

use super::Attempt;

/// Why a job failed or expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URN that names the kind of problem, `urn:filedrop:problem:…`
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in words.
    pub title: String,
    /// This one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The last lines that the handler wrote to stderr.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// The attempts before, as far as they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

impl Problem {
    const URN: &'static str = "urn:filedrop:problem:";
    /// Nobody could read the job.
    pub const INVALID: &'static str = "urn:filedrop:problem:invalid";
    /// The handler said that it failed, or died.
    pub const HANDLER: &'static str = "urn:filedrop:problem:handler";
    /// The handler took longer than it may.
    pub const TIMEOUT: &'static str = "urn:filedrop:problem:timeout";
    /// The handler wrote more than an outcome holds.
    pub const OUTPUT: &'static str = "urn:filedrop:problem:output";
    /// The handler said that no attempt at this job will ever succeed.
    pub const REJECTED: &'static str = "urn:filedrop:problem:rejected";
    /// The file that is its data was written to while it was handled.
    pub const CHANGED: &'static str = "urn:filedrop:problem:changed";
    /// Its attempts are used up, and the last one ended without an answer: its consumer vanished.
    pub const ABANDONED: &'static str = "urn:filedrop:problem:abandoned";
    /// Its time was over before somebody came to handle it.
    pub const EXPIRED: &'static str = "urn:filedrop:problem:expired";
    /// What a collector is told instead of an outcome whose result somebody removed. No job dies of it.
    pub const GONE: &'static str = "urn:filedrop:problem:gone";

    /// The last words of all kinds that jobs die of: what [`reason`](Self::reason) says of them.
    pub const REASONS: [&'static str; 8] =
        ["invalid", "handler", "timeout", "output", "rejected", "changed", "abandoned", "expired"];

    /// The job could not be read.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::of(Self::INVALID, "the job could not be read", detail)
    }

    /// The handler failed.
    pub fn handler(detail: impl Into<String>) -> Self {
        Self::of(Self::HANDLER, "the handler failed", detail)
    }

    /// The handler was ended because its time had run out.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::of(Self::TIMEOUT, "the handler took too long", detail)
    }

    /// The handler's output does not fit an outcome.
    pub fn output(detail: impl Into<String>) -> Self {
        Self::of(Self::OUTPUT, "the handler wrote too much", detail)
    }

    /// The handler refused the job for good.
    pub fn rejected(detail: impl Into<String>) -> Self {
        Self::of(Self::REJECTED, "the handler rejected the job", detail)
    }

    /// Its data changed under the handler's hands.
    pub fn changed(detail: impl Into<String>) -> Self {
        Self::of(Self::CHANGED, "the job's file changed", detail)
    }

    /// Nobody who tried the job lived to answer.
    pub fn abandoned(detail: impl Into<String>) -> Self {
        Self::of(Self::ABANDONED, "its attempts are used up", detail)
    }

    /// The job came too late.
    pub fn expired(detail: impl Into<String>) -> Self {
        Self::of(Self::EXPIRED, "the job expired", detail)
    }

    /// The result was there, and is not any more.
    pub fn gone() -> Self {
        let detail = "somebody removed what travelled with the outcome before it was collected";
        Self::of(Self::GONE, "the result is not there any more", detail)
    }

    /// The same, with what the handler last wrote to stderr.
    pub fn with_stderr(self, stderr: impl Into<String>) -> Self {
        Self { stderr: stderr.into(), ..self }
    }

    /// The kind's last word: `invalid`, `handler`, `timeout` …
    pub fn reason(&self) -> &str {
        self.kind.strip_prefix(Self::URN).unwrap_or(&self.kind)
    }

    /// Whether no handler saw the job in the attempt that this ended.
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind.as_str(), Self::INVALID | Self::EXPIRED | Self::ABANDONED)
    }

    /// Whether another attempt may end otherwise.
    pub fn is_worth_another_attempt(&self) -> bool {
        matches!(self.kind.as_str(), Self::HANDLER | Self::TIMEOUT | Self::CHANGED)
    }

    /// On one line, however many a handler's last words have.
    pub fn in_words(&self) -> String {
        let Self { title, detail, stderr, .. } = self;
        let last_words =
            if stderr.is_empty() { String::new() } else { format!("; its last words: {stderr:?}") };
        format!("{title}: {detail}{last_words}")
    }

    fn of(kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            title: title.to_owned(),
            detail: cut(detail.into()),
            stderr: String::new(),
            attempts: Vec::new(),
        }
    }
}

/// What an error says may be anything; many of them have to fit an outcome.
fn cut(mut detail: String) -> String {
    const MOST: usize = 64 << 10;
    if detail.len() > MOST {
        let end = (0..=MOST).rev().find(|at| detail.is_char_boundary(*at)).unwrap_or(0);
        detail.truncate(end);
        detail.push_str(" …");
    }
    detail
}
