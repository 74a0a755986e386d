//! Which complete files are one job's, as manifests say.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ManifestRule;
use crate::ports::{Arrived, Foreign};
use crate::words::{ErrorKind, Listing, MAX_MANIFEST_BYTES, Manifest, Millis, Result, Version, shown};

/// So many names in manifests are remembered.
const MOST_LISTED: usize = 256 << 10;

/// So many checksums of files are.
const MOST_DIGESTS: usize = 256 << 10;

/// So many reasons are told.
const MOST_TOLD: usize = 20;

/// What was read once.
#[derive(Default)]
pub(super) struct Files {
    manifests: HashMap<PathBuf, (Version, Result<Manifest, String>)>,
    /// How many names there are in them, with their own.
    names: usize,
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
            self.forget_manifests(there);
        }
        self.recorded.retain(|path, _| there(path));
    }

    /// Forgets what was in folders that are gone.
    pub(super) fn keep_folders(&mut self, known: &HashSet<&Path>) {
        let there = |path: &PathBuf| path.parent().is_some_and(|folder| known.contains(folder));
        self.forget_manifests(there);
        self.digests.retain(|path, _| there(path));
        self.recorded.retain(|path, _| there(path));
    }

    /// Makes room, if a partner sends very many: they are read again when their turn comes.
    fn remember(&mut self, path: PathBuf, version: Version, listed: &Result<Manifest, String>) {
        if self.names + names_in(listed) > MOST_LISTED {
            self.manifests.clear();
            self.names = 0;
        }
        self.names += names_in(listed);
        if let Some((_, before)) = self.manifests.insert(path, (version, listed.clone())) {
            self.names -= names_in(&before);
        }
    }

    fn forget_manifests(&mut self, there: impl Fn(&PathBuf) -> bool) {
        let names = &mut self.names;
        self.manifests.retain(|path, (_, listed)| {
            let stays = there(path);
            if !stays {
                *names -= names_in(listed);
            }
            stays
        });
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
                self.remember(path, manifest.version, &listed);
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
                if self.digests.len() >= MOST_DIGESTS {
                    self.digests.clear();
                }
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

fn names_in(listed: &Result<Manifest, String>) -> usize {
    listed.as_ref().map_or(1, |it| it.files.len() + 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version {
        Version { ino: 1, size: 2, modified_ns: 3, changed_ns: 4, born_ns: None }
    }

    #[test]
    fn what_was_in_a_folder_that_is_gone_is_forgotten() {
        let mut files = Files::default();
        for path in ["here/a", "gone/a", "top"] {
            files.digests.insert(path.into(), (version(), String::new()));
            files.remember(path.into(), version(), &Err(String::new()));
            files.recorded.insert(path.into(), version());
        }
        files.keep_folders(&HashSet::from([Path::new(""), Path::new("here")]));
        let sorted = |names: Vec<&PathBuf>| {
            let mut names: Vec<_> = names.into_iter().map(|path| path.display().to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(sorted(files.digests.keys().collect()), ["here/a", "top"]);
        assert_eq!(sorted(files.manifests.keys().collect()), ["here/a", "top"]);
        assert_eq!(sorted(files.recorded.keys().collect()), ["here/a", "top"]);
        assert_eq!(files.names, 2);
    }

    #[test]
    fn no_more_names_are_remembered_than_fit() {
        let mut files = Files::default();
        let listed = |count: usize| {
            let lines: String = (0..count).map(|nth| format!("{nth}.csv\n")).collect();
            Ok(Manifest::parse(format!("name\n{lines}").as_bytes()).unwrap())
        };
        let large = listed(1000);
        for nth in 0..2 * MOST_LISTED / 1000 {
            files.remember(nth.to_string().into(), version(), &large);
            let names: usize = files.manifests.values().map(|(_, listed)| names_in(listed)).sum();
            assert!(names <= MOST_LISTED && names == files.names, "{names} names");
        }
        assert!(!files.manifests.is_empty());
    }
}
