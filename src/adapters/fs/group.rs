//! A drop folder that a group shares: set-group-id and group-writable. Whatever the umask, what is made in it gets its modes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Set-group-id, and writable for the group: who made a folder so, shares it.
const SHARED: u32 = 0o2020;

/// Whether a folder with this mode is shared by its group.
pub(crate) fn is_shared(mode: u32) -> bool {
    mode & SHARED == SHARED
}

/// The bits of a folder's mode that its files have too.
const OF_FILES: u32 = 0o666;
const ALL: u32 = 0o7777;

/// What files and folders in a shared folder have in common.
#[derive(Debug, Clone)]
pub(super) struct Group {
    gid: u32,
    mode: u32,
    tmp: PathBuf,
}

impl Group {
    /// As the drop folder itself shows it; `None` if it is not shared.
    pub(super) fn of(root: &Path) -> io::Result<Option<Self>> {
        let meta = fs::metadata(root)?;
        let shared = meta.is_dir() && is_shared(meta.mode());
        let group = Self { gid: meta.gid(), mode: meta.mode() & ALL, tmp: root.join("tmp") };
        Ok(shared.then_some(group))
    }

    /// For a file that was made just now. Its group it has from the folder that it lies in.
    pub(super) fn own(&self, file: &File) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(self.mode & OF_FILES))
    }

    /// Others must never see a folder that they cannot enter yet: if its maker died then, they could not even clear it. So it
    /// is made in `tmp/` and moved when it is ready; only `tmp/` itself, and what is there before it, is made in its place.
    pub(super) fn make_dir(&self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if !self.tmp.exists() {
            fs::create_dir(path)?;
            return self.admit(path);
        }
        let draft = self.tmp.join(format!("{:032x}", fresh()?));
        fs::create_dir(&draft)?;
        let moved = self.admit(&draft).and_then(|()| rename_new(&draft, path));
        if moved.is_err() {
            // Litter in tmp/ is harmless; why the folder was not made is what counts.
            let _ = fs::remove_dir(&draft);
        }
        moved
    }

    /// For what somebody else made: group and mode.
    pub(super) fn admit(&self, path: &Path) -> io::Result<()> {
        let kind = fs::symlink_metadata(path)?.file_type();
        if !(kind.is_file() || kind.is_dir()) {
            return Ok(());
        }
        // By a descriptor, and through no link: who shares the folder could put a link to another file of ours here meanwhile.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        give(&file, self.gid, self.mode).map(drop)
    }
}

/// Gives what is open this group, and this mode if it is a folder; if it is a file, what of it fits a file. Changes nothing
/// that is right already, so that it may be another's. Whether it changed anything.
pub(super) fn give(file: &File, gid: u32, mode: u32) -> io::Result<bool> {
    let meta = file.metadata()?;
    let mode = match meta.file_type() {
        kind if kind.is_dir() => mode,
        kind if kind.is_file() => mode & OF_FILES,
        _ => return Ok(false),
    };
    let has = |meta: &fs::Metadata| (meta.gid(), meta.mode() & ALL) == (gid, mode);
    if has(&meta) {
        return Ok(false);
    }
    if meta.gid() != gid {
        fchown(file, None, Some(gid))?;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    // Who is not in the group is told of no error, and gets the mode without the bit.
    if has(&file.metadata()?) { Ok(true) } else { Err(io::Error::other(LOST)) }
}

const LOST: &str = "the system did not keep the mode with its set-group-id bit";

fn fresh() -> io::Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u128::from_ne_bytes(bytes))
}

/// Renames a folder to a name that is free.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_no_replace(from, to) {
        // It replaces at most an empty folder, that another made meanwhile and that has the same modes.
        Err(e) if e.kind() == ErrorKind::Unsupported => fs::rename(from, to),
        answer => answer,
    }
}

/// [`ErrorKind::Unsupported`] where the system cannot be asked for that: on NFS, and some others.
pub(crate) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(ErrorKind::Unsupported.into()),
            answer => Ok(answer?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (from, to);
        Err(ErrorKind::Unsupported.into())
    }
}
