//! What is at risk in a folder.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::{Diagnosis, Tried, rooms};
use crate::adapters::fs::Nature;
use crate::adapters::probe::Ability;
use crate::ports::WatchMode;
use crate::words::Error;

/// What is at risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// In a word; what is chosen from does not change.
    pub what: &'static str,
    /// Whether a promise of PROTOCOL.md does not hold because of it. Otherwise it costs time, or is to be known.
    pub breaks_promise: bool,
    /// What may happen, and what would help, for people.
    pub says: String,
}

/// The options of mounts with which a flush does not reach the disk.
const NO_FLUSH: [&str; 4] = ["nobarrier", "barrier=0", "volatile", "fsync=volatile"];
/// Below that a large envelope may not fit.
const LITTLE_SPACE: u64 = crate::MAX_FILE_BYTES as u64;
const FEW_FILES: u64 = 1000;
/// Where the power was cut again and again, and nothing was lost (`tests/powercut`): with a journal.
const KEEP_AT_POWER_CUTS: [&str; 2] = ["ext4", "xfs"];
/// Steps as coarse as that hide changes.
const COARSE_NS: u64 = 100_000_000;
const CLOCKS_DIFFER_MS: u64 = 1000;

/// Why nothing could be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Untried {
    /// Nothing can be changed: in the folder, or in this one below it.
    ReadOnly(Option<PathBuf>),
    /// Nothing can be written.
    Full,
    /// Nor by this user.
    QuotaUsedUp,
    /// Something could be written, but not enough.
    Little,
}

impl Untried {
    /// `None`: it is not because of the disk.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error.system()?.kind() {
            io::ErrorKind::ReadOnlyFilesystem => Some(Self::ReadOnly(error.path().map(Into::into))),
            io::ErrorKind::StorageFull => Some(Self::Full),
            io::ErrorKind::QuotaExceeded => Some(Self::QuotaUsedUp),
            _ => None,
        }
    }
}

/// `watching`: or why nothing could be tried.
pub(super) fn of(found: &Diagnosis, watching: Result<WatchMode, &Untried>) -> Vec<Risk> {
    let mut risks = Risks(Vec::new());
    if let Some(tried) = &found.tried {
        names(tried, &mut risks);
    }
    if let Err(why) = watching {
        disk(why, &mut risks);
    }
    rooms::judge(found, &mut risks);
    power(found, &mut risks);
    if let (Some(tried), Ok(watching)) = (&found.tried, watching) {
        others(tried, watching, &mut risks);
        people(found, &mut risks);
        peer(found, tried, watching, &mut risks);
    }
    let mut risks = risks.0;
    // Stable: otherwise as they were found.
    risks.sort_by_key(|risk| !risk.breaks_promise);
    risks
}

pub(super) struct Risks(Vec<Risk>);

impl Risks {
    pub(super) fn breaks(&mut self, what: &'static str, says: impl Into<String>) {
        self.0.push(Risk { what, breaks_promise: true, says: says.into() });
    }

    fn costs(&mut self, what: &'static str, says: impl Into<String>) {
        self.0.push(Risk { what, breaks_promise: false, says: says.into() });
    }

    fn needs(&mut self, what: &'static str, ability: &Ability, otherwise: &str) {
        if !ability.works {
            let why = ability.why.as_deref().unwrap_or("it does not work");
            self.breaks(what, format!("{otherwise} ({why})"));
        }
    }
}

fn disk(why: &Untried, risks: &mut Risks) {
    let full = |subject: &str| {
        format!(
            "{subject}: nothing can be submitted, outcomes wait, and nothing was tried; make room (`filedrop gc` removes what was kept \
             long enough)"
        )
    };
    match why {
        Untried::ReadOnly(below) => {
            let subject = below.as_ref().map_or("this file system".into(), |path| path.display().to_string());
            let says = format!(
                "{subject} is read-only: nothing can be submitted, handled or settled, and nothing was tried; mount it writable (of a \
                 disk that failed the kernel's log tells)"
            );
            risks.breaks("read-only", says);
        }
        Untried::Full => risks.breaks("full", full("this file system is full")),
        Untried::QuotaUsedUp => risks.breaks("full", full("a quota is used up")),
        Untried::Little => risks.breaks(
            "space",
            "too little space is left to try anything: what is small may still be submitted and settled, and the rest has to wait; make \
             room (`filedrop gc` removes what was kept long enough)",
        ),
    }
}

