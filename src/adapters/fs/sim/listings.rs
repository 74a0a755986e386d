//! What folders held a moment ago: a client of a network file system may be told that, when it lists one.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::{Disk, Entries, Ino};

/// How old a stale listing is at most: as long as clients of NFS trust what they know of a folder (`acdirmax`).
const TRUSTED_MS: u64 = 60_000;

#[derive(Default)]
pub(super) struct Listings {
    /// Only where it is asked for.
    kept: Option<Kept>,
    /// By how many changes the listing that is being done may be too old.
    pub(super) back: usize,
    /// Whether what it told is not so any more.
    pub(super) was_stale: bool,
}

#[derive(Default)]
struct Kept {
    /// What each folder held before each of its changes, and until when, in milliseconds.
    was: BTreeMap<Ino, Vec<(u64, Entries)>>,
    /// When each was made or last changed, by the clock that dates files.
    changed: BTreeMap<Ino, u64>,
    /// How many of these changes a process cannot overlook any more. Its machine may have listed a folder before it began.
    known: BTreeMap<(u32, Ino), usize>,
}

impl Listings {
    pub(super) fn keep(&mut self) {
        self.kept.get_or_insert_default();
    }

    pub(super) fn are_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// What a process is told of a folder, if that is not what it holds now. Each listing is at least as new as the one before.
    pub(super) fn stale(&mut self, pid: u32, dir: Ino, now: u64, truth: &Entries) -> Option<Entries> {
        let Kept { was, known, .. } = self.kept.as_mut()?;
        let was = was.get(&dir)?;
        let known = known.entry((pid, dir)).or_default();
        let trusted = was.partition_point(|(until, _)| now - until > TRUSTED_MS);
        *known = was.len().saturating_sub(self.back).max(trusted).max(*known);
        let (_, told) = was.get(*known)?;
        self.was_stale = !told.keys().eq(truth.keys());
        Some(told.clone())
    }

    /// A folder is made.
    pub(super) fn made(&mut self, dir: Ino, wall: u64) {
        if let Some(Kept { changed, .. }) = &mut self.kept {
            changed.insert(dir, wall);
        }
    }

    /// When a folder was made or last changed, if that is known.
    pub(super) fn changed_ms(&self, dir: Ino) -> Option<u64> {
        self.kept.as_ref()?.changed.get(&dir).copied()
    }

    /// The folders that these paths lie in, as they are before a call that may change them.
    pub(super) fn before<'a>(
        &self,
        disk: &Disk,
        paths: impl Iterator<Item = &'a Path>,
    ) -> Vec<(Ino, Entries)> {
        let folder = |path: &Path| {
            let dir = disk.find(path.parent()?).ok()?;
            Some((dir, disk.entries(dir).ok()?.clone()))
        };
        if self.are_kept() { paths.filter_map(folder).collect() } else { Vec::new() }
    }

    /// And after it. Who made it does not overlook what it did, if it was told that it is done. `now`: also by the clock that dates
    /// files.
    pub(super) fn after(
        &mut self,
        disk: &Disk,
        (now, wall): (u64, u64),
        before: Vec<(Ino, Entries)>,
        by: Option<u32>,
    ) {
        let Some(Kept { was, changed, known }) = &mut self.kept else { return };
        for (dir, entries) in before {
            let was = was.entry(dir).or_default();
            if disk.entries(dir).is_ok_and(|then| *then != entries) {
                was.push((now, entries));
                changed.insert(dir, wall);
            }
            if let Some(pid) = by {
                known.insert((pid, dir), was.len());
            }
        }
    }
}
