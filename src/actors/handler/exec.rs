//! A command as a handler. No shell is involved.

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;

use super::beside::{Beside, Content};
use super::last_words::LastWords;
use super::output::{Output, Stuck, Whole};
use super::pipe::{Drain, feed};
use super::{Call, Ended, Handler, Why, find, group};
use crate::words::{Error, ErrorKind, Job, MAX_FILE_BYTES, Problem, Result};

/// The most of a command's output that can be put into an envelope, in bytes. Whoever reads an envelope holds it in memory, so more
/// is better off in a file beside it.
pub const MAX_OUTPUT_BYTES: usize = MAX_FILE_BYTES / 8;

/// How much of it is, if nobody says otherwise.
const USUAL_OUTPUT: usize = 1 << 20;

/// The exit status of a handler that wants to see the job no more: EX_DATAERR of `sysexits.h`.
const FINAL: i32 = 65;

/// The environment of one process cannot hold much more than this; less is not a job's fault.
const LARGE_ATTRIBUTES: usize = 64 << 10;

/// A command that is run for each job.
///
/// It gets the job's data on stdin. What it writes to stdout is the outcome's data: in the envelope up to
/// [`max_output`](Self::max_output), else in a file beside it ([`Outcome::data_ref`](crate::Outcome::data_ref)), as large as the
/// disk allows; that is then of the type `text/plain; charset=utf-8`, or `application/octet-stream` if it is no UTF-8. Each line
/// of its stderr is logged, and the last ones are part of the [`Problem`] if it fails. Exit status 0 is success.
///
/// In its environment are `FILEDROP_DROP`, `FILEDROP_ID`, `FILEDROP_TYPE`, `FILEDROP_SUBJECT` (if the job has one; of a bare file
/// that became a job: its name, as [`shown`](crate::words::shown)), `FILEDROP_TOPIC` (of an event),
/// `FILEDROP_CORRELATION_ID` (the flow that it belongs to), `FILEDROP_ATTEMPT`, `FILEDROP_JOB` (the path of the envelope), `FILEDROP_PAYLOAD` (the folder with the files that are attached
/// to the job, if it has any; of a bare file that became a job: [that file](Job::data_file)), `FILEDROP_RESULT_DIR` and `TRACEPARENT` (if the job has one). What it leaves in the folder
/// `FILEDROP_RESULT_DIR` travels with the outcome if it succeeds: regular files, also in folders; anything else there is removed.
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
    told: PathBuf,
    max_output: usize,
    /// It is handed outcomes, not jobs.
    outcomes: bool,
}

/// How a child was parted from.
enum Parting {
    Exited(io::Result<ExitStatus>),
    Stuck(Stuck),
    Cut(Why),
}

impl Exec {
    /// Looks a program up as a shell does: in `PATH`, unless there is a `/` in its name. It is looked up only this once.
    ///
    /// # Errors
    /// [`ErrorKind::NoHandler`] if there is no such program, or it may not be executed.
    pub fn find(program: impl Into<OsString>, args: Vec<OsString>) -> Result<Self> {
        let name = program.into();
        let program = find::program(&name)?;
        Ok(Self {
            program,
            name,
            args,
            drop: PathBuf::new(),
            told: PathBuf::new(),
            max_output: USUAL_OUTPUT,
            outcomes: false,
        })
    }

