//! P1: making and opening a drop folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LocalStore;
use super::layout::{Layout, OUTER_ROOMS, ROOMS};
use super::moves::{found, parent};
use crate::ports::{FileKind, Fs, Host};
use crate::words::{Error, ErrorKind, Id, Result};

/// `filedrop.json`
#[derive(Serialize, Deserialize)]
struct Marker {
    protocol: u64,
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
        let store = Self::at(fs, host, Layout::new(root));
        if let Some(root) = store.look(store.layout.root())? {
            if root.kind == FileKind::File {
                let e = Error::new(ErrorKind::NotADropFolder, "a file, where the drop folder is to be made");
                return Err(e.at(store.layout.root()));
            }
            // Of another version: keep out.
            if store.look(&store.layout.marker())?.is_some() {
                store.check()?;
            }
        }
        store.make_folder(&store.layout, &OUTER_ROOMS)?;
        store.check()?;
        Ok(store)
    }

    /// Opens a drop folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotADropFolder`] if it is none, or one of another version.
    pub fn open(fs: F, host: H, root: impl Into<PathBuf>) -> Result<Self> {
        let store = Self::at(fs, host, Layout::new(root));
        store.check()?;
        Ok(store)
    }

    /// Makes the drop folder of a Return Address, once in this process's lifetime.
    pub(super) fn ensure_reply(&self, address: &Id) -> Result<Layout> {
        let reply = self.layout.reply(address);
        if self.look(&reply.marker())?.is_none() {
            self.make_folder(&reply, &[])?;
        } else {
            // R6: whoever made it may not have flushed its parents yet.
            self.ensure_dir(reply.root())?;
            self.ensure_dir(&reply.room("inbox"))?;
        }
        Ok(reply)
    }

    /// The rooms first, durable; then the marker, so that whoever sees it can rely on them.
    fn make_folder(&self, layout: &Layout, outer: &[&str]) -> Result<()> {
        self.make_with_parents(layout.root())?;
        for room in ROOMS.iter().chain(outer) {
            self.ensure_room(&layout.room(room))?;
        }
        self.flush_dir(layout.root())?;
        let marker = serde_json::to_vec(&Marker { protocol: PROTOCOL }).expect("a number serialises");
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

    fn check(&self) -> Result<()> {
        let marker = self.layout.marker();
        let wrong = |why: String| Error::new(ErrorKind::NotADropFolder, why).at(self.layout.root());
        let opened = found(self.fs.open(&marker)).map_err(|e| Error::io("open", &marker, e))?;
        let file =
            opened.ok_or_else(|| wrong("not a drop folder (make one with `filedrop init`)".to_owned()))?;
        let bytes = self.fs.read(&file, MARKER_LIMIT).map_err(|e| Error::io("read", &marker, e))?;
        match serde_json::from_slice(&bytes) {
            Ok(Marker { protocol: PROTOCOL }) => Ok(()),
            Ok(Marker { protocol }) => Err(wrong(format!(
                "this drop folder speaks protocol {protocol}, this program only {PROTOCOL}; use a newer filedrop"
            ))),
            Err(e) => Err(wrong(format!("filedrop.json cannot be read ({e})"))),
        }
    }
}
