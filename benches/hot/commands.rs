//! Commands as handlers, not flushed, two at a time: a process a job, and processes that stay.
//!
//! Their floors touch no file: of a process a job, the same start of a process; of those that stay, the same lines of JSON through
//! the same pipes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::{Duration, Instant};

use filedrop::{Durability, Exec};

use crate::pairs::{paired, tell_rates};
use crate::{Outcome, Plan, Side, ours, payload, place, spawn};

const AT_A_TIME: usize = 2;

/// Answers with the data that it got.
const ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/hot/echo.py");

/// Not what a `PATH` leads to: that may be a script that looks for another.
const PYTHON: &str = "/usr/bin/python3";

/// How many jobs a second have a process each: one that does nothing, and one that copies its data.
pub(crate) fn process(plan: &Plan) -> Outcome<()> {
    for program in ["/bin/true", "/bin/cat"] {
        let took = paired(plan, |side| one_side(plan, side, program, plan.jobs))?;
        tell_rates(&format!("a process a job, {program}"), plan.jobs, took);
    }
    Ok(())
}

/// How many jobs a second are handled by processes that stay.
pub(crate) fn worker(plan: &Plan) -> Outcome<()> {
    let jobs = plan.jobs * 5;
    let took = paired(plan, |side| one_side(plan, side, PYTHON, jobs))?;
    tell_rates("--worker, an echo in Python", jobs, took);
    Ok(())
}

/// In a process of its own.
fn one_side(plan: &Plan, side: Side, program: &str, jobs: usize) -> Outcome<Duration> {
    let place = place(&plan.below)?;
    let root = place.path().join("drop");
    if side == Side::Ours {
        ours::submit(&ours::open(&root, Durability::Os)?, jobs, 1)?;
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["handle", if side == Side::Floor { "floor" } else { "ours" }, program]);
    let said = command.arg(jobs.to_string()).arg(&root).stderr(Stdio::inherit()).output()?;
    if !said.status.success() {
        return Err("a player failed".into());
    }
    Ok(Duration::from_nanos(String::from_utf8(said.stdout)?.trim().parse()?))
}

/// Handles so many jobs, and says how long it took.
pub(crate) fn play(args: &[String]) -> Outcome<()> {
    let [side, program, jobs, root] = args else { return Err("four words".into()) };
    let (jobs, stays) = (jobs.parse()?, program == PYTHON);
    let begin = Instant::now();
    match (&**side, stays) {
        ("floor", false) => spawn::bare(program, jobs, AT_A_TIME)?,
        ("floor", true) => talk(jobs)?,
        (_, false) => handle(root.as_ref(), Exec::find(program, Vec::new())?, stays, jobs)?,
        (_, true) => handle(root.as_ref(), Exec::find(program, vec![ECHO.into()])?, stays, jobs)?,
    }
    println!("{}", begin.elapsed().as_nanos());
    Ok(())
}

fn handle(root: &Path, command: Exec, stays: bool, jobs: usize) -> Outcome<()> {
    let consumer = ours::open(root, Durability::Os)?.consumer().concurrency(AT_A_TIME).drain(true);
    let summary = if stays { consumer.run_workers(command)? } else { consumer.run_command(command)? };
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
