//! Commands as handlers.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use filedrop::{Disposition, ErrorKind, Exec, Problem, Submission};
use serde_json::json;

use crate::{assert_tidy, folder, job, kill, run_one, sh, until};

#[test]
fn a_command_gets_the_bytes_and_gives_them_back() {
    let (_place, drop) = folder();
    let binary: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let inputs: [&[u8]; 6] =
        [b"{ \"a\" :1,\t\"a\":  2 }", b" {\"a\":1}\n", b"text without a line end", b"", b"\xff\x00", &binary];
    for input in inputs {
        let cat = Exec::find("cat", vec![]).unwrap();
        let outcome = run_one(&drop, Submission::new("bytes").data(input), cat);
        assert_eq!(outcome.disposition, Disposition::Succeeded);
        assert!(outcome.data() == input, "{:?} came back", String::from_utf8_lossy(outcome.data()));
    }
}

#[test]
fn a_command_knows_its_job() {
    let (_place, drop) = folder();
    let script = r#"printf '%s\n' "$FILEDROP_DROP" "$FILEDROP_ID" "$FILEDROP_TYPE" "$FILEDROP_SUBJECT" \
        "$FILEDROP_ATTEMPT" "$TRACEPARENT"; grep -c specversion "$FILEDROP_JOB"; echo "${FILEDROP_SUBJECT-unset}""#;
    let asked = Submission::new("resize").subject("cat's picture.png").trace_parent("00-1-2-01");
    let outcome = run_one(&drop, asked, sh(script));
    let said = String::from_utf8(outcome.data().to_vec()).unwrap();
    let (path, id) = (drop.path().display(), outcome.job_id());
    let expected = format!("{path}\n{id}\nresize\ncat's picture.png\n1\n00-1-2-01\n1\ncat's picture.png\n");
    assert_eq!(said, expected);
    let outcome = run_one(&drop, job("x"), sh("printf %s ${FILEDROP_SUBJECT-unset} ${TRACEPARENT-unset}"));
    assert_eq!(outcome.data(), b"unsetunset");
}

#[test]
fn a_command_says_how_it_failed() {
    let (_place, drop) = folder();
    let detail = |script| run_one(&drop, job("x"), sh(script)).problem().unwrap().detail;
    assert_eq!(detail("exit 3"), "exit status 3");
    assert_eq!(detail("kill -9 $$"), "killed by signal 9 (SIGKILL)");
}

#[test]
fn a_command_need_not_read_nor_close_its_pipes() {
    let (_place, drop) = folder();
    let large = Submission::new("large").data(vec![b'x'; 4 << 20]);
    let outcome = run_one(&drop, large, sh("echo done"));
    assert_eq!((outcome.disposition, outcome.data()), (Disposition::Succeeded, &b"done\n"[..]));
    let pid = drop.path().join("pid");
    let script = format!("sleep 600 & echo $! > '{}'; echo done", pid.display());
    let start = Instant::now();
    let outcome = run_one(&drop, job("x"), sh(&script));
    assert_eq!(outcome.data(), b"done\n");
    assert!(start.elapsed() < Duration::from_secs(300));
    assert!(kill(&pid), "what a handler leaves behind goes on");
}

fn is_running(pid: &str) -> bool {
    // A zombie has ended.
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_its_children() {
    let (_place, drop) = folder();
    let pid = drop.path().join("pid");
    // Neither it nor its child heeds SIGTERM.
    let script =
        format!("trap '' TERM; (trap '' TERM; exec sleep 600) & echo $! > '{}'; sleep 600", pid.display());
    let id = drop.submit(job("x")).unwrap();
    let consumer = drop.consumer().max_attempts(1).drain(true).handler_timeout(Some(Duration::from_secs(2)));
    consumer.run_command(sh(&script)).unwrap();
    assert_eq!(drop.outcome(&id).unwrap().unwrap().problem().unwrap().kind, Problem::TIMEOUT);
    let grandchild = std::fs::read_to_string(&pid).unwrap();
    until("the end of the grandchild", || (!is_running(grandchild.trim())).then_some(()));
    assert_tidy(&drop);
}

#[test]
fn programs_are_looked_up_before_any_claim() {
    for missing in ["no-such-program-anywhere", "/no/such/program", "./no-such-program", "", "/"] {
        let e = Exec::find(missing, vec![]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NoHandler, "{missing:?}");
        assert!(e.to_string().contains(missing));
    }
    assert!(Exec::find("sh", vec![OsString::from("-c")]).is_ok());
}

#[test]
fn attributes_that_fit_no_environment_condemn_their_job() {
    let (_place, drop) = folder();
    for attribute in ["subject", "topic", "correlationid", "traceparent"] {
        for value in ["a\0b".to_owned(), "x".repeat(3 << 20)] {
            let event = json!({"specversion": "1.0", "source": "/s", "type": "t", attribute: value});
            let job = Submission::from_event(event.to_string().as_bytes()).unwrap();
            let outcome = run_one(&drop, job, sh("true"));
            assert_eq!(outcome.problem().unwrap().kind, Problem::REJECTED, "{attribute}");
        }
    }
}

#[test]
fn an_argument_that_no_command_line_takes_is_told_before_any_claim() {
    let e = Exec::find("true", vec!["a".into(), "b\0c".into()]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NoHandler);
    assert!(e.to_string().contains("NUL"), "{e}");
}
