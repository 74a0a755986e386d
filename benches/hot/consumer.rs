//! A consumer that says more of itself than how long it took.

use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use filedrop::{Durability, Job};

use crate::actor::Actor;
use crate::timed::ready;
use crate::{Outcome, ours};

/// What one says in the end.
pub(crate) struct Told {
    /// From the start of its process to its first job, and from that to its end.
    pub(crate) first_ns: u64,
    pub(crate) took_ns: u64,
    /// The most memory that it had.
    pub(crate) kib: u64,
    pub(crate) won: u64,
    pub(crate) lost: u64,
}

/// What a process has cost.
pub(crate) struct Burnt {
    cpu: Duration,
    switches: u64,
}

impl Burnt {
    pub(crate) fn since(&self, before: &Self) -> (Duration, u64) {
        (self.cpu - before.cpu, self.switches - before.switches)
    }
}

/// `what`: `handle` so many jobs; `drain` what is there; or be `idle` until it is to end.
pub(crate) fn start(what: &str, root: &Path, jobs: usize) -> Outcome<Actor> {
    Actor::start(["consume", what, &root.display().to_string(), &jobs.to_string()])
}

pub(crate) fn end(consumer: Actor) -> Outcome<Told> {
    let said = consumer.end()?;
    let numbers: Vec<u64> = said.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [first_ns, took_ns, kib, won, lost] = numbers[..] else { return Err("five numbers".into()) };
    Ok(Told { first_ns, took_ns, kib, won, lost })
}

/// What all threads of a process have cost so far.
pub(crate) fn burnt(pid: u32) -> Outcome<Burnt> {
    let mut burnt = Burnt { cpu: Duration::ZERO, switches: 0 };
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let numbers: Vec<u64> = stat.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [ran, _, times] = numbers[..] else { return Err("three numbers".into()) };
        burnt.cpu += Duration::from_nanos(ran);
        burnt.switches += times;
    }
    Ok(burnt)
}

/// Plays what the arguments say.
pub(crate) fn play(args: &[String]) -> Outcome<()> {
    let [what, root, jobs] = args else { return Err("three words".into()) };
    ready()?;
    let begin = Instant::now();
    let consumer = ours::open(Path::new(root), Durability::Os)?.consumer().drain(what == "drain");
    let first: Arc<OnceLock<Duration>> = Arc::default();
    let (seen, left, took) = (first.clone(), AtomicUsize::new(jobs.parse()?), Arc::new(AtomicU64::new(0)));
    let (stopper, end) = (consumer.stopper(), took.clone());
    let stop = consumer.stopper();
    let handles = what == "handle";
    let echo = move |job: Job| {
        let first = *seen.get_or_init(|| begin.elapsed());
        if handles && left.fetch_sub(1, Ordering::AcqRel) == 1 {
            end.store((begin.elapsed() - first).as_nanos() as u64, Ordering::Release);
            stopper.stop();
        }
        async move { Ok::<_, String>(job.data().to_vec()) }
    };
    if what == "idle" {
        std::thread::spawn(move || {
            // It ends when it is closed.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stop.stop();
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let summary = runtime.block_on(consumer.run(echo))?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).ok_or("a peak")?;
    let first = first.get().map_or(0, Duration::as_nanos);
    let (took, kib) = (took.load(Ordering::Acquire), peak.trim());
    println!("{first} {took} {kib} {} {}", summary.succeeded, summary.lost);
    Ok(())
}
