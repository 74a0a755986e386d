//! Which complete files are one job's, as manifests say.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ManifestRule;
use crate::ports::{Arrived, Foreign};
use crate::words::{ErrorKind, Listing, MAX_MANIFEST_BYTES, Manifest, Millis, Result, Version, shown};

/// So many reasons are told.
const MOST_TOLD: usize = 20;

/// What was read once.
#[derive(Default)]
pub(super) struct Files {
    manifests: HashMap<PathBuf, (Version, Result<Manifest, String>)>,
    digests: HashMap<PathBuf, (Version, String)>,
    /// Manifests whose rejection is written down.
    recorded: HashMap<PathBuf, Version>,
}

/// What became of a manifest.
pub(super) enum Verdict<'a> {
    /// All files are there.
    Complete(Vec<(&'a Arrived, Option<String>)>),
    /// Not all of them; how long it still waits.
    Waiting(Duration),
    /// They did not come, or it is none. Why.
    Rejected(String),
    /// It is gone.
    Gone,
}

impl Files {
    /// Forgets what is not there any more.
    pub(super) fn keep(&mut self, folder: &Path, ready: &[Arrived]) {
        let there = |path: &PathBuf| {
            path.parent() != Some(folder) || ready.iter().any(|file| path.file_name() == Some(&file.name))
        };
        if self.digests.len() + self.manifests.len() > 2 * ready.len() + 16 {
            self.digests.retain(|path, _| there(path));
            self.manifests.retain(|path, _| there(path));
        }
        self.recorded.retain(|path, _| there(path));
    }

    /// Whether it is written down that this one is rejected.
    pub(super) fn is_recorded(&self, path: &Path, manifest: &Arrived) -> bool {
        self.recorded.get(path) == Some(&manifest.version)
    }

    /// It is.
    pub(super) fn recorded(&mut self, path: &Path, manifest: &Arrived) {
        self.recorded.insert(path.to_owned(), manifest.version);
    }

    /// Judges a complete manifest by the complete files beside it.
    pub(super) fn judge<'a, F: Foreign>(
        &mut self,
        foreign: &F,
        folder: &Path,
        manifest: &'a Arrived,
        files: &HashMap<&OsStr, &'a Arrived>,
        rule: &ManifestRule,
        now: Millis,
    ) -> Result<Verdict<'a>> {
        let path = folder.join(&manifest.name);
        let listed = match self.manifests.get(&path).filter(|(version, _)| *version == manifest.version) {
            Some((_, listed)) => listed.clone(),
            None => {
                let Some(listed) = read(foreign, &path)? else { return Ok(Verdict::Gone) };
                self.manifests.insert(path, (manifest.version, listed.clone()));
                listed
            }
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(why) => return Ok(Verdict::Rejected(why)),
        };
        let mut batch = vec![(manifest, None)];
        let mut wrong = Vec::new();
        for listing in &listed.files {
            match self.find(foreign, folder, listing, files)? {
                Ok(found) => batch.push(found),
                Err(why) => wrong.push(why),
            }
        }
        if wrong.is_empty() {
            return Ok(Verdict::Complete(batch));
        }
        let changed = Millis::new(manifest.version.changed_ns / 1_000_000).unwrap_or(now);
        let waited = now.since(changed);
        if waited < rule.patience {
            return Ok(Verdict::Waiting(rule.patience - waited));
        }
        let more = wrong.len().saturating_sub(MOST_TOLD);
        wrong.truncate(MOST_TOLD);
        if more > 0 {
            wrong.push(format!("and {more} more"));
        }
        Ok(Verdict::Rejected(wrong.join("\n")))
    }

    /// The file that is listed, with its digest if that was asked for; or why it is not.
    fn find<'a, F: Foreign>(
        &mut self,
        foreign: &F,
        folder: &Path,
        listing: &Listing,
        files: &HashMap<&OsStr, &'a Arrived>,
    ) -> Result<Result<(&'a Arrived, Option<String>), String>> {
        let name = OsStr::new(&listing.name);
        let found = files.get(name).copied();
        let name = shown(name);
        let Some(file) = found else {
            return Ok(Err(format!("{name}: it is not there, or not complete")));
        };
        let size = file.version.size;
        if let Some(listed) = listing.size.filter(|listed| *listed != size) {
            return Ok(Err(format!("{name}: it has {size} bytes, and the manifest says {listed}")));
        }
        let Some(listed) = &listing.sha256 else { return Ok(Ok((file, None))) };
        let path = folder.join(&file.name);
        let known = self.digests.get(&path).filter(|(version, _)| *version == file.version);
        let digest = match known {
            Some((_, digest)) => digest.clone(),
            None => {
                let Some(digest) = foreign.digest(&path)? else {
                    return Ok(Err(format!("{name}: it is gone")));
                };
                self.digests.insert(path, (file.version, digest.clone()));
                digest
            }
        };
        if digest == *listed {
            return Ok(Ok((file, Some(digest))));
        }
        Ok(Err(format!("{name}: its SHA-256 is {digest}, and the manifest says {listed}")))
    }
}

/// `None` if it is gone.
fn read<F: Foreign>(foreign: &F, path: &Path) -> Result<Option<Result<Manifest, String>>> {
    match foreign.content(path, MAX_MANIFEST_BYTES) {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => Ok(Some(Manifest::parse(&bytes).map_err(|e| e.to_string()))),
        Err(e) if e.kind() == ErrorKind::Invalid => Ok(Some(Err(e.to_string()))),
        Err(e) => Err(e),
    }
}
