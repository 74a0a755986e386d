//! Finding a program as `execvp` does, but before there is a job to run it for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::words::{Error, ErrorKind, Result};

/// Where `execvp` looks when there is no `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// The absolute path of a program.
pub(super) fn program(name: &OsStr) -> Result<PathBuf> {
    let missing = |why: &str| {
        Err(Error::new(ErrorKind::NoHandler, format!("the handler {:?} {why}", name.to_string_lossy())))
    };
    if name.is_empty() {
        return missing("has no name");
    }
    if name.as_bytes().contains(&b'/') {
        let path = Path::new(name);
        return match absolute(path) {
            Some(found) if is_executable(&found) => Ok(found),
            _ if path.is_file() => missing("is not executable"),
            _ => missing("was not found"),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
    let candidates = || std::env::split_paths(&path).filter_map(|dir| absolute(&dir.join(name)));
    match candidates().find(|found| is_executable(found)) {
        Some(found) => Ok(found),
        None if candidates().any(|found| found.is_file()) => missing("is in PATH, but not executable"),
        None => missing("was not found in PATH"),
    }
}

/// The working folder may change, or be a relative entry of `PATH`.
fn absolute(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok()
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}
