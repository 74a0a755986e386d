//! A folder in which all is well, for tests.

use super::{Diagnosis, Tried};
use crate::adapters::fs::Nature;
use crate::adapters::probe::{
    Ability, Access, Delays, Flushes, Locks, Names, Peer, Race, Replaced, Surroundings, Times,
};
use crate::ports::{Chosen, WatchMode};

pub(crate) fn ability(why: Option<&str>) -> Ability {
    Ability { works: why.is_none(), why: why.map(str::to_owned) }
}

pub(crate) fn diagnosis(change: impl FnOnce(&mut Diagnosis), watching: WatchMode) -> Diagnosis {
    let mut found = Diagnosis {
        folder: "/srv/drop".into(),
        drop_folder: true,
        surroundings: Surroundings {
            file_system: "ext4".to_owned(),
            nature: Nature::Local,
            mounted_at: Some("/srv".into()),
            source: Some("/dev/sda1".to_owned()),
            options: vec!["rw".to_owned()],
            journal: Some(true),
            read_only: false,
            free_bytes: 1 << 40,
            free_files: Some(1 << 20),
        },
        access: Access {
            owner: 1000,
            group: 1000,
            mode: 0o755,
            shared: false,
            user: 1000,
            made_for_group: None,
            closed_above: None,
        },
        unusable: Vec::new(),
        tried: Some(tried()),
        peer: None,
        chosen: Vec::new(),
        risks: Vec::new(),
    };
    change(&mut found);
    let chosen = Chosen { mode: watching, why: "for the test".to_owned() };
    found.judged(Ok(&chosen))
}

fn tried() -> Tried {
    let yes = || ability(None);
    Tried {
        names: Names {
            rename_replaces: yes(),
            replaced: Replaced { times: 200, looks: 300, missing: 0, torn: 0 },
            hard_links: yes(),
            link_replaces_nothing: yes(),
            rename_replaces_nothing: yes(),
            unnamed_files: yes(),
            folds_case: false,
        },
        flushes: Flushes { folders: yes(), times: 21, file_us: Some(1500), folder_us: Some(700) },
        locks: Locks { trusted: true, seen: yes(), writers_told: yes() },
        notifications: Some(Delays { create_us: Some(70), rename_us: Some(60), close_us: None }),
        times: Times { step_ns: Some(4_000_000), ahead_ms: 0 },
    }
}

pub(crate) fn peer() -> Peer {
    let race = Race { names: 100, ours: 40, theirs: 60, both: 0, nobody: 0 };
    Peer {
        host: "barn".to_owned(),
        pid: 7,
        same_machine: false,
        trusts_locks: true,
        appears_us: 900,
        clock_ahead_us: -1500,
        clock_error_us: 250,
        told: Some(true),
        lock_seen: true,
        lock_freed: true,
        links: race,
        renames: race,
    }
}
