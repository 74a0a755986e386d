//! Whether a file that a stranger drops is there in whole. It is told by evidence, never by guessing from its age.

use std::fmt;
use std::time::Duration;

/// A state of a file: whatever happens to it makes another. Times are those of the file system, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// The inode.
    pub ino: u64,
    /// How many bytes it has.
    pub size: u64,
    /// When it was last written, as whoever wrote it says: programs that copy files set it.
    pub modified_ns: u64,
    /// When anything of it was last changed. Nobody can set it.
    pub changed_ns: u64,
    /// When it was made, where the file system tells.
    pub born_ns: Option<u64>,
}

impl Version {
    /// Whether it is the same file with the same content. Its names and modes may be others.
    pub fn has_content_of(&self, other: &Version) -> bool {
        (self.ino, self.size, self.modified_ns) == (other.ino, other.size, other.modified_ns)
    }
}

/// What is known of a file that lies in an inbox, from looking at it again and again.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// How it was when it was last looked at.
    pub version: Version,
    /// Since when it has been so, by the looker's own clock.
    pub since: Duration,
    /// When it was first seen, likewise.
    pub first: Duration,
    /// It was seen to be renamed into place, and has not changed since.
    pub renamed: bool,
}

impl Sighting {
    /// A first look.
    pub fn new(version: Version, now: Duration, renamed: bool) -> Self {
        Self { version, since: now, first: now, renamed }
    }

    /// A further look. Any change begins the quiet period anew.
    pub fn look(&mut self, version: Version, now: Duration, renamed: bool) {
        if version != self.version {
            let first = if version.ino == self.version.ino { self.first } else { now };
            *self = Self { version, since: now, first, renamed };
        }
        self.renamed |= renamed;
    }
}

/// What the marker beside a file says: a file of the same name with a suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marked {
    /// There is none.
    No,
    /// It says that the file is complete; it is no older than the file's last change. Or its checksum is the file's.
    Yes {
        /// The marker's suffix.
        suffix: String,
        /// It was a checksum.
        checksum: bool,
    },
    /// It is older than the file's last change: it was another file's, or the file has changed since.
    Stale(String),
    /// Its checksum is not that of the file, or it has none.
    Differs(String),
    /// The file has changed a moment ago, so that its checksum is not worth computing yet.
    Unchecked(String),
}

/// Whether somebody has a file open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Nobody has.
    None,
    /// Somebody has.
    Some,
    /// The kernel does not tell: another user's file, or a file system that is not this machine's alone.
    Unknown,
}

/// Why a file is taken to be complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// It was renamed into place.
    Renamed,
    /// It has another name elsewhere: it was linked into place.
    Linked,
    /// A marker says so.
    Marker(String),
    /// It has the checksum that the file beside it says.
    Checksum(String),
    /// Nothing happened to it for the quiet period, and nobody is known to have it open for writing.
    Quiet(Writer),
}

impl Evidence {
    /// In one word, for programs: `renamed`, `linked`, `marker`, `checksum` or `quiet`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Evidence::Renamed => "renamed",
            Evidence::Linked => "linked",
            Evidence::Marker(_) => "marker",
            Evidence::Checksum(_) => "checksum",
            Evidence::Quiet(_) => "quiet",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Renamed => f.write_str("it was renamed into place"),
            Evidence::Linked => f.write_str("it was linked into place"),
            Evidence::Marker(suffix) => write!(f, "the file beside it that ends in {suffix} says so"),
            Evidence::Checksum(suffix) => {
                write!(f, "it has the checksum in the file beside it that ends in {suffix}")
            }
            Evidence::Quiet(Writer::Unknown) => f.write_str(
                "it was left alone for the quiet period; whether somebody has it open cannot be told",
            ),
            Evidence::Quiet(_) => {
                f.write_str("it was left alone for the quiet period, and nobody has it open for writing")
            }
        }
    }
}

/// Why a file is not taken yet. It is a state, never a verdict: the file is looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// It has to be left alone for so long.
    Quiet(Duration),
    /// Somebody has it open for writing.
    Written,
    /// Files are taken only with a marker, and there is none.
    NoMarker,
    /// The marker is older than the file's last change.
    StaleMarker(String),
    /// The checksum beside it is not the file's.
    WrongChecksum(String),
    /// This process may not read it.
    Unreadable(String),
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pending::Quiet(left) => write!(f, "it has to be left alone for another {left:?}"),
            Pending::Written => f.write_str("somebody has it open for writing"),
            Pending::NoMarker => f.write_str("the file beside it that says that it is complete is not there"),
            Pending::StaleMarker(suffix) => {
                write!(f, "the file beside it that ends in {suffix} is older than its last change")
            }
            Pending::WrongChecksum(suffix) => {
                write!(f, "it does not have the checksum in the file beside it that ends in {suffix}")
            }
            Pending::Unreadable(why) => write!(f, "it cannot be read: {why}"),
        }
    }
}

/// How the arrival of files is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a file has to be left alone if nothing else tells that it is complete.
    pub quiet: Duration,
    /// Files are taken only with a marker.
    pub marker_required: bool,
}

/// Judges. `writer` is asked only when nothing else is missing.
///
/// # Errors
/// What is missing.
pub fn judge(
    patience: Patience,
    sighting: &Sighting,
    links: u64,
    marked: Marked,
    writer: impl FnOnce() -> Writer,
    now: Duration,
) -> Result<Evidence, Pending> {
    match marked {
        Marked::Yes { suffix, checksum: true } => return Ok(Evidence::Checksum(suffix)),
        Marked::Yes { suffix, checksum: false } => return Ok(Evidence::Marker(suffix)),
        Marked::Differs(suffix) => return Err(Pending::WrongChecksum(suffix)),
        Marked::Unchecked(_) => return Err(Pending::Quiet(left(patience, sighting, now))),
        Marked::Stale(suffix) if patience.marker_required => return Err(Pending::StaleMarker(suffix)),
        Marked::No if patience.marker_required => return Err(Pending::NoMarker),
        Marked::Stale(_) | Marked::No => {}
    }
    let left = left(patience, sighting, now);
    let in_place = sighting.renamed || links > 1;
    if !in_place && !left.is_zero() {
        return Err(Pending::Quiet(left));
    }
    match writer() {
        Writer::Some => Err(Pending::Written),
        _ if sighting.renamed => Ok(Evidence::Renamed),
        _ if links > 1 => Ok(Evidence::Linked),
        writer => Ok(Evidence::Quiet(writer)),
    }
}

fn left(patience: Patience, sighting: &Sighting, now: Duration) -> Duration {
    sighting.since.saturating_add(patience.quiet).saturating_sub(now)
}