fn names(found: &Tried, risks: &mut Risks) {
    let names = &found.names;
    risks.needs(
        "hard-links",
        &names.hard_links,
        "no hard links: this cannot be a drop folder; choose another file system",
    );
    let two = "a link may replace a name: a job could have two outcomes";
    // Without links that is all that there is to say.
    if names.hard_links.works {
        risks.needs("link-replaces", &names.link_replaces_nothing, two);
    }
    let half = "a rename does not replace at once: others may find no file, or half of one";
    risks.needs("rename", &names.rename_replaces, half);
    if names.folds_case {
        risks.costs("case", "names that differ only in case are one here: of two such files that are dropped one replaces the other");
    }
    match found.times.step_ns {
        Some(step) if step < COARSE_NS => {}
        _ => risks.costs(
            "coarse-times",
            "times of files are coarse here, so that a change may not be seen: let who drops files rename them into place, or use \
             markers",
        ),
    }
}

fn power(found: &Diagnosis, risks: &mut Risks) {
    let on = &found.surroundings;
    if let Some(tried) = &found.tried {
        let otherwise = "names cannot be made durable: a power cut may take jobs that were acknowledged";
        risks.needs("flush", &tried.flushes.folders, otherwise);
    }
    if on.nature == Nature::Memory {
        risks.breaks(
            "memory",
            "all of this is in memory: a power cut, or a restart, takes every job; use a disk",
        );
    }
    for option in on.options.iter().filter(|option| NO_FLUSH.contains(&option.as_str())) {
        let says =
            format!("it is mounted with {option}: a power cut may take what was flushed; mount it without");
        risks.breaks("mount-option", says);
    }
    match (on.journal, &on.file_system[..]) {
        (Some(false), kind) => {
            let says = format!("{kind} has no journal: a power cut may take a file that is being renamed; use ext4 with a journal, or xfs");
            risks.breaks("journal", says);
        }
        (None, "ext4" | "ext3") => risks.costs(
            "journal",
            "whether this file system has a journal nobody told: without one a power cut may take a file that is being renamed",
        ),
        (_, "btrfs") => risks.breaks(
            "power-cuts",
            "a power cut may take jobs that were acknowledged: one way to lose a name is left on btrfs; use ext4 with a journal, or xfs",
        ),
        (_, kind) if !KEEP_AT_POWER_CUTS.contains(&kind) && is_of_this_machine(on.nature) => {
            let says = format!("power cuts were not tried on {kind}: nobody vouches that one takes nothing that was acknowledged");
            risks.costs("power-cuts", says);
        }
        _ => {}
    }
    if on.nature == Nature::Network || on.nature == Nature::Program {
        risks.costs("far-side", "whether a flush reaches the disk is up to the other side: see that it is not told to wait (`async`)");
    }
}

/// Of what lies in memory, or with others, more is said.
fn is_of_this_machine(nature: Nature) -> bool {
    matches!(nature, Nature::Local | Nature::Unknown)
}

fn others(found: &Tried, watching: WatchMode, risks: &mut Risks) {
    if found.locks.trusted {
        risks.needs(
            "locks",
            &found.locks.seen,
            "a living consumer may be taken for dead, since locks are not seen",
        );
    } else {
        risks.costs(
            "no-locks",
            "the jobs of a killed consumer wait for its lease, 30 s if --lease does not say otherwise",
        );
    }
    if watching != WatchMode::Notify {
        risks.costs("polling", "what comes is found at the next look, up to --poll-interval later");
    }
    if !found.locks.writers_told.works {
        risks.costs("writers", "a dropped file whose writer pauses for longer than --quiet-period is taken half; use markers or renames");
    }
    if found.times.ahead_ms.unsigned_abs() > CLOCKS_DIFFER_MS {
        let says = format!(
            "the file system's clock and this machine's differ by {} s: so may what is kept, and for how long",
            found.times.ahead_ms as f64 / 1000.0
        );
        risks.costs("clock", says);
    }
}

