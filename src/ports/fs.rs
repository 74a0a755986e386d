//! The file system, as the few calls that the protocol is made of. Each is one step that can be the last.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use crate::words::{Version, Writer};

/// What acknowledged means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// It survives that the machine loses power: the disk has it.
    #[default]
    Flush,
    /// It survives that the programs die, however they do: the operating system has it, and writes it to the disk when it sees fit. A
    /// machine that loses power may lose what was acknowledged in the last seconds (Linux: 30 s or so), and may have outcomes come
    /// back as jobs that are handled again. Right for what can be done again, and for folders in memory.
    Os,
}

/// The system calls that the protocol is made of.
///
/// Implementations do what POSIX says and nothing more: no call flushes unless it is named so, and an error of
/// `link`, `rename`, `unlink`, `make_dir` or `remove_dir` does not mean that nothing happened (on NFS).
pub trait Fs {
    /// An open file. Dropping it closes it and lets go of its lock.
    type File;

    /// Whether a lock held by another process here can be seen, and ends with that process: no network in between.
    fn is_local(&self) -> bool;

    /// Makes a file that must not exist, to be written once. `O_CREAT | O_EXCL`.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Makes a file without a name on the file system of `dir`. `O_TMPFILE`; [`io::ErrorKind::Unsupported`] where
    /// there is none.
    fn create_unnamed(&self, dir: &Path) -> io::Result<Self::File>;

    /// Opens a regular file for reading, following no link.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Writes from the start of the file, in one call if the system lets it; the end of what was longer stays.
    fn write(&self, file: &Self::File, bytes: &[u8]) -> io::Result<()>;

    /// Writes what a file has into one that was just made, sharing blocks where the file system can, else in constant memory,
    /// and gives it the same time of modification. A symbolic link at `from` is followed; what is no regular file is
    /// [`io::ErrorKind::InvalidInput`]. Returns how many bytes it was; `progress` is told of each part.
    fn copy(&self, from: &Path, to: &Self::File, progress: &mut dyn FnMut(u64)) -> io::Result<u64>;

    /// Reads the whole file. [`io::ErrorKind::FileTooLarge`] if it has more than `limit` bytes.
    fn read(&self, file: &Self::File, limit: usize) -> io::Result<Vec<u8>>;

    /// Makes the file's content durable.
    fn flush(&self, file: &Self::File) -> io::Result<()>;

    /// Makes the content of each of these files durable, all at the same time if that is quicker. An answer for each.
    fn flush_all(&self, files: &[&Self::File]) -> Vec<io::Result<()>> {
        files.iter().map(|file| self.flush(file)).collect()
    }

    /// Whether the calls that flush do so, or leave it to the operating system.
    fn flushes(&self) -> bool {
        true
    }

    /// Makes the names in a folder durable.
    fn flush_dir(&self, dir: &Path) -> io::Result<()>;

    /// What an open file is, also after its names are gone.
    fn stat_open(&self, file: &Self::File) -> io::Result<Meta>;

    /// Whether anybody has a regular file open for writing, following no link.
    fn writer(&self, path: &Path) -> io::Result<Writer>;

    /// The SHA-256 of a file's content, in constant memory.
    fn sha256(&self, file: &Self::File) -> io::Result<[u8; 32]>;

    /// What lies at a path, following no link.
    fn stat(&self, path: &Path) -> io::Result<Meta>;

    /// Gives a file a further name. Fails with [`io::ErrorKind::AlreadyExists`] if there is anything at `to`.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives an unnamed file its first name, likewise.
    fn link_unnamed(&self, file: &Self::File, to: &Path) -> io::Result<()>;

    /// Moves a name, replacing what is at `to`; does nothing if both are names of one file.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Moves a file's name, failing with [`io::ErrorKind::AlreadyExists`] if there is anything else at `to`. Where the system has no
    /// such call (NFS) these are three: a link, a flush of its folder, and the removal of the old name. Then both may be left.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all that is in it, also if some of it goes meanwhile, and following no link. An error, or a crash,
    /// may leave a part of it.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;

