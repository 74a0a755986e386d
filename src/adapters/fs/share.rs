//! Giving a folder to a group, with all that lies in it.

use std::ffi::CStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind as Io};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};

use super::group::give;
use crate::words::{Error, ErrorKind, Result};

/// Set-group-id; everything for the owner and the group, nothing for others.
const MODE: u32 = 0o2770;

/// How many paths an error names.
const NAMED: usize = 10;

/// What in a folder could not be given to its group, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    root: PathBuf,
    gid: u32,
    what: Vec<(PathBuf, io::Error)>,
}

impl Refused {
    /// # Errors
    /// If there is anything: who has to do what.
    pub(crate) fn check(self) -> Result<()> {
        if self.what.is_empty() {
            return Ok(());
        }
        let why = format!(
            "the folder is shared now, but not all that was in it; let root, or the owner of each of these, run `filedrop init \
             {} --shared {}`:{self}",
            self.root.display(),
            self.gid,
        );
        Err(Error::new(ErrorKind::Io, why))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, e) in self.what.iter().take(NAMED) {
            write!(f, "\n  {}: {e}", path.display())?;
        }
        match self.what.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// Gives a folder to a group, and every file and folder in it that this process may change. Follows no link but `root`
/// itself: those who can write in the folder cannot lead us out of it meanwhile.
///
/// # Errors
/// [`ErrorKind::Io`] if the folder itself cannot be given; then nothing in it has changed.
pub(crate) fn share(root: &Path, gid: u32) -> Result<Refused> {
    let opened = OpenOptions::new().read(true).open(root);
    let folder = opened.map_err(|e| Error::io("open", root, e))?;
    give(&folder, gid, MODE).map_err(|e| explain(&folder, gid, e).at(root))?;
    let mut refused = Refused { root: root.to_owned(), gid, what: Vec::new() };
    if let Err(e) = descend(&folder, root, &mut refused) {
        refused.what.push((root.to_owned(), e));
    }
    Ok(refused)
}

fn explain(folder: &File, gid: u32, e: io::Error) -> Error {
    let owner = folder.metadata().map(|meta| meta.uid()).ok();
    let others = owner.filter(|owner| *owner != rustix::process::geteuid().as_raw());
    let why = match others {
        Some(owner) if e.kind() == Io::PermissionDenied => {
            format!("only its owner (user {owner}) or root can share this folder; let one of them do it")
        }
        _ if is_member(gid) => format!("cannot give this folder to group {gid} with mode {MODE:o}"),
        _ => format!(
            "cannot give this folder to group {gid}, which you are not in; ask to be made a member and log in again, or let \
             a member or root do it"
        ),
    };
    Error::new(ErrorKind::Io, why).because(e)
}

/// Whether this process is in a group. It learned of its groups when its user logged in.
pub(crate) fn is_member(gid: u32) -> bool {
    let groups = rustix::process::getgroups().unwrap_or_default();
    groups.into_iter().chain([rustix::process::getegid()]).any(|group| group.as_raw() == gid)
}

fn descend(folder: &File, path: &Path, refused: &mut Refused) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = path.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
        match give_entry(folder, name, &path, refused) {
            // Consumers go on meanwhile.
            Err(e) if e.kind() == Io::NotFound => {}
            Err(e) => refused.what.push((path, e)),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn give_entry(folder: &File, name: &CStr, path: &Path, refused: &mut Refused) -> io::Result<()> {
    // To open a device could do something.
    let kind = FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
    if !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let entry = File::from(openat(folder, name, flags, Mode::empty())?);
    let given = give(&entry, refused.gid, MODE);
    // What is ours may lie in what is another's.
    let below = if kind == FileType::Directory { descend(&entry, path, refused) } else { Ok(()) };
    given.and(below)
}
