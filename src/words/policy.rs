//! The policies: whether a job is still to be handled, and what follows a failure. Pure: no clock, no chance but what they
//! are given, so that every store and the simulator share them.

use std::time::Duration;

use super::{Job, Millis, Problem};

/// How often, and after what pauses, a job is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many attempts a job has that does not say so itself. From 1.
    pub max_attempts: u32,
    /// The longest pause after the first attempt. It doubles with each attempt.
    pub first_pause: Duration,
    /// The longest pause ever.
    pub longest_pause: Duration,
}

impl Default for Retry {
    /// 5 attempts, pauses of at most 10 s, 20 s, 40 s …, at most an hour.
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_pause: Duration::from_secs(10),
            longest_pause: Duration::from_secs(60 * 60),
        }
    }
}

/// What follows an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Another attempt, not before this time.
    Again(Millis),
    /// Nothing: the failure is the job's outcome.
    Bury,
}

impl Retry {
    /// How many attempts this job has: its own word counts more than the consumer's.
    pub fn attempts_of(&self, job: &Job) -> u32 {
        job.max_attempts().unwrap_or(self.max_attempts).max(1)
    }

    /// Why a job that was just claimed is not to be handled any more, if it is not.
    pub fn why_not(&self, job: &Job, now: Millis) -> Option<Problem> {
        if let Some(expiry) = job.expires().filter(|expiry| *expiry <= now) {
            let (expiry, now) = (expiry.rfc3339(), now.rfc3339());
            return Some(Problem::expired(format!(
                "it was to be handled before {expiry}, and claimed at {now}"
            )));
        }
        let most = self.attempts_of(job);
        (job.attempt > most).then(|| {
            let detail = format!("this is attempt {}, and at most {most} are made", job.attempt);
            Problem::abandoned(detail)
        })
    }

    /// What follows a failure. `chance` is any 64 random bits: they spread the attempts of jobs that failed together.
    pub fn after(&self, job: &Job, problem: &Problem, now: Millis, chance: u64) -> AfterFailure {
        if !problem.is_worth_another_attempt() || job.attempt >= self.attempts_of(job) {
            return AfterFailure::Bury;
        }
        let due = now.later(self.pause(job.attempt, chance));
        match job.expires() {
            Some(expiry) if expiry <= due => AfterFailure::Bury,
            _ => AfterFailure::Again(due),
        }
    }

    /// The pause after this attempt: anything up to the longest one that it may have (exponential backoff, full jitter).
    pub fn pause(&self, attempt: u32, chance: u64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let longest = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(chance % (millis + 1))
    }
}

/// How long to wait after the `tries`th trouble in a row, with the folder or with a handler that cannot be started: 100 ms,
/// doubled each time, at most 30 s.
pub fn pause_after(tries: u32) -> Duration {
    Duration::from_millis(100 << tries.saturating_sub(1).min(9)).min(Duration::from_secs(30))
}
