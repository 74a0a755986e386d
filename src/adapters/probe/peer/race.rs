//! Two who want the same names, or the same files: each goes to exactly one.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind as Io};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::letters::Letters;
use super::meeting::{Met, read};
use crate::adapters::probe::Site;
use crate::ports::Fs as _;
use crate::words::{Error, Result};

/// How a race ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Race {
    /// How many there were to win.
    pub names: u32,
    /// How many this program won.
    pub ours: u32,
    /// How many the other one won.
    pub theirs: u32,
    /// How many both believe that they won: none may be.
    pub both: u32,
    /// How many nobody won: none may be.
    pub nobody: u32,
}

impl Race {
    /// Whether each was won by exactly one.
    pub fn is_fair(self) -> bool {
        (self.both, self.nobody) == (0, 0)
    }

    fn of(ours: &BTreeSet<u32>, theirs: &BTreeSet<u32>) -> Self {
        let won: BTreeSet<_> = ours.union(theirs).collect();
        Self {
            names: NAMES,
            ours: ours.len() as u32,
            theirs: theirs.len() as u32,
            both: ours.intersection(theirs).count() as u32,
            nobody: NAMES - won.len() as u32,
        }
    }
}

const NAMES: u32 = 100;
/// After so many they wait for each other: else the one that begins first wins all.
const BATCH: u32 = 5;

/// What one has won.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Won {
    links: BTreeSet<u32>,
    renames: BTreeSet<u32>,
}

/// The race of links, and that of renames.
pub(super) fn run(site: &Site<'_>, met: &Met, letters: &Letters<'_>) -> Result<(Race, Race)> {
    let failed = |e| Error::io("race for names", site.path(), e);
    let track = if met.begins { site.at("track") } else { met.site.join("track") };
    let racer = site.file("racer", site.path().as_os_str().as_encoded_bytes()).map_err(failed)?;
    let prizes = site.folder("prizes").map_err(failed)?;
    if met.begins {
        lay(site).map_err(failed)?;
    }
    letters.line_up()?;
    let mut answered = BTreeSet::new();
    for nth in 0..NAMES {
        if nth % BATCH == 0 {
            letters.line_up()?;
        }
        match site.fs.link(&racer, &track.join(format!("name-{nth}"))) {
            Ok(()) => drop(answered.insert(nth)),
            Err(e) if e.kind() == Io::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
        match site.fs.rename(&track.join(format!("prize-{nth}")), &prizes.join(nth.to_string())) {
            Err(e) if e.kind() != Io::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    letters.line_up()?;
    // An answer may be lost or repeated (NFS): what counts is what is there. Whoever was told that it won, and did not, believes it.
    let mut won = Won { links: answered, renames: BTreeSet::new() };
    for nth in 0..NAMES {
        if is_ours(site, &track.join(format!("name-{nth}"))).map_err(failed)? {
            won.links.insert(nth);
        }
        if site.fs.stat(&prizes.join(nth.to_string())).is_ok() {
            won.renames.insert(nth);
        }
    }
    let theirs: Won = letters.swap(&won)?;
    Ok((Race::of(&won.links, &theirs.links), Race::of(&won.renames, &theirs.renames)))
}

fn lay(site: &Site<'_>) -> io::Result<()> {
    site.folder("track")?;
    (0..NAMES).try_for_each(|nth| site.file(&format!("track/prize-{nth}"), b"").map(drop))
}

fn is_ours(site: &Site<'_>, name: &Path) -> io::Result<bool> {
    let there = read(site, name)?;
    Ok(there.is_some_and(|content| content == site.path().as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfair_races_are_told() {
        let all = |from, to| (from..to).collect::<BTreeSet<u32>>();
        let fair = Race::of(&all(0, 40), &all(40, NAMES));
        assert!(fair.is_fair() && (fair.ours, fair.theirs) == (40, 60));
        let both = Race::of(&all(0, 41), &all(40, NAMES));
        assert!(!both.is_fair() && (both.both, both.nobody) == (1, 0));
        let nobody = Race::of(&all(0, 40), &all(42, NAMES));
        assert!(!nobody.is_fair() && (nobody.both, nobody.nobody) == (0, 2));
    }
}
