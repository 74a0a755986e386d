//! A thousand calls at once, in one process. Alone in its process, because it counts what that has open.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Job, Submission};

const CALLS: usize = 1000;
/// Longer than anything here takes, on the slowest machine.
const LONG: Duration = Duration::from_secs(120);

/// The inotify instances of this process.
fn watches() -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten().map(|fd| fs::read_link(fd.path()));
    links.flatten().filter(|link| link.as_os_str() == "anon_inode:inotify").count()
}

/// The threads of this process whose names begin so.
fn threads(name: &str) -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = names.map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
    names.filter(|comm| comm.starts_with(name)).count()
}

fn until(what: &str, mut look: impl FnMut() -> bool) {
    let start = Instant::now();
    while !look() {
        assert!(start.elapsed() < LONG, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_thousand_calls_share_one_watch_and_all_are_answered() {
    let place = tempfile::tempdir().unwrap();
    let drop = DropFolder::init(place.path().join("drop")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let calls: Vec<_> = (0..CALLS)
        .map(|nth| {
            let drop = drop.clone();
            let call = async move { drop.call(Submission::new("echo").data(nth.to_string()), None).await };
            runtime.spawn(call)
        })
        .collect();
    let mut most = 0;
    until("all are submitted", || {
        most = most.max(watches());
        fs::read_dir(drop.path().join("inbox")).unwrap().count() == CALLS
    });
    until("the watch", || watches() == 1);
    assert!(most <= 1, "{most} watches");
    assert_eq!(threads("filedrop-wait"), 1);
    let before_the_consumer = fs::read_dir("/proc/self/task").unwrap().count();
    assert!(before_the_consumer < CALLS / 4, "{before_the_consumer} threads for {CALLS} calls");

    let consumer = drop.consumer().concurrency(16);
    let stopper = consumer.stopper();
    let consuming = runtime.spawn(consumer.run(async |job: Job| Ok::<_, String>(job.data().to_vec())));
    for (nth, call) in calls.into_iter().enumerate() {
        let outcome = runtime.block_on(call).unwrap().unwrap();
        assert_eq!(outcome.data(), nth.to_string().as_bytes());
        assert!(watches() <= 2, "the callers' and the consumer's");
    }
    stopper.stop();
    assert_eq!(runtime.block_on(consuming).unwrap().unwrap().succeeded, CALLS as u64);
    until("both are closed", || watches() == 0);
    until("nobody listens", || threads("filedrop-wait") == 0);
}
