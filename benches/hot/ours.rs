//! The same by the library.

use std::path::Path;
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Durability, Job, Submission};

use crate::{Outcome, payload};

pub(crate) fn open(root: &Path, durability: Durability) -> Outcome<DropFolder> {
    Ok(DropFolder::init(root)?.with_durability(durability)?)
}

fn job() -> Submission {
    Submission::new("order").data(payload())
}

/// So many jobs, so many at a time.
pub(crate) fn submit(drop: &DropFolder, jobs: usize, at_a_time: usize) -> Outcome<()> {
    (0..jobs).step_by(at_a_time).try_for_each(|first| {
        let group = first..jobs.min(first + at_a_time);
        drop.submit_all(group.map(|_| job()).collect())?;
        Ok(())
    })
}

/// One job.
pub(crate) fn submit_one(drop: &DropFolder, payload: Vec<u8>) -> Outcome<()> {
    drop.submit(Submission::new("order").data(payload))?;
    Ok(())
}

/// Handles so many jobs with so many threads.
pub(crate) fn serve(drop: &DropFolder, jobs: usize, threads: usize) -> Outcome<()> {
    serve_seen(drop, jobs, threads, |_| ())
}

/// The same, and `see` is shown the data of each.
pub(crate) fn serve_seen(
    drop: &DropFolder,
    jobs: usize,
    threads: usize,
    see: impl Fn(&[u8]) + Send + Sync + 'static,
) -> Outcome<()> {
    let consumer = drop.consumer().concurrency(threads);
    let (stopper, left) = (consumer.stopper(), std::sync::atomic::AtomicUsize::new(jobs));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let left = std::sync::Arc::new(left);
    let echo = move |job: Job| {
        see(job.data());
        if left.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) == 1 {
            stopper.stop();
        }
        async move { Ok::<_, String>(job.data().to_vec()) }
    };
    let summary = runtime.block_on(consumer.run(echo))?;
    if summary.succeeded as usize == jobs { Ok(()) } else { Err(format!("{summary:?} of {jobs}").into()) }
}

/// Asks so often, and waits for each answer. The times.
pub(crate) fn ask(drop: &DropFolder, jobs: usize) -> Outcome<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut times = Vec::with_capacity(jobs);
        for _ in 0..jobs {
            let begin = Instant::now();
            drop.call(job(), Some(Duration::from_secs(60))).await?;
            times.push(begin.elapsed());
        }
        Ok(times)
    })
}
