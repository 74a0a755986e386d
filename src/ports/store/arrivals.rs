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
    /// How many files are watched at a time. Of more, those that wait for something else than to be left alone make room.
    pub most_watched: usize,
    pub(crate) seen: HashMap<OsString, Sighting>,
    /// Names that were seen to be renamed into the folder since the last look, and the files that they stood for then.
    pub(crate) moved: HashMap<OsString, Version>,
    /// Checksums that were computed: of which state of the file and of its marker, and whether they agreed.
    pub(crate) checked: HashMap<OsString, (Version, Version, bool)>,
    /// Those that do not agree, and were given out as damaged.
    pub(crate) damaged: HashMap<OsString, (Version, Version)>,
    /// There are more than can be watched: the name whose turn came last. It goes by the order of the names, and round.
    pub(crate) last: Option<OsString>,
    /// The same: when each had had its turn. From then on all have been waiting for longer than a quiet period.
    pub(crate) all_seen: Option<Duration>,
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
            damaged: HashMap::new(),
            last: None,
            all_seen: None,
        }
    }

    /// Somebody saw a file come to the folder under this name, by a rename, and looked at it then. The next look asks for it; later it
    /// means nothing, since the name may be another file's.
    pub fn renamed(&mut self, name: OsString, was: Version) {
        self.moved.insert(name, was);
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
    /// The markers that say so.
    pub markers: Vec<Marker>,
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
    /// How many more were not looked at: those beyond what one look gives out, and those that never had their turn since there were
    /// too many to watch.
    pub beyond: usize,
    /// How many are within the quiet period after they were first seen.
    pub fresh: usize,
    /// How many others are not complete yet, of those that were looked at.
    pub pending: usize,
    /// Files that have not had the checksum beside them for a quiet period: each once, while neither of the two changes.
    pub damaged: Vec<(OsString, Pending)>,
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
