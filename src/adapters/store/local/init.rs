//! P1: making and opening a drop folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LocalStore;
use super::layout::{Layout, OUTER_ROOMS, ROOMS};
use super::moves::{found, parent};
use crate::ports::{FileKind, Fs, Host};
use crate::words::{DEFAULT_KEEP, Error, ErrorKind, Id, Result};

/// `filedrop.json`
#[derive(Serialize)]
struct Marker {
    protocol: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_seconds: Option<u64>,
}

/// What must be understood before anything else is looked at.
#[derive(Deserialize)]
struct Version {
    protocol: u64,
}

/// The members that say how a folder is to be used.
#[derive(Deserialize)]
struct Optional {
    keep_seconds: Option<u64>,
}

/// What `filedrop.json` says of how a drop folder is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// How long settled jobs and their outcomes are kept at least: whole seconds, one or more.
    pub(super) keep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { keep: DEFAULT_KEEP }
    }
}

const PROTOCOL: u64 = 0;
const MARKER_LIMIT: usize = 64 << 10;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Makes a drop folder, or completes one, and opens it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the file system has no hard links, [`ErrorKind::NotADropFolder`] if there is one
    /// of another version.
    pub fn init(fs: F, host: H, root: impl Into<PathBuf>) -> Result<Self> {
        Self::init_to_keep(fs, host, root, None)
    }

    /// Makes a drop folder whose settled jobs and outcomes are to be kept for `keep` (whole seconds, one or more), or
    /// completes one of which that is true, and opens it.
    ///
    /// # Errors
    /// As [`init`](Self::init), and [`ErrorKind::Invalid`] if `keep` is no such time, or the folder has another.
    pub fn init_to_keep(fs: F, host: H, root: impl Into<PathBuf>, keep: Option<Duration>) -> Result<Self> {
        let mut store = Self::at(fs, host, Layout::new(root));
        store.check_place(keep)?;
        store.settings.keep = keep.unwrap_or(store.settings.keep);
        store.make_folder(&store.layout, &OUTER_ROOMS)?;
        // Another may have made it meanwhile.
        store.settings = store.check()?;
        store.agrees(store.settings, keep)?;
        Ok(store)
    }

    /// Makes the empty folder that is to be a drop folder, durable, and those above it. Leaves one that is there as it is.
    ///
    /// # Errors
    /// As [`init_to_keep`](Self::init_to_keep), if that could not work here.
    pub fn make_root(fs: F, host: H, root: impl Into<PathBuf>, keep: Option<Duration>) -> Result<()> {
        let store = Self::at(fs, host, Layout::new(root));
        store.check_place(keep)?;
        store.make_with_parents(store.layout.root())
    }

    /// Opens a drop folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotADropFolder`] if it is none, or one of another version.
    pub fn open(fs: F, host: H, root: impl Into<PathBuf>) -> Result<Self> {
        let mut store = Self::at(fs, host, Layout::new(root));
        store.settings = store.check()?;
        Ok(store)
    }

    /// How long settled jobs and their outcomes are kept at least, as `filedrop.json` said when the folder was opened.
    pub fn keep(&self) -> Duration {
        self.settings.keep
    }

    /// Whether a drop folder can be made here, or is here already.
    fn check_place(&self, keep: Option<Duration>) -> Result<()> {
        if keep.is_some_and(|keep| keep.subsec_nanos() != 0 || keep.is_zero()) {
            return Err(Error::new(ErrorKind::Invalid, "jobs are kept for whole seconds, at least one"));
        }
        let Some(root) = self.look(self.layout.root())? else { return Ok(()) };
        if root.kind == FileKind::File {
            let e = Error::new(ErrorKind::NotADropFolder, "a file, where the drop folder is to be made");
            return Err(e.at(self.layout.root()));
        }
        // Of another version: keep out.
        match self.look(&self.layout.marker())? {
            Some(_) => self.agrees(self.check()?, keep),
            None => Ok(()),
        }
    }

    fn agrees(&self, settings: Settings, keep: Option<Duration>) -> Result<()> {
        match keep {
            Some(keep) if keep != settings.keep => {
                let why = format!(
                    "this drop folder keeps jobs for {} seconds already, not for {}; to change that, edit \"keep_seconds\" in its \
                     filedrop.json and start its programs anew",
                    settings.keep.as_secs(),
                    keep.as_secs()
                );
                Err(Error::new(ErrorKind::Invalid, why).at(self.layout.root()))
            }
            _ => Ok(()),
        }
    }

    /// Makes the drop folder of a Return Address, or completes it. Returns where it is.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn make_reply(&self, address: &Id) -> Result<PathBuf> {
        self.ensure_reply(address).map(|layout| layout.root().to_owned())
    }

    /// Makes the drop folder of a Return Address, once in this process's lifetime.
    pub(super) fn ensure_reply(&self, address: &Id) -> Result<Layout> {
        let reply = self.layout.reply(address);
        self.ensure_nested(&reply)?;
        Ok(reply)
    }

    /// Makes a nested drop folder, or completes it.
    pub(super) fn ensure_nested(&self, nested: &Layout) -> Result<()> {
        if self.look(&nested.marker())?.is_none() {
            return self.make_folder(nested, &[]);
        }
        // R6: whoever made it may not have flushed its parents yet.
        self.ensure_dir(nested.root())?;
        self.ensure_dir(&nested.room("inbox"))
    }

    /// The rooms first, durable; then the marker, so that whoever sees it can rely on them.
    pub(super) fn make_folder(&self, layout: &Layout, outer: &[&str]) -> Result<()> {
        self.make_with_parents(layout.root())?;
        for room in ROOMS.iter().chain(outer) {
            self.ensure_room(&layout.room(room))?;
        }
        self.flush_dir(layout.root())?;
        let keep = Some(self.settings.keep).filter(|keep| *keep != DEFAULT_KEEP);
        let marker = Marker { protocol: PROTOCOL, keep_seconds: keep.map(|keep| keep.as_secs()) };
        let marker = serde_json::to_vec(&marker).expect("numbers serialise");
        self.publish_if_free(&marker, &layout.marker()).map_err(|e| self.why_no_link(e, layout))?;
        self.flush_dir(layout.root())
    }

    fn make_with_parents(&self, dir: &Path) -> Result<()> {
        if self.look(dir)?.is_none() {
            self.make_with_parents(parent(dir))?;
        }
        self.ensure_dir(dir)
    }

    /// Without the flush of [`ensure_dir`](Self::ensure_dir): one flush serves all rooms.
    fn ensure_room(&self, room: &Path) -> Result<()> {
        match self.fs.make_dir(room) {
            Err(e) if self.look(room)?.is_none() => Err(Error::io("make a folder", room, e)),
            _ => Ok(()),
        }
    }

    fn why_no_link(&self, e: Error, layout: &Layout) -> Error {
        // A file system without links says EPERM; who may not write is told EACCES.
        const EPERM: i32 = rustix::io::Errno::PERM.raw_os_error();
        let source = std::error::Error::source(&e).and_then(|e| e.downcast_ref::<std::io::Error>());
        match source.map(|source| (source.kind(), source.raw_os_error())) {
            Some((std::io::ErrorKind::Unsupported, _) | (_, Some(EPERM))) => Error::new(
                ErrorKind::Unsupported,
                format!("this file system cannot make hard links, which a drop folder needs ({e})"),
            )
            .at(layout.root()),
            _ => e,
        }
    }

    fn check(&self) -> Result<Settings> {
        let marker = self.layout.marker();
        let wrong = |why: String| Error::new(ErrorKind::NotADropFolder, why).at(self.layout.root());
        let opened = found(self.fs.open(&marker)).map_err(|e| Error::io("open", &marker, e))?;
        let file =
            opened.ok_or_else(|| wrong("not a drop folder (make one with `filedrop init`)".to_owned()))?;
        let bytes = self.fs.read(&file, MARKER_LIMIT).map_err(|e| Error::io("read", &marker, e))?;
        match serde_json::from_slice(&bytes) {
            Ok(Version { protocol: PROTOCOL }) => {}
            Ok(Version { protocol }) => {
                return Err(wrong(format!(
                    "this drop folder speaks protocol {protocol}, this program only {PROTOCOL}; use a newer filedrop"
                )));
            }
            Err(e) => return Err(wrong(format!("filedrop.json cannot be read ({e})"))),
        }
        match serde_json::from_slice(&bytes) {
            Ok(Optional { keep_seconds: None }) => Ok(Settings::default()),
            Ok(Optional { keep_seconds: Some(seconds @ 1..) }) => {
                Ok(Settings { keep: Duration::from_secs(seconds) })
            }
            Ok(_) => Err(wrong(format!("{BAD_KEEP}, not 0"))),
            Err(e) => Err(wrong(format!("{BAD_KEEP} ({e})"))),
        }
    }
}

const BAD_KEEP: &str =
    "in its filedrop.json, \"keep_seconds\" has to be a whole number of seconds, at least 1";
