//! What lies in the inbox, told by its name and kind; for the rest it is looked at twice.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io::ErrorKind as Io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::{Explainer, Oddity, Untaken, Why};
use crate::words::{Customs, DeliveryKind, Error, Id, InboxName, Result, RoomName, Sort, StampedId, flaw};

impl Explainer {
    /// Calls `each` for everything in the inbox, in no order. Takes about half a second longer if files of strangers are there,
    /// which are looked at twice. Returns how many more there are that were not looked at: a memory has limits.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn inbox(&self, each: &mut dyn FnMut(Untaken)) -> Result<usize> {
        let customs = self.customs();
        let inbox = self.place();
        let failed = |e| Error::io("list the inbox", &inbox, e);
        let mut arriving = false;
        for entry in fs::read_dir(&inbox).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else { continue };
            let whys = customs.iter().map(|customs| self.by_name(customs, &name, kind));
            match whys.collect::<Option<Vec<Why>>>() {
                Some(whys) => each(Untaken { size: size(&entry.path()), name, whys }),
                None => arriving = true,
            }
        }
        if arriving { self.look_twice(&customs, None, each) } else { Ok(0) }
    }

    /// The same for one name in the inbox. `None` if there is nothing.
    ///
    /// # Errors
    /// As [`inbox`](Self::inbox).
    pub fn file(&self, name: &OsStr) -> Result<Option<Untaken>> {
        if !is_plain(name) {
            return Ok(None);
        }
        let customs = self.customs();
        let path = self.place().join(name);
        let kind = match fs::symlink_metadata(&path) {
            Ok(meta) => meta.file_type(),
            Err(e) if matches!(e.kind(), Io::NotFound | Io::NotADirectory | Io::InvalidFilename) => {
                return Ok(None);
            }
            Err(e) => return Err(Error::io("look at a file", path, e)),
        };
        let whys = customs.iter().map(|customs| self.by_name(customs, name, kind));
        if let Some(whys) = whys.collect::<Option<Vec<Why>>>() {
            return Ok(Some(Untaken { name: name.to_owned(), size: size(&path), whys }));
        }
        let mut found = None;
        self.look_twice(&customs, Some(name), &mut |untaken| found = Some(untaken))?;
        Ok(found)
    }

    /// How many jobs in the inbox come before this one.
    ///
    /// # Errors
    /// As [`inbox`](Self::inbox).
    pub fn ahead_of(&self, job: &InboxName) -> Result<usize> {
        let inbox = self.place();
        let entries = fs::read_dir(&inbox).map_err(|e| Error::io("list the inbox", &inbox, e))?;
        let before = |entry: &fs::DirEntry| {
            let name = entry.file_name().to_str().and_then(|name| name.parse::<InboxName>().ok());
            name.is_some_and(|name| name.kind == DeliveryKind::Job && name < *job)
        };
        Ok(entries.flatten().filter(before).count())
    }

    /// The jobs with which a file of this name travels, or is about to: those that were taken from the inbox, and others.
    ///
    /// # Errors
    /// As [`inbox`](Self::inbox).
    pub fn jobs_with(&self, name: &OsStr) -> Result<BTreeSet<Id>> {
        let mut jobs = BTreeSet::new();
        if !is_plain(name) {
            return Ok(jobs);
        }
        let mut folders = Vec::new();
        let claimed = self.folder.path().join("claimed");
        for room in names(&claimed)? {
            if room.parse::<RoomName>().is_ok() {
                folders.push(claimed.join(room));
            }
        }
        // In the order in which a file goes through them, so that it is not missed on its way.
        folders.push(self.folder.path().join("payload"));
        for folder in folders {
            for entry in names(&folder)? {
                let stamp = StampedId::parse_taken(&entry).or_else(|| entry.parse().ok());
                let there = || fs::symlink_metadata(folder.join(&entry).join(name)).is_ok();
                jobs.extend(stamp.filter(|_| there()).map(|stamp| stamp.id));
            }
        }
        Ok(jobs)
    }

    pub(super) fn place(&self) -> PathBuf {
        self.folder.store.layout().room("inbox")
    }

    fn customs(&self) -> Vec<Customs> {
        // Those that make no sense are not among the takers.
        self.takers.iter().map(|taker| taker.habits.customs().unwrap_or_default()).collect()
    }

    /// What a name and a kind tell. `None`: it may be a file that a stranger dropped, to be looked at.
    pub(super) fn by_name(&self, customs: &Customs, name: &OsStr, kind: FileType) -> Option<Why> {
        if let Some(oddity) = oddity(kind) {
            return Some(Why::Odd(oddity));
        }
        if let Some(text) = name.to_str() {
            let is_job = |name: InboxName| name.kind == DeliveryKind::Job;
            if text.parse().is_ok_and(is_job) {
                return Some(Why::Ready);
            }
            let is_outcome = text.parse().is_ok_and(|name: InboxName| name.kind == DeliveryKind::Outcome);
            if let (true, Some(home)) = (is_outcome, &self.folder.home_of_address) {
                let address = self.folder.path().file_name().unwrap_or_default();
                let address = address.to_string_lossy().into_owned();
                return Some(Why::Delivered { home: home.clone(), address });
            }
            if InboxName::parse_archived(text).is_ok_and(is_job) {
                return Some(Why::Archived);
            }
        }
        match customs.sort(name) {
            Sort::Bare => None,
            Sort::Ignored(pattern) => Some(Why::Ignored(pattern)),
            Sort::Marker(of) => {
                let there = fs::symlink_metadata(self.place().join(&of)).is_ok();
                Some(Why::Marker { of, there })
            }
            Sort::Ours => {
                let flaw = name.to_str().and_then(flaw);
                Some(Why::Misnamed(flaw.unwrap_or_else(|| "it is no text".to_owned())))
            }
        }
    }
}

/// A name that leads nowhere else.
fn is_plain(name: &OsStr) -> bool {
    Path::new(name).file_name() == Some(name)
}

fn oddity(kind: FileType) -> Option<Oddity> {
    Some(match kind {
        kind if kind.is_file() => return None,
        kind if kind.is_dir() => Oddity::Folder,
        kind if kind.is_symlink() => Oddity::SymbolicLink,
        kind if kind.is_fifo() => Oddity::Pipe,
        kind if kind.is_socket() => Oddity::Socket,
        _ => Oddity::Device,
    })
}

fn size(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|meta| meta.len())
}

/// The names in a folder that are text, if it is there and may be read.
fn names(folder: &Path) -> Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        }
        Err(e) if matches!(e.kind(), Io::NotFound | Io::PermissionDenied | Io::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(e) => Err(Error::io("list a folder", folder, e)),
    }
}
