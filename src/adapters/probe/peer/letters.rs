//! What two programs write to each other: numbered files, each in the writer's own site.

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Given;
use super::meeting::{Met, read};
use crate::adapters::probe::Site;
use crate::ports::Fs as _;
use crate::words::{Error, ErrorKind, Result};

/// The other one's letters are looked for so often.
const PAUSE: Duration = Duration::from_millis(1);

const FOLDER: &str = "letters";

/// A conversation with the other one. Both say and hear the same number of things in the same order.
pub(super) struct Letters<'a> {
    site: &'a Site<'a>,
    given: &'a Given<'a>,
    theirs: PathBuf,
    written: Cell<u32>,
    read: Cell<u32>,
}

impl<'a> Letters<'a> {
    pub(super) fn with(site: &'a Site<'a>, given: &'a Given<'a>, met: &Met) -> Result<Self> {
        site.folder(FOLDER).map_err(|e| Error::io("make a folder", site.path(), e))?;
        let theirs = met.site.join(FOLDER);
        Ok(Self { site, given, theirs, written: Cell::new(0), read: Cell::new(0) })
    }

    pub(super) fn say(&self, what: &impl Serialize) -> Result<()> {
        let nth = self.written.replace(self.written.get() + 1);
        let write = || -> io::Result<()> {
            let content = serde_json::to_vec(what).map_err(io::Error::other)?;
            let draft = self.site.file("letter", &content)?;
            self.site.fs.rename(&draft, &self.site.path().join(FOLDER).join(nth.to_string()))
        };
        write().map_err(|e| Error::io("write to the other one", self.site.path(), e))
    }

    pub(super) fn hear<T: DeserializeOwned>(&self) -> Result<T> {
        let nth = self.read.replace(self.read.get() + 1).to_string();
        let begin = Instant::now();
        loop {
            let come = self.look_for(&nth);
            match come.map_err(|e| Error::io("read what the other one wrote", &self.theirs, e))? {
                Some(content) => {
                    return serde_json::from_slice(&content).map_err(|e| {
                        let why = format!(
                            "the other one speaks otherwise ({e}); use the same version of filedrop for both"
                        );
                        Error::new(ErrorKind::Unsupported, why)
                    });
                }
                None if (self.given.stopping)() => {
                    return Err(Error::new(ErrorKind::TimedOut, "stopped in the middle"));
                }
                None if begin.elapsed() > self.given.patience => {
                    let why = "the other one fell silent: it was ended, or names take longer than --within to appear here";
                    return Err(Error::new(ErrorKind::TimedOut, why));
                }
                None => std::thread::sleep(PAUSE),
            }
        }
    }

    /// By a listing: what NFS once said is not there, it goes on saying so for a while.
    fn look_for(&self, nth: &str) -> io::Result<Option<Vec<u8>>> {
        let mut there = false;
        match self.site.fs.list(&self.theirs, &mut |entry| there |= entry.name == *nth) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ if there => read(self.site, &self.theirs.join(nth)),
            _ => Ok(None),
        }
    }

    /// Says something and hears what the other says at the same time.
    pub(super) fn swap<T: DeserializeOwned>(&self, what: &impl Serialize) -> Result<T> {
        self.say(what)?;
        self.hear()
    }

    /// Both are at the same point.
    pub(super) fn line_up(&self) -> Result<()> {
        self.swap(&())
    }
}
