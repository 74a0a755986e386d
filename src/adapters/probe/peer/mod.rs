//! Two programs, best on two machines, that find each other in a folder, and what one sees of the other.
//!
//! They agree on nothing beforehand, and neither trusts the other's clock: each waits for what the other has written.

mod letters;
mod meeting;
mod race;
mod rounds;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::Site;
use crate::words::Result;
pub use race::Race;

/// What this program sees of the other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// The name of its machine.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Whether that is this machine: then what is said of the two says nothing of two machines.
    pub same_machine: bool,
    /// Whether it relies on locks here.
    pub trusts_locks: bool,
    /// How long a name takes to appear there, or here: half of the median of what there and back took, in microseconds, looking
    /// every millisecond.
    pub appears_us: u64,
    /// By how many microseconds its clock is ahead of ours.
    pub clock_ahead_us: i64,
    /// By how many that may be wrong.
    pub clock_error_us: u64,
    /// Whether a watch here was told of a file that it moved; `None` if there are no notifications here at all.
    pub told: Option<bool>,
    /// Whether its lock on a file keeps us from getting it.
    pub lock_seen: bool,
    /// Whether we get that lock when it has closed the file.
    pub lock_freed: bool,
    /// Both linked a file of theirs to the same names.
    pub links: Race,
    /// Both renamed the same files into folders of theirs.
    pub renames: Race,
}

/// What a meeting is given.
pub(crate) struct Given<'a> {
    /// The folder in which both have their sites.
    pub(crate) below: &'a Path,
    /// How long the other may take to appear, and for each of its answers.
    pub(crate) patience: Duration,
    /// Whether somebody asked us to stop.
    pub(crate) stopping: &'a dyn Fn() -> bool,
}

/// Waits for another program that does the same in this folder, and measures with it.
///
/// # Errors
/// [`TimedOut`](crate::ErrorKind::TimedOut) if none came, or it fell silent, or somebody asked us to stop;
/// [`Io`](crate::ErrorKind::Io) if the system refuses.
pub(crate) fn meet_and_measure(site: &Site<'_>, given: &Given<'_>) -> Result<Peer> {
    let met = meeting::meet(site, given)?;
    tracing::info!(host = met.hello.host, pid = met.hello.pid, "found another one");
    rounds::measure(site, given, &met)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::adapters::fs::OsFs;
    use crate::words::ErrorKind;

    fn run(place: &Path, patience: Duration) -> Result<Peer> {
        let os = OsFs::at(place).unwrap();
        let given = Given { below: place, patience, stopping: &|| false };
        Site::with(&os, place, |site| meet_and_measure(site, &given)).unwrap()
    }

    /// Four at once are two pairs; and what a killed one has left is nobody.
    #[test]
    fn each_finds_one_other_and_they_agree() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join(format!(".{:032x}.probe", 0));
        std::fs::create_dir(&left).unwrap();
        let hello = r#"{"host":"dead","pid":1,"boot":"","beat":1,"trusts_locks":true}"#;
        std::fs::write(left.join("hello"), hello).unwrap();
        let found: Vec<Peer> = thread::scope(|scope| {
            let run = || run(place.path(), Duration::from_secs(60)).unwrap();
            let running: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for peer in &found {
            assert!(peer.same_machine && peer.trusts_locks && peer.lock_seen && peer.lock_freed, "{peer:?}");
            assert_eq!(peer.told, Some(true), "{peer:?}");
            // Nobody set the clock, and it is one.
            assert!(peer.clock_ahead_us.unsigned_abs() <= peer.clock_error_us + 1, "{peer:?}");
            for race in [peer.links, peer.renames] {
                assert!(race.is_fair() && race.ours + race.theirs == race.names, "{peer:?}");
                let mirrored = Race { ours: race.theirs, theirs: race.ours, ..race };
                let others = found.iter().filter(|other| [other.links, other.renames].contains(&mirrored));
                assert!(others.count() >= 1, "one saw it from the other side: {found:?}");
            }
        }
        let left: Vec<_> =
            std::fs::read_dir(place.path()).unwrap().flatten().map(|entry| entry.path()).collect();
        assert_eq!(left, [place.path().join(format!(".{:032x}.probe", 0))]);
    }

    #[test]
    fn who_is_alone_is_told_so() {
        let place = tempfile::tempdir().unwrap();
        let alone = run(place.path(), Duration::from_millis(50)).unwrap_err();
        assert_eq!(alone.kind(), ErrorKind::TimedOut);
        assert!(alone.to_string().contains("--peer"), "{alone}");
        let os = OsFs::at(place.path()).unwrap();
        let given = Given { below: place.path(), patience: Duration::MAX, stopping: &|| true };
        let stopped = Site::with(&os, place.path(), |site| meet_and_measure(site, &given)).unwrap();
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
