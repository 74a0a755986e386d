//! One error type, whose kind says what the caller can do next.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use super::Id;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong; correct it. Repeating does not help.
    Invalid,
    /// The job, with all that is to be in its envelope, is larger than [`MAX_FILE_BYTES`](crate::MAX_FILE_BYTES). Let its data
    /// travel beside it, as a [file](crate::Submission::attach).
    TooLarge,
    /// The folder is not a drop folder, or one of a version that this program does not speak.
    NotADropFolder,
    /// This file system cannot carry a drop folder, or not in the way asked for.
    Unsupported,
    /// What was asked for does not exist.
    NotFound,
    /// It may have happened. Repeating it *with the same id* is safe.
    Uncertain,
    /// The operating system refused (full disk, no permission, I/O error). Nothing was lost;
    /// repeat when the cause is mended.
    Io,
    /// The handler cannot be run. No job was harmed; go on when it is mended.
    NoHandler,
    /// Another drop folder lies where that of the job was. Nothing was done: the job is to be found in its own.
    Elsewhere,
    /// Somebody else is at it. Nothing was done; it is theirs to do, or try again later.
    Busy,
    /// Whoever an outcome was handed to did not take it. It was not settled, and comes again.
    Refused,
    /// The time given ran out. Nothing was lost; ask again later.
    TimedOut,
}

/// What went wrong, where, and why.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    source: Option<io::Error>,
    ids: Vec<Id>,
}

impl Error {
    /// An error of this kind; `message` says what was wrong and what to do about it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, source: None, ids: Vec::new() }
    }

    /// The operating system refused `doing` at `path`.
    pub fn io(doing: &str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("cannot {doing}")).at(path).because(source)
    }

    /// The same error, naming the path that it is about.
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same error; if it is about something below `from`, people know that below `to`.
    pub(crate) fn moved(mut self, from: &Path, to: &Path) -> Self {
        if let Some(below) = self.path.as_deref().and_then(|path| path.strip_prefix(from).ok()) {
            self.path = Some(if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) });
        }
        self
    }

    /// The same error, with the operating system's own.
    pub fn because(mut self, source: io::Error) -> Self {
        self.source = Some(source);
        self
    }

    /// The same error, naming the jobs that it is about.
    pub fn about(mut self, ids: Vec<Id>) -> Self {
        self.ids = ids;
        self
    }

    /// The same error, for one more who has to hear of it.
    pub(crate) fn again(&self) -> Self {
        let source = self.source.as_ref().map(|e| match e.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(e.kind(), e.to_string()),
        });
        let Self { kind, message, path, ids, .. } = self;
        Self { kind: *kind, message: message.clone(), path: path.clone(), source, ids: ids.clone() }
    }

    /// The jobs that it is about, as far as that is known. Those of an [`Uncertain`](ErrorKind::Uncertain) submission may be
    /// [given again](crate::Submission::id).
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// What to do next.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operating system's own error, if there is one.
    pub(crate) fn system(&self) -> Option<&io::Error> {
        self.source.as_ref()
    }

    /// Whether the operating system said that it is not permitted to look there, or to change that.
    pub(crate) fn is_denied(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether it is that the disk is full, or may only be read: what somebody may mend without a change to the program or its folder.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let kind = self.source.as_ref().map(io::Error::kind);
        matches!(kind, Some(StorageFull | QuotaExceeded | ReadOnlyFilesystem))
    }

    /// The path that it is about, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(path) = &self.path {
            write!(f, ": {}", path.display())?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        match &self.ids[..] {
            [] => Ok(()),
            [id] => write!(f, "; its id: {id}"),
            [first, .., last] => write!(f, "; the ids: {first} … {last} ({})", self.ids.len()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
