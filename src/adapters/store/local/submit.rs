//! P3: submit.

use std::path::PathBuf;

use super::LocalStore;
use crate::ports::{Fs, Host, NewJob, Submitted};
use crate::words::{Error, ErrorKind, InboxName, Millis, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Publishes each, then makes all durable with one flush of each folder; only then are they acknowledged.
    pub(super) fn publish_jobs(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>> {
        let mut answers = Vec::with_capacity(jobs.len());
        for (nth, job) in jobs.iter().enumerate() {
            let published = if job.given {
                self.publish_given(job, job.name.id.minted_at().is_some())
            } else {
                self.publish(&job.bytes, &self.first_place(&job.name, job.due)).map(|()| Submitted::New)
            };
            answers.push(published.map_err(|e| if nth == 0 { e } else { uncertain(e) })?);
        }
        for (room, delayed) in [("inbox", false), ("delayed", true)] {
            if jobs.iter().any(|job| job.due.is_some() == delayed) {
                self.flush_dir(&self.layout.room(room)).map_err(uncertain)?;
            }
        }
        Ok(answers)
    }

    /// Where a new job goes.
    pub(super) fn first_place(&self, name: &InboxName, due: Option<Millis>) -> PathBuf {
        match due {
            None => self.layout.ready(name),
            Some(due) => self.layout.delayed(&name.delayed(due)),
        }
    }
}

pub(super) fn uncertain(e: Error) -> Error {
    Error::new(ErrorKind::Uncertain, format!("may or may not have been submitted ({e})"))
}
