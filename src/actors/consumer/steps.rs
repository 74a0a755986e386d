//! What a consumer does to a job, step by step, without threads, timers or retries: whoever drives these steps, and
//! however they are interrupted, the protocol holds.

use crate::ports::{Claim, Claimed, Host, Store};
use crate::words::{InboxName, Job, MAX_FILE_BYTES, Outcome, Payload, Problem, Result};

/// What became of an attempt to take a job.
#[derive(Debug)]
pub enum Taken {
    /// It is ours, to be handled and then [finished](conclude).
    Job(Claim, Job),
    /// It was ours, nobody could have read it, and so it is settled: the problem, and whether this outcome counts.
    Invalid(Claim, Problem, bool),
    /// It was settled already, and is archived now.
    Settled,
    /// Another took it.
    Lost,
}

/// Takes a job. What cannot be read is settled at once, so that it stands in nobody's way.
///
/// # Errors
/// If the store could not tell, or could not settle. The claim may be ours nevertheless: take the same name into the same
/// room again, and it will tell.
pub fn take<S: Store, H: Host>(
    store: &S,
    room: &S::Room,
    name: &InboxName,
    host: &H,
    source: &str,
) -> Result<Taken> {
    let (claim, why) = match store.claim(room, name)? {
        Claimed::Lost => return Ok(Taken::Lost),
        Claimed::Settled => return Ok(Taken::Settled),
        Claimed::Unreadable(claim, why) => (claim, why),
        Claimed::Taken(claim) => match Job::decode(&name.id, name.attempt, &claim.bytes) {
            Ok(job) => return Ok(Taken::Job(claim, job)),
            Err(e) => (claim, e.to_string()),
        },
    };
    let (id, now) = host.mint();
    let problem = Problem::invalid(why);
    let outcome = Outcome::unreadable(&name.id, name.attempt, &id, source, now, problem.clone());
    let counts = store.settle(room, &claim, &outcome)?;
    Ok(Taken::Invalid(claim, problem, counts))
}

/// Makes the outcome of a job that was handled. It is made once: if it has to be settled again, then this same one.
pub fn conclude<H: Host>(
    claim: &Claim,
    job: &Job,
    result: Result<Payload, Problem>,
    host: &H,
    source: &str,
) -> Outcome {
    let (id, now) = host.mint();
    // Text may grow sixfold when it is escaped. Only what could be too large is encoded to see whether it is.
    let size = |result: &Result<Payload, Problem>| result.as_ref().map_or(0, |payload| payload.bytes.len());
    if claim.bytes.len() + 6 * size(&result) + (64 << 10) <= MAX_FILE_BYTES {
        return Outcome::of(job, &id, source, now, result);
    }
    let bytes = size(&result);
    let outcome = Outcome::of(job, &id, source, now, result);
    if outcome.envelope.encode().is_ok() {
        return outcome;
    }
    let why =
        || Problem::output(format!("{bytes} bytes do not fit an outcome of at most {MAX_FILE_BYTES} bytes"));
    let outcome = Outcome::of(job, &id, source, now, Err(why()));
    if outcome.envelope.encode().is_ok() {
        return outcome;
    }
    // The job's own attributes, that are passed on, do not fit.
    Outcome::unreadable(&job.id, job.attempt, &id, source, now, why())
}

/// Settles a job that was handled. Returns whether its outcome is the one that counts.
///
/// # Errors
/// If the store could not settle it. The outcome is lost then, and the job runs again when its claim is recovered; who
/// wants to try again [concludes](conclude) and settles himself.
pub fn finish<S: Store, H: Host>(
    store: &S,
    room: &S::Room,
    claim: &Claim,
    job: &Job,
    result: Result<Payload, Problem>,
    host: &H,
    source: &str,
) -> Result<bool> {
    store.settle(room, claim, &conclude(claim, job, result, host, source))
}
