//! What a consumer tells of its work. The library prints nothing: a program shows what it wants to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use crate::ports::{Chosen, Swept, Takeover};
use crate::words::{Disposition, Error, Evidence, Id, Millis, Pending};

/// Is told what happens, on the thread on which it happens: it must not wait for anything.
pub trait Observer: Send + Sync {
    /// Something happened. A panic is logged, and otherwise ignored.
    fn notice(&self, event: &Event<'_>);
}

/// Ignores everything.
impl Observer for () {
    fn notice(&self, _: &Event<'_>) {}
}

/// Something that happened in a consumer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// How it learns of new jobs, and why so.
    Watching(&'a Chosen),
    /// It has a room, and may claim.
    Registered {
        /// Its name.
        consumer: &'a Id,
    },
    /// Others took it for dead and cleared its room. It registers anew; what it was handling may be handled twice.
    Evicted,
    /// A job is about to be handled.
    Claimed {
        /// The job.
        id: &'a Id,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// A job's outcome is decided and durable.
    Settled {
        /// The job.
        id: &'a Id,
        /// Which attempt, from 1.
        attempt: u32,
        /// How its handling ended here.
        disposition: Disposition,
        /// Why it failed, if it did: the problem's title and detail, and the last lines that the handler wrote to stderr, quoted.
        problem: Option<&'a str>,
        /// Whether this is the outcome that counts. If not, another attempt's came first.
        counts: bool,
        /// From the claim to the outcome. `None` if no handler saw the job: nobody could read it, it had expired, or its attempts
        /// were used up.
        took: Option<Duration>,
    },
    /// An attempt failed, and is to be repeated.
    Postponed {
        /// The job.
        id: &'a Id,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// When the next one is due.
        due: Millis,
        /// Why it failed, likewise.
        problem: &'a str,
    },
    /// A file that a stranger had dropped is a job now.
    Admitted {
        /// The job.
        id: &'a Id,
        /// What the file was called.
        name: &'a str,
        /// Why it was taken to be complete.
        evidence: &'a Evidence,
    },
    /// A file that a stranger dropped cannot be read. It stays where it is.
    Unreadable {
        /// What it is called.
        name: &'a str,
        /// Why.
        why: &'a str,
    },
    /// A file is not what whoever brought it says that it is, or a folder is not for strangers. It is left. Told once, as long as
    /// that is so.
    Left {
        /// What it is called.
        name: &'a str,
        /// Why.
        why: &'a str,
    },
    /// A file that a stranger dropped has been there for a minute, and is not complete yet.
    Unfinished {
        /// What it is called.
        name: &'a str,
        /// What is missing.
        missing: &'a Pending,
    },
    /// Files that were taken out of a folder of somebody else's are a job now.
    TakenIn {
        /// The job.
        id: &'a Id,
        /// The file, or the manifest: its path in the folder, each part of it as a reference.
        path: &'a str,
        /// How many files there are.
        files: usize,
    },
    /// The folder that files are taken from is not the one at its path any more. The intake begins anew there.
    Moved {
        /// The path.
        path: &'a Path,
    },
    /// A manifest is not to become a job.
    Refused {
        /// Its path in the folder.
        path: &'a str,
        /// Why.
        why: &'a str,
    },
    /// An outcome that was delivered to a Return Address was handed over to whoever collects there.
    Collected {
        /// The job.
        id: &'a Id,
        /// Which collection, from 1.
        collection: u32,
        /// How the job ended.
        disposition: Disposition,
        /// Whether nobody had collected it before.
        first: bool,
    },
    /// Whoever collects did not take an outcome over. It goes back.
    NotCollected {
        /// The job.
        id: &'a Id,
        /// Which collection it was, from 1.
        collection: u32,
        /// Why.
        error: &'a Error,
        /// When it goes back to be tried again. `None`: it comes again when somebody collects the next time.
        retry_in: Option<Duration>,
    },
    /// A dead letter lay in the inbox. It was moved to where it belongs.
    PutBack {
        /// The job.
        id: &'a Id,
        /// Where it is now.
        path: &'a Path,
    },
    /// A dead letter lies in the inbox, and cannot be moved to where it belongs. Told once, as long as that is so.
    Stuck {
        /// The job.
        id: &'a Id,
        /// Why.
        error: &'a Error,
    },
    /// A job went back to the inbox, as if it had never been claimed.
    HandedBack {
        /// The job.
        id: &'a Id,
        /// The attempt that it was, and will be again.
        attempt: u32,
        /// Why.
        why: &'a str,
    },
    /// Something was taken over from absent consumers, or from publishers. What cannot be is told once, as long as that is so.
    Recovered(&'a Takeover),
    /// What the dead left, and what was kept long enough, was removed, or some of it: more is to follow if it is unfinished.
    Swept(&'a Swept),
    /// Something did not work. Nothing is lost.
    Trouble {
        /// What did not.
        doing: &'static str,
        /// The job that it was about.
        id: Option<&'a Id>,
        /// Why.
        error: &'a Error,
        /// When it is tried again. `None`: not by this consumer; recovery will see to it.
        retry_in: Option<Duration>,
        /// Whether nothing else has failed for the same reason before, or all that had is [over](Event::Over): only that is logged.
        news: bool,
    },
    /// What failed for one reason works again.
    Over {
        /// What it was told of first.
        doing: &'static str,
        /// How long that took.
        after: Duration,
    },
    /// It claims no more and waits for its handlers.
    Stopping {
        /// How many jobs are being handled.
        in_flight: usize,
    },
    /// The grace is over (or there was none): the handlers that still run are ended.
    CutShort {
        /// How many jobs are being handled.
        in_flight: usize,
    },
    /// Nothing is ready and nobody's claims are in doubt: a drain ends.
    Drained,
}

/// Tells the observer, and the log.
pub(crate) fn tell(observer: &dyn Observer, event: &Event<'_>) {
    log(event);
    // Its panic must not cost a worker in the middle of a job: the claim would be nobody's, in a room that lives.
    let notice = AssertUnwindSafe(|| observer.notice(event));
    if catch_unwind(notice).is_err() {
        tracing::error!(?event, "the observer panicked");
    }
}

/// `info` is what somebody who operates a healthy consumer wants to see: how it works, what it recovers, how it ends. A
/// job that succeeds is no news; one that fails is a warning.
fn log(event: &Event<'_>) {
    use tracing::{debug, error, info, warn};
    match event {
        Event::Watching(chosen) => info!(mode = ?chosen.mode, why = chosen.why, "watching"),
        Event::Registered { consumer } => debug!(%consumer, "registered"),
        Event::Evicted => warn!(
            "the room of this consumer is gone: others took it for dead, or its drop folder is not there; registering anew"
        ),
        Event::Claimed { id, attempt } => debug!(%id, attempt, "claimed"),
        Event::Settled { id, attempt, disposition, problem, counts: true, took } => {
            let ended = disposition.as_str();
            let took_ms = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            match problem {
                None => debug!(%id, attempt, took_ms, "{ended}"),
                Some(why) => warn!(%id, attempt, took_ms, why, "{ended}"),
            }
        }
        Event::Settled { id, attempt, disposition, .. } => {
            let ended = disposition.as_str();
            warn!(%id, attempt, "{ended}, but another attempt's outcome counts");
        }
        Event::Postponed { id, attempt, due, problem } => {
            warn!(%id, attempt, why = problem, next = due.rfc3339(), "failed; to be tried again");
        }
        Event::Admitted { id, name, evidence } => {
            debug!(%id, name, %evidence, "took a file that was dropped")
        }
        Event::Unreadable { name, why } => {
            warn!(name, why, "left where it is; see `filedrop explain`");
        }
        Event::Left { name, why } => warn!(name, why, "left where it is"),
        Event::Unfinished { name, missing } => {
            debug!(name, %missing, "not taken yet; see `filedrop explain`");
        }
        Event::TakenIn { id, path, files } => info!(%id, path, files, "took in"),
        Event::Moved { path } => {
            warn!(path = %path.display(), "another folder is there than the one that files were taken from, or none; beginning anew");
        }
        Event::Refused { path, why } => warn!(path, why, "rejected a manifest; its files stay"),
        Event::Collected { id, collection, disposition, first } => {
            debug!(%id, collection, first, "collected: {}", disposition.as_str());
        }
        Event::NotCollected { id, collection, error, retry_in } => match retry_in {
            Some(pause) => {
                warn!(%id, collection, %error, "an outcome was not taken over; trying again in {pause:?}")
            }
            None => {
                warn!(%id, collection, %error, "an outcome was not taken over; it comes again the next time")
            }
        },
        Event::PutBack { id, path } => {
            warn!(%id, path = %path.display(), "moved a dead letter back: its outcome stands; use `filedrop dead redrive`");
        }
        Event::Stuck { id, error } => {
            warn!(%id, %error, "cannot move a dead letter back; it stays in the inbox, and is no job there");
        }
        Event::HandedBack { id, attempt, why } => info!(%id, attempt, why, "handed back"),
        Event::Recovered(takeover) => {
            let Takeover { returned, admitted, helped, events, archived, cleared, .. } = takeover;
            if takeover.done() > 0 {
                let some = |count: &usize| Some(*count).filter(|count| *count > 0);
                let (admitted, events) = (some(admitted), some(events));
                info!(
                    returned,
                    admitted, helped, events, archived, cleared, "recovered what the absent left"
                );
            }
            for trouble in &takeover.troubles {
                warn!(%trouble, "cannot recover what the absent left; trying again");
            }
            for path in &takeover.strangers {
                warn!(path = %path.display(), "left in the room of an absent consumer; nobody knows what it is");
            }
        }
        Event::Swept(Swept { drafts, jobs, outcomes, payloads, ids, failed, unfinished, busy: _ }) => {
            // Of a hundred portions of one sweep nobody wants to read each.
            let failed = Some(failed).filter(|failed| **failed > 0);
            if *unfinished && failed.is_none() {
                debug!(drafts, jobs, outcomes, payloads, ids, "swept a part of what was kept long enough");
            } else {
                info!(drafts, jobs, outcomes, payloads, ids, failed, "swept what was kept long enough");
            }
        }
        Event::Trouble { doing, id, error, retry_in, news } => {
            let id = id.map(tracing::field::display);
            match retry_in {
                // How often it is tried in vain nobody wants to read.
                Some(_) if *news => warn!(id, %error, "cannot {doing}; trying again until it works"),
                Some(pause) => debug!(id, %error, "cannot {doing}; trying again in {pause:?}"),
                None => error!(id, %error, "cannot {doing}; leaving it to recovery"),
            }
        }
        Event::Over { doing, after } => info!("can {doing} again, after {after:.1?}"),
        Event::Stopping { in_flight } => info!(in_flight, "stopping"),
        Event::CutShort { in_flight } => info!(in_flight, "ending the handlers that still run"),
        Event::Drained => debug!("nothing is left to do"),
    }
}
