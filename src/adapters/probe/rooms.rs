//! Whether all that a drop folder consists of can be used. Whoever needs it finds out only then, and waits.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access as Mode, access};
use serde::Serialize;

use super::place::{mounted_at, mounts};
use crate::adapters::store::local::Layout;

/// A folder of a drop folder's that cannot be used as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    #[serde(flatten)]
    pub flaw: Flaw,
}

/// Why a folder cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "flaw", rename_all = "kebab-case")]
pub enum Flaw {
    /// It is not there.
    Missing,
    /// Something else is there.
    NoFolder,
    /// It lies on another file system than the drop folder, or on another mount: nothing can be moved or linked there.
    Elsewhere,
    /// The system does not tell what is there: it failed, or its server is gone.
    Unknown {
        /// What the system says.
        why: String,
    },
    /// This user may not list it, or not make and rename what is in it.
    Closed {
        /// The number of the user that it belongs to.
        owner: u32,
        /// The number of its group.
        group: u32,
        /// Its modes, the lowest 12 bits.
        mode: u32,
    },
}

/// Nothing is made, and nothing is read but names. Those of nested drop folders are looked at, too. Of what lies in a folder that is
/// closed nothing is told: the folder is.
///
/// # Errors
/// If the drop folder itself cannot be looked at.
pub(crate) fn look(root: &Path) -> io::Result<Vec<Unusable>> {
    let whole = Layout::new(root);
    let mut rooms: Vec<PathBuf> = whole.own_rooms(true).collect();
    for (below, outer) in [("replies", false), ("subscribers", true)] {
        let names = fs::read_dir(whole.room(below)).into_iter().flatten().flatten();
        let nested = names.map(|entry| Layout::new(entry.path())).filter(is_made);
        rooms.extend(nested.flat_map(|nested| nested.own_rooms(outer).collect::<Vec<_>>()));
    }
    let outbox = Layout::new(whole.room("outbox"));
    if is_made(&outbox) {
        rooms.extend(outbox.own_rooms(false));
    }
    let mounts = mounts();
    let lies_on = |path: &Path, meta: &Metadata| (meta.dev(), mounted_at(&mounts, path));
    let here = lies_on(root, &fs::metadata(root)?);
    let mut unusable = Vec::new();
    for path in rooms {
        let flaw = match fs::metadata(&path) {
            Ok(meta) if !meta.is_dir() => Some(Flaw::NoFolder),
            // One file system may be mounted at two places, and nothing can be moved from one to the other.
            Ok(meta) if lies_on(&path, &meta) != here => Some(Flaw::Elsewhere),
            Ok(meta) => closed(&path, &meta),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => None,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Some(Flaw::Missing)
            }
            Err(e) => Some(Flaw::Unknown { why: e.to_string() }),
        };
        unusable.extend(flaw.map(|flaw| Unusable { path, flaw }));
    }
    Ok(unusable)
}

/// Until it is, its maker may still be at it. Of what the system does not tell, it is likely.
fn is_made(nested: &Layout) -> bool {
    match fs::metadata(nested.marker()) {
        Err(e) => !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        Ok(_) => true,
    }
}

fn closed(path: &Path, meta: &Metadata) -> Option<Flaw> {
    let closed = Flaw::Closed { owner: meta.uid(), group: meta.gid(), mode: meta.mode() & 0o7777 };
    access(path, Mode::READ_OK | Mode::WRITE_OK | Mode::EXEC_OK).is_err().then_some(closed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_missing_or_no_folder_is_found() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        let nested = Layout::new(root.join("replies/shop"));
        for room in Layout::new(root).own_rooms(true).chain(nested.own_rooms(false)) {
            fs::create_dir_all(room).unwrap();
        }
        assert_eq!(look(root).unwrap(), []);
        fs::remove_dir(root.join("dead")).unwrap();
        fs::remove_dir(root.join("ids")).unwrap();
        fs::write(root.join("ids"), "").unwrap();
        fs::remove_dir(nested.room("inbox")).unwrap();
        let found = |name: &str, flaw| Unusable { path: root.join(name), flaw };
        let outer = [found("dead", Flaw::Missing), found("ids", Flaw::NoFolder)];
        assert_eq!(look(root).unwrap(), outer, "the nested one may still be made");
        fs::write(nested.marker(), "{}").unwrap();
        assert_eq!(look(root).unwrap()[2..], [found("replies/shop/inbox", Flaw::Missing)]);
        // As of a mount whose server is gone, the system tells nothing of a link to itself.
        symlink("dead", root.join("dead")).unwrap();
        let why = fs::metadata(root.join("dead")).unwrap_err().to_string();
        assert_eq!(
            look(root).unwrap()[0],
            found("dead", Flaw::Unknown { why }),
            "and the others are told of"
        );
        assert_eq!(look(root).unwrap().len(), 3);
    }
}