    /// So many bytes of its output are put into an outcome's envelope; if there is more, all is beside it. 1 MiB if nothing
    /// is said, and at most [`MAX_OUTPUT_BYTES`].
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes.min(MAX_OUTPUT_BYTES);
        self
    }

    /// The same command, for jobs of this drop folder, and told that it works for that one: of a group's, the one that the group is in.
    pub(crate) fn of(mut self, drop: impl Into<PathBuf>, told: impl Into<PathBuf>) -> Self {
        (self.drop, self.told) = (drop.into(), told.into());
        self
    }

    /// The same command, handed outcomes: it knows how their jobs ended, and what it writes to stdout goes where ours does.
    pub(crate) fn for_outcomes(mut self) -> Self {
        self.outcomes = true;
        self
    }

    /// The command, in a group of its own, that knows for which drop folder it works.
    pub(super) fn program(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(&self.name).args(&self.args).env("FILEDROP_DROP", &self.told);
        group::lead(&mut command);
        command
    }

    fn command(&self, Call { job, path, workspace, .. }: &Call<'_>, stdin: Stdio) -> Command {
        let mut command = self.program();
        command.env("FILEDROP_JOB", path);
        command.env("FILEDROP_ID", job.id.as_str()).env("FILEDROP_TYPE", job.kind());
        command.env("FILEDROP_CORRELATION_ID", job.correlation_id());
        command.env("FILEDROP_ATTEMPT", job.attempt.to_string());
        let text = |name| job.envelope.text(name).map(OsString::from);
        let payload = Beside::of(&self.drop, job).payload().map(PathBuf::into_os_string);
        let results = workspace.as_ref().map(|workspace| workspace.files.clone().into_os_string());
        for (variable, value) in [
            ("FILEDROP_SUBJECT", text("subject")),
            ("FILEDROP_OUTCOME", text("outcome").filter(|_| self.outcomes)),
            ("FILEDROP_PAYLOAD", payload),
            ("FILEDROP_RESULT_DIR", results),
            ("TRACEPARENT", text("traceparent")),
            ("FILEDROP_TOPIC", text("topic")),
        ] {
            match value {
                Some(value) => command.env(variable, value),
                // Our own, which we may have from a consumer that we are the handler of, is not the job's.
                None => command.env_remove(variable),
            };
        }
        let stdout = if self.outcomes { Stdio::inherit() } else { Stdio::piped() };
        command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        command
    }

    async fn run(&self, call: Call<'_>) -> Ended {
        let mut before = None;
        let stdin = match Beside::of(&self.drop, &call.job).open() {
            Ok(None) => Stdio::piped(),
            Ok(Some((_, data))) => {
                before = Content::of(&data);
                data.into()
            }
            Err(ended) => return ended,
        };
        let mut child = match self.command(&call, stdin).spawn() {
            Ok(child) => child,
            Err(e) => return self.not_started(&call.job, e),
        };
        call.started.tell();
        let Call { job, workspace, mut cut, .. } = call;
        let output = Output::new(self.max_output, workspace.map(|workspace| workspace.data));
        let mut output = Drain::new(child.stdout.take(), output);
        let mut words = Drain::new(child.stderr.take(), LastWords::of(job.id.clone(), job.attempt));
        let parting = {
            let feeding = feed(child.stdin.take(), job.data());
            tokio::pin!(feeding);
            let mut fed = false;
            loop {
                tokio::select! {
                    status = child.wait() => break Parting::Exited(status),
                    () = &mut feeding, if !fed => fed = true,
                    read = output.some(), if output.is_open() => match read {
                        Ok(_) => {}
                        Err(stuck) => break Parting::Stuck(stuck),
                    },
                    // That it cannot be read any more ends nothing: it is for people.
                    read = words.some(), if words.is_open() => if read.is_err() { words.close() },
                    why = cut.wait() => break Parting::Cut(why),
                }
            }
        };
        let (parting, _) = match parting {
            Parting::Exited(status) => {
                let (read, heard) = tokio::join!(output.rest(), words.rest());
                (read.map_or_else(Parting::Stuck, |()| Parting::Exited(status)), heard)
            }
            cut_short => {
                group::end(&mut child).await;
                (cut_short, words.rest().await)
            }
        };
        let stderr = words.sink.said();
        let failed = |problem: Problem| Ended::Failed(problem.with_stderr(&stderr));
        match parting {
            Parting::Cut(why) => Ended::Cut { why, stderr },
            Parting::Exited(Err(e)) => failed(Problem::handler(format!("what it did cannot be told: {e}"))),
            Parting::Stuck(stuck) => match self.stuck(stuck) {
                Ended::Failed(problem) => failed(problem),
                ended => ended,
            },
            // Whatever it said: it may have seen half of it.
            Parting::Exited(Ok(_)) if before.as_ref().is_some_and(Content::has_changed) => {
                failed(Content::problem())
            }
            Parting::Exited(Ok(status)) if status.success() => match output.sink.whole() {
                Whole::Short(payload) => Ended::Done(payload),
                Whole::Spilled(content_type) => Ended::Spilled { content_type },
            },
            Parting::Exited(Ok(status)) => failure(status, stderr),
        }
    }

    fn not_started(&self, job: &Job, e: io::Error) -> Ended {
        let attributes = ["type", "subject", "correlationid", "traceparent"]
            .into_iter()
            .filter_map(|name| job.envelope.text(name));
        let size: usize = attributes.clone().map(str::len).sum();
        // That is the job's fault, at every attempt; anything else is the machine's.
        if attributes.clone().any(|text| text.contains('\0')) {
            return Ended::Failed(Problem::rejected("an attribute with a NUL fits no environment variable"));
        }
        if e.kind() == io::ErrorKind::ArgumentListTooLong && size >= LARGE_ATTRIBUTES {
            let why = format!("attributes of {size} bytes fit no environment: {e}");
            return Ended::Failed(Problem::rejected(why));
        }
        Ended::NotStarted(self.cannot_run(e))
    }

    pub(super) fn cannot_run(&self, e: io::Error) -> Error {
        let why = find::no_interpreter(&self.program).map_or_else(String::new, |why| format!(": {why}"));
        let what = format!("cannot run the handler{why}");
        Error::new(ErrorKind::NoHandler, what).at(&self.program).because(e)
    }

    /// What becomes of a job whose output cannot be had, or kept.
    pub(super) fn stuck(&self, stuck: Stuck) -> Ended {
        match stuck {
            Stuck::TooMuch => {
                Ended::Failed(Problem::output(format!("more than {} bytes on stdout", self.max_output)))
            }
            // The machine's limit for one file, or what the handler itself put there.
            Stuck::Full(path, e)
                if matches!(e.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::AlreadyExists) =>
            {
                Ended::Failed(Problem::output(format!("it does not fit {}: {e}", path.display())))
            }
            Stuck::Full(path, e) => {
                Ended::NotKept(Error::io("write what the handler wrote to stdout", path, e))
            }
            Stuck::Unreadable(e) => {
                Ended::Failed(Problem::handler(format!("what it did cannot be told: {e}")))
            }
        }
    }

    /// The folder whose jobs it handles.
    pub(super) fn drop(&self) -> &Path {
        &self.drop
    }

    /// How much output an envelope takes.
    pub(super) fn most_output(&self) -> usize {
        self.max_output
    }
}

impl Handler for Exec {
    fn wants_workspace(&self) -> bool {
        true
    }

    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(self.run(call))
    }
}

pub(super) fn failure(status: ExitStatus, stderr: String) -> Ended {
    let failed = |problem: Problem| Ended::Failed(problem.with_stderr(stderr.clone()));
    match (status.code(), status.signal()) {
        (Some(FINAL), _) => failed(Problem::rejected(format!("exit status {FINAL}"))),
        (Some(code), _) => failed(Problem::handler(format!("exit status {code}"))),
        (None, Some(signal)) => {
            let name = group::signal_name(signal).map_or_else(String::new, |name| format!(" ({name})"));
            Ended::Killed(Problem::handler(format!("killed by signal {signal}{name}")).with_stderr(stderr))
        }
        (None, None) => failed(Problem::handler(status.to_string())),
    }
}
