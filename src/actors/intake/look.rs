//! A look: into every folder, at what was left before, and what is complete there.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ManifestRule;
use super::desk::{Desk, MOST_TOLD};
use super::manifests::Verdict;
use crate::actors::observer::{Event, tell};
use crate::ports::{Arrivals, Arrived, Batch, Folders, Foreign, Host, Store};
use crate::words::{Error, ErrorKind, Id, Pending, Result, shown};

/// So many are taken before they are brought to the drop folder.
const AT_ONCE: usize = 128;

/// So many files are watched at a time, in all folders.
const MOST_WATCHED: usize = 64 << 10;

/// However many folders there are, so many are watched in each.
const LEAST_WATCHED: usize = 16;

/// How many files are watched in each of so many folders: a partner who makes thousands has us remember no more.
fn share(folders: usize) -> usize {
    (MOST_WATCHED / folders.max(1)).max(LEAST_WATCHED)
}

/// What a look at everything showed.
#[derive(Default)]
pub(super) struct Look {
    pub(super) busy: bool,
    /// Files are within their first quiet period.
    pub(super) fresh: bool,
    pub(super) again: Option<Duration>,
}

impl Look {
    pub(super) fn again(&mut self, pause: Duration) {
        self.again = Some(self.again.map_or(pause, |before| before.min(pause)));
    }
}

