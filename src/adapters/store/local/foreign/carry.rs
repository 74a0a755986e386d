//! P31, P32: what was taken comes to the drop folder, and is forgotten here when it is a job.

use std::io::ErrorKind as Io;
use std::path::Path;

use super::{ForeignFolder, path_from_reference};
use crate::adapters::store::local::admission::cargo_of;
use crate::ports::{Fs, Host};
use crate::words::{ClaimCheck, Consignment, Error, ErrorKind, Result, RoomName, StampedId, from_reference};

impl<F: Fs, H: Host> ForeignFolder<'_, F, H> {
    /// P31. By one rename, or by copies that are whole before anybody refers to them.
    pub(super) fn bring(&self, room: &RoomName, consignment: &Consignment) -> Result<Option<StampedId>> {
        let from = self.at_home(consignment.stamp.taken());
        if self.home.look(&from)?.is_none() {
            return Ok(None);
        }
        let drop = self.drop;
        let stamp = StampedId { id: consignment.stamp.id.clone(), nonce: drop.host.nonce() };
        let (draft, to) = (drop.layout.taken_draft(room, &stamp), drop.layout.taken(room, &stamp));
        let check = cargo_of(&stamp);
        drop.publish(&consignment.envelope_with(&check).encode()?, &draft)?;
        let answer = drop.fs.rename(&from, &to);
        let arrived = match (drop.look(&to)?, answer) {
            (Some(_), _) => Ok(()),
            (None, Err(e)) if e.kind() == Io::CrossesDevices => self.copy(&from, &to, consignment, &check),
            (None, Err(e)) => Err(Error::io("bring files to the drop folder", &from, e)),
            (None, Ok(())) => Err(Error::io("bring files to the drop folder", &from, Io::NotFound.into())),
        };
        if let Err(e) = arrived {
            drop.remove(&draft)?;
            return Err(e);
        }
        drop.flush_dir(&drop.layout.claims(room))?;
        self.home.flush_dir(self.home.layout.root())?;
        Ok(Some(stamp))
    }

    /// To where P29 would put them. The empty folder in the room, which comes last, says that they are all there.
    fn copy(&self, from: &Path, to: &Path, consignment: &Consignment, check: &ClaimCheck) -> Result<()> {
        let drop = self.drop;
        let payload = drop.layout.payload(check);
        let copied = drop.make_payload_folder(&payload).and_then(|()| {
            for file in &consignment.files {
                let Some(name) = from_reference(&file.name) else {
                    return Err(Error::new(ErrorKind::Invalid, "this is no name of a file").at(&file.name));
                };
                let (from, to) = (from.join(&name), payload.join(&name));
                drop.copy_in(&from, &to, &mut |_| ())?;
                let opened = drop.fs.open(&to).map_err(|e| Error::io("open a copy", &to, e))?;
                let digest = drop.fs.sha256(&opened).map_err(|e| Error::io("read a copy", &to, e))?;
                if digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() != file.sha256 {
                    let why =
                        "a copy is not what was taken: somebody writes to the file, or a disk is at fault";
                    return Err(Error::new(ErrorKind::Io, why).at(from));
                }
            }
            drop.flush_dir(&payload)?;
            drop.flush_dir(&drop.layout.room("payload"))?;
            drop.fs.make_dir(to).map_err(|e| Error::io("make a folder", to, e))
        });
        if copied.is_err()
            && let Err(left) = drop.throw_away(check)
        {
            tracing::warn!(error = %left, "a part of a copy is left in payload/");
        }
        copied
    }

    /// P32. What was copied first, durably: files without a plan are put back.
    pub(super) fn clear_up(&self, consignment: &Consignment) -> Result<()> {
        let folder = path_from_reference(consignment.folder()).unwrap_or_default();
        for (name, changed_ns) in &consignment.markers {
            let Some(name) = from_reference(name) else { continue };
            self.home.remove_marker_at(&self.dir.join(&folder).join(name), *changed_ns)?;
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
