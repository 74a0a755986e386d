//! What a job costs in system calls, from its submission until its outcome is told, where nothing is flushed: as ARCHITECTURE.md
//! lists them.

use std::collections::HashMap;

use crate::rounds::PART;
use crate::trace::{Call, Trace, strace_calls};
use crate::{Folder, skip};

const JOBS: usize = 12;

/// The calls of the table, by part: `| submit | openat | why |`.
fn listed(part: &str) -> Vec<String> {
    let page = include_str!("../../ARCHITECTURE.md");
    let (_, section) = page.split_once("## System calls of a job").expect("it lists them");
    let section = section.split("\n## ").next().expect("a section");
    let cells = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?, cells.next()?.trim_matches('`').to_owned()))
    });
    cells.filter(|(its, _)| *its == part).map(|(_, call)| call).collect()
}

/// Waiting, waking, memory, and what a debug build asks before it closes a descriptor are no steps of a job.
fn is_step(call: &Call) -> bool {
    let others = ["futex", "fcntl", "mmap", "munmap", "mprotect", "madvise", "brk", "mremap", "sched_yield"];
    let waits = call.name.contains("poll") || call.mentions("<anon_inode:");
    !waits && !others.contains(&call.name.as_str()) && !call.name.starts_with("rt_sig")
}

/// What the thread that does it does most often from one such call to the next: now and then something else comes in between.
#[track_caller]
fn usual(trace: &Trace, begins: impl Fn(&Call) -> bool) -> Vec<String> {
    let thread = trace.calls.iter().rfind(|call| begins(call)).expect("there are such calls").thread;
    let steps: Vec<_> = trace.of_thread(thread).calls.into_iter().filter(is_step).collect();
    let begun: Vec<_> = (0..steps.len()).filter(|&nth| begins(&steps[nth])).collect();
    let mut times = HashMap::<Vec<String>, usize>::new();
    for job in begun.windows(2) {
        *times.entry(steps[job[0]..job[1]].iter().map(|call| call.name.clone()).collect()).or_default() += 1;
    }
    let (usual, often) = times.into_iter().max_by_key(|(_, times)| *times).expect("some jobs");
    assert!(often > JOBS / 2, "no two jobs are alike: {trace}");
    usual
}

#[test]
fn a_job_costs_the_calls_that_are_listed() {
    let folder = Folder::new();
    let tests = std::env::current_exe().expect("this test");
    let run = |part: &str| {
        let part = format!("{PART}={part} {JOBS} {}", folder.path());
        let play = [tests.to_str().expect("text"), "--exact", "rounds::play", "--ignored"];
        strace_calls("trace=all", &play, &["-E", &part])
    };
    let Some(submitted) = run("submit") else { return };
    let submitted = submitted.well().trace;
    if !submitted.calls.iter().any(Call::is_unnamed) {
        return skip(
            "this file system has no files without a name, or none that are safe: there it takes some more calls",
        );
    }
    let draws = |call: &Call| call.name == "getrandom" && call.mentions(", 16, ");
    assert_eq!(usual(&submitted, draws), listed("submit"), "{submitted}");

    let handled = run("handle").expect("it ran before").well().trace;
    let claims = |call: &Call| call.name.starts_with("rename") && call.mentions("/inbox/");
    assert_eq!(usual(&handled, claims), listed("handle"), "{handled}");

    let told = run("tell").expect("it ran before").well().trace;
    let looks = |call: &Call| call.name == "statx" && call.mentions("outcome.json\"");
    assert_eq!(usual(&told, looks), listed("tell"), "{told}");
}
