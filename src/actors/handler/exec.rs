//! A command as a handler. No shell is involved.

use std::ffi::{CString, OsStr, OsString};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitStatus;

use super::beside::{Beside, Content};
use super::child::Child;
use super::last_words::LastWords;
use super::output::{Output, Stuck, Whole};
use super::pipe::{Drain, Feed, from_child, linger, to_child};
use super::program::{Program, told};
use super::spawn::{Standard, spawn};
use super::wait::{Alarm, ready};
use super::{Call, Ended, Handler, Why, find, group};
use crate::ports::Prepared;
use crate::words::{Error, ErrorKind, MAX_FILE_BYTES, Problem, Result};

/// The most of a command's output that can be put into an envelope, in bytes. Whoever reads an envelope holds it in memory, so more
/// is better off in a file beside it.
pub const MAX_OUTPUT_BYTES: usize = MAX_FILE_BYTES / 8;

/// How much of it is, if nobody says otherwise.
const USUAL_OUTPUT: usize = 1 << 20;

/// The exit status of a handler that wants to see the job no more: EX_DATAERR of `sysexits.h`.
const FINAL: i32 = 65;

/// The environment of one process cannot hold much more of a job than this; less is not the job's fault.
const LARGE: usize = 64 << 10;

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
/// to the job, if it has any; of a bare file that became a job: [that file](crate::Job::data_file)), `FILEDROP_RESULT_DIR` and `TRACEPARENT` (if the job has one). What it leaves in the folder
/// `FILEDROP_RESULT_DIR` travels with the outcome if it succeeds: regular files, also in folders; anything else there is removed.
///
/// Everything else in its environment is ours, as it was when the command was looked up.
///
/// It runs in a process group of its own, that is ended when it takes too long or the consumer cannot wait any longer:
/// SIGTERM, and SIGKILL a second later. On Linux it also dies with its consumer; what it has forked may not. When it exits
/// it is done: processes that it leaves behind go on, but what they write later is not read.
///
/// On Linux SIGCHLD is ignored no more once a command was started: nobody would be told how one ended.
#[derive(Debug, Clone)]
pub struct Exec {
    program: Program,
    /// Whose jobs it handles.
    drop: PathBuf,
    max_output: usize,
    /// It is handed outcomes, not jobs.
    outcomes: bool,
}

/// What a child writes, to be read.
struct Pipes {
    output: Option<OwnedFd>,
    words: OwnedFd,
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
    /// [`ErrorKind::NoHandler`] if there is no such program, it may not be executed, or an argument has a NUL.
    pub fn find(program: impl Into<OsString>, args: Vec<OsString>) -> Result<Self> {
        let name = program.into();
        let program = Program::new(find::program(&name)?, name, args).map_err(|e| {
            Error::new(ErrorKind::NoHandler, "an argument of the handler has a NUL").because(e.into())
        })?;
        Ok(Self { program, drop: PathBuf::new(), max_output: USUAL_OUTPUT, outcomes: false })
    }

