//! How long a `call` takes with 1, 100 and 1,000 callers at once, of one process, and what the process holds meanwhile.
//!
//! ```text
//! cargo bench --bench calls                    in a temporary folder
//! cargo bench --bench calls -- /srv/scratch    in one below /srv/scratch, to measure that disk
//! ```
//!
//! One consumer, in the same process, answers with what it was sent. Times are in milliseconds. It uses one inotify
//! instance itself.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Job, Submission};

/// Each caller makes so many calls, one after the other; (callers, calls).
const LOADS: [(usize, usize); 3] = [(1, 300), (100, 20), (1000, 4)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo passes `--bench`.
    let below = std::env::args_os().skip(1).find(|arg| arg != "--bench");
    let below = below.map_or_else(std::env::temp_dir, PathBuf::from);
    println!("callers   calls      p50      p99      max  calls/s  inotify  threads");
    for (callers, calls) in LOADS {
        let place = tempfile::tempdir_in(&below)?;
        let drop = DropFolder::init(place.path().join("drop"))?;
        measure(&drop, callers, calls)?;
    }
    Ok(())
}

fn measure(drop: &DropFolder, callers: usize, calls: usize) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let consumer = drop.consumer().concurrency(16);
    let stopper = consumer.stopper();
    let echo = async |job: Job| Ok::<_, String>(job.data().to_vec());
    let consuming = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(consumer.run(echo)))
    });
    let done = Arc::new(AtomicBool::new(false));
    let held = std::thread::spawn({
        let done = done.clone();
        move || most_held(&done)
    });
    let start = Instant::now();
    let mut times = runtime.block_on(async {
        let one = |drop: DropFolder| async move {
            let mut times = Vec::new();
            for _ in 0..calls {
                let start = Instant::now();
                drop.call(Submission::new("echo").data("1"), Some(Duration::from_secs(300))).await?;
                times.push(start.elapsed());
            }
            Ok::<_, filedrop::Error>(times)
        };
        let callers: Vec<_> = (0..callers).map(|_| tokio::spawn(one(drop.clone()))).collect();
        let mut times = Vec::new();
        for caller in callers {
            times.extend(caller.await??);
        }
        Ok::<_, Box<dyn std::error::Error>>(times)
    })?;
    let took = start.elapsed();
    done.store(true, Ordering::Release);
    stopper.stop();
    let (inotify, threads) = held.join().map_err(|_| "the look at /proc")?;
    consuming.join().map_err(|_| "the consumer")???;
    times.sort();
    let ms = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "{callers:7} {:7} {:8.1} {:8.1} {:8.1} {:8.0} {inotify:8} {threads:8}",
        times.len(),
        ms(0.5),
        ms(0.99),
        ms(1.0),
        times.len() as f64 / took.as_secs_f64(),
    );
    Ok(())
}

/// The most inotify instances, and threads, that this process had until then; none where there is no /proc.
fn most_held(done: &AtomicBool) -> (usize, usize) {
    let mut most = (0, 0);
    while !done.load(Ordering::Acquire) {
        let links = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let links = links.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let inotify = links.filter(|link| link.as_os_str() == "anon_inode:inotify").count();
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        most = (most.0.max(inotify), most.1.max(threads));
        std::thread::sleep(Duration::from_millis(20));
    }
    most
}
