//! Outcomes as files in a folder that is somebody else's: a partner who sees nothing but that.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind as Io, Read, Seek as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use serde::Serialize;

use super::DropFolder;
use super::places::{outside_of_drop_folders, there};
use super::travel::have_same_content;
use crate::adapters::fs::{Aside, flush_folder, remove_asides};
use crate::ports::{Delivery, Fs as _, Recipient, Refusal};
use crate::words::{Error, NameFields, NamePattern, Outcome, PlainName, Problem, Result};

/// What the name of a failed outcome ends in.
const FAILED: &str = ".failed.json";

/// A folder into which outcomes are delivered as files, each under its name only when all of it is there and durable.
///
/// Of a job that succeeded its data is one file; each file that travels with the outcome is one, too. No data beside
/// files makes no empty file. Of a job that failed it is `<name>.failed.json`, with the problem, but without what only the
/// operator is to see (stderr, earlier attempts). Nothing is replaced: where a name is taken, the next one is `x.2.csv`.
pub struct Outgoing<'a> {
    folder: DropFolder,
    dir: PathBuf,
    pattern: NamePattern,
    each: Box<dyn FnMut(&Path) + 'a>,
}

/// What a partner is told of a job that failed.
#[derive(Serialize)]
struct Failure<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    outcome: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn of(
        folder: DropFolder,
        dir: PathBuf,
        pattern: NamePattern,
        each: Box<dyn FnMut(&Path) + 'a>,
    ) -> Result<Self> {
        outside_of_drop_folders(&there(&dir, "deliver to")?)?;
        remove_asides(&dir);
        Ok(Self { folder, dir, pattern, each })
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        let Delivery { outcome, name, again, .. } = *delivery;
        let day = name.day();
        let fields =
            NameFields { subject: outcome.envelope.text("subject"), id: &name.id, name: None, date: &day };
        let placed = match outcome.problem() {
            Some(problem) => vec![self.place_failure(outcome, &problem, &fields, again)?],
            None => self.place_all(outcome, &fields, again)?,
        };
        flush_folder(&self.dir).map_err(|e| Error::io("flush the folder to deliver to", &self.dir, e))?;
        placed.iter().for_each(|path| (self.each)(path));
        Ok(())
    }

    /// Data, and what travels with it.
    fn place_all(&self, outcome: &Outcome, fields: &NameFields<'_>, again: bool) -> Result<Vec<PathBuf>> {
        let check = outcome.files_ref();
        let root = check.as_ref().map(|check| self.folder.store.layout().payload(check)).unwrap_or_default();
        let files = check.map_or(Ok(Vec::new()), |check| self.folder.files(&check))?;
        let mut placed = Vec::new();
        if files.is_empty() || outcome.data_ref().is_some() || !outcome.data().is_empty() {
            let data = self.folder.read(outcome)?;
            placed.push(self.place(data, &self.pattern.fill(fields), again)?);
        }
        for (path, _) in files {
            let own = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy();
            let name = self.pattern.fill(&NameFields { name: Some(&own), ..*fields });
            let opened = self.folder.store.fs().open(&path);
            let file = opened.map_err(|e| Error::io("open a file of an outcome", &path, e))?;
            placed.push(self.place(file, &name, again)?);
        }
        Ok(placed)
    }

    fn place_failure(
        &self,
        outcome: &Outcome,
        problem: &Problem,
        fields: &NameFields<'_>,
        again: bool,
    ) -> Result<PathBuf> {
        let mut told = serde_json::to_vec(&Failure {
            kind: &problem.kind,
            title: &problem.title,
            detail: &problem.detail,
            outcome: outcome.disposition.as_str(),
            id: fields.id.as_str(),
            subject: fields.subject,
            time: outcome.envelope.text("time"),
        })
        .expect("strings serialise");
        told.push(b'\n');
        self.place(&*told, &self.pattern.fill(fields).with(FAILED), again)
    }

    /// Gives it the first name that is free. `again`: or that is its own, from before a crash.
    fn place(&self, mut data: impl Read, name: &PlainName, again: bool) -> Result<PathBuf> {
        let failed = |e: io::Error| Error::io("deliver a file", self.dir.join(name.to_string()), e);
        let part = Aside::beside(&self.dir.join(name.to_string())).map_err(failed)?;
        io::copy(&mut data, &mut part.file()).map_err(failed)?;
        // Partners who fetch what is newer than their last visit must not miss it.
        part.file().set_modified(SystemTime::now()).map_err(failed)?;
        part.file().sync_all().map_err(failed)?;
        for nth in 1.. {
            let to = self.dir.join(name.nth(nth));
            match part.try_name(&to) {
                Ok(()) => return Ok(to),
                Err(e) if e.kind() != Io::AlreadyExists => return Err(failed(e)),
                Err(_) if again && is_same(part.file(), &to).map_err(failed)? => return Ok(to),
                Err(_) => {}
            }
        }
        Err(failed(Io::AlreadyExists.into()))
    }
}

impl Recipient for Outgoing<'_> {
    fn take(&mut self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        Ok(self.deliver(delivery)?)
    }
}

/// Whether a file lies there that has the same content.
fn is_same(mut ours: &File, there: &Path) -> io::Result<bool> {
    // NONBLOCK: to open a pipe that somebody put there must not wait for its other end.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let Ok(there) = OpenOptions::new().read(true).custom_flags(flags).open(there) else { return Ok(false) };
    if !there.metadata()?.is_file() {
        return Ok(false);
    }
    ours.rewind()?;
    have_same_content(ours, &there)
}
