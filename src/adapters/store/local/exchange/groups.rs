//! P33, P34: who gets what. `subscription.json` says it, in the folder of a group, which is a whole drop folder.

use std::path::Path;

use super::super::LocalStore;
use super::super::layout::{Layout, OUTER_ROOMS};
use super::super::moves::found;
use crate::ports::{FileKind, Fs, Group, Host, Resubscribed, Wish};
use crate::words::{Error, ErrorKind, Id, Result, Subscription};

/// A thousand patterns, each of 255 bytes, and room for what others may have written there.
const MOST_BYTES: usize = 1 << 20;

/// How often what vanishes under our hands is looked for again.
const TRIES: usize = 3;

impl<F: Fs, H: Host> LocalStore<F, H> {
    pub(in crate::adapters::store::local) fn subscribe_group(
        &self,
        group: &Id,
        wish: &Wish<'_>,
    ) -> Result<Resubscribed> {
        let folder = self.layout.group(group);
        let path = folder.subscription();
        for _ in 0..TRIES {
            let there = match self.found_subscription(&path)? {
                Some((file, _)) if self.fs.is_local() && !self.holds(&file, &path)? => continue,
                there => there,
            };
            let before = there.as_ref().map(|(_, subscription)| subscription);
            let now = wish(before)?;
            if now.is_some() {
                self.ensure_group(&folder)?;
            }
            let done = match (before, &now) {
                (before, now) if before == now.as_ref() => true,
                (None, Some(wanted)) => self.publish_if_free(&wanted.encode(), &path)?,
                (Some(_), Some(wanted)) => self.replace(&wanted.encode(), &path).map(|()| true)?,
                (_, None) => self.remove(&path).map(|()| true)?,
            };
            if done {
                // Also if another has done it: whoever is told relies on it.
                self.flush_dir_if_there(folder.root())?;
                return Ok(Resubscribed { before: before.cloned(), now });
            }
        }
        Err(Error::new(ErrorKind::Busy, "somebody else is changing what this group asks for").at(path))
    }

    /// Whoever changes a subscription holds the lock of its file until it has another. Who holds one that is no longer the one at this
    /// path holds nothing. On a network file system there is no lock to rely on: there the last one counts.
    fn holds(&self, file: &F::File, path: &Path) -> Result<bool> {
        let failed = |e| Error::io("lock a subscription", path, e);
        let own = self.fs.stat_open(file).map_err(failed)?.id;
        let locked = self.fs.try_lock(file).map_err(failed)?;
        Ok(locked && self.look(path)?.is_some_and(|there| there.id == own))
    }

    fn ensure_group(&self, folder: &Layout) -> Result<()> {
        // So that consumers can watch it.
        self.ensure_outbox()?;
        if self.look(&folder.marker())?.is_none() {
            self.make_folder(folder, &OUTER_ROOMS)?;
        }
        // R6: whoever made it may not have flushed its parents yet.
        self.ensure_dir(&self.layout.room("subscribers"))?;
        self.ensure_dir(folder.root())?;
        self.flush_dir(folder.root())
    }

    pub(in crate::adapters::store::local) fn all_groups(&self) -> Result<Vec<Group>> {
        let mut groups = Vec::new();
        for entry in self.names(&self.layout.room("subscribers"))? {
            let name = entry.name.to_str().filter(|_| entry.kind == FileKind::Dir);
            let Some(name) = name.and_then(|name| name.parse::<Id>().ok()) else { continue };
            let path = self.layout.group(&name).subscription();
            if let Some((_, subscription)) = self.found_subscription(&path)? {
                groups.push(Group { name, subscription });
            }
        }
        groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    fn found_subscription(&self, path: &Path) -> Result<Option<(F::File, Subscription)>> {
        let failed = |e| Error::io("read a subscription", path, e);
        let Some(open) = found(self.fs.open(path)).map_err(failed)? else { return Ok(None) };
        let bytes = self.fs.read(&open, MOST_BYTES).map_err(failed)?;
        let subscription = Subscription::decode(&bytes).map_err(|e| e.at(path))?;
        Ok(Some((open, subscription)))
    }
}
