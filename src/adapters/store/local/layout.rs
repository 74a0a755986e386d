//! Where everything lies in a drop folder: paths follow from names.

use std::path::{Path, PathBuf};

use crate::words::{
    ClaimCheck, DelayedName, DeliveryKind, Disposition, Id, InboxName, Outcome, Problem, RoomName,
    StagedName, StampedId,
};

/// The paths of one drop folder.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

/// The rooms that every drop folder has, a nested one too.
pub(super) const ROOMS: [&str; 8] =
    ["tmp", "inbox", "delayed", "claimed", "outcomes", "done", "dead", "invalid"];

/// The rooms of a drop folder that is not nested.
pub(super) const OUTER_ROOMS: [&str; 5] = ["ids", "payload", "replies", "outbox", "subscribers"];

impl Layout {
    /// The layout of the drop folder at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The drop folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All rooms that there have to be, of a drop folder that is nested (`!outer`) or not.
    pub(crate) fn own_rooms(&self, outer: bool) -> impl Iterator<Item = PathBuf> + '_ {
        let outer = if outer { &OUTER_ROOMS[..] } else { &[] };
        ROOMS.iter().chain(outer).map(|room| self.room(room))
    }

    /// A room.
    pub fn room(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// `filedrop.json`
    pub fn marker(&self) -> PathBuf {
        self.root.join("filedrop.json")
    }

    /// `inbox/<name>`
    pub fn ready(&self, name: &InboxName) -> PathBuf {
        self.root.join("inbox").join(name.to_string())
    }

    /// `delayed/<due-ms>.<name>`
    pub fn delayed(&self, name: &DelayedName) -> PathBuf {
        self.root.join("delayed").join(name.to_string())
    }

    /// `claimed/<consumer>-<nonce>/`
    pub fn claims(&self, room: &RoomName) -> PathBuf {
        self.root.join("claimed").join(room.to_string())
    }

    /// `claimed/<consumer>-<nonce>/<name>`
    pub fn claim(&self, room: &RoomName, name: &InboxName) -> PathBuf {
        self.claims(room).join(name.to_string())
    }

    /// `claimed/<consumer>-<nonce>/<staged name>`
    pub fn staged(&self, room: &RoomName, name: &StagedName) -> PathBuf {
        self.claims(room).join(name.to_string())
    }

    /// `claimed/<consumer>-<nonce>/<id>.<nonce>.bare/`
    pub fn taken(&self, room: &RoomName, stamp: &StampedId) -> PathBuf {
        self.claims(room).join(stamp.taken())
    }

    /// `claimed/<consumer>-<nonce>/<id>.<nonce>.copy/`
    pub fn copying(&self, room: &RoomName, stamp: &StampedId) -> PathBuf {
        self.claims(room).join(stamp.copying())
    }

    /// `claimed/<consumer>-<nonce>/<id>.<nonce>.spent/`
    pub fn spent(&self, room: &RoomName, stamp: &StampedId) -> PathBuf {
        self.claims(room).join(stamp.spent())
    }

    /// `claimed/<consumer>-<nonce>.presence`
    pub fn presence(&self, room: &RoomName) -> PathBuf {
        self.root.join("claimed").join(room.presence())
    }

    /// The folder of a job's slot.
    pub fn slot_day(&self, name: &InboxName) -> PathBuf {
        self.root.join("outcomes").join(name.day())
    }

    /// The slot of a job.
    pub fn slot(&self, name: &InboxName) -> PathBuf {
        self.slot_on(&name.day(), &name.id)
    }

    /// The slot of a job that was submitted on this day.
    pub(super) fn slot_on(&self, day: &str, id: &Id) -> PathBuf {
        self.root.join("outcomes").join(day).join(id.slot())
    }

    /// The record of an attempt that failed, beside the slot.
    pub fn attempt_record(&self, name: &InboxName) -> PathBuf {
        self.slot_day(name).join(name.attempt_record())
    }

    /// `ids/<xx>/`
    pub fn shelf(&self, id: &Id) -> PathBuf {
        self.root.join("ids").join(id.shelf())
    }

    /// `ids/<xx>/<id>`: the entry of a given id.
    pub fn entry(&self, id: &Id) -> PathBuf {
        self.shelf(id).join(id.as_str())
    }

    /// `payload/<id>.<nonce>` or `….data`
    pub fn payload(&self, check: &ClaimCheck) -> PathBuf {
        self.root.join("payload").join(check.name())
    }

    /// `done/<day>/`
    pub fn archive_day(&self, name: &InboxName) -> PathBuf {
        self.root.join("done").join(name.day())
    }

    /// `done/<day>/<name without the attempt>`
    pub fn archived(&self, name: &InboxName) -> PathBuf {
        self.archive_day(name).join(name.archived())
    }

    /// `tmp/<nonce>.<name without the attempt>`
    pub(super) fn aside(&self, nonce: u64, name: &InboxName) -> PathBuf {
        self.room("tmp").join(name.aside(nonce))
    }

    /// The folder for a job that failed so.
    pub fn grave(&self, outcome: &Outcome) -> Option<PathBuf> {
        match outcome.disposition {
            Disposition::Succeeded => None,
            Disposition::Failed | Disposition::Expired => {
                let invalid = outcome.problem().is_some_and(|problem| problem.kind == Problem::INVALID);
                Some(self.room(if invalid { "invalid" } else { "dead" }))
            }
        }
    }

    /// `outbox/`: a nested drop folder, with events on their way.
    pub fn outbox(&self) -> Layout {
        Layout::new(self.room("outbox"))
    }

    /// `subscribers/<group>/`: the drop folder of a group.
    pub fn group(&self, group: &Id) -> Layout {
        Layout::new(self.room("subscribers").join(group.as_str()))
    }

    /// `subscription.json`, in the drop folder of a group.
    pub fn subscription(&self) -> PathBuf {
        self.root.join("subscription.json")
    }

    /// The drop folder of a Return Address.
    pub fn reply(&self, address: &Id) -> Layout {
        Layout::new(self.root.join("replies").join(address.as_str()))
    }

    /// Where it is written that this claim is settled: a job's slot, a delivered outcome's archive.
    pub(super) fn verdict(&self, name: &InboxName) -> (PathBuf, PathBuf) {
        match name.kind {
            DeliveryKind::Job => (self.slot_day(name), self.slot(name)),
            DeliveryKind::Outcome => (self.archive_day(name), self.archived(name)),
        }
    }
}
