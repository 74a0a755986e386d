//! A command as a handler whose processes live longer than a job: they are given a line of JSON for each, and answer with one.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use serde::Serialize;
use tokio::runtime;

use super::beside::{Beside, Content};
use super::child::Child;
use super::exec::{Exec, failure};
use super::last_words::LastWords;
use super::lines::{Lines, TooLong};
use super::output::{Output, Whole};
use super::pipe::{Drain, Sink as _, from_child, linger, to_child, write};
use super::spawn::{Standard, spawn};
use super::wait::{Alarm, Wanted, ready};
use super::{Call, Ended, Handler, Why, group};
use crate::ports::Prepared;
use crate::words::{Answer, Envelope, Error, Job, MAX_FILE_BYTES, Payload, Problem};

/// The longest answer, in bytes: what an envelope holds, and escaping makes it longer.
const LONGEST_ANSWER: usize = 2 * MAX_FILE_BYTES;
/// So much of what is no answer is told.
const SHOWN: usize = 120;
/// How long a process may take to end when it is given no more jobs.
const FAREWELL: Duration = Duration::from_secs(1);

/// A command of which a process handles one job after the other.
///
/// For each job it gets one line of JSON on stdin:
/// `{"attempt":1,"job":"/drop/claimed/…","event":{"specversion":"1.0","id":"0198…","data":…}}`: the job's whole envelope, and where
/// that lies; further, if they are there, `payload` (the folder of the files that are attached, or a bare file), `data_file` (the
/// job's data, if it is not in the envelope) and `result_dir` (the folder whose files travel with the outcome, to be made by who leaves some).
///
/// It answers with one line on stdout: `{"id":"0198…"}`, where `data`, `data_base64` and `datacontenttype` are the outcome's data,
/// as in an envelope; or `{"id":"0198…","error":"why"}`, with `"final":true` if no further attempt is worth it. Lines on its stderr are logged.
///
/// A process that answers with anything else, ends while it has a job, or takes too long has failed that job, is ended, and another one
/// takes its place. One that ends with 0 before it answers has not taken the job: the next one gets it. When there are no more
/// jobs its stdin is closed; a second later it is ended. On Linux it also dies with its consumer. What it leaves behind when it ends
/// by itself goes on.
#[derive(Debug)]
pub struct Workers {
    exec: Exec,
    idle: Mutex<Vec<Worker>>,
}

/// One process.
#[derive(Debug)]
struct Worker {
    child: Child,
    stdin: OwnedFd,
    stdout: Drain<Lines>,
    stderr: Drain<LastWords>,
    /// Whether it has answered before.
    proven: bool,
}

/// What a process is told.
#[derive(Serialize)]
struct Line<'a> {
    attempt: u32,
    job: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_dir: Option<&'a Path>,
    event: &'a Envelope,
}

/// How a process was parted from a job.
enum Parting {
    Answered(Vec<u8>),
    TooLong,
    Ended(io::Result<ExitStatus>),
    Cut(Why),
}

impl Workers {
    /// Processes of this command, as many as jobs are handled at a time, each started when it is needed.
    pub fn of(exec: Exec) -> Self {
        Self { exec, idle: Mutex::default() }
    }

