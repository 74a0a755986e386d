//! Whose a folder is, and what becomes of what this user makes in it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Site;
use crate::adapters::fs::is_shared;

/// Who may do what in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The number of the user that it belongs to.
    pub owner: u32,
    /// The number of its group.
    pub group: u32,
    /// Its modes, the lowest 12 bits.
    pub mode: u32,
    /// Whether all in its group are to use it: set-group-id, and writable for the group.
    pub shared: bool,
    /// The number of the user of this program.
    pub user: u32,
    /// If it is shared, and something could be made in it: whether what this program makes belongs to its group, and may be read and
    /// written by that.
    pub made_for_group: Option<bool>,
    /// If it is shared: the first folder above it that its group cannot pass.
    pub closed_above: Option<PathBuf>,
}

/// `site`: where something can be made.
///
/// # Errors
/// If it cannot be looked at, or nothing can be made in the site.
pub(crate) fn look(root: &Path, site: Option<&Site<'_>>) -> io::Result<Access> {
    let meta = fs::metadata(root)?;
    let shared = is_shared(meta.mode());
    let made_for_group = site.filter(|_| shared).map(|site| is_made_for(meta.gid(), site)).transpose()?;
    Ok(Access {
        owner: meta.uid(),
        group: meta.gid(),
        mode: meta.mode() & 0o7777,
        shared,
        user: rustix::process::geteuid().as_raw(),
        made_for_group,
        closed_above: if shared { closed_above(root, meta.gid())? } else { None },
    })
}

fn is_made_for(gid: u32, site: &Site<'_>) -> io::Result<bool> {
    let (file, folder) = (site.file("made", b"x")?, site.folder("made-folder")?);
    [(file, 0o060), (folder, 0o070)].into_iter().try_fold(true, |all, (path, needed)| {
        let made = fs::metadata(path)?;
        Ok(all && made.gid() == gid && made.mode() & needed == needed)
    })
}

fn closed_above(root: &Path, gid: u32) -> io::Result<Option<PathBuf>> {
    for above in root.canonicalize()?.ancestors().skip(1) {
        let meta = fs::metadata(above)?;
        let open = if meta.gid() == gid { 0o010 } else { 0o001 };
        if meta.mode() & open == 0 {
            return Ok(Some(above.to_owned()));
        }
    }
    Ok(None)
}
