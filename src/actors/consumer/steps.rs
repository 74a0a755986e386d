//! What a consumer does to a job, step by step, without threads, timers or retries: whoever drives these steps, and
//! however they are interrupted, the protocol holds.

use crate::ports::{Claim, Claimed, Harvest, Host, Store};
use crate::words::{
    AfterFailure, Attempt, ClaimCheck, Disposition, Id, InboxName, Job, MAX_FILE_BYTES, MOST_ATTEMPTS_TOLD,
    Millis, Outcome, Payload, Problem, Result, Retry,
};

/// On what terms a consumer works.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Its name.
    pub consumer: &'a Id,
    /// `source` of the outcomes.
    pub source: &'a str,
    /// How failed attempts are repeated.
    pub retry: &'a Retry,
    /// The largest envelope that it takes, in bytes.
    pub max_bytes: usize,
}

/// What became of an attempt to take a job.
#[derive(Debug)]
pub enum Taken {
    /// It is ours, to be handled and then [concluded](conclude).
    Job(Claim, Job),
    /// It was ours and is settled already, without having been handled: nobody could have read it, it had expired, or all its
    /// attempts were used up. The outcome, and whether it counts.
    Refused(Claim, Box<Outcome>, bool),
    /// It was settled already, and is archived now.
    Settled,
    /// Another took it.
    Lost,
}

/// What a handler made of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Product {
    /// Data; if it is not in here but harvested, then no bytes, and what they are.
    pub payload: Payload,
    /// What travels beside the outcome.
    pub harvest: Harvest,
}

impl From<Payload> for Product {
    fn from(payload: Payload) -> Self {
        Self { payload, harvest: Harvest::default() }
    }
}

/// What is to become of a job that was handled. It is decided once: if it has to be done again, then this same.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    /// This is its outcome.
    Settle(Box<Outcome>),
    /// It failed, and is attempted again when it is due.
    Postpone(Millis, Box<Attempt>),
}

/// Takes a job. What is not to be handled is settled at once, so that it stands in nobody's way.
///
/// # Errors
/// If the store could not tell, or could not settle. The claim may be ours nevertheless: take the same name into the same
/// room again, and it will tell.
pub fn take<S: Store, H: Host>(
    store: &S,
    room: &S::Room,
    name: &InboxName,
    host: &H,
    terms: Terms<'_>,
) -> Result<Taken> {
    let too_large = |claim: &Claim| {
        let (size, most) = (claim.bytes.len(), terms.max_bytes);
        (size > most).then(|| format!("its envelope has {size} bytes, and this consumer takes {most}"))
    };
    let (claim, why) = match store.claim(room, name)? {
        Claimed::Lost => return Ok(Taken::Lost),
        Claimed::Settled => return Ok(Taken::Settled),
        Claimed::Unreadable(claim, why) => (claim, why),
        Claimed::Taken(claim) => match (too_large(&claim), Job::decode(&name.id, name.attempt, &claim.bytes))
        {
            (Some(why), _) => (claim, why),
            (None, Err(e)) => (claim, e.to_string()),
            (None, Ok(job)) => {
                let Some(problem) = terms.retry.why_not(&job, host.now()) else {
                    bring_cargo(store, &job);
                    return Ok(Taken::Job(claim, job));
                };
                let problem = Problem { attempts: attempts_before(store, &claim), ..problem };
                let (id, now) = host.mint();
                let outcome = fitting(&job, &id, now, terms.source, problem);
                return refuse(store, room, claim, outcome);
            }
        },
    };
    let (id, now) = host.mint();
    let outcome = Outcome::unreadable(&name.id, name.attempt, &id, terms.source, now, Problem::invalid(why));
    refuse(store, room, claim, outcome)
}

/// A sweep may have died with what travels with the job in hand. What is gone altogether, its handler will miss.
fn bring_cargo<S: Store>(store: &S, job: &Job) {
    for check in [job.files_ref(), job.data_ref()].into_iter().flatten() {
        if let Err(e) = store.find_cargo(&check) {
            tracing::debug!(job = %job.id, error = %e, "what travels with a job is not found");
        }
    }
}

fn refuse<S: Store>(store: &S, room: &S::Room, claim: Claim, outcome: Outcome) -> Result<Taken> {
    let counts = store.settle(room, &claim, &outcome)?;
    Ok(Taken::Refused(claim, Box::new(outcome), counts))
}

