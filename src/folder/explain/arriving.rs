//! Files of strangers: what is missing. They are looked at twice, as consumers look at them.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::takers::unreadable;
use super::{Explainer, Taker, Untaken, Why};
use crate::adapters::fs::{Holder, holders};
use crate::ports::{Arrivals, FileId, Finding, Host as _, Store as _};
use crate::words::{Customs, Evidence, Pending, Result, Writer};

/// The time between two looks: long enough to see most uploads grow.
const BETWEEN: Duration = Duration::from_millis(500);

impl Explainer {
    /// Calls `each` for the files that are no jobs by their names, or for the one. Returns how many were not looked at.
    pub(super) fn look_twice(
        &self,
        customs: &[Customs],
        only: Option<&OsStr>,
        each: &mut dyn FnMut(Untaken),
    ) -> Result<usize> {
        // Whoever takes them waits for longer; but what has not changed since is told by its times.
        let mut looks: Vec<_> =
            customs.iter().map(|customs| Arrivals::new(customs.clone(), BETWEEN)).collect();
        for arrivals in &mut looks {
            arrivals.only = only.map(OsStr::to_owned);
            arrivals.at_once = usize::MAX;
            self.folder.store.arrivals(None, arrivals, &mut |_, _| ())?;
        }
        let before: HashMap<OsString, u64> = looks
            .iter()
            .flat_map(|arrivals| &arrivals.seen)
            .map(|(name, sighting)| (name.clone(), sighting.version.size))
            .collect();
        std::thread::sleep(BETWEEN);
        let mut found: BTreeMap<OsString, Vec<Option<Why>>> = BTreeMap::new();
        let mut beyond = 0;
        for (nth, (arrivals, taker)) in looks.iter_mut().zip(&self.takers).enumerate() {
            let mut tell = |name: &OsStr, finding: Finding<'_>| {
                if let Some(why) = self.judge(taker, name, finding, &before) {
                    let whys = found.entry(name.to_owned()).or_insert_with(|| vec![None; self.takers.len()]);
                    whys[nth] = Some(why);
                }
            };
            let looked = self.folder.store.arrivals(None, arrivals, &mut tell)?;
            beyond = beyond.max(looked.beyond);
        }
        let open = self.open_files(&found);
        for (name, whys) in found {
            let Ok(meta) = fs::symlink_metadata(self.place().join(&name)) else { continue };
            let by_name = |nth: usize| self.by_name(&customs[nth], &name, meta.file_type());
            let whys = whys.into_iter().enumerate().map(|(nth, why)| why.or_else(|| by_name(nth)));
            // It is gone, or another by now, for one of them.
            let Some(mut whys) = whys.collect::<Option<Vec<Why>>>() else { continue };
            for why in &mut whys {
                if let Why::Open { by } | Why::Changing { by, .. } = why {
                    by.clone_from(open.get(&id_of(&meta)).unwrap_or(&Vec::new()));
                }
            }
            each(Untaken { name, size: Some(meta.len()), whys });
        }
        Ok(beyond)
    }

    /// Why it is not taken by these. `None` if it is gone.
    fn judge(
        &self,
        taker: &Taker,
        name: &OsStr,
        finding: Finding<'_>,
        before: &HashMap<OsString, u64>,
    ) -> Option<Why> {
        let path = self.place().join(name);
        let meta = fs::symlink_metadata(&path).ok()?;
        let ago = self.since(&meta);
        let left = taker.habits.quiet().saturating_sub(ago);
        let unreadable_here = matches!(finding, Err(Pending::Unreadable(_)));
        if let Some(why) = taker.shut_out(&meta).filter(|_| !unreadable_here) {
            return Some(why);
        }
        Some(match finding {
            Ok(Evidence::Quiet(_)) if !left.is_zero() => Why::Recent { ago, left },
            Ok(evidence) => Why::Complete(evidence.clone()),
            Err(Pending::Quiet(_)) => match before.get(name) {
                Some(&before) => Why::Changing { before, now: meta.len(), within: BETWEEN, by: Vec::new() },
                // Of very many files some are forgotten between the looks, and seen anew.
                None if left.is_zero() => Why::Complete(Evidence::Quiet(Writer::Unknown)),
                None => Why::Recent { ago, left },
            },
            Err(Pending::Written) => Why::Open { by: Vec::new() },
            Err(Pending::NoMarker) => Why::NoMarker(taker.habits.markers.clone()),
            Err(Pending::StaleMarker(suffix)) => Why::StaleMarker(suffix.clone()),
            Err(Pending::WrongChecksum(suffix)) => {
                let mut marker = path.clone().into_os_string();
                marker.push(suffix);
                match self.folder.store.checksums(&path, marker.as_ref()) {
                    Ok(both) => {
                        let (said, is) = both.unwrap_or_default();
                        Why::WrongChecksum { suffix: suffix.clone(), said, is }
                    }
                    Err(e) => unreadable(None, e.to_string(), &meta),
                }
            }
            Err(Pending::Unreadable(why)) => unreadable(None, why.clone(), &meta),
        })
    }

    /// How long ago anything of a file was last changed, by this machine's clock.
    pub(super) fn since(&self, meta: &Metadata) -> Duration {
        let changed =
            Duration::new(meta.ctime().try_into().unwrap_or(0), meta.ctime_nsec().try_into().unwrap_or(0));
        Duration::from_millis(self.folder.store.host().now().get()).saturating_sub(changed)
    }

    fn open_files(&self, found: &BTreeMap<OsString, Vec<Option<Why>>>) -> HashMap<FileId, Vec<Holder>> {
        let is_open = |why: &Option<Why>| matches!(why, Some(Why::Open { .. } | Why::Changing { .. }));
        let open = found.iter().filter(|(_, whys)| whys.iter().any(is_open));
        let meta = |name: &OsString| fs::symlink_metadata(self.place().join(name)).ok();
        let files: HashMap<FileId, Vec<Holder>> =
            open.filter_map(|(name, _)| Some((id_of(&meta(name)?), Vec::new()))).collect();
        // To look into every process takes a while.
        if files.is_empty() { files } else { holders(files) }
    }
}

fn id_of(meta: &Metadata) -> FileId {
    FileId { dev: meta.dev(), ino: meta.ino() }
}
