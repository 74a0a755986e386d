//! A command as a handler whose processes live longer than a job: they are given a line of JSON for each, and answer with one.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::runtime;
use tokio::time::timeout;

use super::beside::{Beside, Content};
use super::exec::{Exec, failure};
use super::last_words::LastWords;
use super::output::{Output, Whole};
use super::pipe::{Drain, Sink as _};
use super::{Call, Ended, Handler, Why, group};
use crate::words::{Answer, Envelope, Error, ErrorKind, Job, MAX_FILE_BYTES, Payload, Problem};

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
/// job's data, if it is not in the envelope) and `result_dir` (the folder whose files travel with the outcome).
///
/// It answers with one line on stdout: `{"id":"0198…"}`, where `data`, `data_base64` and `datacontenttype` are the outcome's data,
/// as in an envelope; or `{"id":"0198…","error":"why"}`, with `"final":true` if no further attempt is worth it. Lines on its stderr are logged.
///
/// A process that answers with anything else, ends while it has a job, or takes too long has failed that job, is ended, and another one
/// takes its place. One that ends with 0 before it answers has not taken the job: the next one gets it. When there are no more
/// jobs its stdin is closed; a second later it is ended. On Linux it also dies with its consumer.
#[derive(Debug)]
pub struct Workers {
    exec: Exec,
    idle: Mutex<Vec<Worker>>,
}

/// One process.
#[derive(Debug)]
struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: Drain<ChildStderr, LastWords>,
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
    pub async fn finish(&self) {
        let workers = std::mem::take(&mut *self.idle());
        // All at once: each may take its time.
        let farewells: Vec<_> = workers.into_iter().map(|worker| tokio::spawn(worker.leave())).collect();
        for farewell in farewells {
            if let Err(e) = farewell.await {
                tracing::debug!(error = %e, "a worker process was not seen to end");
            }
        }
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
        let mut command = self.exec.program();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = runtime::Handle::current().spawn(async move { command.spawn() }).await;
        let mut child = started.map_err(io::Error::other).flatten().map_err(|e| self.exec.cannot_run(e))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new(ErrorKind::Io, "a worker process without pipes"));
        };
        let stderr = Drain::new(child.stderr.take(), LastWords::of(job.id.clone(), job.attempt));
        Ok(Worker { child, stdin, stdout: BufReader::new(stdout), stderr, proven: false })
    }

    async fn run(&self, mut call: Call<'_>) -> Ended {
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
        loop {
            let mut worker = match self.worker(&call.job).await {
                Ok(worker) => worker,
                Err(e) => return Ended::NotStarted(e),
            };
            call.started.tell();
            let parting = worker.hand_over(&line, &mut call.cut).await;
            let proven = worker.proven;
            let ended = match parting {
                Parting::Answered(answer) => match Answer::decode(&answer) {
                    Ok(answer) if answer.id == call.job.id.as_str() => {
                        worker.proven = true;
                        if worker.stderr.due().await.is_err() {
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
                        worker.disqualify(format!("it answered for another job ({id:?})")).await
                    }
                    Err(why) => {
                        let line = String::from_utf8_lossy(&answer[..answer.len().min(SHOWN)]).into_owned();
                        worker
                            .disqualify(format!("what it wrote to stdout is no answer ({why}): {line}"))
                            .await
                    }
                },
                Parting::TooLong => {
                    let why = format!("an answer of more than {LONGEST_ANSWER} bytes");
                    let stderr = worker.end().await;
                    Ended::Failed(Problem::output(why).with_stderr(stderr))
                }
                Parting::Cut(why) => Ended::Cut { why, stderr: worker.end().await },
                Parting::Ended(Ok(status)) if status.success() && proven => continue,
                Parting::Ended(Ok(status)) if status.success() => {
                    let stderr = worker.end().await;
                    let why = "the worker process ended before it answered to any job (exit status 0)";
                    Ended::Failed(Problem::handler(why).with_stderr(stderr))
                }
                Parting::Ended(Ok(status)) => failure(status, worker.end().await),
                Parting::Ended(Err(e)) => worker.disqualify(format!("what it did cannot be told: {e}")).await,
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
    async fn hand_over(&mut self, line: &[u8], cut: &mut super::Cut) -> Parting {
        let Self { child, stdin, stdout, stderr, .. } = self;
        let talk = async {
            let told = async {
                // A process that reads no more may have answered nevertheless, or is about to end: that is seen by what follows.
                if let Err(e) = stdin.write_all(line).await {
                    tracing::debug!(error = %e, "a worker process did not read its job");
                }
            };
            tokio::join!(told, next_line(stdout)).1
        };
        tokio::pin!(talk);
        loop {
            tokio::select! {
                heard = &mut talk => break match heard {
                    Ok(Some(answer)) => Parting::Answered(answer),
                    Ok(None) => Parting::TooLong,
                    // It has closed its stdout: it ends, or else says no more.
                    Err(_) => match timeout(FAREWELL, child.wait()).await {
                        Ok(status) => Parting::Ended(status),
                        Err(_) => Parting::Ended(Err(io::ErrorKind::BrokenPipe.into())),
                    },
                },
                read = stderr.some(), if stderr.is_open() => if read.is_err() { stderr.close() },
                why = cut.wait() => break Parting::Cut(why),
            }
        }
    }

    async fn disqualify(self, why: String) -> Ended {
        let stderr = self.end().await;
        Ended::Failed(Problem::handler(why).with_stderr(stderr))
    }

    /// Ends it. What it wrote to stderr.
    async fn end(mut self) -> String {
        group::end(&mut self.child).await;
        // That it cannot be read any more ends nothing.
        let _ = self.stderr.rest().await;
        self.stderr.sink.said()
    }

    async fn leave(self) {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        if timeout(FAREWELL, child.wait()).await.is_err() {
            group::end(&mut child).await;
        }
    }
}

/// Reads a line, without its end. `None` if it is too long; an error also at the end.
async fn next_line(from: &mut BufReader<ChildStdout>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let some = from.fill_buf().await?;
        if some.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = some.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&some[..end.unwrap_or(some.len())]);
        let used = end.map_or(some.len(), |end| end + 1);
        from.consume(used);
        if line.len() > LONGEST_ANSWER {
            return Ok(None);
        }
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

impl Handler for Workers {
    fn wants_workspace(&self) -> bool {
        true
    }

    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(self.run(call))
    }
}
