//! What lies beside the drop folder, and is none of its business.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::place::Place;

pub(crate) const SECRET: &str = "nobody is to read this";

/// A folder with files that any user may read and write: nothing but the consumer's care keeps them as they are.
pub(crate) struct Outside {
    pub(crate) dir: PathBuf,
    paths: Vec<PathBuf>,
    before: Vec<State>,
}

/// Everything of a file that an access would change.
#[derive(Debug, PartialEq)]
struct State {
    path: PathBuf,
    accessed: (i64, i64),
    modified: (i64, i64),
    changed: (i64, i64),
    mode: u32,
    links: u64,
}

impl Outside {
    pub(crate) fn new(place: &Place) -> Self {
        let dir = place.root.join("outside");
        fs::create_dir_all(dir.join("folder")).unwrap();
        let files = ["secret", "folder/secret"].map(|name| dir.join(name));
        for path in &files {
            fs::write(path, SECRET).unwrap();
            place.give(path);
        }
        let mut paths = files.to_vec();
        paths.extend([dir.clone(), dir.join("folder")]);
        for path in &paths {
            place.give(path);
            // The kernel notes a first access after a change: so the last one is to lie before that.
            let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            let times = FileTimes::new().set_accessed(long_ago);
            File::open(path).unwrap().set_times(times).unwrap();
        }
        Self { dir, paths, before: Vec::new() }
    }

    /// Remembers how everything is. All links must be made by now.
    pub(crate) fn remember(&mut self) {
        self.before = self.paths.iter().map(|path| state(path)).collect();
    }

    /// Nothing was read, written or renamed, nothing has another mode, and nothing was added. It reads, so it is asked once.
    pub(crate) fn assert_untouched(self) {
        let now: Vec<State> = self.paths.iter().map(|path| state(path)).collect();
        assert_eq!(now, self.before);
        for path in self.paths.iter().filter(|path| path.is_file()) {
            assert_eq!(fs::read_to_string(path).unwrap(), SECRET, "{}", path.display());
        }
        assert_eq!(fs::read_dir(&self.dir).unwrap().count(), 2);
        assert_eq!(fs::read_dir(self.dir.join("folder")).unwrap().count(), 1);
    }
}

fn state(path: &Path) -> State {
    let meta = fs::symlink_metadata(path).unwrap();
    State {
        path: path.to_owned(),
        accessed: (meta.atime(), meta.atime_nsec()),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
        mode: meta.mode(),
        links: meta.nlink(),
    }
}
