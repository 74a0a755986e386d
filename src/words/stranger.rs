//! Files that programs drop which never heard of us: what a name says of them, and what job such a file makes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest as _, Sha256};

use super::checksum::hex;
use super::{ClaimCheck, Envelope, Error, ErrorKind, Id, Job, Millis, Result, StampedId, Version};

/// Names that programs give to files while they write them, and that nobody means to drop. `docs/ARRIVAL.md` says whose they are.
pub const TEMPORARY: [&str; 22] = [
    ".*",
    "*~",
    "~$*",
    "#*#",
    "*.filepart",
    "*.part",
    "*.partial",
    "*.tmp",
    "*.temp",
    "*.crdownload",
    "*.download",
    "*.opdownload",
    "*.writing",
    "*.uploading",
    "*.upload",
    "*.swp",
    "*.swx",
    "*.lftp-pget-status",
    "*.aria2",
    "*.axel",
    "Thumbs.db",
    "desktop.ini",
];

/// Endings of our own names: what has one is an envelope, or is meant to be, and never a bare file.
const OURS: [&str; 6] =
    [".job.json", ".outcome.json", ".attempt.json", ".reason.json", ".jobs.ndjson", ".presence"];

/// The markers that are heeded where they are.
const MARKERS: [&str; 2] = [".done", ".sha256"];

/// A marker that ends so holds a checksum.
const CHECKSUM: &str = ".sha256";

/// What a name in an inbox says of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    /// It ends as one of ours.
    Ours,
    /// Somebody is writing it, or nobody means it to be taken. The pattern that says so.
    Ignored(String),
    /// It says of the file of this name that it is complete.
    Marker(OsString),
    /// A job.
    Bare,
}

/// Which names are not taken, and which are markers.
#[derive(Debug, Clone)]
pub struct Customs {
    ignored: GlobSet,
    patterns: Vec<String>,
    markers: Vec<String>,
    required: bool,
}

impl Default for Customs {
    fn default() -> Self {
        Self::new(&[], &[]).expect("our own patterns are patterns")
    }
}

impl Customs {
    /// `ignore`: patterns (`*`, `?`, `[…]`, `{…,…}`) beside [`TEMPORARY`]. `markers`: suffixes, which begin with no letter or digit;
    /// if there are any, files are taken only with one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if one is no pattern, or no suffix, or if no name could ever fit it.
    pub fn new(ignore: &[String], markers: &[String]) -> Result<Self> {
        let wrong = |why: String| Error::new(ErrorKind::Invalid, why);
        let patterns: Vec<String> =
            TEMPORARY.into_iter().map(str::to_owned).chain(ignore.iter().cloned()).collect();
        let mut set = GlobSetBuilder::new();
        if let Some(pattern) = ignore.iter().find(|pattern| pattern.is_empty() || pattern.contains('/')) {
            return Err(wrong(format!("{pattern:?} fits no name: it has to be a pattern without a slash")));
        }
        for pattern in &patterns {
            let glob = GlobBuilder::new(pattern).case_insensitive(true).backslash_escape(true).build();
            set.add(glob.map_err(|e| wrong(format!("{pattern:?} is no pattern: {}", e.kind())))?);
        }
        if let Some(flaw) = markers.iter().find_map(|marker| flaw_of_marker(marker)) {
            return Err(wrong(flaw));
        }
        let ignored = set.build().map_err(|e| wrong(format!("too many patterns: {e}")))?;
        let known = if markers.is_empty() { MARKERS.map(str::to_owned).to_vec() } else { markers.to_vec() };
        let customs = Self { ignored, patterns, markers: known, required: !markers.is_empty() };
        let never = |marker: &&String| match customs.sort(OsStr::new(&format!("x{marker}"))) {
            Sort::Ours => true,
            Sort::Ignored(pattern) => TEMPORARY.contains(&pattern.as_str()),
            Sort::Marker(_) | Sort::Bare => false,
        };
        match markers.iter().find(never) {
            Some(marker) => {
                Err(wrong(format!("{marker:?} cannot be that of a marker: names that end so are left alone")))
            }
            None => Ok(customs),
        }
    }

    /// The patterns of names that are not taken, beside [`TEMPORARY`].
    pub fn ignored(&self) -> &[String] {
        &self.patterns[TEMPORARY.len()..]
    }

    /// Whether files are taken only with a marker.
    pub fn marker_required(&self) -> bool {
        self.required
    }

    /// The suffixes of markers.
    pub fn markers(&self) -> &[String] {
        &self.markers
    }

    /// What a name says.
    pub fn sort(&self, name: &OsStr) -> Sort {
        let bytes = name.as_bytes();
        if OURS.iter().any(|ending| bytes.ends_with(ending.as_bytes())) {
            return Sort::Ours;
        }
        if let Some(first) = self.ignored.matches(name).first() {
            return Sort::Ignored(self.patterns[*first].clone());
        }
        let of = |marker: &str| {
            let stem = bytes.strip_suffix(marker.as_bytes()).filter(|stem| !stem.is_empty())?;
            Some(OsString::from_vec(stem.to_vec()))
        };
        // Where others are asked for, ours are markers all the same: nobody drops a checksum as a job.
        match self.markers.iter().map(String::as_str).chain(MARKERS).find_map(of) {
            Some(of) => Sort::Marker(of),
            None => Sort::Bare,
        }
    }

