//! Whether the files that strangers drop are complete: one look at a folder, compared with those before.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind as Io;
use std::path::Path;
use std::time::Duration;

use super::LocalStore;
use super::moves::found;
use crate::ports::{Arrivals, Arrived, FileKind, Finding, Fs, Host, Looked, Marker, Meta};
use crate::words::{Customs, Error, Marked, Pending, Result, Sighting, Sort, Writer, judge, parse_checksum};

/// How long a file that somebody has open, or that lacks its marker, is left alone before the next look, if nothing rings.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Larger ones are no checksum files.
const CHECKSUM_BYTES: usize = 1 << 20;

/// A checksum is computed when a file was left alone for this part of the quiet period: not at each block of an upload.
const CHECK_AFTER: u32 = 10;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Looks at a folder. `tell` hears of each file that could be a job.
    pub(super) fn look_for_files(
        &self,
        folder: &Path,
        arrivals: &mut Arrivals,
        tell: &mut dyn FnMut(&OsStr, Finding<'_>),
    ) -> Result<Looked> {
        let (mut names, mut markers) = (Vec::new(), HashSet::new());
        let mut beyond = 0;
        let mut each = |entry: crate::ports::Listed| {
            if entry.kind != FileKind::File {
                return;
            }
            match arrivals.customs.sort(&entry.name) {
                Sort::Bare if arrivals.only.as_ref().is_some_and(|only| *only != entry.name) => {}
                Sort::Bare
                    if arrivals.seen.contains_key(&entry.name) || names.len() < arrivals.most_watched =>
                {
                    names.push(entry.name);
                }
                Sort::Bare => beyond += 1,
                Sort::Marker(_) => drop(markers.insert(entry.name)),
                Sort::Ours | Sort::Ignored(_) => {}
            }
        };
        self.fs.list(folder, &mut each).map_err(|e| Error::io("list a folder", folder, e))?;
        arrivals.forget_all_but(&names);
        let now = self.host.monotonic();
        let mut looked = Looked { beyond, ..Looked::default() };
        let mut ready = Vec::new();
        for name in names {
            let path = folder.join(&name);
            let meta = found(self.fs.stat(&path)).map_err(|e| Error::io("look at a file", &path, e))?;
            let Some(meta) = meta.filter(|meta| meta.kind == FileKind::File) else { continue };
            let sighting = arrivals.see(&name, &meta, now);
            let (marked, marker) = self.marked(folder, &name, &sighting, arrivals, &markers, now)?;
            let mut unreadable = None;
            let writer = || match self.fs.writer(&path) {
                Ok(writer) => writer,
                Err(e) => {
                    unreadable = Some(e);
                    Writer::Unknown
                }
            };
            // Where there may be no rename that replaces nothing, what is put back has two names for a while.
            let links = if self.fs.is_local() { meta.links } else { 1 };
            let mut verdict = judge(arrivals.patience, &sighting, links, marked, writer, now);
            if verdict.is_ok() && unreadable.is_none() {
                // Whatever the evidence: what cannot be read cannot be handled.
                unreadable = self.fs.open(&path).err();
            }
            match unreadable.map(|e| e.kind()) {
                None => {}
                Some(Io::NotFound | Io::InvalidInput) => continue,
                Some(Io::PermissionDenied) => {
                    verdict = Err(Pending::Unreadable("this process may not read it".to_owned()));
                }
                Some(kind) => verdict = Err(Pending::Unreadable(kind.to_string())),
            }
            tell(&name, verdict.as_ref());
            match verdict {
                Ok(evidence) => {
                    ready.push((
                        sighting.first,
                        Arrived { name, version: sighting.version, evidence, marker },
                    ));
                }
                Err(pending) => {
                    let fresh = now.saturating_sub(sighting.first) < arrivals.patience.quiet;
                    if fresh {
                        looked.fresh += 1
                    } else {
                        looked.pending += 1
                    }
                    let again = match pending {
                        Pending::Quiet(left) => {
                            left.min(arrivals.patience.quiet).max(Duration::from_millis(1))
                        }
                        _ => LOOK_AGAIN,
                    };
                    looked.again = Some(looked.again.map_or(again, |before| before.min(again)));
                }
            }
        }
        ready.sort_by(|(at, a), (bt, b)| (at, &a.name).cmp(&(bt, &b.name)));
        looked.beyond += ready.len().saturating_sub(arrivals.at_once);
        looked.ready = ready.into_iter().take(arrivals.at_once).map(|(_, arrived)| arrived).collect();
        if looked.beyond > 0 {
            arrivals.make_room();
            looked.again = Some(Duration::ZERO);
        }
        Ok(looked)
    }

    /// What the marker beside a file says, and its name if it counts.
    fn marked(
        &self,
        folder: &Path,
        name: &OsStr,
        sighting: &Sighting,
        arrivals: &mut Arrivals,
        markers: &HashSet<OsString>,
        now: Duration,
    ) -> Result<(Marked, Option<Marker>)> {
        let mut marked = Marked::No;
        for suffix in arrivals.customs.markers() {
            let mut marker = name.to_owned();
            marker.push(suffix);
            if !markers.contains(&marker) {
                continue;
            }
            let path = folder.join(&marker);
            let Some(meta) = self.look(&path)? else { continue };
            let suffix = suffix.clone();
            let marker = Marker { name: marker, changed_ns: meta.changed_ns };
            if !Customs::is_checksum(&suffix) {
                if meta.changed_ns >= sighting.version.changed_ns {
                    return Ok((Marked::Yes { suffix, checksum: false }, Some(marker)));
                }
                marked = Marked::Stale(suffix);
                continue;
            }
            let versions = (sighting.version, meta.version());
            let known = arrivals.checked.get(name).filter(|(file, marker, _)| (*file, *marker) == versions);
            let agrees = match known {
                Some((_, _, agrees)) => *agrees,
                None if now.saturating_sub(sighting.since) < arrivals.patience.quiet / CHECK_AFTER => {
                    return Ok((Marked::Unchecked(suffix), None));
                }
                None => {
                    let Some(agrees) = self.agree(&folder.join(name), &path)? else { continue };
                    arrivals.checked.insert(name.to_owned(), (versions.0, versions.1, agrees));
                    agrees
                }
            };
            return Ok(match agrees {
                true => (Marked::Yes { suffix, checksum: true }, Some(marker)),
                false => (Marked::Differs(suffix), None),
            });
        }
        Ok((marked, None))
    }

    /// Whether a file has the checksum that stands in the other. `None`: one of them cannot be read.
    fn agree(&self, path: &Path, marker: &Path) -> Result<Option<bool>> {
        let both = self.checksums(path, marker)?;
        Ok(both.map(|(said, is)| said.is_some() && said == is))
    }

    /// The checksum that stands in a marker, if one does, and then that of the file. `None`: one of them cannot be read.
    pub(crate) fn checksums(&self, path: &Path, marker: &Path) -> Result<Option<Checksums>> {
        let (Ok(file), Ok(said)) = (self.fs.open(path), self.fs.open(marker)) else { return Ok(None) };
        let name = path.file_name().unwrap_or_default();
        let text = self.fs.read(&said, CHECKSUM_BYTES).unwrap_or_default();
        let Some(said) = parse_checksum(&text, std::os::unix::ffi::OsStrExt::as_bytes(name)) else {
            return Ok(Some((None, None)));
        };
        let digest = self.fs.sha256(&file).map_err(|e| Error::io("read a file", path, e))?;
        let is: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some((Some(said), Some(is))))
    }
}

/// In hex: what a marker says, and what the file has.
pub(crate) type Checksums = (Option<String>, Option<String>);

impl Arrivals {
    fn forget_all_but(&mut self, names: &[OsString]) {
        let there: HashSet<&OsString> = names.iter().collect();
        self.seen.retain(|name, _| there.contains(name));
        self.checked.retain(|name, _| there.contains(name));
    }

    fn see(&mut self, name: &OsStr, meta: &Meta, now: Duration) -> Sighting {
        let renamed = self.moved.remove(name) == Some(meta.id.ino);
        let version = meta.version();
        let seen = self.seen.entry(name.to_owned()).or_insert_with(|| Sighting::new(version, now, renamed));
        seen.look(version, now, renamed);
        seen.clone()
    }

    /// Those that were seen first, and are not complete yet, make room for others, and are looked at anew later.
    fn make_room(&mut self) {
        if self.seen.len() < self.most_watched {
            return;
        }
        let mut first: Vec<Duration> = self.seen.values().map(|sighting| sighting.first).collect();
        first.sort_unstable();
        let median = first[first.len() / 2];
        tracing::debug!(
            watched = first.len(),
            "so many files are not complete that some are looked at later"
        );
        self.seen.retain(|_, sighting| sighting.first > median);
    }
}
