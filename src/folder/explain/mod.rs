//! Why what lies in the inbox is not taken yet.

mod arriving;
mod claim;
mod inbox;
mod takers;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::DropFolder;
use crate::adapters::fs::Holder;
use crate::ports::ConsumerCensus;
use crate::words::{Evidence, Habits, Result};

/// Says why what lies in the inbox is not taken yet. Made by [`DropFolder::explain`].
#[derive(Debug)]
pub struct Explainer {
    folder: DropFolder,
    takers: Vec<Taker>,
    others: Vec<ConsumerCensus>,
}

/// Consumers that are not known to be gone, and take the files of strangers in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taker {
    /// How.
    pub habits: Habits,
    /// Who. None, if nobody is there: then the habits are those of a consumer that is told nothing else.
    pub consumers: Vec<ConsumerCensus>,
    /// The numbers of the users that they run as.
    users: Vec<u32>,
}

/// Something in the inbox that nobody has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untaken {
    /// Its name.
    pub name: OsString,
    /// How many bytes it has, if it is a regular file.
    pub size: Option<u64>,
    /// Why, for each of the [takers](Explainer::takers), in their order.
    pub whys: Vec<Why>,
}

/// Why something in the inbox is not taken, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It is no regular file. Such are never opened, and never followed.
    Odd(Oddity),
    /// Its name matches this pattern of names that are not taken.
    Ignored(String),
    /// It says of another file that it is complete.
    Marker {
        /// That file.
        of: OsString,
        /// Whether it is there.
        there: bool,
    },
    /// It ends as our own names do, and is not the name of a job: what is wrong with it.
    Misnamed(String),
    /// It is an outcome, at a Return Address, and waits to be collected.
    Delivered {
        /// The drop folder that has this address.
        home: PathBuf,
        /// The address.
        address: String,
    },
    /// It is no job any more: it was archived, and somebody put it here. The next consumer moves it back.
    Archived,
    /// It is a job, and is taken in its turn.
    Ready,
    /// It changed while it was looked at.
    Changing {
        /// How many bytes it had.
        before: u64,
        /// How many bytes it has.
        now: u64,
        /// How long after.
        within: Duration,
        /// Who has it open for writing, as far as this process may know.
        by: Vec<Holder>,
    },
    /// Somebody has it open for writing.
    Open {
        /// Who, as far as this process may know.
        by: Vec<Holder>,
    },
    /// It was changed a moment ago.
    Recent {
        /// How long ago.
        ago: Duration,
        /// How much longer it has to be left alone.
        left: Duration,
    },
    /// Files are taken only with a file beside them that has one of these suffixes, and there is none.
    NoMarker(Vec<String>),
    /// The file beside it with this suffix is older than its last change.
    StaleMarker(String),
    /// It has not the checksum that stands beside it.
    WrongChecksum {
        /// The suffix of the file with the checksum.
        suffix: String,
        /// What stands there, in hex; `None` if that is no checksum.
        said: Option<String>,
        /// What it has, in hex, if it was computed.
        is: Option<String>,
    },
    /// It cannot be read.
    Unreadable {
        /// By whom: a consumer's name, or nobody's if it is this process.
        by: Option<String>,
        /// Why not.
        why: String,
        /// The number of the user that it belongs to.
        owner: u32,
        /// Its modes, the lowest 12 bits.
        mode: u32,
    },
    /// Nothing is missing: it is complete by this evidence, and is taken when a consumer next looks.
    Complete(Evidence),
}

/// What is no regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // what they are
pub enum Oddity {
    Folder,
    SymbolicLink,
    Pipe,
    Socket,
    Device,
}

impl DropFolder {
    /// What says why something in the inbox is not taken yet. It looks for consumers now, and for the rest when it is asked.
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::Why;
    ///
    /// std::fs::write(drop.path().join("inbox/orders.csv.part"), "1;2").unwrap();
    /// let explainer = drop.explain()?;
    /// assert!(explainer.takers()[0].consumers.is_empty(), "nobody is there");
    /// let untaken = explainer.file("orders.csv.part".as_ref())?.expect("it is there");
    /// assert_eq!(untaken.whys, [Why::Ignored("*.part".to_owned())]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn explain(&self) -> Result<Explainer> {
        let (takers, others) = takers::of(self)?;
        Ok(Explainer { folder: self.clone(), takers, others })
    }
}

impl Explainer {
    /// Those who may take files, grouped by how they do it. There is one at least: see [`Taker::consumers`].
    pub fn takers(&self) -> &[Taker] {
        &self.takers
    }

    /// Whether what lies here are outcomes, at a Return Address.
    pub fn is_at_address(&self) -> bool {
        self.folder.home_of_address.is_some()
    }

    /// Those who do not say how they take the files of strangers, or whether they do. They take jobs.
    pub fn others(&self) -> &[ConsumerCensus] {
        &self.others
    }
}
