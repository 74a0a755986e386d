//! The books of an intake: a line for the operator for each file, and receipts for a partner who sees nothing but a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::receipts::{Receipts, remove};
use crate::adapters::fs::{Aside, flush_folder};
use crate::adapters::host::OsHost;
use crate::adapters::store::local::{HOME, path_from_reference};
use crate::ports::{Clerk, Host as _};
use crate::words::{
    Consignment, Disposition, Error, ErrorKind, Id, Outcome, Result, from_reference, shown, shown_path,
};

pub(super) const ACCEPTED: &str = "accepted";
pub(super) const REJECTED: &str = "rejected";
pub(super) const DONE: &str = "done";

/// One line of the audit.
#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    what: &'a str,
    from: &'a str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

pub(super) struct Books {
    from: String,
    audit: PathBuf,
    log: File,
    receipts: Option<Receipts>,
    /// A path to where it is remembered whose outcome is still to be told: files, named by the jobs, with the paths in them.
    memory: PathBuf,
    open: BTreeMap<Id, String>,
}

impl Books {
    pub(super) fn open(dir: &Path, memory: PathBuf, audit: &Path, receipts: Option<PathBuf>) -> Result<Self> {
        let failed = |e| Error::io("open the audit file", audit, e);
        let log = OpenOptions::new().append(true).create(true).open(audit).map_err(failed)?;
        // It may have been made just now (R6).
        flush_parent(audit).map_err(failed)?;
        let mut open = BTreeMap::new();
        let receipts = receipts.map(Receipts::open).transpose()?;
        if receipts.is_some() {
            let shown = dir.join(HOME).join("open");
            let failed = |e| Error::io("read whose outcome is still to be told", &shown, e);
            fs::create_dir_all(&memory).and_then(|()| flush_parent(&memory)).map_err(failed)?;
            for entry in fs::read_dir(&memory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<Id>().ok()) {
                    open.insert(id, fs::read_to_string(entry.path()).map_err(failed)?);
                }
            }
        }
        let from = dir.to_string_lossy().into_owned();
        Ok(Self { from, audit: audit.to_owned(), log, receipts, memory, open })
    }

    /// The path of `memory`, for people.
    fn shown(&self) -> PathBuf {
        Path::new(&self.from).join(HOME).join("open")
    }

    /// In one piece, since others may write there too; durable when it returns.
    fn audit<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, &line).expect("strings and numbers serialise");
            bytes.push(b'\n');
        }
        let written = self.log.write_all(&bytes).and_then(|()| self.log.sync_data());
        written.map_err(|e| Error::io("write to the audit file", &self.audit, e))
    }

    fn flushed_receipt(&mut self, path: &Path, what: &str, text: &str) -> Result<()> {
        let Some(receipts) = &mut self.receipts else { return Ok(()) };
        receipts.write(path, what, text)?.map_or(Ok(()), |folder| receipts.flush(&folder))
    }

    /// From now on, once the folder is flushed, its outcome is to be told; not that of an earlier file of the same name, which would be taken for its own.
    fn remember(&mut self, id: &Id, path: &str) -> Result<()> {
        let place = self.memory.join(id.as_str());
        let write = || -> io::Result<()> {
            let part = Aside::beside(&place)?;
            part.file().write_all(path.as_bytes())?;
            part.replace(&place)
        };
        write().map_err(|e| {
            Error::io("remember whose outcome is to be told", self.shown().join(id.as_str()), e)
        })?;
        let earlier: Vec<Id> =
            self.open.iter().filter(|(_, other)| *other == path).map(|(id, _)| id.clone()).collect();
        for other in earlier.iter().filter(|other| *other != id) {
            self.forget(other)?;
        }
        self.open.insert(id.clone(), path.to_owned());
        Ok(())
    }

    fn forget(&mut self, id: &Id) -> Result<()> {
        let place = self.memory.join(id.as_str());
        remove(&place)
            .map_err(|e| Error::io("forget whose outcome was told", self.shown().join(id.as_str()), e))?;
        self.open.remove(id);
        Ok(())
    }
}

