//! Finding a program as `execvp` does, but before there is a job to run it for.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::words::{Error, ErrorKind, Result};

/// More of a script's first line than any system reads.
const LONGEST_FIRST_LINE: u64 = 4096;

/// Where `execvp` looks when there is no `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// The absolute path of a program.
pub(super) fn program(name: &OsStr) -> Result<PathBuf> {
    let missing = |why: &str| {
        Err(Error::new(ErrorKind::NoHandler, format!("the handler {:?} {why}", name.to_string_lossy())))
    };
    let runnable = |found: PathBuf| match no_interpreter(&found) {
        Some(why) => missing(&format!("cannot be run: {why}")),
        None => Ok(found),
    };
    if name.is_empty() {
        return missing("has no name");
    }
    if name.as_bytes().contains(&b'/') {
        let path = Path::new(name);
        return match absolute(path) {
            Some(found) if is_executable(&found) => runnable(found),
            _ if path.is_file() => missing("is not executable"),
            _ if path.is_dir() => missing("is a folder; name the program in it"),
            _ => missing("was not found"),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
    let candidates = || std::env::split_paths(&path).filter_map(|dir| absolute(&dir.join(name)));
    match candidates().find(|found| is_executable(found)) {
        Some(found) => runnable(found),
        None if candidates().any(|found| found.is_file()) => missing("is in PATH, but not executable"),
        None => missing("was not found in PATH"),
    }
}

/// The working folder may change, or be a relative entry of `PATH`.
fn absolute(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok()
}

/// Why a script has no interpreter: of that the system says only that there is no such file, as if it were the script.
pub(super) fn no_interpreter(script: &Path) -> Option<String> {
    let mut start = Vec::new();
    // What may be executed and not read is no script.
    File::open(script).ok()?.take(LONGEST_FIRST_LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let interpreter = Path::new(OsStr::from_bytes(words.next()?));
    let what = match interpreter {
        there if is_executable(there) => return None,
        there if there.is_file() => "is not executable",
        there if there.is_dir() => "is a folder",
        _ => "is not there",
    };
    // Quoted: it may end with the carriage return of a script that was written elsewhere.
    Some(format!("its interpreter {interpreter:?} {what}"))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}
