//! Where our programs may put files of theirs: not where those would be taken for jobs, or for what a drop folder keeps.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::words::{Error, ErrorKind, Result};

/// The outermost drop folder that this path is, or lies in.
fn drop_folder_around(path: &Path) -> Option<&Path> {
    let is_one = |dir: &&Path| fs::symlink_metadata(dir.join("filedrop.json")).is_ok();
    path.ancestors().filter(is_one).last()
}

/// # Errors
/// [`ErrorKind::Invalid`] if this path, the only one of what is there, is a drop folder, or lies in one.
pub(super) fn outside_of_drop_folders(path: &Path) -> Result<()> {
    match drop_folder_around(path) {
        None => Ok(()),
        Some(root) => {
            let why = format!(
                "this is in the drop folder {}, which is for jobs alone; choose another place",
                root.display()
            );
            Err(Error::new(ErrorKind::Invalid, why).at(path))
        }
    }
}

/// The one path of a file that need not be there yet.
pub(super) fn one_path_of(file: &Path) -> io::Result<PathBuf> {
    match file.canonicalize() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            Ok(parent.unwrap_or(Path::new(".")).canonicalize()?.join(name))
        }
        path => path,
    }
}

/// The one path of a folder that is there. `to`: what for.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such folder: it is somebody else's to make.
pub(super) fn there(dir: &Path, to: &str) -> Result<PathBuf> {
    match dir.canonicalize() {
        Ok(path) if path.is_dir() => Ok(path),
        Ok(path) => Err(Error::new(ErrorKind::NotFound, format!("no folder to {to}")).at(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let why = format!("there is no such folder to {to}; make it, or mount it, first");
            Err(Error::new(ErrorKind::NotFound, why).at(dir))
        }
        Err(e) => Err(Error::io(&format!("look at the folder to {to}"), dir, e)),
    }
}
