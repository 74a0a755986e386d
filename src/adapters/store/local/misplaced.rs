//! P22: what somebody moved to the inbox, and is no job, goes back to where it lay.

use std::path::{Path, PathBuf};

use super::LocalStore;
use super::moves::parent;
use crate::ports::{FileId, Fs, Host};
use crate::words::{Error, ErrorKind, InboxName, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// What has no outcome was never a dead letter: its name is wrong.
    pub(super) fn move_back(&self, name: &InboxName) -> Result<PathBuf> {
        let misplaced = self.misplaced(name);
        let places = self.places_of(name)?;
        // Gone: another has put it back.
        let Some(own) = self.look(&misplaced)? else {
            return Ok(places.into_iter().next().unwrap_or(misplaced));
        };
        for place in places {
            if !self.move_to(own.id, name, &place)? {
                continue;
            }
            let slot = self.layout.slot(name);
            if !place.starts_with(self.layout.archive_day(name))
                && let Some(file) = self.look(&slot)?
            {
                self.link_if_free(&slot, file.id, &place.with_file_name(name.reason()))?;
            }
            return Ok(place);
        }
        let why = "other files of this name lie where it would go, and in invalid/; none is replaced: remove what is not needed";
        Err(Error::new(ErrorKind::Invalid, why).at(misplaced))
    }

    /// By a link: what somebody edited and moved must not replace what lies there. Whether it does not.
    fn move_to(&self, own: FileId, name: &InboxName, place: &Path) -> Result<bool> {
        let misplaced = self.misplaced(name);
        let linked = || self.link_if_free(&misplaced, own, place);
        let day = self.layout.archive_day(name);
        match if place.starts_with(&day) { self.inside(&day, linked) } else { linked() } {
            Ok(true) => {
                self.flush_dir(parent(place))?;
                let aside = self.layout.aside(self.host.nonce(), name);
                match self.fs.rename(&misplaced, &aside) {
                    // Another was quicker.
                    Err(_) if self.look(&misplaced)?.is_none() && self.look(&aside)?.is_none() => {}
                    Err(e) if self.look(&aside)?.is_none() => {
                        return Err(Error::io("put a file back", misplaced, e));
                    }
                    _ => self.end_aside(&aside, name)?,
                }
                Ok(true)
            }
            // Another has moved it, and perhaps on from there.
            Err(_) if self.look(&misplaced)?.is_none() => Ok(true),
            answer => answer,
        }
    }

    /// Removes the name of a file that has its place again. Another may have been quicker to put it back, and somebody have moved it to
    /// the inbox again: then that is the name that we took, perhaps its last, and it goes back there.
    pub(super) fn end_aside(&self, aside: &Path, name: &InboxName) -> Result<()> {
        let Some(own) = self.look(aside)? else { return Ok(()) };
        for place in self.places_of(name)? {
            if self.look(&place)?.is_some_and(|there| there.id == own.id) {
                // Whoever gave it that name may not have flushed it yet.
                self.flush_dir(parent(&place))?;
                return self.remove(aside);
            }
        }
        let misplaced = self.misplaced(name);
        let answer = self.fs.rename_new(aside, &misplaced);
        if self.look(aside)?.is_none() {
            return Ok(());
        }
        match (self.look(&misplaced)?, answer) {
            (Some(there), _) if there.id == own.id => self.remove(aside),
            (_, Err(e)) => Err(Error::io("put a file back", aside, e)),
            (_, Ok(())) => Err(Error::io("put a file back", aside, std::io::ErrorKind::Interrupted.into())),
        }
    }

    fn misplaced(&self, name: &InboxName) -> PathBuf {
        self.layout.room("inbox").join(name.archived())
    }

    /// Where it may lie, the first choice first.
    fn places_of(&self, name: &InboxName) -> Result<[PathBuf; 2]> {
        Ok([self.rest_of(name)?, self.layout.room("invalid").join(name.archived())])
    }

    /// Where a job lies whose outcome stands.
    fn rest_of(&self, name: &InboxName) -> Result<PathBuf> {
        let dead = self.layout.room("dead");
        let Some(outcome) = self.read_outcome(&self.layout.slot(name))? else {
            let was_dead = self.look(&dead.join(name.reason()))?.is_some();
            let grave = if was_dead { dead } else { self.layout.room("invalid") };
            return Ok(grave.join(name.archived()));
        };
        let grave = self.grave_of(name, &outcome)?;
        Ok(grave.map_or_else(|| self.layout.archived(name), |grave| grave.join(name.archived())))
    }
}
