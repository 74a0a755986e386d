//! What `calls.rs` counts the system calls of: each job as the library does it, not flushed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use filedrop::{DropFolder, Durability, Id, Job, Submission};

/// Says to the process that runs it, under `strace`, what it is to do: `submit|handle|tell JOBS DROP`.
pub(crate) const PART: &str = "FILEDROP_PART";

#[test]
#[ignore = "the other tests run it"]
fn play() {
    let told = std::env::var(PART).expect("somebody who counts");
    let (part, rest) = told.split_once(' ').expect("a part");
    let (jobs, path) = rest.split_once(' ').expect("jobs, and a folder");
    let drop =
        DropFolder::open(path).expect("a drop folder").with_durability(Durability::Os).expect("memory");
    let jobs = jobs.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match part {
        "submit" => (0..jobs).for_each(|_| {
            drop.submit(Submission::new("order").data("1")).expect("it is submitted");
        }),
        "handle" => runtime.block_on(handle(&drop, jobs)),
        "tell" => runtime.block_on(tell(&drop, Path::new(path))),
        other => panic!("no such part: {other}"),
    }
}

/// Ends as soon as it has handled so many.
async fn handle(drop: &DropFolder, jobs: usize) {
    let consumer = drop.consumer();
    let (stopper, left) = (consumer.stopper(), Arc::new(AtomicUsize::new(jobs)));
    let echo = move |job: Job| {
        if left.fetch_sub(1, Ordering::AcqRel) == 1 {
            stopper.stop();
        }
        async move { Ok::<_, String>(job.data().to_vec()) }
    };
    let summary = consumer.run(echo).await.expect("it runs");
    assert_eq!(summary.succeeded, jobs as u64);
}

/// Waits for those that are decided, one after the other.
async fn tell(drop: &DropFolder, path: &Path) {
    let files = std::fs::read_dir(path.join("outcomes")).expect("a room").flatten();
    let files = files.flat_map(|day| std::fs::read_dir(day.path()).expect("a day")).flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let ids: Vec<Id> = names.filter_map(|name| name.strip_suffix(".outcome.json")?.parse().ok()).collect();
    for id in ids {
        drop.wait(&id, None).await.expect("its outcome");
    }
}
