//! Folders in which nothing was, and that are as they were: who looks again and again need not list them.
//!
//! On ext4 a folder that once had a hundred thousand names takes milliseconds to list for ever after, also when it is empty. Only
//! where no other machine changes anything is the kernel believed that nothing was changed.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow::{self, Continue};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use super::LocalStore;
use crate::ports::{FileId, Fs, Host, Listed};

/// Which folder it is, and when any name in it last came or went (ctime, which nobody can set).
type State = (FileId, u64);

/// What the last listing of a folder found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Busy,
    /// Nothing; and in which state the folder was before, if that will tell of any change.
    Empty(Option<State>),
}

/// Some file systems keep whole seconds, and the clock that changes are stamped with lags by a tick. A state that is this old does not
/// stand for two contents.
const SETTLED_MS: u64 = 3000;

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// As [`Fs::list_until`].
    pub(super) fn list_unless_empty(
        &self,
        dir: &Path,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let last = self.found_last().get(dir).copied();
        // Before the listing: what comes meanwhile changes it. A busy folder is not asked.
        let state = if last == Some(Last::Busy) { None } else { self.settled(dir) };
        if state.is_some() && last == Some(Last::Empty(state)) {
            return Ok(Continue(()));
        }
        let mut found = Last::Empty(state);
        let answer = self.fs.list_until(dir, &mut |entry| {
            found = Last::Busy;
            each(entry)
        })?;
        self.found_last().insert(dir.to_owned(), found);
        Ok(answer)
    }

    fn found_last(&self) -> MutexGuard<'_, HashMap<PathBuf, Last>> {
        self.found_last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self, dir: &Path) -> Option<State> {
        let meta = self.fs.is_local().then(|| self.fs.stat(dir).ok()).flatten()?;
        let is_old = self.host.now().get().saturating_sub(meta.changed_ns / 1_000_000) > SETTLED_MS;
        (is_old && meta.changed_ns > 0).then_some((meta.id, meta.changed_ns))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::adapters::fs::{OsFs, describe};
    use crate::adapters::host::OsHost;
    use crate::words::Millis;

    /// A machine whose clock is ahead, so that nobody has to wait until a state is old.
    struct Ahead;

    impl Host for Ahead {
        fn now(&self) -> Millis {
            OsHost.now().later(Duration::from_secs(60))
        }
        fn monotonic(&self) -> Duration {
            OsHost.monotonic()
        }
        fn entropy(&self) -> u128 {
            OsHost.entropy()
        }
        fn name(&self) -> String {
            OsHost.name()
        }
        fn pid(&self) -> u32 {
            OsHost.pid()
        }
    }

    /// How many names are seen, and whether the folder is known to be empty then.
    fn seen<H: Host>(store: &LocalStore<OsFs, H>, dir: &Path) -> (usize, bool) {
        let mut seen = 0;
        let mut each = |_| {
            seen += 1;
            Continue(())
        };
        assert!(store.list_unless_empty(dir, &mut each).unwrap().is_continue());
        (seen, matches!(store.found_last().get(dir), Some(Last::Empty(Some(_)))))
    }

    /// Until what changes now has another time than the folder.
    fn wait_for_a_tick(place: &Path, dir: &Path) {
        let changed = |path: &Path| describe(&fs::symlink_metadata(path).unwrap()).changed_ns;
        let clock = place.join("clock");
        while fs::write(&clock, "").is_ok() && changed(&clock) <= changed(dir) {}
    }

    #[test]
    fn a_folder_that_stays_empty_is_not_listed_and_any_change_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let fs = OsFs::at(place.path()).unwrap();
        let store = LocalStore::init(fs.clone(), Ahead, place.path().join("drop")).unwrap();
        let inbox = store.layout.room("inbox");
        assert_eq!([seen(&store, &inbox), seen(&store, &inbox)], [(0, true); 2]);
        // It is not listed: a state that is not that of an empty folder hides what is there.
        fs::write(inbox.join("x"), "").unwrap();
        let state = store.settled(&inbox);
        store.found_last().insert(inbox.clone(), Last::Empty(state));
        assert_eq!(seen(&store, &inbox), (0, true));
        let outside = place.path().join("x");
        let changes: [fn(PathBuf, PathBuf) -> io::Result<()>; 2] = [fs::hard_link, fs::rename];
        fs::rename(inbox.join("x"), &outside).unwrap();
        for change in changes {
            store.found_last().insert(inbox.clone(), Last::Busy);
            assert_eq!(seen(&store, &inbox), (0, false), "a busy folder is not asked for its state");
            assert_eq!([seen(&store, &inbox), seen(&store, &inbox)], [(0, true); 2]);
            wait_for_a_tick(place.path(), &inbox);
            change(outside.clone(), inbox.join("x")).unwrap();
            assert_eq!(seen(&store, &inbox), (1, false));
            fs::remove_file(inbox.join("x")).unwrap();
        }
        // What changed just now may have changed twice in a tick; and what another machine does, nobody tells in time.
        let now = LocalStore::open(fs, OsHost, place.path().join("drop")).unwrap();
        assert_eq!([seen(&now, &inbox), seen(&now, &inbox)], [(0, false); 2]);
        let shared = LocalStore::open(OsFs::shared(), Ahead, place.path().join("drop")).unwrap();
        assert_eq!([seen(&shared, &inbox), seen(&shared, &inbox)], [(0, false); 2]);
    }
}
