//! Handles all that is there.

use std::path::Path;
use std::time::{Duration, Instant};

use filedrop::DropFolder;

use crate::work::{Role, handlers};
use crate::{ADDRESS, Fallible, GROUPS};

/// Nothing takes so long, however slow the machine.
const DEADLINE: Duration = Duration::from_secs(300);

pub(crate) fn run(path: &Path) -> Fallible<()> {
    let drop = DropFolder::init(path)?;
    let start = Instant::now();
    loop {
        let mut seen = vec![drop.clone()];
        handlers(Role::drain(&drop, ".")?)?;
        for (group, _) in GROUPS {
            // The power may have gone before it was made.
            if let Ok(folder) = drop.group(&group.parse()?) {
                handlers(Role::drain_group(&drop, group)?)?;
                seen.push(folder);
            }
        }
        crate::work::collect(&drop, false)?;
        // Attempts that failed are repeated a little later; and while one role was at rest, another may have made work for it.
        let replies = path.join("replies").join(ADDRESS).join("inbox");
        let busy = seen
            .iter()
            .any(|folder| ["inbox", "delayed"].iter().any(|room| !is_empty(&folder.path().join(room))));
        if !busy && is_empty(&replies) {
            return Ok(());
        }
        if start.elapsed() > DEADLINE {
            return Err("there is still something left".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}