    /// Calls `each` for every name in a folder, in no order, until it breaks: the rest is not asked for.
    fn list_until(
        &self,
        dir: &Path,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>>;

    /// Calls `each` for every name in a folder, in no order.
    fn list(&self, dir: &Path, each: &mut dyn FnMut(Listed)) -> io::Result<()> {
        let mut go_on = |entry| {
            each(entry);
            ControlFlow::Continue(())
        };
        self.list_until(dir, &mut go_on).map(|_| ())
    }

    /// Takes the exclusive lock of an open file, without waiting; `false` if another has it. It is let go when the
    /// file is dropped or its process ends.
    fn try_lock(&self, file: &Self::File) -> io::Result<bool>;

    /// Holds a folder below one that is held, itself if there is no part: no part of its path may be a link.
    /// [`io::ErrorKind::NotADirectory`] if one is, or is a file.
    fn hold(&self, root: &Held, below: &Path) -> io::Result<Held> {
        hold_by_name(self, root, below)
    }

    /// Gives the file or the folder at a path, which somebody else made (a handler, or who moved it in), the group and the
    /// modes of a drop folder that a group shares: a file those for reading and writing, never one for executing. Not what
    /// lies in a folder. Follows no link. Does nothing if the drop folder is not shared, or if all is right already.
    ///
    /// # Errors
    /// If it has to be changed, and is another user's or may not be read; and if nothing is there.
    fn admit(&self, path: &Path) -> io::Result<()>;
}

/// Where nobody else moves folders, or nothing better is to be had: what is looked at may be another a moment later.
pub(crate) fn hold_by_name<F: Fs + ?Sized>(fs: &F, root: &Held, below: &Path) -> io::Result<Held> {
    let mut path = root.path().to_owned();
    for part in below.components() {
        let Component::Normal(name) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
        path.push(name);
        if fs.stat(&path)?.kind != FileKind::Dir {
            return Err(io::ErrorKind::NotADirectory.into());
        }
    }
    Ok(Held::named(path))
}

/// A folder that is held: what is done below its path is done in it, whoever renames it meanwhile, or puts something else where
/// it was. Its path is for calls, not for people; and leads nowhere, or elsewhere, when this is dropped.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    descriptor: Option<OwnedFd>,
}

impl Held {
    /// Where a path is as good, since nobody moves folders; or where nothing better is to be had.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), descriptor: None }
    }

    /// `path` leads to what the descriptor stands for, as long as that is open.
    pub fn open(path: impl Into<PathBuf>, descriptor: OwnedFd) -> Self {
        Self { path: path.into(), descriptor: Some(descriptor) }
    }

    /// What leads to it. Nothing is known of the path itself: look at what is below.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open folder, if it is one.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.as_ref().map(AsFd::as_fd)
    }
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// The device.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link, a pipe, a socket, a device.
    Other,
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Which file.
    pub id: FileId,
    /// What it is.
    pub kind: FileKind,
    /// How many names it has.
    pub links: u64,
    /// How many bytes a file has.
    pub size: u64,
    /// When it was last written, in Unix milliseconds of the file system's clock.
    pub modified_ms: u64,
    /// When it was last written, in nanoseconds.
    pub modified_ns: u64,
    /// When anything of it was last changed, likewise.
    pub changed_ns: u64,
    /// When it was made, likewise, where the file system tells.
    pub born_ns: Option<u64>,
}

impl Meta {
    /// Its state.
    pub fn version(&self) -> Version {
        let Self { id, size, modified_ns, changed_ns, born_ns, .. } = *self;
        Version { ino: id.ino, size, modified_ns, changed_ns, born_ns }
    }
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: OsString,
    /// What it stands for, following no link.
    pub kind: FileKind,
}
