//! What is executed, in the form in which the system takes it: as much of it as possible is made once, not for each job.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// What is told in the environment of a handler. Our own, which we may have from a consumer that we are the handler of, is not
/// the job's.
pub(super) const TOLD: [&str; 12] = [
    "FILEDROP_DROP",
    "FILEDROP_JOB",
    "FILEDROP_ID",
    "FILEDROP_TYPE",
    "FILEDROP_SUBJECT",
    "FILEDROP_TOPIC",
    "FILEDROP_CORRELATION_ID",
    "FILEDROP_ATTEMPT",
    "FILEDROP_PAYLOAD",
    "FILEDROP_RESULT_DIR",
    "FILEDROP_OUTCOME",
    "TRACEPARENT",
];

/// A program with its arguments, and our environment as it was when the program was found.
#[derive(Clone)]
pub(super) struct Program {
    path: PathBuf,
    /// First what it is told as its own name.
    args: Vec<OsString>,
    environment: Vec<CString>,
}

impl Program {
    pub(super) fn new(path: PathBuf, name: OsString, args: Vec<OsString>) -> Self {
        let ours = std::env::vars_os().filter(|(name, _)| !TOLD.iter().any(|told| name == told));
        Self {
            path,
            args: std::iter::once(name).chain(args).collect(),
            // What has a NUL did not come from the system.
            environment: ours.filter_map(|(name, value)| variable(&name, &value).ok()).collect(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn args(&self) -> &[OsString] {
        &self.args
    }

    /// Likewise for all jobs.
    pub(super) fn tell(&mut self, name: &str, value: &OsStr) {
        self.environment.extend(variable(OsStr::new(name), value));
    }

    pub(super) fn environment(&self) -> &[CString] {
        &self.environment
    }
}

/// Not the environment: it may hold secrets.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("path", &self.path).field("args", &self.args).finish_non_exhaustive()
    }
}

/// As it stands in an environment.
///
/// # Errors
/// If there is a NUL in it.
pub(super) fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    let mut text = Vec::with_capacity(name.len() + value.len() + 2);
    text.extend_from_slice(name.as_bytes());
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    text_of(OsString::from_vec(text))
}

/// # Errors
/// If there is a NUL in it.
pub(super) fn text_of(text: impl Into<OsString>) -> io::Result<CString> {
    Ok(CString::new(text.into().into_vec())?)
}
