//! P3: submit. P35: publish.

use std::path::{Path, PathBuf};

use super::LocalStore;
use super::draft::Draft;
use crate::ports::{Fs, Host, NewJob, Submitted};
use crate::words::{Error, ErrorKind, InboxName, Millis, Result};

/// So many files are written before they are flushed, all at the same time, and published.
const TOGETHER: usize = 64;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Publishes each, then makes all durable with one flush of each folder; only then are they acknowledged.
    pub(super) fn publish_jobs(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>> {
        let events: Vec<&NewJob> = jobs.iter().filter(|job| is_minted_event(job)).collect();
        let events = if events.is_empty() { Vec::new() } else { self.publish_events(&events)? };
        let mut answers = Vec::with_capacity(jobs.len());
        let mut drafts = Vec::new().into_iter();
        for (nth, job) in jobs.iter().enumerate() {
            if nth % TOGETHER == 0 {
                drafts = self.drafts_of(&jobs[nth..jobs.len().min(nth + TOGETHER)]).into_iter();
            }
            let draft = drafts.next().flatten();
            let published = if job.given {
                self.publish_given(job, job.name.id.minted_at().is_some())
            } else if is_minted_event(job) {
                Ok(Submitted::New)
            } else {
                let place = self.first_place(&job.name, job.due);
                self.publish_written(draft, &job.bytes, &place).map(|()| Submitted::New)
            };
            let first = nth == 0 && events.is_empty();
            match published {
                Ok(answer) => answers.push(answer),
                Err(e) => {
                    drafts.flatten().for_each(|draft| self.discard(draft));
                    return Err(if first { e } else { uncertain(e) });
                }
            }
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

    /// For each job a draft, if there are several, it is not published by way of an entry or an event, and that works.
    fn drafts_of(&self, jobs: &[NewJob]) -> Vec<Option<Draft<F::File>>> {
        let plain = |job: &&NewJob| !job.given && job.topic.is_none();
        let places: Vec<PathBuf> =
            jobs.iter().filter(plain).map(|job| self.first_place(&job.name, job.due)).collect();
        if places.len() < 2 {
            return Vec::new();
        }
        let bytes = jobs.iter().filter(plain).map(|job| &*job.bytes);
        let files: Vec<(&[u8], &Path)> = bytes.zip(places.iter().map(|place| &**place)).collect();
        let mut drafts = self.drafts(&files).into_iter();
        jobs.iter().map(|job| if plain(&job) { drafts.next().flatten() } else { None }).collect()
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