/// Decides what follows from an attempt that began then and has ended now. What was harvested for an outcome that cannot be
/// written is discarded.
pub fn conclude<S: Store, H: Host>(
    store: &S,
    claim: &Claim,
    job: &Job,
    result: Result<impl Into<Product>, Problem>,
    began: Millis,
    host: &H,
    terms: Terms<'_>,
) -> Conclusion {
    let (id, now) = host.mint();
    let problem = match result {
        Ok(product) => {
            let Product { payload, harvest } = product.into();
            let outcome = succeed(claim, job, payload, &harvest, &id, now, terms.source);
            if outcome.disposition != Disposition::Succeeded {
                discard(store, harvest.checks());
            }
            return Conclusion::Settle(Box::new(outcome));
        }
        Err(problem) => problem,
    };
    let mut attempt = Attempt {
        attempt: job.attempt,
        consumer: terms.consumer.to_string(),
        began: began.rfc3339(),
        ended: now.rfc3339(),
        problem: problem.clone(),
        next: None,
    };
    match terms.retry.after(job, &problem, now, host.nonce()) {
        AfterFailure::Again(due) => {
            attempt.next = Some(due.rfc3339());
            Conclusion::Postpone(due, Box::new(attempt))
        }
        AfterFailure::Bury => {
            let mut attempts = attempts_before(store, claim);
            // Its last words are the problem's own.
            attempt.problem.stderr.clear();
            attempts.push(attempt);
            let problem = Problem { attempts, ..problem };
            Conclusion::Settle(Box::new(fitting(job, &id, now, terms.source, problem)))
        }
    }
}

/// Does what was concluded: `Some` says whether the outcome is the one that counts, `None` that the job is put off. What
/// travels beside an outcome that does not count is discarded.
///
/// # Errors
/// If the store could not do it. Do it again, or leave the claim to recovery: then the job runs again.
pub fn finish<S: Store>(
    store: &S,
    room: &S::Room,
    claim: &Claim,
    conclusion: &Conclusion,
) -> Result<Option<bool>> {
    finish_all(store, room, &[(claim, conclusion)]).pop().expect("an answer for each")
}

/// The same of several at once. An answer for each.
pub fn finish_all<S: Store>(
    store: &S,
    room: &S::Room,
    concluded: &[(&Claim, &Conclusion)],
) -> Vec<Result<Option<bool>>> {
    let outcomes = concluded.iter().filter_map(|(claim, conclusion)| match conclusion {
        Conclusion::Settle(outcome) => Some((*claim, &**outcome)),
        Conclusion::Postpone(..) => None,
    });
    let outcomes: Vec<(&Claim, &Outcome)> = outcomes.collect();
    let mut settled = outcomes.iter().zip(store.settle_all(room, &outcomes)).map(|((_, outcome), counts)| {
        if matches!(counts, Ok(false)) {
            discard(store, [outcome.files_ref(), outcome.data_ref()].iter().flatten());
        }
        counts.map(Some)
    });
    let finish = |&(claim, conclusion): &(&Claim, &Conclusion)| match conclusion {
        Conclusion::Settle(_) => settled.next().expect("an answer for each"),
        Conclusion::Postpone(due, attempt) => store.postpone(room, claim, *due, attempt).map(|()| None),
    };
    concluded.iter().map(finish).collect()
}

/// Nobody refers to it. If it stays, retention removes it.
pub(super) fn discard<'a, S: Store>(store: &S, checks: impl Iterator<Item = &'a ClaimCheck>) {
    for check in checks {
        if let Err(e) = store.discard(check) {
            tracing::warn!(%check, error = %e, "what a handler left is not removed");
        }
    }
}

/// For people; that they cannot be read keeps nobody from an outcome.
fn attempts_before<S: Store>(store: &S, claim: &Claim) -> Vec<Attempt> {
    if claim.name.attempt == 1 {
        return Vec::new();
    }
    let mut attempts = store.attempts(&claim.name).unwrap_or_else(|e| {
        tracing::warn!(id = %claim.name.id, error = %e, "the attempts before are not told");
        Vec::new()
    });
    attempts.drain(..attempts.len().saturating_sub(MOST_ATTEMPTS_TOLD as usize));
    attempts
}

fn succeed(
    claim: &Claim,
    job: &Job,
    payload: Payload,
    harvest: &Harvest,
    id: &Id,
    now: Millis,
    source: &str,
) -> Outcome {
    let bytes = payload.bytes.len();
    // Bytes grow by a third at most (base64). Only what could be too large is encoded to see whether it is.
    let surely_fits = claim.bytes.len() + 2 * bytes + (64 << 10) <= MAX_FILE_BYTES;
    let outcome = harvest.checks().fold(Outcome::of(job, id, source, now, Ok(payload)), Outcome::with);
    if surely_fits || outcome.envelope.encode().is_ok() {
        return outcome;
    }
    let why = format!("{bytes} bytes do not fit an outcome of at most {MAX_FILE_BYTES} bytes");
    fitting(job, id, now, source, Problem::output(why))
}

/// A failed outcome, if need be without the attributes of the job that are passed on.
fn fitting(job: &Job, id: &Id, now: Millis, source: &str, problem: Problem) -> Outcome {
    let outcome = Outcome::of(job, id, source, now, Err(problem.clone()));
    if outcome.envelope.encode().is_ok() {
        return outcome;
    }
    Outcome::unreadable(&job.id, job.attempt, id, source, now, problem)
}
