//! Dropping jobs: what travels with them first, then they themselves.

use std::path::PathBuf;

use super::Submission;
use super::submission::Plan;
use crate::actors::plain_name;
use crate::ports::{AttachBy, Attachment, Host, NewJob, Store, Submitted};
use crate::words::{ClaimCheck, Error, ErrorKind, Id, Result};

/// A job that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: Id,
    /// Whether a job of this given id had been dropped before. Then that one counts, with what travels with it, and this one
    /// is not there.
    pub before: bool,
    /// Files that were to be moved, and are still where they were: the job had been dropped before, or they were changed
    /// meanwhile, or may not be removed.
    pub stayed: Vec<PathBuf>,
}

/// Jobs that are still to be dropped, and what travels with them, which is in the folder already.
#[must_use = "what travels with the jobs stays in the folder until retention removes it"]
pub struct Prepared<'a, S: Store> {
    store: &'a S,
    jobs: Vec<NewJob>,
    /// For each job.
    cargo: Vec<Option<Cargo>>,
}

/// What is in the folder, and where it comes from.
struct Cargo {
    check: ClaimCheck,
    files: Vec<Attachment>,
}

/// Drops jobs, and returns their receipts, in order, when all are durable. None is dropped if one of them is not valid.
/// `progress` is told how many bytes more of what travels with them are there.
///
/// # Errors
/// [`ErrorKind::Invalid`] if an event type or a source is empty, a job would expire before it is due, or a file cannot
/// travel with it; [`ErrorKind::TooLarge`] if its envelope would be; [`ErrorKind::NotFound`] if there is no such file;
/// [`ErrorKind::Uncertain`] if some may be there: [`Error::ids`](crate::Error::ids) names them, and to drop them again
/// [with these ids](Submission::id) is safe; [`ErrorKind::Io`] if none is.
pub fn submit<S: Store, H: Host>(
    store: &S,
    host: &H,
    jobs: Vec<Submission>,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<Receipt>> {
    prepare(store, host, jobs, progress)?.publish()
}

/// The first half of [`submit`]: all that may take long, and that nobody sees.
///
/// # Errors
/// As [`submit`], but none is uncertain.
pub fn prepare<'a, S: Store, H: Host>(
    store: &'a S,
    host: &H,
    jobs: Vec<Submission>,
    progress: &mut dyn FnMut(u64),
) -> Result<Prepared<'a, S>> {
    let source = format!("//{}/producer", plain_name(&host.name()));
    // Many fall into one millisecond: in ascending order, so that they are handled in the order in which they came.
    let mut minted: Vec<_> = jobs.iter().map(|_| host.mint()).collect();
    minted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let plan = |(job, (id, now)): (Submission, _)| {
        let plan = job.plan(id, now, &source)?;
        // Before a byte of its files is copied.
        plan.envelope.encode()?;
        Ok(plan)
    };
    let plans: Vec<Plan> = jobs.into_iter().zip(minted).map(plan).collect::<Result<_>>()?;
    let mut prepared = Prepared { store, jobs: Vec::new(), cargo: Vec::new() };
    match plans.into_iter().try_for_each(|plan| prepared.add(plan, progress)) {
        Ok(()) => Ok(prepared),
        Err(e) => {
            prepared.discard();
            Err(e)
        }
    }
}

impl<S: Store> Prepared<'_, S> {
    fn add(&mut self, plan: Plan, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let Plan { name, mut envelope, due, given, files, topic } = plan;
        let cargo = if files.is_empty() {
            None
        } else {
            let check = self.store.attach(&name.id, &files, progress)?;
            envelope.set(check.attribute(), check.to_string());
            Some(Cargo { check, files })
        };
        self.cargo.push(cargo);
        self.jobs.push(NewJob { name, bytes: envelope.encode()?, due, given, topic });
        Ok(())
    }

    fn discard(self) {
        self.cargo.iter().flatten().for_each(|cargo| cargo.discard(self.store));
    }

    /// The second half of [`submit`].
    ///
    /// # Errors
    /// As [`submit`].
    pub fn publish(self) -> Result<Vec<Receipt>> {
        if self.jobs.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Id> = self.jobs.iter().map(|job| job.name.id.clone()).collect();
        let submitted = match self.store.submit(&self.jobs) {
            Ok(submitted) => submitted,
            // A job may refer to what travels with it. If none does, retention removes it.
            Err(e) if e.kind() == ErrorKind::Uncertain => return Err(e.about(ids)),
            Err(e) => {
                self.discard();
                return Err(e);
            }
        };
        self.look_after(&ids, &submitted)?;
        let job = |((id, submitted), cargo): ((Id, Submitted), Option<Cargo>)| {
            let before = submitted == Submitted::Before;
            let stayed = cargo.map_or_else(Vec::new, |cargo| cargo.arrive(self.store, before));
            Receipt { id, before, stayed }
        };
        Ok(ids.into_iter().zip(submitted).zip(self.cargo).map(job).collect())
    }
}

impl<S: Store> Prepared<'_, S> {
    /// P23: a sweep to which it looked a day old may have removed what travels with a job, just before that was published. Looked
    /// at after that, and before any source goes.
    fn look_after(&self, ids: &[Id], submitted: &[Submitted]) -> Result<()> {
        for ((job, submitted), cargo) in self.jobs.iter().zip(submitted).zip(&self.cargo) {
            let (Submitted::New, Some(cargo)) = (submitted, cargo) else { continue };
            // Each group of an event had its own before it was published.
            if job.topic.is_some() {
                continue;
            }
            let id = &job.name.id;
            self.store.find_cargo(&cargo.check).map_err(|e| {
                let why = format!(
                    "the job {id} is there, perhaps without the files that were to travel with it: it took so long to submit it \
                     that a sweep may have removed them ({e}); no file was moved; submit it again, with a new id"
                );
                Error::new(ErrorKind::Uncertain, why).about(ids.to_vec())
            })?;
        }
        Ok(())
    }
}

impl Cargo {
    /// Its job is durable, or was there before. Returns what was to be moved and was not.
    fn arrive<S: Store>(self, store: &S, before: bool) -> Vec<PathBuf> {
        if !before {
            return store.finish_move(&self.check, &self.files);
        }
        self.discard(store);
        let moved = self.files.into_iter().filter(|file| file.how == AttachBy::Move);
        moved.map(|file| file.path).collect()
    }

    /// Nobody refers to it.
    fn discard<S: Store>(&self, store: &S) {
        if let Err(e) = store.discard(&self.check) {
            tracing::warn!(check = %self.check, error = %e, "what was to travel with a job is not removed");
        }
    }
}
