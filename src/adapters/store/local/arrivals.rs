//! Whether the files that strangers drop are complete: one look at a folder, compared with those before.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind as Io;
use std::path::Path;
use std::time::Duration;

use super::LocalStore;
use super::moves::found;
use super::window::Window;
use crate::ports::{Arrivals, Arrived, FileKind, Finding, Fs, Host, Looked, Marker, Meta};
use crate::words::{
    Customs, Error, Evidence, Marked, Pending, Result, Sighting, Sort, Version, Writer, hex, judge,
    parse_checksum,
};

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
        // Even if this look comes to nothing: what is remembered for longer may be of another file.
        let moved = std::mem::take(&mut arrivals.moved);
        let (mut window, mut markers) = (Window::default(), HashSet::new());
        let mut each = |entry: crate::ports::Listed| {
            if entry.kind != FileKind::File {
                return;
            }
            match arrivals.customs.sort(&entry.name) {
                Sort::Bare if arrivals.only.as_ref().is_some_and(|only| *only != entry.name) => {}
                Sort::Bare => window.add(entry.name, arrivals),
                Sort::Marker(_) => drop(markers.insert(entry.name)),
                Sort::Ours | Sort::Ignored(_) => {}
            }
        };
        self.fs.list(folder, &mut each).map_err(|e| Error::io("list a folder", folder, e))?;
        let now = self.host.monotonic();
        let names = window.open(arrivals, now);
        let mut looked = Looked { beyond: window.waiting(arrivals), ..Looked::default() };
        let mut idle = Vec::new();
        for (nth, (first, name)) in names.iter().enumerate() {
            if looked.ready.len() >= arrivals.at_once {
                looked.beyond += names.len() - nth;
                looked.again = Some(Duration::ZERO);
                return Ok(looked);
            }
            let seen = Seen { folder, name, moved: &moved, markers: &markers, now };
            let Some((verdict, arrived)) = self.look_at(&seen, arrivals) else { continue };
            tell(name, verdict.as_ref());
            let Err(pending) = verdict else {
                looked.ready.extend(arrived);
                continue;
            };
            if matches!(pending, Pending::WrongChecksum(_)) && is_news_of_damage(name, now, arrivals) {
                looked.damaged.push((name.clone(), pending.clone()));
            }
            let first_quiet = now.saturating_sub(*first) < arrivals.patience.quiet;
            // What had its turn, and has another since there are so many, was not first seen then.
            if first_quiet && arrivals.all_seen.is_none_or(|all_seen| *first <= all_seen) {
                looked.fresh += 1
            } else {
                looked.pending += 1
            }
            if !first_quiet || !matches!(pending, Pending::Quiet(_)) {
                idle.push(name.clone());
            }
            let again = match pending {
                Pending::Quiet(left) => left.min(arrivals.patience.quiet).max(Duration::from_millis(1)),
                _ => LOOK_AGAIN,
            };
            looked.again = Some(looked.again.map_or(again, |before| before.min(again)));
        }
        // Those that are given out, too: they are taken now, or are not meant.
        idle.extend(looked.ready.iter().map(|arrived| arrived.name.clone()));
        if window.make_room(idle, arrivals) && looked.beyond > 0 {
            looked.again = Some(Duration::ZERO);
        }
        Ok(looked)
    }

    /// Looks at one file. What goes wrong concerns only this one. `None`: it is gone, or no file.
    fn look_at(&self, seen: &Seen<'_>, arrivals: &mut Arrivals) -> Option<(Verdict, Option<Arrived>)> {
        let path = seen.folder.join(seen.name);
        let meta = match found(self.fs.stat(&path)) {
            Ok(meta) => meta.filter(|meta| meta.kind == FileKind::File)?,
            Err(e) => return Some((Err(unreadable(&e)), None)),
        };
        let sighting = self.see(seen, &meta, arrivals);
        let (marked, markers) = match self.marked(seen, &sighting, arrivals) {
            Ok(marked) => marked,
            Err(e) => return Some((Err(Pending::Unreadable(e.to_string())), None)),
        };
        let mut trouble = None;
        let writer = || match self.fs.writer(&path) {
            Ok(writer) => writer,
            Err(e) => {
                trouble = Some(e);
                Writer::Unknown
            }
        };
        // Where there may be no rename that replaces nothing, what is put back has two names for a while.
        let links = if self.fs.is_local() { meta.links } else { 1 };
        let verdict = judge(arrivals.patience, &sighting, links, marked, writer, seen.now);
        if verdict.is_ok() && trouble.is_none() {
            // Whatever the evidence: what cannot be read cannot be handled.
            trouble = self.fs.open(&path).err();
        }
        match trouble {
            None => {}
            Some(e) if matches!(e.kind(), Io::NotFound | Io::InvalidInput) => return None,
            Some(e) => return Some((Err(unreadable(&e)), None)),
        }
        let arrived = verdict.as_ref().ok().map(|evidence| Arrived {
            name: seen.name.to_owned(),
            version: sighting.version,
            evidence: evidence.clone(),
            markers,
        });
        Some((verdict, arrived))
    }

    fn see(&self, seen: &Seen<'_>, meta: &Meta, arrivals: &mut Arrivals) -> Sighting {
        let version = meta.version();
        let renamed = seen.moved.get(seen.name) == Some(&version) && !self.went_back(&version);
        let sighting = arrivals.seen.entry(seen.name.to_owned());
        let sighting = sighting.or_insert_with(|| Sighting::new(version, seen.now, renamed));
        sighting.look(version, seen.now, renamed);
        sighting.clone()
    }

    /// What the markers beside a file say, and those that count.
    fn marked(
        &self,
        seen: &Seen<'_>,
        sighting: &Sighting,
        arrivals: &mut Arrivals,
    ) -> Result<(Marked, Vec<Marker>)> {
        let Seen { folder, name, markers, now, .. } = *seen;
        let (mut marked, mut counting) = (Marked::No, Vec::new());
        // Whatever else is there: who sends a checksum says what the content is, and it is right or wrong.
        let (sums, others): (Vec<_>, Vec<_>) =
            arrivals.customs.markers().iter().partition(|suffix| Customs::is_checksum(suffix));
        for suffix in sums.into_iter().chain(others) {
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
                let file = &sighting.version;
                if meta.changed_ns >= file.changed_ns || self.went_back_complete(&folder.join(name), file) {
                    counting.push(marker);
                    if !matches!(marked, Marked::Yes { .. }) {
                        marked = Marked::Yes { suffix, checksum: false };
                    }
                } else if marked == Marked::No {
                    marked = Marked::Stale(suffix);
                }
                continue;
            }
            let versions = (sighting.version, meta.version());
            let known = arrivals.checked.get(name).filter(|(file, marker, _)| (*file, *marker) == versions);
            let agrees = match known {
                Some((_, _, agrees)) => *agrees,
                None if now.saturating_sub(sighting.since) < arrivals.patience.quiet / CHECK_AFTER => {
                    return Ok((Marked::Unchecked(suffix), Vec::new()));
                }
                None => {
                    let Some(agrees) = self.agree(&folder.join(name), &path)? else { continue };
                    arrivals.checked.insert(name.to_owned(), (versions.0, versions.1, agrees));
                    agrees
                }
            };
            if !agrees {
                return Ok((Marked::Differs(suffix), Vec::new()));
            }
            counting.push(marker);
            marked = Marked::Yes { suffix, checksum: true };
        }
        Ok((marked, counting))
    }

    /// Whether a file has the checksum that stands in the other. `None`: one of them is gone.
    fn agree(&self, path: &Path, marker: &Path) -> Result<Option<bool>> {
        let both = self.checksums(path, marker)?;
        Ok(both.map(|(said, is)| said.is_some() && said == is))
    }

    /// The checksum that stands in a marker, if one does, and then that of the file. `None`: one of them is gone.
    pub(crate) fn checksums(&self, path: &Path, marker: &Path) -> Result<Option<Checksums>> {
        let open = |path: &Path| found(self.fs.open(path)).map_err(|e| Error::io("open a file", path, e));
        let (Some(file), Some(said)) = (open(path)?, open(marker)?) else { return Ok(None) };
        let name = path.file_name().unwrap_or_default();
        let text = match self.fs.read(&said, CHECKSUM_BYTES) {
            Err(e) if e.kind() == Io::FileTooLarge => Vec::new(),
            read => read.map_err(|e| Error::io("read a file", marker, e))?,
        };
        let Some(said) = parse_checksum(&text, std::os::unix::ffi::OsStrExt::as_bytes(name)) else {
            return Ok(Some((None, None)));
        };
        let digest = self.fs.sha256(&file).map_err(|e| Error::io("read a file", path, e))?;
        Ok(Some((Some(said), Some(hex(&digest)))))
    }
}

/// Whether a file has been damaged for a quiet period, and that was not told yet.
fn is_news_of_damage(name: &OsStr, now: Duration, arrivals: &mut Arrivals) -> bool {
    let since = arrivals.seen.get(name).map(|sighting| sighting.since);
    let state = arrivals.checked.get(name).map(|(file, marker, _)| (*file, *marker));
    let (Some(since), Some(state)) = (since, state) else { return false };
    now.saturating_sub(since) >= arrivals.patience.quiet
        && arrivals.damaged.insert(name.to_owned(), state) != Some(state)
}

/// In hex: what a marker says, and what the file has.
pub(crate) type Checksums = (Option<String>, Option<String>);

type Verdict = std::result::Result<Evidence, Pending>;

/// A name in a folder that is looked at.
struct Seen<'a> {
    folder: &'a Path,
    name: &'a OsStr,
    moved: &'a HashMap<OsString, Version>,
    markers: &'a HashSet<OsString>,
    now: Duration,
}

fn unreadable(e: &std::io::Error) -> Pending {
    Pending::Unreadable(match e.kind() {
        Io::PermissionDenied => "this process may not read it".to_owned(),
        kind => kind.to_string(),
    })
}
