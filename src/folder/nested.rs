//! Drop folders inside of another one: those of groups and of Return Addresses.

use std::fs;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

use super::DropFolder;
use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::adapters::store::local::LocalStore;
use crate::ports::{Backlog, Census, Store as _};
use crate::words::{Error, ErrorKind, Id, Result};

/// The drop folder that another one is in.
pub(super) enum Home {
    /// As that of a group.
    OfGroup(PathBuf),
    /// As that of a Return Address.
    OfAddress(PathBuf),
}

impl DropFolder {
    /// What lies where.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn census(&self) -> Result<Census> {
        let mut census = self.store.census()?;
        for (room, backlogs) in [("replies", &mut census.replies), ("subscribers", &mut census.groups)] {
            let names = match self.nested(room) {
                Err(e) if e.is_denied() => {
                    census.unreadable.push(room.into());
                    continue;
                }
                names => names?,
            };
            for nested in names {
                let path = Path::new(room).join(nested.as_str());
                match self.backlog_of(&path) {
                    Ok(mut backlog) => {
                        let unreadable = backlog.unreadable.drain(..).map(|below| path.join(below));
                        census.unreadable.extend(unreadable);
                        backlogs.insert(nested.to_string(), backlog);
                    }
                    Err(e) if e.is_denied() => census.unreadable.push(path),
                    // Just being made, or removed.
                    Err(e) if matches!(e.kind(), ErrorKind::NotADropFolder | ErrorKind::NotFound) => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(census)
    }

    /// What waits in this folder, and who is there to take it: jobs, events of a group, or outcomes at a Return Address.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn backlog(&self) -> Result<Backlog> {
        self.store.backlog()
    }

    /// The Return Addresses to which something was delivered, or at which somebody collects, in the order of their names.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn addresses(&self) -> Result<Vec<Id>> {
        self.nested("replies")
    }

    /// The names of drop folders in a room: none, if this is one of these, which have no such room.
    pub(super) fn nested(&self, room: &str) -> Result<Vec<Id>> {
        let room = self.store.layout().room(room);
        let failed = |e| Error::io("list a folder", &room, e);
        let entries = match fs::read_dir(&room) {
            Err(e) if e.kind() == Io::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            found.extend(entry.map_err(failed)?.file_name().to_str().and_then(|name| name.parse().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn backlog_of(&self, nested: &Path) -> Result<Backlog> {
        self.open_nested(nested)?.backlog()
    }

    /// A drop folder in this one, by its path below it.
    pub(super) fn open_nested(&self, nested: &Path) -> Result<LocalStore<OsFs, OsHost>> {
        let root = self.path().join(nested);
        let fs = OsFs::at(&root).map_err(|e| match e.kind() {
            Io::NotFound => Error::new(ErrorKind::NotFound, "there is no such folder").at(&root),
            _ => Error::io("look at the file system", &root, e),
        })?;
        LocalStore::open(fs, OsHost, root)
    }

    /// Of the folder of a Return Address: the drop folder that it is in, whose jobs have the outcomes that lie here.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn home_of_address(&self) -> Result<Option<Self>> {
        self.home_of_address.as_ref().map(Self::open).transpose()
    }
}

/// That of a path, whether something is there or not.
pub(super) fn home_of(path: &Path) -> Option<Home> {
    let parent = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    let path = path.canonicalize().ok().or_else(parent)?;
    let room = path.parent()?;
    let home = room.parent().filter(|home| home.join("filedrop.json").is_file())?.to_owned();
    match room.file_name()?.to_str()? {
        "subscribers" => Some(Home::OfGroup(home)),
        "replies" => Some(Home::OfAddress(home)),
        _ => None,
    }
}

/// The command that makes a nested folder.
pub(super) fn how_to_make(home: &Home, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().display();
    match home {
        Home::OfGroup(home) => {
            format!("to have a group, subscribe it: filedrop topics {} add {name} PATTERN", home.display())
        }
        Home::OfAddress(home) => {
            let home = home.display();
            format!(
                "a Return Address is made when something is delivered there, or by: producer collect {home} --as {name} --follow"
            )
        }
    }
}

/// A folder there would look like a group, or an address, and be none: no event would reach it.
pub(super) fn refuse_in_rooms(path: &Path) -> Result<()> {
    match home_of(path) {
        Some(home) if !path.join("filedrop.json").exists() => {
            let why = format!("this is a drop folder's own place; {}", how_to_make(&home, path));
            Err(Error::new(ErrorKind::Invalid, why).at(path))
        }
        _ => Ok(()),
    }
}