    /// Whether such a marker holds a checksum.
    pub fn is_checksum(suffix: &str) -> bool {
        suffix.ends_with(CHECKSUM)
    }
}

/// What is wrong with a suffix, if anything is: one that no name ever has makes that nothing is ever taken.
fn flaw_of_marker(marker: &str) -> Option<String> {
    let advice = match marker.chars().next() {
        Some(first) if first.is_alphanumeric() => format!("did you mean .{marker}"),
        Some(_) if !marker.contains(['/', '*', '?', '[']) => return None,
        _ => "a suffix is something like .done".to_owned(),
    };
    Some(format!("{marker:?} is no suffix of a marker, which is put after the whole name: {advice}"))
}

/// The id of the job that a file makes: two names of one file make one, and a file that is dropped later another. `None` where
/// the file system does not tell when a file was made: an inode may be used again.
pub fn id_of_file(version: &Version) -> Option<Id> {
    let born = version.born_ns?;
    let mut hash = Sha256::new();
    for number in [version.ino, born, version.size, version.modified_ns] {
        hash.update(number.to_be_bytes());
    }
    hashed(hash)
}

/// An id that is nobody else's and looks like one of a file: of these 128 random bits. It is not a UUIDv7, so an entry alone tells
/// whether it was submitted.
pub fn fresh_id(entropy: u128) -> Id {
    format!("f{entropy:032x}").parse().expect("hex digits are an id")
}

/// A nonce that tells of which state of a file something is. `None` where [`id_of_file`] is.
pub fn nonce_of(version: &Version) -> Option<u64> {
    let id = id_of_file(version)?;
    u64::from_str_radix(&id.as_str()[1..17], 16).ok()
}

/// The id of the job that a file makes whose own id is that of a job which does not have it any more: whoever goes on with what was
/// taken under this name makes the same one.
pub fn id_of_another(taken: &StampedId) -> Id {
    hashed(Sha256::new_with_prefix(taken.to_string())).expect("hex digits are an id")
}

fn hashed(hash: Sha256) -> Option<Id> {
    format!("f{}", hex(&hash.finalize()[..16])).parse().ok()
}

/// What of a name stands as it is in a reference (RFC 3986, "unreserved").
const REFERENCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A file's name as a part of a reference: any bytes, in ASCII.
pub fn to_reference(name: &OsStr) -> String {
    percent_encode(name.as_bytes(), REFERENCE).to_string()
}

/// A path, each part of it as a reference.
pub(crate) fn path_to_reference(path: &Path) -> String {
    path.iter().map(to_reference).collect::<Vec<_>>().join("/")
}

/// A path for people, each part of it [shown].
pub(crate) fn shown_path(path: &Path) -> String {
    path.iter().map(shown).collect::<Vec<_>>().join("/")
}

/// The name in a part of a reference. `None` if it is none, or would lead elsewhere.
pub fn from_reference(part: &str) -> Option<OsString> {
    let name = OsString::from_vec(percent_decode_str(part).collect());
    let bytes = name.as_bytes();
    let leads_away = matches!(bytes, b"" | b"." | b"..") || bytes.contains(&b'/') || bytes.contains(&0);
    (!leads_away && to_reference(&name) == part).then_some(name)
}

/// A file's name for people, JSON and environment variables: itself if it is text without control characters, else as a reference.
/// What could be taken for such a reference is shown as one, too: so no two names look alike.
///
/// ```
/// use filedrop::words::shown;
///
/// assert_eq!(shown("100 %.csv".as_ref()), "100 %.csv");
/// assert_eq!(shown("a\nb.csv".as_ref()), "a%0Ab.csv");
/// assert_eq!(shown("a%0Ab.csv".as_ref()), "a%250Ab.csv");
/// ```
pub fn shown(name: &OsStr) -> String {
    plain(name).map_or_else(|| to_reference(name), str::to_owned)
}

/// The name that is [shown] so. `None` if none is.
pub fn from_shown(text: &str) -> Option<OsString> {
    if plain(OsStr::new(text)).is_some() {
        return Some(text.into());
    }
    from_reference(text).filter(|name| plain(name).is_none())
}

/// The text of a name that is shown as it is.
fn plain(name: &OsStr) -> Option<&str> {
    fn is_text(text: &&str) -> bool {
        !text.chars().any(char::is_control)
    }
    let text = name.to_str().filter(is_text)?;
    let mut inner = text.to_owned();
    // Each one is shorter than the one before, which had a `%` in it.
    while let Some(other) = from_reference(&inner).filter(|other| *other != *inner) {
        inner = other.to_str().filter(is_text)?.to_owned();
    }
    Some(text)
}

/// The event type of a bare file: `file.<extension>`, in lower case; `file` if it has none that fits.
pub fn type_of_file(name: &OsStr) -> String {
    let extension = Path::new(name).extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    let fits = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    extension.filter(fits).map_or_else(|| "file".to_owned(), |extension| format!("file.{extension}"))
}

/// The envelope of the job that a file makes, which lies below `payload/` as this.
pub fn envelope_of_file(id: &Id, name: &OsStr, check: &ClaimCheck, source: &str, now: Millis) -> Envelope {
    let mut envelope = Job::envelope(id, source, &type_of_file(name), now);
    let content_type = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    envelope.set("subject", shown(name));
    envelope.set("datacontenttype", content_type);
    envelope.set("filesref", check.to_string());
    envelope.set("dataref", format!("{check}{}", to_reference(name)));
    envelope
}
