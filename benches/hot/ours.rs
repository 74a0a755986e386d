//! The same by the library.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Durability, Job, Submission};

use crate::parts::{Queue, See};
use crate::{Outcome, payload};

pub(crate) fn open(root: &Path, durability: Durability) -> Outcome<DropFolder> {
    Ok(DropFolder::init(root)?.with_durability(durability)?)
}

fn job() -> Submission {
    Submission::new("order").data(payload())
}

impl Queue for DropFolder {
    fn produce(&self, _: usize, jobs: usize, at_a_time: usize) -> Outcome<()> {
        (0..jobs).step_by(at_a_time).try_for_each(|first| {
            let group = first..jobs.min(first + at_a_time);
            self.submit_all(group.map(|_| job()).collect())?;
            Ok(())
        })
    }

    fn produce_one(&self, _: usize, data: Vec<u8>) -> Outcome<()> {
        self.submit(Submission::new("order").data(data))?;
        Ok(())
    }

    fn consume(&self, jobs: usize, threads: usize) -> Outcome<()> {
        serve(self, jobs, threads, Box::new(|_| ()))
    }

    fn ask(&self, jobs: usize) -> Outcome<Vec<Duration>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut times = Vec::with_capacity(jobs);
            for _ in 0..jobs {
                let begin = Instant::now();
                self.call(job(), Some(Duration::from_secs(60))).await?;
                times.push(begin.elapsed());
            }
            Ok(times)
        })
    }

    fn answer(&self, jobs: usize, see: See) -> Outcome<()> {
        serve(self, jobs, 1, see)
    }
}

fn serve(drop: &DropFolder, jobs: usize, threads: usize, see: See) -> Outcome<()> {
    let consumer = drop.consumer().concurrency(threads);
    let (stopper, left) = (consumer.stopper(), AtomicUsize::new(jobs));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let echo = move |job: Job| {
        see(job.data());
        if left.fetch_sub(1, Ordering::AcqRel) == 1 {
            stopper.stop();
        }
        async move { Ok::<_, String>(job.data().to_vec()) }
    };
    let summary = runtime.block_on(consumer.run(echo))?;
    if summary.succeeded as usize == jobs { Ok(()) } else { Err(format!("{summary:?} of {jobs}").into()) }
}
