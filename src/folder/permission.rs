//! What who was refused can do about it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::adapters::fs::{is_member, is_shared};
use crate::words::{Error, ErrorKind};

/// An error of opening a drop folder. Who is not let in would be told only that a file in it cannot be opened.
pub(super) fn explain(e: Error, root: &Path) -> Error {
    let Some(meta) = root.metadata().ok().filter(|_| e.is_denied()) else { return e };
    let gid = meta.gid();
    if !is_shared(meta.mode()) {
        return Error::new(ErrorKind::Io, format!("{e}; {}", how_to_share(root, meta.uid())));
    }
    if meta.mode() & 0o007 != 0 || is_member(gid) {
        return e;
    }
    let why = format!(
        "no permission: this drop folder belongs to group {gid}, which you are not in; ask to be made a member, and log in again"
    );
    Error::new(ErrorKind::Io, why).at(root)
}

/// What would help, if the system refused something in a drop folder.
#[cfg(feature = "cli")]
pub(crate) fn advice(e: &Error) -> Option<String> {
    let path = e.path().filter(|_| e.is_denied())?;
    // The outermost: a Return Address has one of its own.
    let root = path.ancestors().filter(|dir| dir.join("filedrop.json").exists()).last()?;
    let meta = root.metadata().ok()?;
    if !is_shared(meta.mode()) {
        return Some(how_to_share(root, meta.uid()));
    }
    // What is at fault: somebody made it, or what it lies in, for himself alone.
    let (closed, made) = path.ancestors().find_map(|path| Some((path, path.symlink_metadata().ok()?)))?;
    Some(format!(
        "{} belongs to user {}, group {}, with mode {:o}, and all of group {} is to use what is here: its owner or root can see to that, \
         with `filedrop init {} --shared {}`; scripts that write here need a umask of 007",
        closed.display(),
        made.uid(),
        made.gid(),
        made.mode() & 0o7777,
        meta.gid(),
        root.display(),
        meta.gid()
    ))
}

fn how_to_share(root: &Path, owner: u32) -> String {
    let root = root.display();
    format!(
        "this drop folder is not shared: its owner (user {owner}) or root can give it to a group, with `filedrop init {root} \
         --shared GROUP`"
    )
}
