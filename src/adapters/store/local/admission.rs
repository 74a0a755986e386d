//! P28, P29: a file that a stranger dropped becomes a job.
//!
//! It is taken out of the inbox by a rename, into a folder of its own in the room: so nobody's next file of that name is ever
//! touched. From there it goes to `payload/` under the name that the folder has, and a job that refers to it is submitted under an id
//! that follows from the file: whoever finishes that, and however often, makes the same one.

use std::collections::HashSet;
use std::io::ErrorKind as Io;
use std::path::Path;

use super::LocalStore;
use super::another::another;
use super::moves::{found, parent};
use crate::ports::{Admitted, Arrived, Fetched, FileId, FileKind, Fs, Host, Listed, Marker, Meta};
use crate::words::{
    ClaimCheck, ClaimCheckKind, Envelope, Error, ErrorKind, MAX_FILE_BYTES, Result, RoomName, StampedId,
    Version, Writer, id_of_file,
};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// P28. As many answers as files were tried: where no further folder can be made, the others are left for the next look.
    pub(super) fn take_dropped(&self, room: &RoomName, files: &[Arrived]) -> Result<Vec<Fetched>> {
        let returning = self.returning(files)?;
        let mut stamps = Vec::with_capacity(files.len());
        for file in files {
            let id = id_of_file(&file.version).unwrap_or_else(|| self.host.mint().0);
            let stamp = StampedId { id, nonce: self.host.nonce() };
            let folder = self.layout.taken(room, &stamp);
            if let Err(e) = self.fs.make_dir(&folder)
                && self.look(&folder).is_ok_and(|there| there.is_none())
            {
                if stamps.is_empty() {
                    return Err(Error::io("make a folder", folder, e));
                }
                break;
            }
            stamps.push(stamp);
        }
        // A file must not be in a folder that a power cut takes away.
        if let Err(e) = self.flush_dir(&self.layout.claims(room)) {
            for stamp in &stamps {
                // Nothing was ever in it; what is left, recovery removes.
                let _ = self.fs.remove_dir(&self.layout.taken(room, stamp));
            }
            return Err(e);
        }
        let tried = files.iter().zip(returning).zip(stamps).map(|((file, is_returning), stamp)| {
            let answer = match is_returning {
                true => Err(returning_error(&self.layout.room("inbox").join(&file.name))),
                false => self.take_one(room, file, &stamp),
            };
            match answer {
                Ok(true) => Fetched::Here(stamp),
                Ok(false) => Fetched::Not,
                Err(e) => Fetched::Failed(stamp, e),
            }
        });
        Ok(tried.collect())
    }

    /// Whether it is here, and what was judged.
    fn take_one(&self, room: &RoomName, file: &Arrived, stamp: &StampedId) -> Result<bool> {
        let folder = self.layout.taken(room, stamp);
        let (from, to) = (self.layout.room("inbox").join(&file.name), folder.join(&file.name));
        let answer = self.fs.rename(&from, &to);
        let Some(meta) = self.look(&to)? else {
            return match answer {
                // Another took it.
                Err(e) if e.kind() == Io::NotFound && self.fs.is_local() => {
                    self.remove_folder(&folder).map(|()| false)
                }
                Err(e) if e.kind() != Io::NotFound => Err(Error::io("take a file", from, e)),
                // We were taken for dead, and it was helped on.
                _ => self.close(room, stamp).map(|()| false),
            };
        };
        // Elsewhere the id tells that it is one file.
        let twice = file.version.born_ns.is_none() && meta.links > 1 && self.lies_in_a_room(meta.id, &to)?;
        let same = meta.kind == FileKind::File && meta.version().has_content_of(&file.version);
        if same && !twice && self.fs.writer(&to).is_ok_and(|writer| writer != Writer::Some) {
            return Ok(true);
        }
        tracing::debug!(name = ?file.name, "it is another file by now, or is being written again");
        self.give_back(room, stamp, |back| back.has_content_of(&file.version))?;
        if twice { Err(returning_error(&from)) } else { Ok(false) }
    }

    /// Which of these have a further name where files are taken to: whoever took them is putting them back by a link, or died when it
    /// did, or is making jobs of them.
    fn returning(&self, files: &[Arrived]) -> Result<Vec<bool>> {
        let inbox = self.layout.room("inbox");
        let twice = |file: &Arrived| {
            Ok(self.look(&inbox.join(&file.name))?.filter(|meta| meta.links > 1).map(|meta| meta.id))
        };
        let twice = files.iter().map(twice).collect::<Result<Vec<_>>>()?;
        let mut taken = HashSet::new();
        if twice.iter().any(Option::is_some) {
            self.each_taken(&mut |_, id| {
                taken.insert(id);
            })?;
        }
        Ok(twice.iter().map(|file| file.is_some_and(|id| taken.contains(&id))).collect())
    }

    fn lies_in_a_room(&self, file: FileId, but: &Path) -> Result<bool> {
        let mut found = false;
        self.each_taken(&mut |path, id| found |= id == file && path != but)?;
        Ok(found)
    }

    /// All that was taken, by whomever, and may be no job yet.
    fn each_taken(&self, each: &mut dyn FnMut(&Path, FileId)) -> Result<()> {
        for room in self.rooms()? {
            let stamps = self.names(&self.layout.claims(&room))?;
            for stamp in stamps.iter().filter_map(|entry| StampedId::parse_taken(entry.name.to_str()?)) {
                for folder in [self.layout.taken(&room, &stamp), self.layout.payload(&cargo_of(&stamp))] {
                    for entry in self.names(&folder)? {
                        let path = folder.join(entry.name);
                        if let Some(meta) = self.look(&path)? {
                            each(&path, meta.id);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// What was taken, and is not admitted, goes back under its own name, unless there is another file by now. `is_as_judged`: the
    /// file is as it was when it was found to be complete.
    ///
    /// # Errors
    /// What could not be put back is where it was.
    pub(super) fn give_back(
        &self,
        room: &RoomName,
        stamp: &StampedId,
        is_as_judged: impl Fn(&Version) -> bool,
    ) -> Result<()> {
        let folder = self.layout.taken(room, stamp);
        let inbox = self.layout.room("inbox");
        let mut answer = Ok(());
        for entry in &self.names(&folder)? {
            let (from, to) = (folder.join(&entry.name), inbox.join(&entry.name));
            self.note_return(&from, &is_as_judged);
            answer = answer.and(self.put_one_back(&from, &to));
        }
        answer?;
        self.close(room, stamp)
    }

    /// It may have been put back by a link, taken again and made a job of, before the removal of the name here was durable. Where ids
    /// follow from files, that is seen by the id.
    pub(super) fn drop_admitted(&self, room: &RoomName, stamp: &StampedId) -> Result<()> {
        let folder = self.layout.taken(room, stamp);
        for entry in &self.names(&folder)? {
            let path = folder.join(&entry.name);
            let twice = |meta: &Meta| meta.kind == FileKind::File && meta.links > 1 && meta.born_ns.is_none();
            let Some(meta) = self.look(&path)?.filter(twice) else { continue };
            let payload = self.layout.room("payload");
            let all = self.walk(&payload).map_err(|e| Error::io("list a folder", &payload, e))?;
            for found in all.iter().filter(|found| found.kind == FileKind::File) {
                if self.look(&found.path)?.is_some_and(|there| there.id == meta.id) {
                    self.flush_dir_if_there(parent(&found.path))?;
                    self.remove(&path)?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether it is another file than the one that was found to be complete: whoever took it died before that was seen, or it was put
    /// back, and a power cut brought this name again. Then it is taken elsewhere, too. Where ids do not follow from files nobody can tell.
    pub(super) fn is_unjudged(&self, room: &RoomName, stamp: &StampedId) -> Result<bool> {
        let folder = self.layout.taken(room, stamp);
        let (names, envelopes) = self.cargo_in(&folder)?;
        // An intake's has an id of its own, as one that was minted; and whoever began to admit it had looked.
        if !envelopes.is_empty() || stamp.id.minted_at().is_some() || self.has_cargo(stamp)? {
            return Ok(false);
        }
        for entry in &names {
            let own = self.look(&folder.join(&entry.name))?.and_then(|meta| id_of_file(&meta.version()));
            if own.is_some_and(|own| own != stamp.id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn put_one_back(&self, from: &Path, to: &Path) -> Result<()> {
        let answer = self.fs.rename_new(from, to);
        if self.look(from)?.is_none() || self.has_returned(from, to)? {
            return Ok(());
        }
        let e = answer.err().unwrap_or_else(|| Io::Interrupted.into());
        Err(Error::io("put a file back", from, e))
    }

    /// Whether it has its place in the inbox again, too: where there is no rename that replaces nothing it is linked there. Then it
    /// loses this name, so that nobody takes one file for two.
    fn has_returned(&self, from: &Path, inbox: &Path) -> Result<bool> {
        let (Some(here), Some(there)) = (self.look(from)?, self.look(inbox)?) else { return Ok(false) };
        if here.id != there.id {
            return Ok(false);
        }
        self.flush_dir(&self.layout.room("inbox"))?;
        self.remove(from)?;
        Ok(true)
    }

    /// P29.
    pub(super) fn admit_taken(&self, room: &RoomName, stamps: &[StampedId]) -> Result<Vec<Result<Admitted>>> {
        let make_place = |stamp: &StampedId| match self.cargo_in(&self.layout.taken(room, stamp)) {
            Ok((names, _)) if names.is_empty() => Ok(()),
            Ok(_) => self.make_payload_folder(&self.layout.payload(&cargo_of(stamp))),
            Err(e) => Err(e),
        };
        let places: Vec<Result<()>> = stamps.iter().map(make_place).collect();
        // As above.
        self.flush_dir(&self.layout.room("payload"))?;
        let places = stamps.iter().zip(places);
        Ok(places.map(|(stamp, place)| place.and_then(|()| self.admit_one(room, stamp))).collect())
    }

    fn admit_one(&self, room: &RoomName, stamp: &StampedId) -> Result<Admitted> {
        let (folder, payload) = (self.layout.taken(room, stamp), self.layout.payload(&cargo_of(stamp)));
        let inbox = self.layout.room("inbox");
        let (names, envelopes) = self.cargo_in(&folder)?;
        for entry in &names {
            let (from, to) = (folder.join(&entry.name), payload.join(&entry.name));
            self.secure_taken(&from, entry.kind)?;
            self.relocate(&from, &to)?;
        }
        // From here nobody links it to the inbox any more. If it is a job already, a name in the inbox is an old one that a power cut
        // brought back.
        if !self.is_submitted(stamp)? {
            for entry in &self.names(&payload)? {
                self.has_returned(&payload.join(&entry.name), &inbox.join(&entry.name))?;
            }
        }
        if !self.has_cargo(stamp)? {
            self.remove_envelopes(&folder, &envelopes)?;
            return self.put_away(&folder).map(|()| Admitted::Nothing);
        }
        self.flush_dir_if_there(&payload)?;
        if stamp.id.minted_at().is_some() {
            // Its old name must not come back beside a job: it would be another one.
            self.flush_dir(&inbox)?;
        }
        let envelope = self.read_draft(&folder.join(stamp.taken_draft()))?;
        if envelope.is_none()
            && self.look(&folder)?.is_none()
            && self.look(&self.layout.entry(&stamp.id))?.is_none()
        {
            // It is where its room is now (P13), and perhaps has an envelope that says what job this is.
            let doing = "make a job of a file in a room that was taken from its consumer; recovery does";
            return Err(Error::io(doing, folder, Io::ResourceBusy.into()));
        }
        let admitted = self.submit_taken(envelope, stamp)?;
        self.remove_envelopes(&folder, &envelopes)?;
        match admitted {
            Admitted::Nothing => {
                // Made for a file that then went back.
                for place in [payload.clone(), self.layout.payload(&cargo_of(&another(stamp)))] {
                    let _ = self.fs.remove_dir(&place);
                }
                // A network file system may have listed it as it was before another put the file there, who may be dead. Then this folder
                // is the last trace of it.
                if self.has_cargo(stamp)? {
                    let doing = "make a job of a file that another consumer is making a job of; tried again";
                    return Err(Error::io(doing, payload, Io::ResourceBusy.into()));
                }
                self.put_away(&folder)?;
            }
            // Where its file went is durable.
            _ => self.remove_folder(&folder)?,
        }
        Ok(admitted)
    }

    /// The files in a folder that was taken; and the envelopes that an intake put beside them (P31): if it began anew, several.
    fn cargo_in(&self, folder: &Path) -> Result<(Vec<Listed>, Vec<Listed>)> {
        let is_envelope =
            |entry: &Listed| entry.name.to_str().and_then(StampedId::parse_taken_draft).is_some();
        Ok(self.names(folder)?.into_iter().partition(|entry| !is_envelope(entry)))
    }

    fn remove_envelopes(&self, folder: &Path, envelopes: &[Listed]) -> Result<()> {
        envelopes.iter().try_for_each(|entry| self.remove(&folder.join(&entry.name)))
    }

    /// Whoever wrote it may not have flushed it.
    fn secure_taken(&self, path: &Path, kind: FileKind) -> Result<()> {
        if let Err(e) = self.fs.admit(path) {
            tracing::debug!(path = %path.display(), error = %e, "a file that was dropped keeps its own modes");
        }
        match kind {
            FileKind::File => {
                let file =
                    self.fs.open(path).map_err(|e| Error::io("open a file that was dropped", path, e))?;
                self.fs.flush(&file).map_err(|e| Error::io("flush a file that was dropped", path, e))
            }
            FileKind::Dir => {
                for entry in self.names(path)? {
                    self.secure_taken(&path.join(&entry.name), entry.kind)?;
                }
                self.flush_dir(path)
            }
            FileKind::Other => {
                Err(Error::new(ErrorKind::Invalid, "no regular file; only such can travel").at(path))
            }
        }
    }

    fn read_draft(&self, draft: &Path) -> Result<Option<Envelope>> {
        let failed = |e| Error::io("read a draft", draft, e);
        let Some(file) = found(self.fs.open(draft)).map_err(failed)? else { return Ok(None) };
        let bytes = self.fs.read(&file, MAX_FILE_BYTES).map_err(failed)?;
        Envelope::decode(&bytes).map(Some).map_err(|e| e.at(draft))
    }

    pub(super) fn remove_marker(&self, marker: &Marker) -> Result<()> {
        self.remove_marker_at(&self.layout.room("inbox").join(&marker.name), marker.changed_ns)
    }

    /// A marker that has served its purpose goes, unless it is another one by now: that of the next file, or was made anew for that.
    pub(super) fn remove_marker_at(&self, path: &Path, changed_ns: u64) -> Result<()> {
        let Some(there) = self.look(path)?.filter(|there| there.changed_ns == changed_ns) else {
            return Ok(());
        };
        let aside = self.draft_path();
        if self.fs.rename(path, &aside).is_err() && self.look(&aside)?.is_none() {
            return Ok(());
        }
        // The rename itself has changed its ctime.
        let is_it = |taken: Meta| {
            (taken.id, taken.size, taken.modified_ns) == (there.id, there.size, there.modified_ns)
        };
        if self.look(&aside)?.is_some_and(|taken| !is_it(taken)) {
            return self.fs.rename_new(&aside, path).map_err(|e| Error::io("put a marker back", path, e));
        }
        self.remove(&aside)
    }

    /// The folder that a file was taken into is empty: it went back, or to `payload/`, where another is at it. As long as that is no
    /// job yet, nothing but this folder tells of it, so it is helped on.
    fn close(&self, room: &RoomName, stamp: &StampedId) -> Result<()> {
        match self.has_cargo(stamp)? {
            true => self.admit_one(room, stamp).map(drop),
            false => self.put_away(&self.layout.taken(room, stamp)),
        }
    }

    /// A power cut must not take the folder and leave a file in it that went back.
    fn put_away(&self, folder: &Path) -> Result<()> {
        self.flush_dir(&self.layout.room("inbox"))?;
        self.remove_folder(folder)
    }

    fn remove_folder(&self, folder: &Path) -> Result<()> {
        match self.fs.remove_dir(folder) {
            Err(e) if self.look(folder)?.is_some() => Err(Error::io("remove a folder", folder, e)),
            _ => Ok(()),
        }
    }
}

/// What the folder that a file was taken into becomes.
pub(super) fn cargo_of(stamp: &StampedId) -> ClaimCheck {
    ClaimCheck { stamp: stamp.clone(), kind: ClaimCheckKind::Files }
}

/// It would become two jobs.
fn returning_error(path: &Path) -> Error {
    let doing = "take a file that another consumer is putting back, or died when it did; it is taken when that is done";
    Error::io(doing, path, Io::ResourceBusy.into())
}