impl Clerk for Books {
    fn record(&mut self, consignments: &[&Consignment]) -> Result<()> {
        let (now, dir) = (OsHost.now().rfc3339(), self.from.clone());
        let (time, from) = (now.as_str(), dir.as_str());
        self.audit(consignments.iter().flat_map(|consignment| {
            let folder = consignment.folder();
            let slash = if folder.is_empty() { "" } else { "/" };
            consignment.files.iter().map(move |file| Line {
                time,
                what: ACCEPTED,
                from,
                path: shown_reference(&format!("{folder}{slash}{}", file.name)),
                size: Some(file.size),
                sha256: Some(&file.sha256),
                evidence: Some(&file.evidence),
                job: Some(consignment.stamp.id.as_str()),
                why: None,
            })
        }))
    }

    fn accepted(&mut self, consignments: &[&Consignment]) -> Vec<Result<()>> {
        if self.receipts.is_none() {
            return consignments.iter().map(|_| Ok(())).collect();
        }
        let remembered = consignments.iter().map(|it| self.remember(&it.stamp.id, &it.path)).collect();
        let flushed = flush_folder(&self.memory).map_err(|e| Error::io("flush a folder", self.shown(), e));
        let mut answers: Vec<Result<()>> = remembered;
        if let Err(e) = flushed {
            answers.iter_mut().for_each(|answer| *answer = Err(e.again()));
        }
        let Some(receipts) = &mut self.receipts else { return answers };
        let time = OsHost.now().rfc3339();
        let mut written = Vec::new();
        for (nth, consignment) in consignments.iter().enumerate() {
            if answers[nth].is_err() {
                continue;
            }
            let text = accepted_text(consignment, &time);
            match path_of(&consignment.path).and_then(|path| receipts.write(&path, ACCEPTED, &text)) {
                Ok(folder) => written.extend(folder.map(|folder| (nth, folder))),
                Err(e) => answers[nth] = Err(e),
            }
        }
        let folders: BTreeSet<&PathBuf> = written.iter().map(|(_, folder)| folder).collect();
        let flushed: BTreeMap<&PathBuf, _> =
            folders.into_iter().map(|folder| (folder, receipts.flush(folder))).collect();
        for (nth, folder) in &written {
            if let Some(Err(e)) = flushed.get(folder) {
                answers[*nth] = Err(e.again());
            }
        }
        answers
    }

    fn record_rejected(&mut self, path: &Path, why: &str) -> Result<()> {
        let (time, from) = (OsHost.now().rfc3339(), self.from.clone());
        let line = Line {
            time: &time,
            what: REJECTED,
            from: &from,
            path: shown_path(path),
            size: None,
            sha256: None,
            evidence: None,
            job: None,
            why: Some(why),
        };
        self.audit(std::iter::once(line))
    }

    fn rejected(&mut self, path: &Path, why: &str) -> Result<()> {
        let time = OsHost.now().rfc3339();
        self.flushed_receipt(path, REJECTED, &format!("# rejected {time}\n{why}\n"))
    }

    fn open(&self) -> Result<Vec<Id>> {
        Ok(self.open.keys().cloned().collect())
    }

    fn decided(&mut self, outcome: &Outcome) -> Result<()> {
        let job = outcome.job_id();
        let Some(path) = self.open.get(&job) else { return Ok(()) };
        let (path, time) = (path_of(path)?, OsHost.now().rfc3339());
        match outcome.problem() {
            None => self.flushed_receipt(&path, DONE, &format!("# done {time} job {job}\n"))?,
            Some(problem) => {
                let how = match outcome.disposition {
                    Disposition::Expired => "expired",
                    _ => "failed",
                };
                let (title, detail) = (&problem.title, &problem.detail);
                let text = format!("# rejected {time} job {job} {how}\n{title}: {detail}\n");
                self.flushed_receipt(&path, REJECTED, &text)?;
            }
        }
        self.forget(&job)
    }
}

fn accepted_text(consignment: &Consignment, time: &str) -> String {
    let mut text = format!("# accepted {time} job {}\n", consignment.stamp.id);
    for file in &consignment.files {
        text += &format!("{}  {}\n", file.sha256, shown_reference(&file.name));
    }
    text
}

fn path_of(reference: &str) -> Result<PathBuf> {
    let strange = || Error::new(ErrorKind::Invalid, format!("{reference:?} is not what an intake wrote"));
    path_from_reference(reference).ok_or_else(strange)
}

/// A path that is written so, for people.
fn shown_reference(reference: &str) -> String {
    let part = |part: &str| from_reference(part).map_or_else(|| part.to_owned(), |name| shown(&name));
    reference.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn flush_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    flush_folder(parent.unwrap_or(Path::new(".")))
}
