//! P28, P29: a file that a stranger dropped becomes a job.
//!
//! It is taken out of the inbox by a rename, into a folder of its own in the room: so nobody's next file of that name is ever
//! touched. From there it goes to `payload/` under the name that the folder has, and a job that refers to it is submitted under an id
//! that follows from the file: whoever finishes that, and however often, makes the same one.

use std::ffi::OsString;
use std::io::ErrorKind as Io;
use std::path::Path;

use super::LocalStore;
use super::moves::found;
use crate::ports::{Admitted, Arrived, FileKind, Fs, Host, Marker, NewJob, Submitted};
use crate::words::{
    ClaimCheck, ClaimCheckKind, Envelope, Error, ErrorKind, InboxName, MAX_FILE_BYTES, Result, RoomName,
    StampedId, Writer, envelope_of_file, id_of_file,
};

/// `source` of the jobs that files in the inbox make.
const SOURCE: &str = "/inbox";

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// P28. `None`: it is gone, or not what was judged any more.
    pub(super) fn take_dropped(&self, room: &RoomName, files: &[Arrived]) -> Result<Vec<Option<StampedId>>> {
        let mut stamps = Vec::with_capacity(files.len());
        for file in files {
            let id = id_of_file(&file.version).unwrap_or_else(|| self.host.mint().0);
            let stamp = StampedId { id, nonce: self.host.nonce() };
            let folder = self.layout.taken(room, &stamp);
            self.fs.make_dir(&folder).map_err(|e| Error::io("make a folder", &folder, e))?;
            stamps.push(stamp);
        }
        // A file must not be in a folder that a power cut takes away.
        self.flush_dir(&self.layout.claims(room))?;
        files.iter().zip(stamps).map(|(file, stamp)| self.take_one(room, file, stamp)).collect()
    }

    fn take_one(&self, room: &RoomName, file: &Arrived, stamp: StampedId) -> Result<Option<StampedId>> {
        let folder = self.layout.taken(room, &stamp);
        let (from, to) = (self.layout.room("inbox").join(&file.name), folder.join(&file.name));
        let answer = self.fs.rename(&from, &to);
        let Some(meta) = self.look(&to)? else {
            return match answer {
                // Another took it.
                Err(e) if e.kind() == Io::NotFound && self.fs.is_local() => {
                    self.remove_folder(&folder).map(|()| None)
                }
                Err(e) if e.kind() != Io::NotFound => Err(Error::io("take a file", from, e)),
                // We were taken for dead, and it was helped on.
                _ => self.close(room, &stamp).map(|()| None),
            };
        };
        let same = meta.kind == FileKind::File && meta.version().has_content_of(&file.version);
        if same && self.fs.writer(&to).is_ok_and(|writer| writer != Writer::Some) {
            return Ok(Some(stamp));
        }
        tracing::debug!(name = ?file.name, "it is another file by now, or is being written again");
        self.give_back(room, &stamp)?;
        Ok(None)
    }

    /// What was taken, and is not admitted, goes back under its own name, unless there is another file by now.
    ///
    /// # Errors
    /// It is where it was.
    pub(super) fn give_back(&self, room: &RoomName, stamp: &StampedId) -> Result<()> {
        let folder = self.layout.taken(room, stamp);
        let inbox = self.layout.room("inbox");
        let names = self.names(&folder)?;
        for entry in &names {
            let (from, to) = (folder.join(&entry.name), inbox.join(&entry.name));
            if let Err(e) = self.fs.rename_new(&from, &to)
                && self.look(&from)?.is_some()
            {
                return Err(Error::io("put a file back", from, e));
            }
        }
        self.close(room, stamp)
    }

    /// P29.
    pub(super) fn admit_taken(&self, room: &RoomName, stamps: &[StampedId]) -> Result<Vec<Result<Admitted>>> {
        for stamp in stamps {
            if !self.names(&self.layout.taken(room, stamp))?.is_empty() {
                self.make_payload_folder(&self.layout.payload(&cargo_of(stamp)))?;
            }
        }
        // As above.
        self.flush_dir(&self.layout.room("payload"))?;
        Ok(stamps.iter().map(|stamp| self.admit_one(room, stamp)).collect())
    }

    fn admit_one(&self, room: &RoomName, stamp: &StampedId) -> Result<Admitted> {
        let check = cargo_of(stamp);
        let (folder, payload) = (self.layout.taken(room, stamp), self.layout.payload(&check));
        let draft = self.layout.taken_draft(room, stamp);
        let names = self.names(&folder)?;
        if names.is_empty() && self.look(&payload)?.is_none() {
            self.remove(&draft)?;
            return self.put_away(&folder).map(|()| Admitted::Nothing);
        }
        for entry in &names {
            let from = folder.join(&entry.name);
            self.secure_taken(&from, entry.kind)?;
            self.relocate(&from, &payload.join(&entry.name))?;
        }
        self.flush_dir(&payload)?;
        let admitted = self.submit_taken(&draft, &check, &payload)?;
        match admitted {
            Admitted::Nothing => {
                // Made for a file that then went back.
                let _ = self.fs.remove_dir(&payload);
                self.put_away(&folder)?;
            }
            // Where its file went is durable.
            _ => self.remove_folder(&folder)?,
        }
        self.remove(&draft)?;
        Ok(admitted)
    }

    fn submit_taken(&self, draft: &Path, check: &ClaimCheck, payload: &Path) -> Result<Admitted> {
        let (id, now) = (&check.stamp.id, self.host.now());
        let envelope = match self.read_draft(draft)? {
            Some(envelope) => envelope,
            None => {
                let Some(name) = self.only_file(payload)? else { return Ok(Admitted::Nothing) };
                envelope_of_file(id, &name, check, SOURCE, now)
            }
        };
        let submitted = id.minted_at().or_else(|| envelope.time("time")).unwrap_or(now);
        let name = InboxName::job(id.clone(), submitted, envelope.priority());
        let job = NewJob { name, bytes: envelope.encode()?, due: None, given: true };
        let answer = self.publish_given(&job, id.minted_at().is_some())?;
        self.flush_dir(&self.layout.room("inbox"))?;
        if answer == Submitted::New {
            return Ok(Admitted::New(id.clone()));
        }
        // Submitted by who was here before, or for another name of this file: then this one is one too many.
        let first = self.read_entry(&self.layout.entry(id))?;
        let theirs = first.and_then(|(_, first)| first.claim_check("filesref"));
        if theirs.is_some_and(|theirs| theirs != *check) {
            self.throw_away(check)?;
        }
        Ok(Admitted::Before(id.clone()))
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

    fn only_file(&self, folder: &Path) -> Result<Option<OsString>> {
        Ok(self.names(folder)?.into_iter().next().map(|entry| entry.name))
    }

    /// A marker that has served its purpose goes, unless it is another one by now: that of the next file.
    pub(super) fn remove_marker(&self, marker: &Marker) -> Result<()> {
        let path = self.layout.room("inbox").join(&marker.name);
        let Some(there) = self.look(&path)? else { return Ok(()) };
        if there.changed_ns != marker.changed_ns {
            return Ok(());
        }
        let aside = self.draft_path();
        if self.fs.rename(&path, &aside).is_err() && self.look(&aside)?.is_none() {
            return Ok(());
        }
        if self.look(&aside)?.is_some_and(|taken| taken.id != there.id) {
            return self.fs.rename_new(&aside, &path).map_err(|e| Error::io("put a marker back", path, e));
        }
        self.remove(&aside)
    }

    /// The folder that a file was taken into is empty: it went back, or to `payload/`, where another is at it. As long as that is no
    /// job yet, nothing but this folder tells of it, so it is helped on.
    fn close(&self, room: &RoomName, stamp: &StampedId) -> Result<()> {
        match self.look(&self.layout.payload(&cargo_of(stamp)))? {
            Some(_) => self.admit_one(room, stamp).map(drop),
            None => self.put_away(&self.layout.taken(room, stamp)),
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
