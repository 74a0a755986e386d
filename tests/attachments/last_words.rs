//! What handlers write to stderr.

use std::time::{Duration, Instant};

use filedrop::{Attempt, Problem};

use crate::{Folder, LONG, job, sh, until};

#[test]
fn a_dead_letter_has_the_last_words() {
    let folder = Folder::new();
    let stderr = |script: &str| folder.run(script).problem().unwrap().stderr;
    assert_eq!(stderr("echo one >&2; printf 'two\\n\\nthree' >&2; exit 3"), "one\ntwo\nthree");
    assert_eq!(stderr("echo so be it >&2; kill -9 $$"), "so be it");
    assert_eq!(stderr("printf '\\377\\n' >&2; exit 65"), "\u{fffd}");
    assert_eq!(stderr("exit 3"), "");
    let many = stderr("i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); echo line $i >&2; done; exit 1");
    assert_eq!((many.lines().count(), many.lines().last()), (20, Some("line 1000")));
    let long = stderr("head -c 5000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2; exit 1");
    assert!(long.len() <= 4096 && long.ends_with("\nend"), "{}", long.len());
    // Of success there is nothing to explain.
    assert_eq!(folder.run("echo fine >&2").problem(), None);
}

#[test]
fn a_handler_that_took_too_long_has_said_why() {
    let folder = Folder::new();
    let id = folder.drop.submit(job()).unwrap();
    let consumer = folder.drop.consumer().max_attempts(1).drain(true);
    let script = "trap 'echo ending >&2; exit 1' TERM; echo waiting >&2; while :; do sleep 0.01; done";
    consumer.handler_timeout(Some(Duration::from_secs(1))).run_command(sh(script)).unwrap();
    let problem = folder.drop.outcome(&id).unwrap().unwrap().problem().unwrap();
    assert_eq!(problem.kind, Problem::TIMEOUT);
    // The shell may say that its child was terminated, too.
    let words: Vec<_> = problem.stderr.lines().collect();
    assert_eq!((words.first(), words.last()), (Some(&"waiting"), Some(&"ending")));
}

/// Each attempt's own, in its record and in the dead letter; the last one's are the problem's.
#[test]
fn every_attempt_has_its_own_words() {
    let folder = Folder::new();
    let id = folder.drop.submit(job()).unwrap();
    until("the last attempt", || {
        let consumer = folder.drop.consumer().max_attempts(2).backoff(Duration::from_millis(1)).drain(true);
        consumer.run_command(sh("echo attempt $FILEDROP_ATTEMPT >&2; exit 1")).unwrap();
        folder.drop.outcome(&id).unwrap()
    });
    let problem = folder.drop.outcome(&id).unwrap().unwrap().problem().unwrap();
    assert_eq!(problem.stderr, "attempt 2");
    let words = |attempt: &Attempt| (attempt.attempt, attempt.problem.stderr.clone());
    let all: Vec<_> = problem.attempts.iter().map(words).collect();
    assert_eq!(all, [(1, "attempt 1".to_owned()), (2, String::new())]);
}

/// What a handler leaves behind may hold its pipes open as long as it likes, and write to them.
#[test]
fn a_stray_delays_nobody() {
    let folder = Folder::new();
    let pid = folder.beside("pid");
    for stray in
        ["sleep 600", "sh -c 'trap \"\" PIPE; while echo noise >&2; do sleep 0.001; done; sleep 600'"]
    {
        for end in ["exit 0", "exit 1"] {
            let start = Instant::now();
            let script = format!("{stray} & echo $! > '{}'; echo last >&2; {end}", pid.display());
            let outcome = folder.run(&script);
            assert!(start.elapsed() < LONG, "{script}");
            if let Some(problem) = outcome.problem() {
                assert!(problem.stderr.contains("last") || problem.stderr.contains("noise"), "{problem:?}");
            }
            let pid = std::fs::read_to_string(&pid).unwrap();
            assert!(std::process::Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        }
    }
}
