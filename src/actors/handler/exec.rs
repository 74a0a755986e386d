//! A command as a handler. No shell is involved.

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::{Call, Ended, Handler, Why, find, group};
use crate::words::{Error, ErrorKind, Job, MAX_FILE_BYTES, Payload, Problem, Result};

/// The most that a command may write, in bytes. Encoded it may grow; an outcome holds [`MAX_FILE_BYTES`].
pub const MAX_OUTPUT_BYTES: usize = MAX_FILE_BYTES / 2;

/// How long after the command's exit its output is read to the end. What it wrote itself is in the pipe by then; but a
/// process that it left behind may keep the pipe open for ever.
const LINGER: Duration = Duration::from_millis(200);

/// The exit status of a handler that wants to see the job no more: EX_DATAERR of `sysexits.h`.
const FINAL: i32 = 65;

/// The environment of one process cannot hold much more than this; less is not a job's fault.
const LARGE_ATTRIBUTES: usize = 64 << 10;

/// A command that is run for each job.
///
/// It gets the job's data on stdin; what it writes to stdout, up to [`MAX_OUTPUT_BYTES`], is the outcome's data; its stderr
/// is the consumer's. Exit status 0 is success. In its environment are `FILEDROP_DROP`, `FILEDROP_ID`, `FILEDROP_TYPE`,
/// `FILEDROP_SUBJECT` (if the job has one), `FILEDROP_ATTEMPT`, `FILEDROP_JOB` (the path of the envelope) and
/// `TRACEPARENT` (if the job has one).
///
/// It runs in a process group of its own, that is ended when it takes too long or the consumer cannot wait any longer:
/// SIGTERM, and SIGKILL a second later. On Linux it also dies with its consumer; what it has forked may not. When it exits
/// it is done: processes that it leaves behind go on, but what they write later is not read.
#[derive(Debug, Clone)]
pub struct Exec {
    program: PathBuf,
    /// As it was given: what the program is told as its own name.
    name: OsString,
    args: Vec<OsString>,
    /// `FILEDROP_DROP`
    drop: PathBuf,
}

/// How a child was parted from.
enum Parting {
    Exited(io::Result<ExitStatus>),
    TooMuch,
    Unreadable(io::Error),
    Cut(Why),
}

impl Exec {
    /// Looks a program up as a shell does: in `PATH`, unless there is a `/` in its name. It is looked up only this once.
    ///
    /// # Errors
    /// [`ErrorKind::NoHandler`] if there is no such program, or it may not be executed.
    pub fn find(program: impl Into<OsString>, args: Vec<OsString>) -> Result<Self> {
        let name = program.into();
        Ok(Self { program: find::program(&name)?, name, args, drop: PathBuf::new() })
    }

    /// The same command, told that it works for this drop folder.
    pub(crate) fn of(mut self, drop: impl Into<PathBuf>) -> Self {
        self.drop = drop.into();
        self
    }