    /// Gives the processes no more jobs, and waits until they have ended.
    pub fn finish(&self) {
        let workers = std::mem::take(&mut *self.idle());
        // All at once: each may take its time.
        let parts = workers.into_iter().map(|Worker { child, stdout, stderr, .. }| (child, (stdout, stderr)));
        // What they still write is not read, but nobody dies of it.
        let (mut children, _pipes): (Vec<_>, Vec<_>) = parts.unzip();
        let end = Instant::now() + FAREWELL;
        children.retain_mut(|child| !(child.exits_before(end) && child.wait().is_ok()));
        group::end_all(&mut children);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn worker(&self, job: &Job) -> Result<Worker, Error> {
        loop {
            let idle = self.idle().pop();
            let Some(mut worker) = idle else { return self.start(job).await };
            // What happens to one that has no job is no job's fault.
            if let Ok(None) = worker.child.try_wait() {
                worker.stderr.sink = LastWords::of(job.id.clone(), job.attempt);
                return Ok(worker);
            }
        }
    }

    /// On a thread of the runtime: a process dies with the thread that has started it, and those that handle jobs end before the
    /// processes do.
    async fn start(&self, job: &Job) -> Result<Worker, Error> {
        let program = self.exec.program().clone();
        let started = runtime::Handle::current().spawn(async move {
            let ((theirs, stdin), (stdout, answers), (stderr, words)) =
                (to_child()?, from_child()?, from_child()?);
            let standard = Standard { stdin: theirs, stdout: Some(answers), stderr: words };
            Ok((spawn(&program, &[], standard)?, stdin, stdout, stderr))
        });
        let started = started.await.map_err(io::Error::other).flatten();
        let (child, stdin, stdout, stderr) = started.map_err(|e| self.exec.cannot_run(e))?;
        let stdout = Drain::new(Some(stdout), Lines::of(LONGEST_ANSWER));
        let stderr = Drain::new(Some(stderr), LastWords::of(job.id.clone(), job.attempt));
        Ok(Worker { child, stdin, stdout, stderr, proven: false })
    }

    async fn run(&self, call: Call<'_>) -> Ended {
        let beside = Beside::of(self.exec.drop(), &call.job);
        let (data_file, before) = match beside.open() {
            Ok(None) => (None, None),
            Ok(Some((path, file))) => (Some(path), Content::of(&file)),
            Err(ended) => return ended,
        };
        let line = Line {
            attempt: call.job.attempt,
            job: &call.path,
            payload: beside.payload(),
            data_file,
            result_dir: call.workspace.as_ref().map(|workspace| &*workspace.files),
            event: &call.job.envelope,
        };
        let mut line = match serde_json::to_vec(&line) {
            Ok(line) => line,
            // Only a path can be so.
            Err(e) => return Ended::Failed(Problem::handler(format!("a worker cannot be told of it: {e}"))),
        };
        line.push(b'\n');
        let mut alarm = match Alarm::of(&call.cut) {
            Ok(alarm) => alarm,
            Err(e) => return Ended::NotStarted(self.exec.cannot_run(e)),
        };
        loop {
            let mut worker = match self.worker(&call.job).await {
                Ok(worker) => worker,
                Err(e) => return Ended::NotStarted(e),
            };
            call.started.tell();
            let parting = worker.hand_over(&line, &mut alarm);
            let proven = worker.proven;
            let ended = match parting {
                Parting::Answered(answer) => match Answer::decode(&answer) {
                    Ok(answer) if answer.id == call.job.id.as_str() => {
                        worker.proven = true;
                        if worker.stderr.due().is_err() {
                            worker.stderr.close();
                        }
                        let stderr = worker.stderr.sink.said();
                        self.idle().push(worker);
                        return match answer.result {
                            Err(problem) => Ended::Failed(problem.with_stderr(stderr)),
                            Ok(_) if before.as_ref().is_some_and(Content::has_changed) => {
                                Ended::Failed(Content::problem().with_stderr(stderr))
                            }
                            Ok(payload) => self.product(payload, &call),
                        };
                    }
                    Ok(Answer { id, .. }) => {
                        worker.disqualify(format!("it answered for another job ({id:?})"))
                    }
                    Err(why) => {
                        let line = String::from_utf8_lossy(&answer[..answer.len().min(SHOWN)]).into_owned();
                        worker.disqualify(format!("what it wrote to stdout is no answer ({why}): {line}"))
                    }
                },
                Parting::TooLong => {
                    let why = format!("an answer of more than {LONGEST_ANSWER} bytes");
                    let stderr = worker.end();
                    Ended::Failed(Problem::output(why).with_stderr(stderr))
                }
                Parting::Cut(why) => Ended::Cut { why, stderr: worker.end() },
                Parting::Ended(Ok(status)) if status.success() && proven => continue,
                Parting::Ended(Ok(status)) if status.success() => {
                    let stderr = worker.end();
                    let why = "the worker process ended before it answered to any job (exit status 0)";
                    Ended::Failed(Problem::handler(why).with_stderr(stderr))
                }
                Parting::Ended(Ok(status)) => failure(status, worker.end()),
                Parting::Ended(Err(e)) => worker.disqualify(format!("what it did cannot be told: {e}")),
            };
            return ended;
        }
    }

    /// As the output of a process that handles one job.
    fn product(&self, payload: Payload, call: &Call<'_>) -> Ended {
        let most = self.exec.most_output();
        if payload.bytes.len() <= most {
            return Ended::Done(payload);
        }
        let mut output = Output::new(most, call.workspace.as_ref().map(|workspace| workspace.data.clone()));
        match output.take(&payload.bytes) {
            Ok(()) => match output.whole() {
                Whole::Short(payload) => Ended::Done(payload),
                Whole::Spilled(content_type) => Ended::Spilled { content_type },
            },
            Err(stuck) => self.exec.stuck(stuck),
        }
    }
}

impl Worker {
    fn hand_over(&mut self, line: &[u8], alarm: &mut Alarm) -> Parting {
        let Self { child, stdin, stdout, stderr, .. } = self;
        // A process that reads no more may have answered nevertheless, or is about to end: that is seen by what follows.
        let mut left = line;
        let mut listens = write(stdin, &mut left);
        let (mut ended, mut farewell) = (None, None);
        loop {
            match stdout.sink.next() {
                Some(Ok(answer)) => return Parting::Answered(answer),
                Some(Err(TooLong)) => return Parting::TooLong,
                None => {}
            }
            if let Some(status) = ended {
                return Parting::Ended(status);
            }
            if let Some(why) = alarm.due() {
                return Parting::Cut(why);
            }
            // It has closed its stdout: it ends, or else says no more.
            if !stdout.is_open()
                && *farewell.get_or_insert_with(|| Instant::now() + FAREWELL) <= Instant::now()
            {
                return Parting::Ended(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let more: Wanted<'_> = (listens && !left.is_empty()).then_some((stdin.as_fd(), PollFlags::OUT));
            let of = [stdout.wanted(), stderr.wanted(), more, child.exit(), alarm.rung()];
            let until = alarm.until(farewell.into_iter().chain(child.look()));
            let [answers, spoke, reads, exited, rung] = match ready(of, until) {
                Ok(ready) => ready,
                Err(e) => return Parting::Ended(Err(e)),
            };
            if answers && stdout.some().is_err() {
                stdout.close();
            }
            if spoke && stderr.some().is_err() {
                stderr.close();
            }
            if reads {
                listens = write(stdin, &mut left);
            }
            if rung {
                alarm.heard();
            }
            ended = child.ended(exited);
            // What it wrote is in the pipe by now, which a process that it left behind may keep open for ever.
            if ended.is_some() && stdout.due().is_err() {
                stdout.close();
            }
        }
    }

    fn disqualify(self, why: String) -> Ended {
        let stderr = self.end();
        Ended::Failed(Problem::handler(why).with_stderr(stderr))
    }

    /// Ends it. What it wrote to stderr.
    fn end(mut self) -> String {
        group::end(&mut self.child);
        // That it cannot be read any more ends nothing.
        let _ = self.stderr.rest(linger());
        self.stderr.sink.said()
    }
}

impl Handler for Workers {
    fn workspace(&self) -> Option<Prepared> {
        Some(Prepared::Nothing)
    }

    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(self.run(call))
    }
}
