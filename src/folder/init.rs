//! Making and opening drop folders.

use std::path::Path;
use std::time::Duration;

use super::nested::{Home, home_of, how_to_make, refuse_in_rooms};
use super::permission::explain;
use super::{DropFolder, absolute};
use crate::adapters::fs::{OsFs, Shared, share};
use crate::adapters::host::OsHost;
use crate::adapters::store::local::{LocalStore, is_ours};
use crate::ports::Durability;
use crate::words::{Error, ErrorKind, Result};

/// How a drop folder is to be made.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    group: Option<u32>,
    keep: Option<Duration>,
}

impl InitOptions {
    /// For the user who makes it (or for whom the umask says), and to be kept as `filedrop.json` says if it is there.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shared by the users of this group, by its number: they can all produce and consume, whatever their umask, and
    /// nobody else can. A folder that is there already is changed, with all in it that has a name of a drop folder's own; but not
    /// files that are hard links to others elsewhere ([`Submission::link`](crate::Submission::link)).
    pub fn shared(mut self, gid: u32) -> Self {
        self.group = Some(gid);
        self
    }

    /// How long settled jobs and their outcomes are kept at least: whole seconds, one or more. By default 7 days
    /// ([`DEFAULT_KEEP`](crate::words::DEFAULT_KEEP)). It cannot be changed so in a folder that is there already.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = Some(keep);
        self
    }
}

impl DropFolder {
    /// Makes a drop folder, or completes or opens one that is there.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the file system cannot carry one, [`ErrorKind::NotADropFolder`] if there is one of
    /// another protocol version, [`ErrorKind::Io`] if the system refuses.
    pub fn init(path: impl AsRef<Path>) -> Result<Self> {
        Self::init_with(path, &InitOptions::new())
    }

    /// The same, for a group, or to be kept longer or shorter.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let path = place.path().join("drop");
    /// # let ours = std::os::unix::fs::MetadataExt::gid(&place.path().metadata().unwrap());
    /// use filedrop::{DropFolder, InitOptions};
    ///
    /// let options = InitOptions::new().shared(ours).keep(Duration::from_secs(3600));
    /// DropFolder::init_with(&path, &options)?;
    /// # let mode = std::os::unix::fs::MetadataExt::mode(&path.join("inbox").metadata().unwrap());
    /// # assert_eq!(mode & 0o7777, 0o2770);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`init`](Self::init); [`ErrorKind::Io`] also if the folder, or something that was in it, cannot be given to the
    /// group: then the text says who can; [`ErrorKind::Invalid`] if it is to be kept for another time than it is.
    pub fn init_with(path: impl AsRef<Path>, options: &InitOptions) -> Result<Self> {
        Ok(Self::init_and_tell(path.as_ref(), options)?.0)
    }

    /// The same, and what became of what was there, if it was given to a group.
    pub(crate) fn init_and_tell(path: &Path, options: &InitOptions) -> Result<(Self, Option<Shared>)> {
        let path = absolute(path)?;
        refuse_in_rooms(&path)?;
        // The folder may not be there yet: the first of its parents that is, is on the same file system.
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(&path);
        let seen = |e| Error::io("look at the file system", there, e);
        LocalStore::make_root(OsFs::beside(there).map_err(seen)?, OsHost, &path, options.keep)?;
        let shared = options.group.map(|gid| share(&path, gid, is_ours)).transpose()?;
        // Only now its own mode is what its rooms are to have.
        let fs = OsFs::at(&path).map_err(seen)?;
        let store = LocalStore::init_to_keep(fs, OsHost, &path, options.keep)?;
        // Not before all that could be done is.
        shared.as_ref().map_or(Ok(()), Shared::check)?;
        Ok((Self::of(store), shared))
    }

    /// Opens a drop folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotADropFolder`] if it is none, or one of another version; [`ErrorKind::Io`] if the system
    /// refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_to(path.as_ref(), Durability::Flush)
    }

    /// The same folder, opened anew for a program whose acknowledgements mean that. By default [`Durability::Flush`]. It is for what
    /// this program does: an outcome is as durable as the consumer has made it that decided it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_durability(self, durability: Durability) -> Result<Self> {
        Ok(Self::open_to(self.path(), durability)?.with_watch(self.mode, self.poll_interval))
    }

    fn open_to(path: &Path, durability: Durability) -> Result<Self> {
        let path = absolute(path)?;
        let fs = OsFs::at(&path).map(|fs| fs.with_durability(durability)).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                let hint = match home_of(&path) {
                    Some(home) => how_to_make(&home, &path),
                    None => "make one with `filedrop init`".to_owned(),
                };
                Error::new(ErrorKind::NotADropFolder, format!("there is no folder ({hint})")).at(&path)
            }
            _ => explain(Error::io("look at the file system", &path, e), &path),
        })?;
        let store = LocalStore::open(fs, OsHost, &path).map_err(|e| explain(e, &path))?;
        Ok(match home_of(&path) {
            Some(Home::OfGroup(home)) => Self::of(store.of_group_in(Self::open_to(&home, durability)?.store)),
            Some(Home::OfAddress(home)) => Self { home_of_address: Some(home), ..Self::of(store) },
            None => Self::of(store),
        })
    }
}
