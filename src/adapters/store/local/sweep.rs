//! P16: drafts whose writer died.

use std::time::Duration;

use super::LocalStore;
use crate::ports::{FileKind, Fs, Host, Meta};
use crate::words::Result;

/// Clocks may differ, and a writer may sleep: it then finds its draft gone and writes it anew (R3).
const LITTER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

impl<F: Fs, H: Host> LocalStore<F, H> {
    pub(super) fn remove_litter(&self) -> Result<usize> {
        let tmp = self.layout.room("tmp");
        let before = self.host.now().get().saturating_sub(LITTER_AGE.as_millis() as u64);
        let mut removed = 0;
        for entry in self.names(&tmp)? {
            let path = tmp.join(&entry.name);
            let old = |meta: Meta| meta.kind == FileKind::File && meta.modified_ms < before;
            if !self.look(&path)?.is_some_and(old) {
                continue;
            }
            match self.remove(&path) {
                Ok(()) => removed += 1,
                Err(e) => tracing::debug!(error = %e, "litter that cannot be removed"),
            }
        }
        Ok(removed)
    }
}
