//! What happens on a Monday morning: many drains at the same second, and a deployment that took the handler away.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;

use crate::harness::{Folder, Running, wait_until};

fn batch(folder: &Folder, jobs: usize) {
    let lines: String = (0..jobs).map(|n| format!("{n}\n")).collect();
    folder.fed("producer submit DROP --type t --batch -", lines.as_bytes()).with(0);
}

fn install(handler: &Path, script: &str) {
    // Under another name first: a shell must not find half of it.
    let new = handler.with_extension("new");
    fs::write(&new, script).expect("it can be written");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("it can be written");
    fs::rename(new, handler).expect("it can be written");
}

/// Ten cron jobs.
#[test]
fn ten_drains_at_once_do_each_job_once() {
    const JOBS: usize = 100;
    let folder = Folder::new();
    batch(&folder, JOBS);
    let script = "echo \"$(cat)\" >> log";
    let drain = || Running::start(folder.command("consumer run DROP --drain -q -- sh -c", &[script]));
    let drains: Vec<Running> = (0..10).map(|_| drain()).collect();
    for drain in drains {
        let ended = drain.end().with(0);
        assert!(ended.out.is_empty() && ended.err.is_empty(), "cron would mail it: {ended:?}");
    }
    let log = fs::read_to_string(folder.beside("log")).unwrap();
    let handled: Vec<&str> = log.split_whitespace().collect();
    assert_eq!((handled.len(), handled.iter().collect::<BTreeSet<_>>().len()), (JOBS, JOBS));
    assert!(folder.names("inbox").is_empty() && folder.names("claimed").is_empty());
}

/// A handler that is gone costs no job an attempt, however many there are and however long it takes; and when it is back
/// nobody need tell the consumer.
#[test]
fn a_handler_that_is_removed_after_the_start_buries_nothing() {
    const JOBS: usize = 1000;
    let folder = Folder::new();
    let handler = folder.beside("handler");
    let works = "#!/bin/sh\nexec cat\n";
    install(&handler, works);
    let words = format!("consumer -v run DROP --concurrency 8 -- {}", handler.display());
    let mut consumer = folder.start(&words, &[]);
    folder.submit("1");
    wait_until("it works", || (folder.names("done").len() == 1).then_some(()));
    fs::remove_file(&handler).unwrap();
    batch(&folder, JOBS);
    // At first perhaps eight at once, then one after the other, after longer and longer.
    for _ in 0..5 {
        consumer.wait_for_words("cannot start the handler");
    }
    let ready = folder.jobs("inbox");
    assert!(ready.len() >= JOBS - 8 && ready.iter().all(|job| job.attempt == 1), "no attempt was counted");
    assert_eq!(folder.names("dead"), [""; 0]);
    // A drain would not wait for a better time: it says so, with a code of its own.
    let drained = folder.run(&words.replace("--concurrency 8", "--drain"), &[]);
    assert_eq!(drained.code, Some(69), "{drained:?}");

    install(&handler, works);
    wait_until("all are done", || folder.names("inbox").is_empty().then_some(()));
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
    let day = folder.names("done").remove(0);
    let done: usize = folder.names("done").iter().map(|day| folder.names(&format!("done/{day}")).len()).sum();
    assert_eq!(done, JOBS + 1, "{day}");
    assert_eq!((folder.names("dead").len(), folder.names("claimed").len()), (0, 0));
}
