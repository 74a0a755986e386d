//! What must stay, because it is not over: and that it cannot come back once it is.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::super::LocalStore;
use super::super::another::another;
use super::super::layout::Layout;
use super::{Sweep, Yard};
use crate::ports::{FileKind, Fs, Host};
use crate::words::{DelayedName, Error, EventName, Id, InboxName, Result, StagedName, StampedId};

/// Whose dead letters people may still redrive. A hash that two share keeps something for longer than need be.
#[derive(Default)]
pub(super) struct Graves(HashSet<u64>);

impl Graves {
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.contains(&hash(id))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    /// Calls `strike` with the id of every job, or delivered outcome, that is ready, delayed, in a room, a dead letter or
    /// invalid. All others, that were settled when this began, can never run again when it returns: not even after a power cut
    /// (R5). `yard` is the drop folder or that of a Return Address.
    ///
    /// Somebody may move a name while we look. What is settled moves from a room to the inbox at most (a recoverer was slow), from
    /// there to a room, and then it is archived; so rooms are looked at before and after the inbox. What was not seen is gone, and
    /// its going is flushed only after that. Whose room is gone altogether is made sure of by the flush of `claimed/`.
    pub(super) fn strike_living(&mut self, yard: &Layout, strike: &mut dyn FnMut(&Id)) -> Result<Graves> {
        let mut graves = Graves::default();
        let mut folders = Vec::new();
        let store = self.store;
        if yard.root() != store.layout.root() {
            // What is staged there is still to be delivered here.
            store.strike_rooms(&store.layout, &mut folders, strike)?;
        }
        store.strike_rooms(yard, &mut folders, strike)?;
        for room in ["delayed", "inbox"] {
            store.strike_names(&yard.room(room), &mut graves, strike)?;
        }
        store.strike_rooms(yard, &mut folders, strike)?;
        // In `tmp/` is what somebody was putting back (P22).
        for room in ["tmp", "dead", "invalid"] {
            store.strike_names(&yard.room(room), &mut graves, strike)?;
        }
        if !self.broom.dry_run {
            folders.extend(["delayed", "inbox", "dead", "invalid"].map(|room| yard.room(room)));
            folders.sort_unstable();
            folders.dedup();
            for folder in &folders {
                store.flush_dir_if_there(folder)?;
            }
            // Last: a room that was removed meanwhile takes all its names with it.
            let mut claimed = vec![yard.room("claimed"), store.layout.room("claimed")];
            claimed.dedup();
            for folder in &claimed {
                store.flush_dir_if_there(folder)?;
            }
        }
        self.has_listed();
        Ok(graves)
    }

    /// Calls `strike` with the id of every outcome that waits at a Return Address, or is in somebody's hand there, as far as one look
    /// can tell: who moves it meanwhile may hide it.
    pub(super) fn strike_delivered(&mut self, strike: &mut dyn FnMut(&Id)) -> Result<()> {
        for address in self.addresses() {
            let reply = self.layout_of(&Yard::Reply(address));
            self.store.strike_rooms(&reply, &mut Vec::new(), strike)?;
            for room in ["delayed", "inbox"] {
                self.store.strike_names(&reply.room(room), &mut Graves::default(), strike)?;
            }
        }
        Ok(())
    }
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Whatever folder lies in `claimed/`: one with a name that is not ours may be another program's room.
    fn strike_rooms(
        &self,
        layout: &Layout,
        rooms: &mut Vec<PathBuf>,
        strike: &mut dyn FnMut(&Id),
    ) -> Result<()> {
        let claimed = layout.room("claimed");
        for entry in self.names(&claimed)?.into_iter().filter(|entry| entry.kind == FileKind::Dir) {
            let room = claimed.join(entry.name);
            self.strike_names(&room, &mut Graves::default(), strike)?;
            rooms.push(room);
        }
        Ok(())
    }

    /// An archived name is a dead letter, also in the inbox, where somebody put it.
    pub(super) fn strike_names(
        &self,
        dir: &Path,
        graves: &mut Graves,
        strike: &mut dyn FnMut(&Id),
    ) -> Result<()> {
        self.each_name(dir, &mut |name, _| {
            if let Ok(InboxName { id, .. }) = name.parse() {
                strike(&id);
            } else if let Ok(DelayedName { job, .. }) = name.parse() {
                strike(&job.id);
            } else if let Ok(EventName { job, .. }) = name.parse() {
                strike(&job.id);
            } else if let Some(stamp) = StampedId::parse_taken(name) {
                strike(&stamp.id);
                strike(&another(&stamp).id);
            } else if let Ok(StagedName { job, .. }) = name.parse() {
                strike(&job.id);
            } else if let Some(InboxName { id, .. }) =
                InboxName::parse_archived(name).ok().or_else(|| InboxName::parse_aside(name))
            {
                graves.0.insert(hash(id.as_str()));
                strike(&id);
            }
        })
    }

    /// Without keeping the names in memory. None if the folder is gone, or is no folder.
    pub(super) fn each_name(&self, dir: &Path, each: &mut dyn FnMut(&str, FileKind)) -> Result<()> {
        let listed = self.fs.list(dir, &mut |entry| {
            if let Some(name) = entry.name.to_str() {
                each(name, entry.kind);
            }
        });
        match super::super::moves::found(listed) {
            Err(e) if e.kind() != std::io::ErrorKind::NotADirectory => {
                Err(Error::io("list a folder", dir, e))
            }
            _ => Ok(()),
        }
    }
}
