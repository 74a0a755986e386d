//! Commands as handlers, not flushed, two at a time: a process a job, and processes that stay.
//!
//! Their floors touch no file: of a process a job, the same start of a process; of those that stay, the same lines of JSON through
//! the same pipes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use filedrop::{Durability, Exec};

use crate::actor::Actor;
use crate::pairs::{both, tell_rates};
use crate::parts::{Queue as _, Stage};
use crate::timed::timed;
use crate::{Outcome, Plan, Side, ours, payload, spawn};

const AT_A_TIME: usize = 2;

/// Answers with the data that it got.
const ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/hot/echo.py");

/// Not what a `PATH` leads to: that may be a script that looks for another.
const PYTHON: &str = "/usr/bin/python3";

/// How many jobs a second have a process each: one that does nothing, and one that copies its data.
pub(crate) fn process(plan: &Plan) -> Outcome<()> {
    for program in ["/bin/true", "/bin/cat"] {
        let took = both(plan, Durability::Os, |stage| one_side(stage, program, plan.jobs))?;
        tell_rates(&format!("a process a job, {program}"), plan.jobs, took);
    }
    Ok(())
}

/// How many jobs a second are handled by processes that stay.
pub(crate) fn worker(plan: &Plan) -> Outcome<()> {
    let jobs = plan.jobs * 5;
    let took = both(plan, Durability::Os, |stage| one_side(stage, PYTHON, jobs))?;
    tell_rates("--worker, an echo in Python", jobs, took);
    Ok(())
}

fn one_side(stage: &Stage, program: &str, jobs: usize) -> Outcome<Duration> {
    if stage.side == Side::Ours {
        ours::open(&stage.root, stage.durability)?.produce(0, jobs, 1)?;
    }
    let (side, root) = (stage.side.word(), stage.root.display().to_string());
    let mut actor = Actor::start(["handle", side, program, &jobs.to_string(), &root])?;
    actor.begin()?;
    actor.took()
}

/// Handles so many jobs, as the arguments say.
pub(crate) fn play(args: &[String]) -> Outcome<()> {
    let [side, program, jobs, root] = args else { return Err("four words".into()) };
    let jobs = jobs.parse()?;
    timed(|| {
        match (side == Side::Floor.word(), program == PYTHON) {
            (true, false) => spawn::bare(program, jobs, AT_A_TIME)?,
            (true, true) => talk(jobs)?,
            (false, _) => handle(root.as_ref(), program, jobs)?,
        }
        Ok(None)
    })
}

fn handle(root: &Path, program: &str, jobs: usize) -> Outcome<()> {
    let consumer = ours::open(root, Durability::Os)?.consumer().concurrency(AT_A_TIME).drain(true);
    let summary = if program == PYTHON {
        consumer.run_workers(Exec::find(program, vec![ECHO.into()])?)?
    } else {
        consumer.run_command(Exec::find(program, Vec::new())?)?
    };
    if summary.succeeded as usize == jobs { Ok(()) } else { Err(format!("{summary:?} of {jobs}").into()) }
}

/// A thread for each process: a line, an answer, and so on.
fn talk(jobs: usize) -> Outcome<()> {
    let payload = String::from_utf8(payload())?;
    let line = format!(
        r#"{{"attempt":1,"job":"/drop/claimed/host-1-0/5.1.id.1.job.json","event":{{"specversion":"1.0","id":"id","source":"//host","type":"order","time":"2026-01-01T00:00:00.000Z","datacontenttype":"application/json","data":{payload}}}}}"#
    ) + "\n";
    let left = AtomicIsize::new(jobs as isize);
    let one = || -> Outcome<()> {
        let mut command = Command::new(PYTHON);
        let mut child = command.arg(ECHO).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().ok_or("a pipe")?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("a pipe")?);
        let mut answer = String::new();
        while left.fetch_sub(1, Ordering::AcqRel) > 0 {
            stdin.write_all(line.as_bytes())?;
            answer.clear();
            if stdout.read_line(&mut answer)? < payload.len() {
                return Err("no answer".into());
            }
        }
        drop(stdin);
        if child.wait()?.success() { Ok(()) } else { Err("a worker failed".into()) }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(one)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}