    /// So many bytes of its output are put into an outcome's envelope; if there is more, all is beside it. 1 MiB if nothing
    /// is said, and at most [`MAX_OUTPUT_BYTES`].
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes.min(MAX_OUTPUT_BYTES);
        self
    }

    /// The same command, for jobs of this drop folder, and told that it works for that one: of a group's, the one that the group is in.
    pub(crate) fn of(mut self, drop: impl Into<PathBuf>, told: impl AsRef<Path>) -> Self {
        self.drop = drop.into();
        self.program.tell("FILEDROP_DROP", told.as_ref().as_os_str());
        self
    }

    /// The same command, handed outcomes: it knows how their jobs ended, and what it writes to stdout goes where ours does.
    pub(crate) fn for_outcomes(mut self) -> Self {
        self.outcomes = true;
        self
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// What it is told of a job.
    ///
    /// # Errors
    /// An attribute has a NUL, which no environment takes, at no attempt.
    fn variables(&self, Call { job, path, workspace, .. }: &Call<'_>) -> Result<Vec<CString>, Problem> {
        let payload = Beside::of(&self.drop, job).payload();
        let attempt = job.attempt.to_string();
        let text = |name| job.envelope.text(name).map(OsStr::new);
        let all = [
            ("FILEDROP_JOB", Some(path.as_os_str())),
            ("FILEDROP_ID", Some(job.id.as_str().as_ref())),
            ("FILEDROP_TYPE", Some(job.kind().as_ref())),
            ("FILEDROP_CORRELATION_ID", Some(job.correlation_id().as_ref())),
            ("FILEDROP_ATTEMPT", Some(attempt.as_ref())),
            ("FILEDROP_SUBJECT", text("subject")),
            ("FILEDROP_OUTCOME", text("outcome").filter(|_| self.outcomes)),
            ("FILEDROP_PAYLOAD", payload.as_ref().map(|path| path.as_os_str())),
            ("FILEDROP_RESULT_DIR", workspace.as_ref().map(|workspace| workspace.files.as_os_str())),
            ("TRACEPARENT", text("traceparent")),
            ("FILEDROP_TOPIC", text("topic")),
        ];
        let there = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let refused =
            |name| Problem::rejected(format!("{name} would have a NUL, which no environment takes"));
        there.map(|(name, value)| told(name, value).map_err(|_| refused(name))).collect()
    }

    /// Starts it for a job: what it reads, if it does not read the data itself, and what it writes.
    fn start<'a>(
        &self,
        call: &'a Call<'_>,
        variables: &[CString],
        data: Option<OwnedFd>,
    ) -> io::Result<(Child, Feed<'a>, Pipes)> {
        let (stdin, feed) = match data {
            Some(data) => (data, Feed::done()),
            None => {
                let (stdin, feed) = to_child()?;
                (stdin, Feed::begin(feed, call.job.data()))
            }
        };
        let (output, stdout) = (!self.outcomes).then(from_child).transpose()?.unzip();
        let (words, stderr) = from_child()?;
        let child = spawn(&self.program, variables, Standard { stdin, stdout, stderr })?;
        Ok((child, feed, Pipes { output, words }))
    }

    fn run(&self, call: Call<'_>) -> Ended {
        let variables = match self.variables(&call) {
            Ok(variables) => variables,
            Err(problem) => return Ended::Failed(problem),
        };
        let (before, data) = match Beside::of(&self.drop, &call.job).open() {
            Ok(None) => (None, None),
            Ok(Some((_, data))) => (Content::of(&data), Some(OwnedFd::from(data))),
            Err(ended) => return ended,
        };
        let started =
            Alarm::of(&call.cut).and_then(|alarm| Ok((alarm, self.start(&call, &variables, data)?)));
        let (mut alarm, (mut child, feed, pipes)) = match started {
            Ok(started) => started,
            Err(e) => return self.not_started(&variables, e),
        };
        call.started.tell();
        let Call { job, workspace, .. } = &call;
        let output = Output::new(self.max_output, workspace.as_ref().map(|workspace| workspace.data.clone()));
        let mut output = Drain::new(pipes.output, output);
        let mut words = Drain::new(Some(pipes.words), LastWords::of(job.id.clone(), job.attempt));
        let parting = attend(&mut child, feed, &mut output, &mut words, &mut alarm);
        let (parting, end) = match parting {
            Parting::Exited(status) => {
                let end = linger();
                (output.rest(end).map_or_else(Parting::Stuck, |()| Parting::Exited(status)), end)
            }
            cut_short => {
                group::end(&mut child);
                (cut_short, linger())
            }
        };
        // That it cannot be read changes nothing: it is for people.
        let _ = words.rest(end);
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

    fn not_started(&self, variables: &[CString], e: io::Error) -> Ended {
        let size: usize = variables.iter().map(|variable| variable.as_bytes().len()).sum();
        // That is the job's fault, at every attempt; anything else is the machine's.
        if e.kind() == io::ErrorKind::ArgumentListTooLong && size >= LARGE {
            let why = format!("what is told of it, {size} bytes, fits no environment: {e}");
            return Ended::Failed(Problem::rejected(why));
        }
        Ended::NotStarted(self.cannot_run(e))
    }

    pub(super) fn cannot_run(&self, e: io::Error) -> Error {
        let why =
            find::no_interpreter(self.program.path()).map_or_else(String::new, |why| format!(": {why}"));
        let what = format!("cannot run the handler{why}");
        Error::new(ErrorKind::NoHandler, what).at(self.program.path()).because(e)
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
    fn workspace(&self) -> Option<Prepared> {
        Some(Prepared::Folder)
    }

    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        // It waits for nothing but its own descriptors: on this thread, whom nobody has to wake for it.
        Box::pin(async move { self.run(call) })
    }
}

/// Waits for what a child does, and gives it its data, until it exits or has to end.
fn attend(
    child: &mut Child,
    mut feed: Feed<'_>,
    output: &mut Drain<Output>,
    words: &mut Drain<LastWords>,
    alarm: &mut Alarm,
) -> Parting {
    loop {
        if let Some(why) = alarm.due() {
            return Parting::Cut(why);
        }
        let of = [output.wanted(), words.wanted(), feed.wanted(), child.exit(), alarm.rung()];
        let [said, spoke, reads, exited, rung] = match ready(of, alarm.until(child.look())) {
            Ok(ready) => ready,
            Err(e) => return Parting::Stuck(e.into()),
        };
        if said && let Err(stuck) = output.some() {
            return Parting::Stuck(stuck);
        }
        // That it cannot be read any more ends nothing.
        if spoke && words.some().is_err() {
            words.close();
        }
        if reads {
            feed.some();
        }
        if rung {
            alarm.heard();
        }
        if let Some(status) = child.ended(exited) {
            return Parting::Exited(status);
        }
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
