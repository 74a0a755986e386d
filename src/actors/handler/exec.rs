//! A command as a handler. No shell is involved.

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use super::{Call, Ended, Handler};
use crate::words::{Error, ErrorKind, Result};

/// A command that is run for each job.
#[derive(Debug, Clone)]
pub struct Exec {
    program: PathBuf,
    name: OsString,
    args: Vec<OsString>,
    drop: PathBuf,
}

impl Exec {
    /// Looks a program up as a shell does: in `PATH`, unless there is a `/` in its name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such program, or it may not be executed.
    pub fn find(program: impl Into<OsString>, args: Vec<OsString>) -> Result<Self> {
        let name = program.into();
        Ok(Self { program: name.clone().into(), name, args, drop: PathBuf::new() })
    }

    /// The same command, told that it works for this drop folder.
    pub(crate) fn of(mut self, drop: impl Into<PathBuf>) -> Self {
        self.drop = drop.into();
        self
    }
}

impl Handler for Exec {
    fn handle(&self, call: Call) -> Pin<Box<dyn Future<Output = Ended> + Send + '_>> {
        let _ = (call, &self.program, &self.name, &self.args, &self.drop);
        Box::pin(async { Ended::NotStarted(Error::new(ErrorKind::Unsupported, "later")) })
    }
}
