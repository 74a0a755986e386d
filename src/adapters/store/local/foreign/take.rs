//! P30: files are taken out of the folder, all of a job's or none.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{ForeignFolder, ORIGIN, PLAN, SPENT, path_from_reference};
use crate::adapters::fs::make_below;
use crate::adapters::store::local::moves::found;
use crate::adapters::store::local::sweep::LITTER_AGE;
use crate::ports::{Arrived, Batch, FileKind, Fs, Host, Taking};
use crate::words::{
    Consignment, Error, ErrorKind, MAX_FILE_BYTES, Millis, Result, StampedId, TakenFile, Version, Writer,
    fresh_id, hex, nonce_of, path_to_reference, to_reference,
};

/// A plan may have an envelope in it, and thousands of names beside that.
const MOST_PLAN: usize = 4 * MAX_FILE_BYTES;

/// Larger ones are no paths.
const MOST_ORIGIN: usize = 64 << 10;

impl<F: Fs, H: Host> ForeignFolder<'_, F, H> {
    /// `place` leads to the batch's folder.
    pub(super) fn take_batch(
        &self,
        batch: &Batch<'_>,
        place: &Path,
        describe: &mut dyn FnMut(StampedId, Vec<TakenFile>) -> Consignment,
    ) -> Result<Taking> {
        let Some((first, _)) = batch.files.first() else { return Ok(Taking::Gone) };
        // Not one that follows from the file: two names of it are two jobs, each with an outcome that is told.
        let id = fresh_id(self.home.host.entropy());
        let nonce = nonce_of(&first.version).unwrap_or_else(|| self.home.host.nonce());
        let stamp = StampedId { id, nonce };
        if !batch.folder.as_os_str().is_empty() {
            self.home.publish(path_to_reference(batch.folder).as_bytes(), &self.origin(&stamp))?;
        }
        let taken = self.at_home(stamp.taken());
        self.home.fs.make_dir(&taken).map_err(|e| Error::io("make a folder", &taken, e))?;
        // A file must not be in a folder that a power cut takes away.
        self.home.flush_dir(self.home.layout.root())?;
        let planned = self.take_all(batch, place, &taken).and_then(|files| {
            let Some(files) = files else { return Ok(None) };
            let consignment = describe(stamp.clone(), files);
            self.home.publish(&consignment.encode(), &self.plan(&stamp))?;
            self.home.flush_dir(self.home.layout.root())?;
            Ok(Some(consignment))
        });
        match planned {
            Ok(Some(consignment)) => {
                self.home.remove(&self.origin(&stamp))?;
                Ok(Taking::Taken(Box::new(consignment)))
            }
            // Is the plan there all the same, it is carried out: by the next one that looks.
            Err(e) if self.home.look(&self.plan(&stamp)).is_ok_and(|plan| plan.is_some()) => Err(e),
            answer => {
                let all = self.give_back(&stamp, place, |name, back| {
                    let judged = batch.files.iter().find(|(file, _)| file.name == name);
                    judged.is_some_and(|(file, _)| back.has_content_of(&file.version))
                })?;
                answer.map(|_| if all { Taking::Gone } else { Taking::Stuck })
            }
        }
    }

    /// `None`: one of them is not what was judged any more.
    fn take_all(&self, batch: &Batch<'_>, place: &Path, taken: &Path) -> Result<Option<Vec<TakenFile>>> {
        for (file, _) in &batch.files {
            if !self.take_one(place, file, &taken.join(&file.name))? {
                return Ok(None);
            }
        }
        self.home.flush_dir(taken)?;
        self.home.flush_dir(place)?;
        let mut files = Vec::with_capacity(batch.files.len());
        for (file, known) in &batch.files {
            // What was hashed before is that state of the file that was judged.
            let sha256 = match known {
                Some(sha256) => Some(sha256.clone()),
                None => self.hash(&taken.join(&file.name))?,
            };
            let Some(sha256) = sha256 else { return Ok(None) };
            let (name, evidence) = (to_reference(&file.name), file.evidence.as_str().to_owned());
            files.push(TakenFile { name, size: file.version.size, sha256, evidence });
        }
        Ok(Some(files))
    }

    fn take_one(&self, folder: &Path, file: &Arrived, to: &Path) -> Result<bool> {
        let from = folder.join(&file.name);
        let answer = self.home.fs.rename(&from, to);
        let Some(meta) = self.home.look(to)? else {
            return match answer {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("take a file", from, e)),
                _ => Ok(false),
            };
        };
        let same = meta.kind == FileKind::File && meta.version().has_content_of(&file.version);
        Ok(same && self.home.fs.writer(to).is_ok_and(|writer| writer != Writer::Some))
    }

    /// `None` if it is gone, or is no file.
    pub(super) fn hash(&self, path: &Path) -> Result<Option<String>> {
        let failed = |e| Error::io("read a file", path, e);
        let file = match found(self.home.fs.open(path)) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let digest = self.home.fs.sha256(&file).map_err(failed)?;
        Ok(Some(hex(&digest)))
    }

    /// Under their own names, unless there are others by now: then it stays where it is. Whether all are back. `home` leads to
    /// where they were. `is_as_judged`: the file of that name is as it was when it was found to be complete.
    fn give_back(
        &self,
        stamp: &StampedId,
        home: &Path,
        is_as_judged: impl Fn(&OsStr, &Version) -> bool,
    ) -> Result<bool> {
        let taken = self.at_home(stamp.taken());
        let mut all = true;
        for entry in self.home.names(&taken)? {
            let (from, to) = (taken.join(&entry.name), home.join(&entry.name));
            self.home.note_return(&from, |version| is_as_judged(&entry.name, version));
            if let Err(e) = self.home.fs.rename_new(&from, &to)
                && let Some(left) = self.home.look(&from)?
            {
                match self.home.look(&to)? {
                    // It came back before, and its old name after it: in a power cut, or by a link (R4).
                    Some(there) if there.id == left.id => {
                        self.home.flush_dir(home)?;
                        self.home.remove(&from)?;
                    }
                    Some(_) => all = false,
                    None => return Err(Error::io("put a file back", from, e)),
                }
            }
        }
        if all {
            self.home.flush_dir(home)?;
            self.forget_taken(stamp)?;
        }
        Ok(all)
    }

    fn forget_taken(&self, stamp: &StampedId) -> Result<()> {
        self.remove_taken(&self.at_home(stamp.taken()))?;
        self.home.remove(&self.origin(stamp))
    }

    pub(super) fn remove_taken(&self, taken: &Path) -> Result<()> {
        match self.home.fs.remove_dir(taken) {
            Err(e) if self.home.look(taken)?.is_some() => Err(Error::io("remove a folder", taken, e)),
            _ => Ok(()),
        }
    }

    /// What an intake had taken that was killed before it could say what it was to become, or that could not go back then. How
    /// many could not be put back yet. Nothing of one of them keeps the others.
    pub(super) fn put_back_unplanned(&self, trouble: &mut dyn FnMut(Error)) -> Result<usize> {
        let plans: BTreeSet<StampedId> = self.stamps(PLAN)?.into_iter().collect();
        let taken = self.stamps(".bare")?;
        for stamp in self.stamps(ORIGIN)?.iter().filter(|stamp| !taken.contains(stamp)) {
            self.home.remove(&self.origin(stamp)).unwrap_or_else(&mut *trouble);
        }
        for stamp in self.stamps(SPENT)? {
            self.home.remove_tree(&self.spent(&stamp)).unwrap_or_else(&mut *trouble);
        }
        self.sweep_drafts().unwrap_or_else(&mut *trouble);
        let mut stuck = 0;
        for stamp in taken.into_iter().filter(|stamp| !plans.contains(stamp)) {
            let back = self.return_home(&stamp).unwrap_or_else(|e| {
                trouble(e);
                false
            });
            stuck += usize::from(!back);
        }
        Ok(stuck)
    }

    /// P16, for drafts of those that were killed: nobody else looks there.
    fn sweep_drafts(&self) -> Result<()> {
        let tmp = self.home.layout.room("tmp");
        let now = self.home.host.now();
        for entry in self.home.names(&tmp)?.into_iter().filter(|entry| entry.kind == FileKind::File) {
            let path = tmp.join(entry.name);
            let modified = self.home.look(&path)?.and_then(|meta| Millis::new(meta.modified_ms));
            if modified.is_some_and(|modified| now.since(modified) > LITTER_AGE) {
                self.home.remove(&path)?;
            }
        }
        Ok(())
    }

    /// To the folder that they were in; if its owner removed it, it is made again.
    fn return_home(&self, stamp: &StampedId) -> Result<bool> {
        let folder = self.origin_of(stamp)?;
        let dir = self.premises.dir.join(&folder);
        let held = if self.home.names(&self.at_home(stamp.taken()))?.is_empty() {
            // All that went back there is gone with the folder.
            let Some(held) = self.hold(&folder)? else { return self.forget_taken(stamp).map(|()| true) };
            held
        } else {
            let failed = |e| Error::io("make a folder again, to put a file back", &dir, e);
            make_below(&self.home.fs, &self.premises.root, &folder).map_err(failed)?
        };
        // Of several only the first one's state is known: the nonce follows from it.
        let is_as_judged = |_: &OsStr, back: &Version| nonce_of(back) == Some(stamp.nonce);
        self.give_back(stamp, held.path(), is_as_judged).map_err(|e| e.moved(held.path(), &dir))
    }

    fn origin_of(&self, stamp: &StampedId) -> Result<PathBuf> {
        let path = self.origin(stamp);
        let failed = |e| Error::io("read where files were taken from", &path, e);
        let Some(file) = found(self.home.fs.open(&path)).map_err(failed)? else { return Ok(PathBuf::new()) };
        let text = self.home.fs.read(&file, MOST_ORIGIN).map_err(failed)?;
        let folder = std::str::from_utf8(&text).ok().and_then(path_from_reference);
        folder.ok_or_else(|| Error::new(ErrorKind::Invalid, "this is not what an intake wrote").at(&path))
    }

    pub(super) fn plans(&self) -> Result<Vec<Consignment>> {
        let mut plans = Vec::new();
        for stamp in self.stamps(PLAN)? {
            let path = self.plan(&stamp);
            let failed = |e| Error::io("read what an intake had taken", &path, e);
            let Some(file) = found(self.home.fs.open(&path)).map_err(failed)? else { continue };
            let bytes = self.home.fs.read(&file, MOST_PLAN).map_err(failed)?;
            let plan = Consignment::decode(&bytes).map_err(|e| e.at(&path))?;
            if plan.stamp != stamp || path_from_reference(&plan.path).is_none() {
                return Err(Error::new(ErrorKind::Invalid, "this is not what an intake wrote").at(&path));
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    /// The stamps of the names with this ending.
    fn stamps(&self, ending: &str) -> Result<Vec<StampedId>> {
        let stamp = |name: OsString| name.to_str()?.strip_suffix(ending)?.parse().ok();
        let names = self.home.names(self.home.layout.root())?;
        let mut stamps: Vec<_> = names.into_iter().filter_map(|entry| stamp(entry.name)).collect();
        stamps.sort_unstable();
        Ok(stamps)
    }
}
