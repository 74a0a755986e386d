//! P31, P32: what was taken comes to the drop folder, and is forgotten here when it is a job.

use std::io::ErrorKind as Io;
use std::path::Path;

use super::{ForeignFolder, path_from_reference};
use crate::adapters::store::local::admission::cargo_of;
use crate::ports::{Fs, Host};
use crate::words::{Consignment, Error, ErrorKind, Result, RoomName, StampedId, from_reference, hex};

impl<F: Fs, H: Host> ForeignFolder<'_, F, H> {
    /// P31. Its envelope goes with it: so nobody, however late, makes a job of the files that is not the one that was meant.
    pub(super) fn bring(&self, room: &RoomName, consignment: &Consignment) -> Result<Option<StampedId>> {
        let from = self.at_home(consignment.stamp.taken());
        // Of an empty one only the name is left: a power cut may keep both names of a move.
        if self.home.names(&from)?.is_empty() {
            self.remove_taken(&from)?;
            return Ok(None);
        }
        let drop = self.drop;
        let stamp = StampedId { id: consignment.stamp.id.clone(), nonce: drop.host.nonce() };
        let envelope = consignment.envelope_with(&cargo_of(&stamp)).encode()?;
        self.home.publish(&envelope, &from.join(stamp.taken_draft()))?;
        self.open_to_group(&from)?;
        self.home.flush_dir(&from)?;
        let to = drop.layout.taken(room, &stamp);
        let answer = drop.fs.rename(&from, &to);
        match (drop.look(&to)?, answer) {
            (Some(_), _) => {}
            (None, Err(e)) if e.kind() == Io::CrossesDevices => {
                self.home.remove(&from.join(stamp.taken_draft()))?;
                self.copy(&from, room, &stamp, consignment)?;
            }
            (None, answer) => {
                let e = answer.err().unwrap_or_else(|| Io::NotFound.into());
                // Else the next attempt leaves another one.
                self.home.remove(&from.join(stamp.taken_draft()))?;
                return Err(Error::io("bring files to the drop folder", &from, e));
            }
        }
        drop.flush_dir(&drop.layout.claims(room))?;
        self.home.flush_dir(self.home.layout.root())?;
        Ok(Some(stamp))
    }

    /// In a drop folder that a group shares, anyone in it is to make the job.
    fn open_to_group(&self, from: &Path) -> Result<()> {
        let entries = self.home.names(from)?.into_iter().map(|entry| from.join(entry.name));
        for path in entries.chain([from.to_owned()]) {
            if let Err(e) = self.drop.fs.admit(&path) {
                tracing::debug!(path = %path.display(), error = %e, "what was taken keeps its own modes");
            }
        }
        Ok(())
    }

    /// The folder has a name of its own until all is in it: nobody takes a part for all.
    fn copy(&self, from: &Path, room: &RoomName, stamp: &StampedId, consignment: &Consignment) -> Result<()> {
        let drop = self.drop;
        let (copying, to) = (drop.layout.copying(room, stamp), drop.layout.taken(room, stamp));
        let copied = self.copy_all(from, &copying, stamp, consignment);
        let answer = copied.and_then(|()| {
            drop.fs
                .rename(&copying, &to)
                .map_err(|e| Error::io("bring copies to the drop folder", &copying, e))
        });
        if drop.look(&to)?.is_some() {
            return Ok(());
        }
        // Ours alone, unless we were taken for dead: then it goes in any case.
        if let Err(left) = drop.remove_tree(&copying) {
            tracing::warn!(error = %left, "a part of a copy is left to recovery");
        }
        answer.and_then(|()| {
            let why = "its copies are not where they were put: this intake was taken for dead meanwhile";
            Err(Error::new(ErrorKind::Uncertain, why).at(to))
        })
    }

    fn copy_all(
        &self,
        from: &Path,
        copying: &Path,
        stamp: &StampedId,
        consignment: &Consignment,
    ) -> Result<()> {
        let drop = self.drop;
        drop.fs.make_dir(copying).map_err(|e| Error::io("make a folder", copying, e))?;
        for file in &consignment.files {
            let Some(name) = from_reference(&file.name) else {
                return Err(Error::new(ErrorKind::Invalid, "this is no name of a file").at(&file.name));
            };
            let (from, to) = (from.join(&name), copying.join(&name));
            drop.copy_in(&from, &to, &mut |_| ())?;
            let opened = drop.fs.open(&to).map_err(|e| Error::io("open a copy", &to, e))?;
            let digest = drop.fs.sha256(&opened).map_err(|e| Error::io("read a copy", &to, e))?;
            if hex(&digest) != file.sha256 {
                let why = "a copy is not what was taken: somebody writes to the file, or a disk is at fault";
                return Err(Error::new(ErrorKind::Io, why).at(from));
            }
        }
        let envelope = consignment.envelope_with(&cargo_of(stamp)).encode()?;
        drop.publish(&envelope, &copying.join(stamp.taken_draft()))?;
        drop.flush_dir(copying)
    }

    /// P32. What was copied first, durably: files without a plan are put back.
    pub(super) fn clear_up(&self, consignment: &Consignment) -> Result<()> {
        let folder = path_from_reference(consignment.folder()).unwrap_or_default();
        if !consignment.markers.is_empty() {
            self.within(&folder, |place| {
                let markers = consignment.markers.iter();
                let mut markers = markers.filter_map(|(name, ns)| Some((from_reference(name)?, ns)));
                markers.try_for_each(|(name, changed_ns)| {
                    self.home.remove_marker_at(&place.join(name), *changed_ns)
                })
            })?;
        }
        let (taken, spent) = (self.at_home(consignment.stamp.taken()), self.spent(&consignment.stamp));
        // With one step, so that never a part of them is taken for all.
        if self.home.fs.rename(&taken, &spent).is_err() && self.home.look(&taken)?.is_some() {
            let e = Io::Interrupted.into();
            return Err(Error::io("put files away that were copied", taken, e));
        }
        if self.home.look(&spent)?.is_some() {
            self.home.flush_dir(self.home.layout.root())?;
        }
        self.home.remove(&self.plan(&consignment.stamp))?;
        self.home.remove_tree(&spent)
    }
}