impl<S, F, H> Desk<'_, '_, S, F, H>
where
    S: Store + Sync,
    S::Room: Send + Sync,
    F: Foreign<Room = S::Room> + Sync,
    H: Host + Sync,
{
    /// `open`: the jobs of which an outcome is still to be told.
    pub(super) fn look(&mut self, open: Result<Vec<Id>>) -> Result<Look> {
        let mut look = Look { busy: self.try_again(), ..Look::default() };
        if Instant::now() >= self.recovery_due {
            self.recover()?;
        }
        let due = self.stuck.due.is_none_or(|due| Instant::now() >= due);
        if self.stuck.count > 0 && (due || self.setup.options.once) {
            look.busy |= self.put_back()?;
        }
        let mut closed = Vec::new();
        let Folders { open: folders, drops } = self.setup.foreign.folders(&mut |e| closed.push(e))?;
        for path in drops {
            self.leave_alone(path, "this is a drop folder: what is in it is for its consumers");
        }
        for e in closed {
            let path = e.path().unwrap_or(Path::new(""));
            let path = path.strip_prefix(&self.setup.dir).unwrap_or(path).to_owned();
            self.ail("look for files", path, e);
        }
        let known: HashSet<&Path> = folders.iter().map(PathBuf::as_path).collect();
        self.arrivals.retain(|folder, _| known.contains(folder.as_path()));
        self.files.keep_folders(&known);
        self.pass_on_renamed(&known);
        let share = share(folders.len());
        for folder in folders {
            if self.setup.stopper.is_stopping() {
                break;
            }
            self.arrivals_of(&folder).most_watched = share;
            match self.look_into(&folder, &mut look) {
                Ok(()) => drop(self.told.remove(&folder)),
                Err(e) => self.ail("look for files", folder, e),
            }
        }
        self.tell_outcomes(open?, &mut look);
        if self.stuck.count > 0 {
            let due = self.stuck.due.map(|due| due.saturating_duration_since(Instant::now()));
            look.again(due.unwrap_or_default());
        }
        Ok(look)
    }

    /// Told once.
    fn leave_alone(&mut self, path: PathBuf, why: &str) {
        if self.told.len() < MOST_TOLD && !self.told.contains(&path) {
            tell(self.setup.observer, &Event::Left { name: &shown(path.as_os_str()), why });
            self.told.insert(path);
        }
    }

    fn pass_on_renamed(&mut self, folders: &HashSet<&Path>) {
        for (path, was) in self.setup.watch.renamed() {
            let Ok(path) = path.strip_prefix(&self.setup.dir) else { continue };
            let folder = path.parent().unwrap_or(Path::new(""));
            if let (Some(name), true) = (path.file_name(), folders.contains(folder)) {
                self.arrivals_of(folder).renamed(name.to_owned(), was);
            }
        }
    }

    fn arrivals_of(&mut self, folder: &Path) -> &mut Arrivals {
        let options = self.setup.options;
        self.arrivals.entry(folder.to_owned()).or_insert_with(|| {
            let mut arrivals = Arrivals::new(options.customs.clone(), options.quiet_period);
            // What is complete and not meant, or waits for others, must not hide the rest.
            arrivals.at_once = usize::MAX;
            arrivals
        })
    }

    fn look_into(&mut self, folder: &Path, look: &mut Look) -> Result<()> {
        let mut unreadable = Vec::new();
        let foreign = self.setup.foreign;
        let looked = foreign.look(folder, self.arrivals_of(folder), &mut |name, finding| {
            if let Err(Pending::Unreadable(why)) = finding {
                unreadable.push((folder.join(name), why.clone()));
            }
        })?;
        for (path, why) in unreadable {
            if self.told.len() < MOST_TOLD && self.told.insert(path.clone()) {
                tell(self.setup.observer, &Event::Unreadable { name: &shown(path.as_os_str()), why: &why });
            }
            let why = format!("a file cannot be read: {why}");
            self.fail(Error::new(ErrorKind::Io, why).at(self.setup.dir.join(path)));
        }
        look.fresh |= looked.fresh + looked.beyond > 0;
        if let Some(again) = looked.again {
            look.again(again);
        }
        let (include, exclude) = (&self.setup.options.include, &self.setup.options.exclude);
        let is_meant = |path: &Path| (include.is_empty() || include.has(path)) && !exclude.has(path);
        for (name, missing) in looked.damaged {
            let path = folder.join(name);
            if is_meant(&path) {
                let name = &shown(path.as_os_str());
                tell(self.setup.observer, &Event::Left { name, why: &missing.to_string() });
            }
        }
        let mut ready = looked.ready;
        ready.retain(|file| is_meant(&folder.join(&file.name)));
        match &self.setup.options.manifests {
            Some(rule) => self.take_by_manifests(folder, &ready, rule, look),
            None => {
                for files in ready.chunks(AT_ONCE) {
                    if self.setup.stopper.is_stopping() {
                        break;
                    }
                    let batches = files.iter().map(|file| Batch { folder, files: vec![(file, None)] });
                    look.busy |= self.take(batches.collect());
                }
            }
        }
        Ok(())
    }

    fn take_by_manifests(&mut self, folder: &Path, ready: &[Arrived], rule: &ManifestRule, look: &mut Look) {
        let is_manifest = |file: &&Arrived| rule.names.has(&folder.join(&file.name));
        let (manifests, files): (Vec<_>, Vec<_>) = ready.iter().partition(is_manifest);
        let mut files: HashMap<&OsStr, &Arrived> =
            files.into_iter().map(|file| (file.name.as_os_str(), file)).collect();
        self.files.keep(folder, ready);
        for manifest in manifests {
            if self.setup.stopper.is_stopping() {
                break;
            }
            let (foreign, now) = (self.setup.foreign, self.setup.host.now());
            let path = folder.join(&manifest.name);
            let verdict = match self.files.judge(foreign, folder, manifest, &files, rule, now) {
                Ok(verdict) => verdict,
                Err(e) => {
                    self.ail("read what a manifest names", path, e);
                    continue;
                }
            };
            match verdict {
                Verdict::Gone => {}
                Verdict::Waiting(left) => look.again(left),
                Verdict::Rejected(why) => match self.reject(folder, manifest, &why) {
                    Ok(()) => look.busy = true,
                    Err(e) => self.ail("reject a manifest", path, e),
                },
                Verdict::Complete(batch) => {
                    for (file, _) in &batch {
                        files.remove(file.name.as_os_str());
                    }
                    look.busy |= self.take(vec![Batch { folder, files: batch }]);
                }
            }
        }
    }

    /// Told first: what is told twice is no harm.
    fn reject(&mut self, folder: &Path, manifest: &Arrived, why: &str) -> Result<()> {
        let path = folder.join(&manifest.name);
        if !self.files.is_recorded(&path, manifest) {
            self.setup.clerk.record_rejected(&path, why)?;
            self.files.recorded(&path, manifest);
        }
        self.setup.clerk.rejected(&path, why)?;
        self.setup.foreign.set_aside(folder, manifest)?;
        tell(self.setup.observer, &Event::Refused { path: &shown(path.as_os_str()), why });
        self.told.remove(&path);
        self.taken.rejected += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_share_what_is_remembered() {
        assert_eq!(share(1), MOST_WATCHED);
        assert!((1..=4096).all(|folders| share(folders) * folders <= MOST_WATCHED));
        assert_eq!(share(usize::MAX), LEAST_WATCHED);
    }
}
