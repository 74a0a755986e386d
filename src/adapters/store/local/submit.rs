//! P3: submit.

use super::LocalStore;
use crate::ports::{Fs, Host, NewJob};
use crate::words::{Error, ErrorKind, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Publishes each, then makes all durable with one flush of the inbox; only then are they acknowledged.
    pub(super) fn publish_jobs(&self, jobs: &[NewJob]) -> Result<()> {
        for (nth, job) in jobs.iter().enumerate() {
            self.publish(&job.bytes, &self.layout.ready(&job.name))
                .map_err(|e| if nth == 0 { e } else { uncertain(e) })?;
        }
        self.flush_dir(&self.layout.room("inbox")).map_err(uncertain)
    }
}

fn uncertain(e: Error) -> Error {
    Error::new(ErrorKind::Uncertain, format!("may or may not have been submitted ({e})"))
}
