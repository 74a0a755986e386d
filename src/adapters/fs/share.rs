//! Giving a folder to a group, with what is its own of all that lies in it.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
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

/// How many paths are named.
const NAMED: usize = 10;

/// Consumers link and rename while links are counted.
const ROUNDS: usize = 3;

/// Whether a path below the folder, of a folder or not, is its own.
type Ours = fn(&Path, bool) -> bool;

/// What became of a folder that was given to a group. For people: all of it but what is an error.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    root: PathBuf,
    gid: u32,
    changed: usize,
    /// What is none of ours.
    strange: Left,
    /// What is also elsewhere, outside of the folder: there it would change, too.
    linked: Left,
    refused: Vec<(PathBuf, io::Error)>,
}

#[derive(Debug, Default)]
struct Left {
    count: usize,
    /// The first ones.
    named: Vec<PathBuf>,
}

impl Left {
    fn push(&mut self, below: &Path) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(below.to_owned());
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for below in &self.named {
            write!(f, "\n  {}", below.to_string_lossy().replace('\n', "\\n"))?;
        }
        and_more(self.count, f)
    }
}

fn and_more(count: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match count.saturating_sub(NAMED) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

impl Shared {
    /// # Errors
    /// If something could not be given: who has to do what.
    pub(crate) fn check(&self) -> Result<()> {
        if self.refused.is_empty() {
            return Ok(());
        }
        let why = format!(
            "the folder is shared now, but not all that was in it; let root, or the owner of each of these, run `filedrop init \
             {} --shared {}`:{}",
            self.root.display(),
            self.gid,
            Refused(&self.refused),
        );
        Err(Error::new(ErrorKind::Io, why))
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gid, changed, strange, linked, .. } = self;
        write!(f, "given to group {gid}: {changed} changed")?;
        if strange.count > 0 {
            write!(
                f,
                "; {} left as they are, since their names are none of a drop folder's:{strange}",
                strange.count
            )?;
        }
        if linked.count > 0 {
            let why = "since each is a hard link to a file elsewhere, which would change, too";
            write!(f, "\n{} left as they are, {why} (give the group that one):{linked}", linked.count)?;
        }
        Ok(())
    }
}

struct Refused<'a>(&'a [(PathBuf, io::Error)]);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, e) in self.0.iter().take(NAMED) {
            write!(f, "\n  {}: {e}", path.display())?;
        }
        and_more(self.0.len(), f)
    }
}

/// Gives a folder to a group, and every file and folder in it that is `ours` and that this process may change. Follows no link but
/// `root` itself: those who can write in the folder cannot lead us out of it meanwhile.
///
/// # Errors
/// [`ErrorKind::Io`] if the folder itself cannot be given; then nothing in it has changed.
pub(crate) fn share(root: &Path, gid: u32, ours: Ours) -> Result<Shared> {
    let opened = OpenOptions::new().read(true).open(root);
    let folder = opened.map_err(|e| Error::io("open", root, e))?;
    let mut changed = give(&folder, gid, MODE).map_err(|e| explain(&folder, gid, e).at(root))?.into();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let mut links = Links::new();
        // What cannot be listed is refused below, and named.
        let _ = count_links(&folder, Path::new(""), ours, &mut links);
        let mut walk = Walk { ours, links, moved: false, shared: Shared::default() };
        walk.shared = Shared { root: root.to_owned(), gid, changed, ..Shared::default() };
        if let Err(e) = walk.descend(&folder, Path::new("")) {
            walk.shared.refused.push((root.to_owned(), e));
        }
        if !walk.moved || rounds == ROUNDS {
            return Ok(walk.shared);
        }
        changed = walk.shared.changed;
    }
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

/// How many names in the folder a file has, of those that have several anywhere. By its number: a drop folder is on one file system.
type Links = HashMap<u64, u64>;

fn count_links(folder: &File, below: &Path, ours: Ours, links: &mut Links) -> io::Result<()> {
    each(folder, below, &mut |name, below, is_dir| {
        if !ours(below, is_dir) {
            return;
        }
        if is_dir {
            // As above.
            let _ = open(folder, name).and_then(|folder| count_links(&folder, below, ours, links));
        } else if let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            && stat.st_nlink > 1
        {
            *links.entry(stat.st_ino).or_default() += 1;
        }
    })
}

struct Walk {
    ours: Ours,
    links: Links,
    /// Something is linked with what was not counted, where only consumers make links.
    moved: bool,
    shared: Shared,
}

impl Walk {
    fn descend(&mut self, folder: &File, below: &Path) -> io::Result<()> {
        each(folder, below, &mut |name, below, is_dir| {
            if !(self.ours)(below, is_dir) {
                self.shared.strange.push(below);
                return;
            }
            match self.give_entry(folder, name, below, is_dir) {
                // Consumers go on meanwhile.
                Err(e) if e.kind() == Io::NotFound => {}
                Err(e) => self.shared.refused.push((self.shared.root.join(below), e)),
                Ok(()) => {}
            }
        })
    }

    fn give_entry(&mut self, folder: &File, name: &CStr, below: &Path, is_dir: bool) -> io::Result<()> {
        let entry = open(folder, name)?;
        // Of what is open: the name may be another file's by now.
        let meta = entry.metadata()?;
        let counted = self.links.get(&meta.ino()).copied().unwrap_or(1);
        if meta.is_file() && meta.nlink() > counted {
            self.moved |= !below.starts_with("payload");
            self.shared.linked.push(below);
            return Ok(());
        }
        let given =
            give(&entry, self.shared.gid, MODE).map(|changed| self.shared.changed += usize::from(changed));
        // What is ours may lie in what is another's.
        let below = if is_dir { self.descend(&entry, below) } else { Ok(()) };
        given.and(below)
    }
}

/// Calls `visit` for each file and folder in a folder, with its path below the drop folder and whether it is a folder. What is
/// neither has no modes that matter, and to open a device could do something.
fn each(folder: &File, below: &Path, visit: &mut dyn FnMut(&CStr, &Path, bool)) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if matches!(kind, FileType::RegularFile | FileType::Directory) {
            let below = below.join(OsStr::from_bytes(name.to_bytes()));
            visit(name, &below, kind == FileType::Directory);
        }
    }
    Ok(())
}

fn open(folder: &File, name: &CStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(openat(folder, name, flags, Mode::empty())?))
}
