//! What processes saw when they listed a folder: a client of a network file system may be told that again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::ports::Listed;

/// How old a stale listing is at most: as long as clients of NFS trust what they know of a folder (`acdirmax`).
const TRUSTED_MS: u64 = 60_000;

/// What a process saw in a folder, and when, in milliseconds.
type Seen = BTreeMap<(u32, PathBuf), (u64, Vec<Listed>)>;

/// Kept only where it is asked for.
#[derive(Default)]
pub(super) struct Listings {
    kept: Option<Seen>,
    /// Whether the call that is being done is to be answered so.
    pub(super) answers_from_memory: bool,
    /// Whether it was, and it made a difference.
    pub(super) was_stale: bool,
}

impl Listings {
    pub(super) fn keep(&mut self) {
        self.kept.get_or_insert_default();
    }

    pub(super) fn are_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// What a process is told that lists a folder, of which this is the truth.
    pub(super) fn seen(&mut self, pid: u32, dir: &Path, now: u64, truth: Vec<Listed>) -> Vec<Listed> {
        let Some(kept) = &mut self.kept else { return truth };
        let key = (pid, dir.to_owned());
        if self.answers_from_memory
            && let Some((then, listed)) = kept.get(&key)
            && now - then <= TRUSTED_MS
        {
            self.was_stale = *listed != truth;
            return listed.clone();
        }
        kept.insert(key, (now, truth.clone()));
        truth
    }

    /// A process that changes a name does not overlook that.
    pub(super) fn forget<'a>(&mut self, pid: u32, paths: impl Iterator<Item = &'a Path>) {
        let Some(kept) = &mut self.kept else { return };
        for path in paths {
            kept.remove(&(pid, path.parent().unwrap_or(path).to_owned()));
        }
    }
}
