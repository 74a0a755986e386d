//! Who has a job, and whether they live.

use std::ffi::OsStr;
use std::fs;

use super::Explainer;
use crate::ports::{Host as _, Place};
use crate::words::Millis;

impl Explainer {
    /// When a claim was claimed, by the clock of the file system, as far as that can be told.
    pub fn claimed_at(&self, place: &Place) -> Option<Millis> {
        let meta = fs::symlink_metadata(self.folder.path().join(&place.path)).ok()?;
        // A rename changes nothing else of a file.
        let ago = u64::try_from(self.since(&meta).as_millis()).ok()?;
        Millis::new(self.folder.store.host().now().get().saturating_sub(ago))
    }

    /// Whether the consumer in whose room a claim lies is alive. `None` if only watching it for its lease could tell.
    pub fn is_alive(&self, place: &Place) -> Option<bool> {
        let room = place.path.parent().and_then(|room| room.file_name()).and_then(OsStr::to_str);
        let present = self.takers.iter().flat_map(|taker| &taker.consumers).chain(&self.others);
        let found = present.into_iter().find(|consumer| Some(&*consumer.room) == room);
        // Those who are known to be gone are not among them.
        found.map_or(Some(false), |consumer| consumer.present)
    }
}
