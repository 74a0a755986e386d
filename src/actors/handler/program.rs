//! What is executed, in the form in which the system takes it: as much of it as possible is made once, not for each job.

use std::ffi::{CString, NulError, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// What is told in the environment of a handler. Our own, which we may have from a consumer that we are the handler of, is not
/// the job's.
const TOLD: [&str; 12] = [
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
    pub(super) path: CString,
    /// First what it is told as its own name.
    pub(super) args: Vec<CString>,
    pub(super) environment: Vec<CString>,
}

impl Program {
    /// # Errors
    /// If there is a NUL in any of these.
    pub(super) fn new(path: PathBuf, name: OsString, args: Vec<OsString>) -> Result<Self, NulError> {
        let ours = std::env::vars_os().filter(|(name, _)| !TOLD.iter().any(|told| name == told));
        Ok(Self {
            path: text(path.into())?,
            args: std::iter::once(name).chain(args).map(text).collect::<Result<_, _>>()?,
            // What has a NUL did not come from the system.
            environment: ours.filter_map(|(name, value)| variable(&name, &value).ok()).collect(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.path.as_bytes()))
    }

    /// Likewise for all jobs.
    pub(super) fn tell(&mut self, name: &str, value: &OsStr) {
        self.environment.extend(told(name, value));
    }
}

/// Not the environment: it may hold secrets.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("path", &self.path).field("args", &self.args).finish_non_exhaustive()
    }
}

/// What is told, as it stands in an environment.
///
/// # Errors
/// If there is a NUL in it.
pub(super) fn told(name: &str, value: &OsStr) -> Result<CString, NulError> {
    debug_assert!(TOLD.contains(&name), "{name} of our own would be there, too");
    variable(name.as_ref(), value)
}

fn variable(name: &OsStr, value: &OsStr) -> Result<CString, NulError> {
    let mut all = OsString::with_capacity(name.len() + value.len() + 2);
    all.push(name);
    all.push("=");
    all.push(value);
    text(all)
}

fn text(text: OsString) -> Result<CString, NulError> {
    CString::new(text.into_vec())
}
