//! Handlers: what a job is given to.

mod beside;
mod child;
mod closure;
mod cut;
mod exec;
mod find;
mod group;
#[cfg(any(target_os = "linux", feature = "cli"))]
pub(crate) mod ignored;
mod last_words;
mod lines;
mod output;
mod pipe;
mod program;
mod spawn;
mod wait;
mod workers;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use tokio::runtime::{Builder, Runtime};

pub use closure::{Closure, Rejected};
pub use cut::{Cut, Why};
pub use exec::{Exec, MAX_OUTPUT_BYTES};
pub use workers::Workers;

use crate::ports::{Prepared, Workspace};
use crate::words::{Error, ErrorKind, Job, Payload, Problem, Result};

/// What timers need, and processes that live longer than who handles a job with them: one thread.
///
/// # Errors
/// [`ErrorKind::Io`] if the system has no more descriptors or threads.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .thread_name("filedrop-io")
        .build()
        .map_err(|e| Error::new(ErrorKind::Io, "cannot start a runtime").because(e))
}

/// Handles jobs. One handler serves all workers of a consumer.
pub trait Handler: Send + Sync {
    /// What its calls have of a workspace, if they have one.
    fn workspace(&self) -> Option<Prepared> {
        None
    }

    /// Handles one job. The future is polled by one thread, that stays alive until it has ended and has nothing else to do: it may
    /// keep that thread to itself, and wait on it.
    ///
    /// When `call.cut` says so, it must end soon, with [`Ended::Cut`]: a consumer that stops waits for it.
    /// When it has the job in hand, it says [so](Started::tell): jobs are held back after a handler could not be started.
    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;
}

/// One job to be handled.
pub struct Call<'a> {
    /// The job.
    pub job: Job,
    /// Where its envelope lies as long as it is handled.
    pub path: PathBuf,
    /// Where the handler may leave files, and data that is too large for an envelope.
    pub workspace: Option<Workspace>,
    /// Tells when the handler has to end.
    pub cut: Cut,
    /// To be told when the handler has started.
    pub started: Started<'a>,
}

/// Is told that a handler has started.
#[derive(Clone, Copy)]
pub struct Started<'a>(pub(super) &'a (dyn Fn() + Sync));

impl Started<'_> {
    /// Nobody has to know.
    pub(crate) fn unheard() -> Started<'static> {
        Started(&|| ())
    }

    /// A handler has started: so others can be, too.
    pub fn tell(self) {
        (self.0)();
    }
}

/// How the handling of a job ended.
#[derive(Debug)]
pub enum Ended {
    /// It succeeded, with this.
    Done(Payload),
    /// It succeeded, and what it wrote is in the workspace's file for data.
    Spilled {
        /// What that is.
        content_type: &'static str,
    },
    /// It failed.
    Failed(Problem),
    /// The handler was killed, and not by us. That is a failure, unless the consumer is being stopped: what stops it may
    /// have killed its handlers too.
    Killed(Problem),
    /// The handler could not be started, which says nothing of the job.
    NotStarted(Error),
    /// What the handler wrote could not be kept (a full disk), which says nothing of the job either.
    NotKept(Error),
    /// It was cut short.
    Cut {
        /// Why.
        why: Why,
        /// The last lines that it wrote to stderr.
        stderr: String,
    },
}