fn people(found: &Diagnosis, risks: &mut Risks) {
    let (access, on) = (&found.access, &found.surroundings);
    if access.made_for_group == Some(false) {
        let says = format!(
            "what this user makes here is not readable and writable for group {}, which is to share the folder: the others cannot \
             go on with it",
            access.group
        );
        risks.breaks("group", says);
    }
    if let Some(above) = &access.closed_above {
        let says =
            format!("group {} cannot pass {}: so its users may not come here", access.group, above.display());
        risks.costs("closed", says);
    }
    let little = on.free_bytes < LITTLE_SPACE || on.free_files.is_some_and(|files| files < FEW_FILES);
    if little {
        risks.costs(
            "space",
            "there is little space left: submissions will be refused, and outcomes will have to wait",
        );
    }
}

fn peer(found: &Diagnosis, tried: &Tried, watching: WatchMode, risks: &mut Risks) {
    let Some(peer) = &found.peer else {
        if found.surroundings.nature == Nature::Program || found.surroundings.nature == Nature::Network {
            risks.costs(
                "not-tried",
                "what the other side sees was not tried: run `filedrop doctor --peer` there and here",
            );
        }
        return;
    };
    if !peer.links.is_fair() {
        let says = format!(
            "of {} names, {} were given to both: a job could have two outcomes",
            peer.links.names, peer.links.both
        );
        risks.breaks("peer-links", says);
    }
    if !peer.renames.is_fair() {
        let says = format!(
            "of {} files, {} were moved by both, and {} by nobody: a job could be handled twice at once, or be lost",
            peer.renames.names, peer.renames.both, peer.renames.nobody
        );
        risks.breaks("peer-renames", says);
    }
    if tried.locks.trusted && peer.trusts_locks && !(peer.lock_seen && peer.lock_freed) {
        risks.breaks(
            "peer-locks",
            "each trusts locks here, and does not see the other's: a living consumer may be taken for dead",
        );
    }
    if watching == WatchMode::Notify && peer.told != Some(true) {
        let says = "no notification comes of what the other one does: what it drops may be found only after 30 s; use --watch poll";
        risks.costs("peer-notifications", says);
    }
    let apart_us = peer.clock_ahead_us.unsigned_abs().saturating_sub(peer.clock_error_us);
    if apart_us > CLOCKS_DIFFER_MS * 1000 {
        let says = format!(
            "its clock differs from ours by {:.1} s: by so much --delay, --expires and what is kept may be wrong",
            peer.clock_ahead_us as f64 / 1e6
        );
        risks.costs("peer-clock", says);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ability, diagnosis, peer};
    use super::*;

    /// What is at risk if this is otherwise than in a folder in which all is well.
    fn risks(change: impl FnOnce(&mut Diagnosis)) -> Vec<(&'static str, bool)> {
        let found = diagnosis(change, WatchMode::Notify);
        assert_eq!(found.is_sound(), found.risks.iter().all(|risk| !risk.breaks_promise));
        found.risks.iter().map(|risk| (risk.what, risk.breaks_promise)).collect()
    }

    fn tried(found: &mut Diagnosis) -> &mut Tried {
        found.tried.as_mut().unwrap()
    }

    #[test]
    fn what_breaks_a_promise() {
        let broken =
            |what, change: &dyn Fn(&mut Diagnosis)| assert_eq!(risks(|found| change(found)), [(what, true)]);
        let no = || ability(Some("it does not"));
        assert_eq!(risks(|_| ()), []);
        assert_eq!(risks(|found| found.surroundings.file_system = "xfs".to_owned()), []);
        // Whether the race of links works then does not matter.
        broken("hard-links", &|found| {
            tried(found).names.hard_links = no();
            tried(found).names.link_replaces_nothing = no();
        });
        broken("link-replaces", &|found| tried(found).names.link_replaces_nothing = no());
        broken("rename", &|found| tried(found).names.rename_replaces = no());
        broken("flush", &|found| tried(found).flushes.folders = no());
        broken("memory", &|found| found.surroundings.nature = Nature::Memory);
        broken("journal", &|found| found.surroundings.journal = Some(false));
        broken("power-cuts", &|found| found.surroundings.file_system = "btrfs".to_owned());
        for option in NO_FLUSH {
            broken("mount-option", &|found| found.surroundings.options.push(option.to_owned()));
        }
        broken("locks", &|found| tried(found).locks.seen = no());
        broken("group", &|found| found.access.made_for_group = Some(false));
    }

    #[test]
    fn why_nothing_could_be_tried_is_told_as_it_is() {
        let told = |why: &Untried| {
            let mut found = diagnosis(|_| (), WatchMode::Notify);
            found.tried = None;
            let found = found.judged(Err(why));
            assert!(!found.is_sound() && found.risks.len() == 1, "{found:?}");
            (found.risks[0].what, found.risks[0].says.clone())
        };
        let of = |kind: io::ErrorKind| Untried::of(&Error::io("make a folder", "/srv/drop/tmp", kind.into()));
        for (why, what, says) in [
            (Some(Untried::ReadOnly(None)), "read-only", "this file system is read-only"),
            (of(io::ErrorKind::ReadOnlyFilesystem), "read-only", "/srv/drop/tmp is read-only"),
            (of(io::ErrorKind::StorageFull), "full", "this file system is full"),
            (of(io::ErrorKind::QuotaExceeded), "full", "a quota is used up"),
            (Some(Untried::Little), "space", "too little space is left"),
        ] {
            let told = told(&why.unwrap());
            assert!(told.0 == what && told.1.starts_with(says), "{told:?}");
        }
        assert_eq!(of(io::ErrorKind::NotConnected), None);
    }

    #[test]
    fn what_costs() {
        let costs =
            |what, change: &dyn Fn(&mut Diagnosis)| assert_eq!(risks(|found| change(found)), [(what, false)]);
        costs("case", &|found| tried(found).names.folds_case = true);
        costs("coarse-times", &|found| tried(found).times.step_ns = None);
        costs("coarse-times", &|found| tried(found).times.step_ns = Some(2_000_000_000));
        costs("journal", &|found| found.surroundings.journal = None);
        for kind in ["zfs", "jfs", "f2fs", "bcachefs", "nilfs2", "reiserfs", "overlay", "ext3"] {
            costs("power-cuts", &|found| found.surroundings.file_system = kind.to_owned());
        }
        for kind in ["ntfs3", "unknown"] {
            costs("power-cuts", &|found| {
                (found.surroundings.file_system, found.surroundings.nature) =
                    (kind.to_owned(), Nature::Unknown);
                found.surroundings.journal = None;
            });
        }
        costs("no-locks", &|found| tried(found).locks.trusted = false);
        costs("writers", &|found| tried(found).locks.writers_told = ability(Some("no")));
        costs("clock", &|found| tried(found).times.ahead_ms = -1001);
        costs("closed", &|found| found.access.closed_above = Some("/srv".into()));
        costs("space", &|found| found.surroundings.free_bytes = 1 << 20);
        costs("space", &|found| found.surroundings.free_files = Some(5));
        let far = |found: &mut Diagnosis| found.surroundings.nature = Nature::Network;
        assert_eq!(risks(far), [("far-side", false), ("not-tried", false)]);
        let found = diagnosis(|_| (), WatchMode::Poll);
        assert_eq!(found.risks.iter().map(|risk| risk.what).collect::<Vec<_>>(), ["polling"]);
        // What breaks a promise comes first.
        let both = risks(|found| {
            tried(found).names.folds_case = true;
            found.surroundings.nature = Nature::Memory;
        });
        assert_eq!(both, [("memory", true), ("case", false)]);
    }

    #[test]
    fn what_two_find() {
        let with = |change: &dyn Fn(&mut crate::adapters::probe::Peer)| {
            let mut peer = peer();
            change(&mut peer);
            risks(|found| found.peer = Some(peer))
        };
        assert_eq!(with(&|_| ()), []);
        assert_eq!(with(&|peer| peer.links.both = 1), [("peer-links", true)]);
        assert_eq!(with(&|peer| peer.renames.nobody = 1), [("peer-renames", true)]);
        assert_eq!(with(&|peer| peer.lock_seen = false), [("peer-locks", true)]);
        assert_eq!(with(&|peer| (peer.lock_seen, peer.trusts_locks) = (false, false)), []);
        assert_eq!(with(&|peer| peer.told = Some(false)), [("peer-notifications", false)]);
        assert_eq!(with(&|peer| peer.clock_ahead_us = 2_000_000), [("peer-clock", false)]);
        assert_eq!(with(&|peer| (peer.clock_ahead_us, peer.clock_error_us) = (2_000_000, 1_500_000)), []);
    }
}