    fn command(&self, job: &Job, path: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(&self.name).args(&self.args);
        command.env("FILEDROP_DROP", &self.drop).env("FILEDROP_JOB", path);
        command.env("FILEDROP_ID", job.id.as_str()).env("FILEDROP_TYPE", job.kind());
        command.env("FILEDROP_ATTEMPT", job.attempt.to_string());
        for (variable, attribute) in [("FILEDROP_SUBJECT", "subject"), ("TRACEPARENT", "traceparent")] {
            match job.envelope.text(attribute) {
                Some(value) => command.env(variable, value),
                // Our own, which we may have from a consumer that we are the handler of, is not the job's.
                None => command.env_remove(variable),
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        group::lead(&mut command);
        command
    }

    async fn run(&self, call: Call) -> Ended {
        let Call { job, path, mut cut } = call;
        let mut child = match self.command(&job, &path).spawn() {
            Ok(child) => child,
            Err(e) => return self.not_started(&job, e),
        };
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut output = Vec::new();
        let parting = {
            let (feeding, draining) = (feed(stdin, job.data()), drain(stdout, &mut output));
            tokio::pin!(feeding, draining);
            let (mut fed, mut drained) = (false, false);
            loop {
                tokio::select! {
                    status = child.wait() => {
                        let rest = async {
                            match drained {
                                true => Ok(false),
                                false => tokio::time::timeout(LINGER, draining).await.unwrap_or(Ok(false)),
                            }
                        };
                        break Parting::after(rest.await, Parting::Exited(status));
                    }
                    () = &mut feeding, if !fed => fed = true,
                    all = &mut draining, if !drained => match Parting::after(all, Parting::Exited(Ok(ExitStatus::default()))) {
                        Parting::Exited(_) => drained = true,
                        trouble => break trouble,
                    },
                    why = cut.wait() => break Parting::Cut(why),
                }
            }
        };
        if !matches!(parting, Parting::Exited(_)) {
            group::end(&mut child).await;
        }
        match parting {
            Parting::Cut(why) => Ended::Cut(why),
            Parting::TooMuch => {
                Ended::Failed(Problem::output(format!("more than {MAX_OUTPUT_BYTES} bytes on stdout")))
            }
            Parting::Unreadable(e) | Parting::Exited(Err(e)) => {
                Ended::Failed(Problem::handler(format!("what it did cannot be told: {e}")))
            }
            Parting::Exited(Ok(status)) => ended(status, output),
        }
    }

    fn not_started(&self, job: &Job, e: io::Error) -> Ended {
        let attributes =
            ["type", "subject", "traceparent"].into_iter().filter_map(|name| job.envelope.text(name));
        let size: usize = attributes.clone().map(str::len).sum();
        // That is the job's fault, at every attempt; anything else is the machine's.
        if attributes.clone().any(|text| text.contains('\0')) {
            return Ended::Failed(Problem::rejected("an attribute with a NUL fits no environment variable"));
        }
        if e.kind() == io::ErrorKind::ArgumentListTooLong && size >= LARGE_ATTRIBUTES {
            let why = format!("attributes of {size} bytes fit no environment: {e}");
            return Ended::Failed(Problem::rejected(why));
        }
        Ended::NotStarted(
            Error::new(ErrorKind::NoHandler, "cannot run the handler").at(&self.program).because(e),
        )
    }
}

impl Handler for Exec {
    fn handle(&self, call: Call) -> Pin<Box<dyn Future<Output = Ended> + Send + '_>> {
        Box::pin(self.run(call))
    }
}

impl Parting {
    /// What the reading of all output means: `fine` if it is all there.
    fn after(read: io::Result<bool>, fine: Parting) -> Parting {
        match read {
            Ok(false) => fine,
            Ok(true) => Parting::TooMuch,
            Err(e) => Parting::Unreadable(e),
        }
    }
}

/// Writes all data. A command need not read it: then the pipe breaks, and that is fine.
async fn feed(stdin: Option<ChildStdin>, data: &[u8]) {
    if let Some(mut stdin) = stdin
        && let Err(e) = stdin.write_all(data).await
    {
        tracing::debug!(error = %e, "the handler did not read all data");
    }
}

/// Reads all output; to be dropped at any point, `output` then has what was read. Whether it was too much.
async fn drain(stdout: Option<ChildStdout>, output: &mut Vec<u8>) -> io::Result<bool> {
    let Some(mut stdout) = stdout else { return Ok(false) };
    while output.len() <= MAX_OUTPUT_BYTES {
        output.reserve(16 << 10);
        if stdout.read_buf(output).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn ended(status: ExitStatus, output: Vec<u8>) -> Ended {
    match (status.success(), status.code(), status.signal()) {
        (true, ..) => Ended::Done(Payload::detect(output)),
        (_, Some(FINAL), _) => Ended::Failed(Problem::rejected(format!("exit status {FINAL}"))),
        (_, Some(code), _) => Ended::Failed(Problem::handler(format!("exit status {code}"))),
        (_, None, Some(signal)) => {
            let name = group::signal_name(signal).map_or_else(String::new, |name| format!(" ({name})"));
            Ended::Killed(Problem::handler(format!("killed by signal {signal}{name}")))
        }
        (_, None, None) => Ended::Failed(Problem::handler(status.to_string())),
    }
}
