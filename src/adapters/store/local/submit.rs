//! P3: submit. P35: publish.

use std::path::PathBuf;

use super::LocalStore;
use crate::ports::{Fs, Host, NewJob, Submitted};
use crate::words::{Error, ErrorKind, InboxName, Millis, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Publishes each, then makes all durable with one flush of each folder; only then are they acknowledged.
    pub(super) fn publish_jobs(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>> {
        let events: Vec<&NewJob> = jobs.iter().filter(|job| is_minted_event(job)).collect();
        let events = if events.is_empty() { Vec::new() } else { self.publish_events(&events)? };
        let mut answers = Vec::with_capacity(jobs.len());
        for (nth, job) in jobs.iter().enumerate() {
            let published = if job.given {
                self.publish_given(job, job.name.id.minted_at().is_some())
            } else if is_minted_event(job) {
                Ok(Submitted::New)
            } else {
                self.publish(&job.bytes, &self.first_place(&job.name, job.due)).map(|()| Submitted::New)
            };
            let first = nth == 0 && events.is_empty();
            answers.push(published.map_err(|e| if first { e } else { uncertain(e) })?);
        }
        for (room, delayed) in [("inbox", false), ("delayed", true)] {
            if jobs.iter().any(|job| job.topic.is_none() && job.due.is_some() == delayed) {
                self.flush_dir(&self.layout.room(room)).map_err(uncertain)?;
            }
        }
        // They are published. Whatever keeps them here, others help them on.
        self.deliver_events(&events);
        if jobs.iter().any(|job| job.given && job.topic.is_some())
            && let Err(e) = self.fan_out_all()
        {
            tracing::warn!(error = %e, "events are published, and not delivered yet");
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

fn is_minted_event(job: &NewJob) -> bool {
    job.topic.is_some() && !job.given
}

pub(super) fn uncertain(e: Error) -> Error {
    Error::new(ErrorKind::Uncertain, format!("may or may not have been submitted ({e})"))
}
