//! A folder that is no drop folder, and somebody else's: what they put there is to become jobs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Arrivals, Arrived, Finding, Looked};
use crate::words::{Consignment, Error, Outcome, Result, StampedId, TakenFile};

/// Complete files that are to be one job's.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Their folder, below the foreign one; empty for itself.
    pub folder: &'a Path,
    /// The first one gives the job its id.
    pub files: Vec<(&'a Arrived, Option<String>)>,
}

/// Folders, by their paths below the foreign one.
#[derive(Debug, Default)]
pub struct Folders {
    /// Those in which files are looked for; the first one is empty, and stands for the foreign one itself.
    pub open: Vec<PathBuf>,
    /// Drop folders: nothing in them is a stranger's file.
    pub drops: Vec<PathBuf>,
}

/// What became of files that were to be taken.
#[derive(Debug)]
pub enum Taking {
    /// They are taken.
    Taken(Box<Consignment>),
    /// One of them is gone, or is not what was judged any more. All others are back.
    Gone,
    /// The same; and some could not be put back yet, since other files have their names by now.
    Stuck,
}

/// A folder of somebody else's.
pub trait Foreign {
    /// The registration of who takes its files to a drop folder.
    type Room;

    /// Whether it is still what is at its path. Not if it was removed or renamed, or another was mounted there.
    fn is_there(&self) -> bool;

    /// The folders below it. `trouble` hears of those that cannot be looked into.
    fn folders(&self, trouble: &mut dyn FnMut(Error)) -> Result<Folders>;

    /// Looks into one of them. Nothing is found in one that is gone.
    fn look(
        &self,
        folder: &Path,
        arrivals: &mut Arrivals,
        tell: &mut dyn FnMut(&OsStr, Finding<'_>),
    ) -> Result<Looked>;

    /// The content of a small file. `None` if it is gone.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if it has more than so many bytes.
    fn content(&self, path: &Path, most: usize) -> Result<Option<Vec<u8>>>;

    /// A file's SHA-256, in lower-case hex. `None` if it is gone, or cannot be read.
    fn digest(&self, path: &Path) -> Result<Option<String>>;

    /// Takes files out of the folder (P30).
    ///
    /// # Errors
    /// Then some of them may have to be [put back](Self::put_back).
    fn take(
        &self,
        batch: &Batch<'_>,
        describe: &mut dyn FnMut(StampedId, Vec<TakenFile>) -> Consignment,
    ) -> Result<Taking>;

    /// Puts back what was not taken wholly, by an intake that was killed, or while other files had its names. How much could not
    /// be put back yet; `trouble` hears why, if it is not for its name.
    fn put_back(&self, trouble: &mut dyn FnMut(Error)) -> Result<usize>;

    /// What was taken before and is not a job yet, or may not be told yet.
    fn left(&self) -> Result<Vec<Consignment>>;

    /// Brings it to a room of the drop folder (P31), under a name that is new each time. `None`: it was brought away before.
    fn carry(&self, room: &Self::Room, consignment: &Consignment) -> Result<Option<StampedId>>;

    /// Forgets what is a job, and has been told (P32).
    fn forget(&self, consignment: &Consignment) -> Result<()>;

    /// Moves a manifest away that is not to be looked at again.
    fn set_aside(&self, folder: &Path, manifest: &Arrived) -> Result<()>;
}

/// Keeps the books of an intake: for the operator, and for a partner who sees nothing but receipts.
pub trait Clerk {
    /// These are durable jobs: writes that down, durably.
    fn record(&mut self, consignments: &[&Consignment]) -> Result<()>;

    /// Tells whoever sent them; each has an answer of its own.
    fn accepted(&mut self, consignments: &[&Consignment]) -> Vec<Result<()>>;

    /// A manifest, by its path, is not to become a job: writes that down, durably.
    fn record_rejected(&mut self, path: &Path, why: &str) -> Result<()>;

    /// Tells whoever sent it.
    fn rejected(&mut self, path: &Path, why: &str) -> Result<()>;

    /// The jobs of which an outcome is still to be told.
    fn open(&self) -> Result<Vec<crate::words::Id>>;

    /// One has it.
    fn decided(&mut self, outcome: &Outcome) -> Result<()>;
}
