//! The operating system's file system.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::ops::ControlFlow;
use std::os::unix::fs::{
    FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, FlockOperation, OFlags};

use super::flush::{flush_files, flush_folder};
use super::group::{self, Group};
use super::kind::kind;
use super::{copy, lease, locks};
use sha2::{Digest as _, Sha256};

use crate::ports::{Durability, FileId, FileKind, Fs, Listed, Meta};
use crate::words::Writer;

/// So many bytes are read before a file is asked how long it is: most envelopes have fewer.
const SHORT: usize = 4 << 10;

/// System calls, one each; in a folder that a group shares, with those that give what is made there the folder's modes.
#[derive(Debug, Clone)]
pub struct OsFs {
    local: bool,
    unnamed: bool,
    group: Option<Group>,
    durability: Durability,
}

impl OsFs {
    /// Calls for a drop folder. If it is set-group-id and writable for its group, what is made below it gets its modes,
    /// whatever the umask: folders all of them, files those for reading and writing.
    ///
    /// # Errors
    /// If there is nothing, or the kernel cannot tell which file system it is.
    pub fn at(root: &Path) -> io::Result<Self> {
        Ok(Self { group: Group::of(root)?, ..Self::beside(root)? })
    }

    /// Calls for the file system that `path` lies on, for folders that are no part of a drop folder: the umask says which
    /// modes they have.
    ///
    /// # Errors
    /// If there is nothing, or the kernel cannot tell which file system it is.
    pub fn beside(path: &Path) -> io::Result<Self> {
        // A file without a name gets its first one through /proc, which a small sandbox may not have.
        let unnamed = kind(path)?.keeps_unnamed() && Path::new("/proc/self/fd").exists();
        Ok(Self { local: locks::count_at(path)?, unnamed, group: None, durability: Durability::Flush })
    }

    /// The same calls, as on a file system that is shared by machines: locks mean nothing, no file is without a name.
    pub fn shared() -> Self {
        Self { local: false, unnamed: false, group: None, durability: Durability::Flush }
    }

    /// The same calls, of which those that flush do so, or leave it to the operating system.
    pub fn with_durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Whether those calls that flush do so.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    fn made(&self, file: File) -> io::Result<File> {
        if let Some(group) = &self.group {
            group.own(&file)?;
        }
        Ok(file)
    }
}

impl Fs for OsFs {
    type File = File;

    fn is_local(&self) -> bool {
        self.local
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.made(OpenOptions::new().read(true).write(true).create_new(true).open(path)?)
    }

