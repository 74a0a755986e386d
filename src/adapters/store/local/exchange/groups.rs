//! P33, P34: who gets what. `subscription.json` says it, in the folder of a group, which is a whole drop folder.

use std::path::Path;

use super::super::LocalStore;
use super::super::layout::OUTER_ROOMS;
use super::super::moves::{found, parent};
use crate::ports::{FileKind, Fs, Group, Host, Subscribed};
use crate::words::{Error, Id, Result, Subscription};

/// A thousand patterns, each of 255 bytes, and room for what others may have written there.
const MOST_BYTES: usize = 1 << 20;

/// How often what vanishes under our hands is looked for again.
const TRIES: usize = 3;

impl<F: Fs, H: Host> LocalStore<F, H> {
    pub(in crate::adapters::store::local) fn subscribe_group(
        &self,
        group: &Id,
        wanted: &Subscription,
        update: bool,
    ) -> Result<Subscribed> {
        let folder = self.exchange.group(group);
        let path = folder.subscription();
        // So that consumers can watch it.
        self.ensure_outbox()?;
        for _ in 0..TRIES {
            if self.look(&folder.marker())?.is_none() {
                self.make_folder(&folder, &OUTER_ROOMS)?;
            }
            // R6: whoever made it may not have flushed its parents yet.
            self.ensure_dir(&self.exchange.room("subscribers"))?;
            self.ensure_dir(folder.root())?;
            self.flush_dir(folder.root())?;
            let answer = match self.read_subscription(&path)? {
                None if self.publish_if_free(&wanted.encode(), &path)? => Subscribed::New,
                None => continue,
                Some(there) if there == *wanted => Subscribed::Before,
                Some(there) if !update => return Ok(Subscribed::Differs(there)),
                Some(there) => {
                    self.replace(&wanted.encode(), &path)?;
                    Subscribed::Changed(there)
                }
            };
            self.flush_dir(folder.root())?;
            return Ok(answer);
        }
        let e = std::io::ErrorKind::ResourceBusy.into();
        Err(Error::io("subscribe: somebody unsubscribes the group again and again", path, e))
    }

    pub(in crate::adapters::store::local) fn unsubscribe_group(
        &self,
        group: &Id,
    ) -> Result<Option<Subscription>> {
        let path = self.exchange.group(group).subscription();
        let there = self.read_subscription(&path)?;
        if there.is_some() {
            self.remove(&path)?;
        }
        // Also if another has removed it: whoever is told relies on it.
        self.flush_dir_if_there(parent(&path))?;
        Ok(there)
    }

    pub(in crate::adapters::store::local) fn all_groups(&self) -> Result<Vec<Group>> {
        let mut groups = Vec::new();
        for entry in self.names(&self.exchange.room("subscribers"))? {
            let name = entry.name.to_str().filter(|_| entry.kind == FileKind::Dir);
            let Some(name) = name.and_then(|name| name.parse::<Id>().ok()) else { continue };
            let path = self.exchange.group(&name).subscription();
            if let Some(subscription) = self.read_subscription(&path)? {
                groups.push(Group { name, subscription });
            }
        }
        groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    fn read_subscription(&self, path: &Path) -> Result<Option<Subscription>> {
        let failed = |e| Error::io("read a subscription", path, e);
        let Some(open) = found(self.fs.open(path)).map_err(failed)? else { return Ok(None) };
        let bytes = self.fs.read(&open, MOST_BYTES).map_err(failed)?;
        Subscription::decode(&bytes).map(Some).map_err(|e| e.at(path))
    }
}
