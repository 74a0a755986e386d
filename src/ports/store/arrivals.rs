//! Files that strangers drop: how long they are watched, and what becomes of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::words::{Customs, Evidence, Id, Patience, Pending, Sighting, Version};

/// So many files are given out by one look.
const AT_ONCE: usize = 256;

/// So many files are watched at a time.
const MOST_WATCHED: usize = 64 << 10;

/// What is remembered of the files in one folder, from look to look.
#[derive(Debug)]
pub struct Arrivals {
    /// Which names are taken.
    pub customs: Customs,
    /// When they are.
    pub patience: Patience,
    /// If there is one, all others are passed over.
    pub(crate) only: Option<OsString>,
    /// How many files one look gives out at most.
    pub at_once: usize,
    /// How many files are watched at a time; with more, some are looked at later.
    pub most_watched: usize,
    pub(crate) seen: HashMap<OsString, Sighting>,
    /// Names that were seen to be renamed into the folder, and the inodes that they stood for.
    pub(crate) moved: HashMap<OsString, u64>,
    /// Checksums that were computed: of which state of the file and of its marker, and whether they agreed.
    pub(crate) checked: HashMap<OsString, (Version, Version, bool)>,
}

impl Arrivals {
    /// Nothing was seen yet.
    pub fn new(customs: Customs, quiet: Duration) -> Self {
        let patience = Patience { quiet, marker_required: customs.marker_required() };
        Self {
            customs,
            patience,
            only: None,
            at_once: AT_ONCE,
            most_watched: MOST_WATCHED,
            seen: HashMap::new(),
            moved: HashMap::new(),
            checked: HashMap::new(),
        }
    }

    /// Somebody saw this inode come to the folder under this name, by a rename.
    pub fn renamed(&mut self, name: OsString, ino: u64) {
        self.moved.insert(name, ino);
    }
}

/// A file that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its name.
    pub name: OsString,
    /// As it was when it was judged.
    pub version: Version,
    /// Why it is taken to be complete.
    pub evidence: Evidence,
    /// The marker that says so.
    pub marker: Option<Marker>,
}

/// A file that says of another that it is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Its name.
    pub name: OsString,
    /// When it was last changed.
    pub changed_ns: u64,
}

/// What a look at a folder found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Complete files, those that were seen first before the others. Not all, if there are very many.
    pub ready: Vec<Arrived>,
    /// How many more are complete, or were not looked at.
    pub beyond: usize,
    /// How many are within the quiet period after they were first seen.
    pub fresh: usize,
    /// How many others are not complete yet.
    pub pending: usize,
    /// When to look again at the latest, if nothing rings before.
    pub again: Option<Duration>,
}

/// What was found of one file.
pub type Finding<'a> = Result<&'a Evidence, &'a Pending>;

/// What became of a file that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// It is a new job.
    New(Id),
    /// It is a job already: another name of the file was taken before.
    Before(Id),
    /// There was nothing.
    Nothing,
}