    #[cfg(target_os = "linux")]
    fn create_unnamed(&self, dir: &Path) -> io::Result<File> {
        if !self.unnamed {
            return Err(ErrorKind::Unsupported.into());
        }
        let flags = OFlags::TMPFILE.bits() as i32;
        match OpenOptions::new().read(true).write(true).custom_flags(flags).open(dir) {
            // A file system without it says EOPNOTSUPP; a kernel or a layer that never heard of it, EISDIR or EINVAL.
            Err(e) if matches!(e.kind(), ErrorKind::IsADirectory | ErrorKind::InvalidInput) => {
                Err(ErrorKind::Unsupported.into())
            }
            answer => self.made(answer?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn create_unnamed(&self, _: &Path) -> io::Result<File> {
        Err(ErrorKind::Unsupported.into())
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        // NONBLOCK: to open a pipe that somebody put there must not wait for its other end.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = opened.map_err(|e| match e.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            // A symbolic link, or a socket.
            Some(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => ErrorKind::InvalidInput.into(),
            _ => e,
        })?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::InvalidInput.into()) }
    }

    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, 0)
    }

    fn copy(&self, from: &Path, to: &File, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
        let from = OpenOptions::new().read(true).custom_flags(flags).open(from)?;
        if !from.metadata()?.is_file() {
            return Err(ErrorKind::InvalidInput.into());
        }
        copy::content(&from, to, progress)
    }

    fn read(&self, file: &File, limit: usize) -> io::Result<Vec<u8>> {
        // To its end: an error in the midst of a file gives what was before it first, as its end does.
        let mut bytes = Vec::with_capacity(SHORT);
        file.take(SHORT as u64).read_to_end(&mut bytes)?;
        if bytes.len() == SHORT {
            let size = file.metadata()?.len();
            if size > limit as u64 {
                return Err(ErrorKind::FileTooLarge.into());
            }
            bytes.reserve((size as usize).saturating_sub(SHORT) + 1);
            file.take((limit + 1).saturating_sub(SHORT) as u64).read_to_end(&mut bytes)?;
        }
        if bytes.len() > limit { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    fn flush(&self, file: &File) -> io::Result<()> {
        match self.durability {
            Durability::Flush => file.sync_all(),
            Durability::Os => Ok(()),
        }
    }

    fn flush_all(&self, files: &[&File]) -> Vec<io::Result<()>> {
        match self.durability {
            Durability::Flush => flush_files(files),
            Durability::Os => files.iter().map(|_| Ok(())).collect(),
        }
    }

    fn flushes(&self) -> bool {
        self.durability == Durability::Flush
    }

    fn flush_dir(&self, dir: &Path) -> io::Result<()> {
        match self.durability {
            Durability::Flush => flush_folder(dir),
            Durability::Os => Ok(()),
        }
    }

    fn writer(&self, path: &Path) -> io::Result<Writer> {
        let file = self.open(path)?;
        Ok(if self.local { lease::writer(&file) } else { Writer::Unknown })
    }

    fn sha256(&self, mut file: &File) -> io::Result<[u8; 32]> {
        let mut hash = Sha256::new();
        file.rewind()?;
        io::copy(&mut file, &mut hash)?;
        Ok(hash.finalize().into())
    }

    fn stat_open(&self, file: &File) -> io::Result<Meta> {
        file.metadata().map(|meta| describe(&meta))
    }

    fn stat(&self, path: &Path) -> io::Result<Meta> {
        fs::symlink_metadata(path).map(|meta| describe(&meta))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn link_unnamed(&self, file: &File, to: &Path) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        let from = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(rustix::fs::linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        match group::rename_no_replace(from, to) {
            Err(e) if e.kind() == ErrorKind::Unsupported => move_by_link(from, to),
            answer => answer,
        }
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        match &self.group {
            None => fs::create_dir(path),
            Some(group) => group.make_dir(path),
        }
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            // A handler may leave folders that it has closed to itself.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                open_up(path)?;
                fs::remove_dir_all(path)
            }
            answer => answer,
        }
    }

    fn list_until(
        &self,
        dir: &Path,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            match entry.file_type() {
                Ok(kind) if each(Listed { name: entry.file_name(), kind: kind_of(kind) }).is_break() => {
                    return Ok(ControlFlow::Break(()));
                }
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn try_lock(&self, file: &File) -> io::Result<bool> {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn hold(&self, root: &crate::ports::Held, below: &Path) -> io::Result<crate::ports::Held> {
        match root.descriptor() {
            Some(fd) => super::held::hold_below(fd, below),
            None => crate::ports::hold_by_name(self, root, below),
        }
    }

    fn admit(&self, path: &Path) -> io::Result<()> {
        self.group.as_ref().map_or(Ok(()), |group| group.admit(path))
    }
}

/// What a rename that replaces nothing does to a file, in steps, where the system has none (NFS). May be done again.
fn move_by_link(from: &Path, to: &Path) -> io::Result<()> {
    let file = |path: &Path| fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()));
    if let Err(e) = fs::hard_link(from, to)
        // An earlier call came as far as this, or the answer is wrong.
        && file(from).ok() != file(to).ok()
    {
        return Err(e);
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    flush_folder(folder)?;
    fs::remove_file(from)
}

/// Lets their owner into a folder and those below it.
fn open_up(dir: &Path) -> io::Result<()> {
    let mode = fs::symlink_metadata(dir)?.permissions().mode();
    fs::set_permissions(dir, Permissions::from_mode(mode | 0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// What the system tells of a file.
pub(crate) fn describe(meta: &fs::Metadata) -> Meta {
    let nanos = |seconds: i64, nanos: i64| {
        u64::try_from(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)).unwrap_or(0)
    };
    let modified_ns = nanos(meta.mtime(), meta.mtime_nsec());
    let born = meta.created().ok().and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
    Meta {
        id: FileId { dev: meta.dev(), ino: meta.ino() },
        kind: kind_of(meta.file_type()),
        links: meta.nlink(),
        size: meta.len(),
        modified_ms: modified_ns / 1_000_000,
        modified_ns,
        changed_ns: nanos(meta.ctime(), meta.ctime_nsec()),
        born_ns: born.and_then(|born| born.as_nanos().try_into().ok()),
    }
}

fn kind_of(kind: fs::FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Dir
    } else {
        debug_assert!(
            kind.is_symlink()
                || kind.is_fifo()
                || kind.is_socket()
                || kind.is_block_device()
                || kind.is_char_device()
        );
        FileKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_called_too_large() {
        let place = tempfile::tempdir().unwrap();
        let (fs, path) = (OsFs::beside(place.path()).unwrap(), place.path().join("file"));
        for size in [0, 1, SHORT - 1, SHORT, SHORT + 1, 5 * SHORT] {
            let content: Vec<u8> = (0..size).map(|nth| nth as u8).collect();
            fs::write(&path, &content).unwrap();
            let read = |limit| fs.read(&fs.open(&path).unwrap(), limit);
            for limit in [size, size + 1, 20 * SHORT] {
                assert_eq!(read(limit).unwrap(), content, "{size} bytes, of {limit}");
            }
            for limit in [0, 1, SHORT - 1, SHORT, 4 * SHORT].into_iter().filter(|limit| *limit < size) {
                assert_eq!(read(limit).unwrap_err().kind(), ErrorKind::FileTooLarge, "{size} of {limit}");
            }
        }
    }

    #[test]
    fn a_move_by_link_can_be_done_again_and_replaces_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::write(&from, "x").unwrap();
        // An earlier one was interrupted.
        fs::hard_link(&from, &to).unwrap();
        move_by_link(&from, &to).unwrap();
        assert_eq!((from.exists(), fs::read_to_string(&to).unwrap().as_str()), (false, "x"));
        fs::write(&from, "y").unwrap();
        assert_eq!(move_by_link(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&from).unwrap() + &fs::read_to_string(&to).unwrap(), "yx");
        fs::remove_file(&to).unwrap();
        move_by_link(&from, &to).unwrap();
        assert_eq!((from.exists(), fs::read_to_string(&to).unwrap().as_str()), (false, "y"));
        assert_eq!(move_by_link(&from, &to).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
