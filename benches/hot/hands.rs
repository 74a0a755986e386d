//! Consumers in processes of their own that say more of themselves than how long it took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use filedrop::{Durability, Job};

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

pub(crate) struct Hand {
    child: Child,
    /// It works as long as this is open.
    stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
}

impl Hand {
    /// `what`: `handle` so many jobs; `drain` what is there; or be `idle`.
    pub(crate) fn start(what: &str, root: &Path, jobs: usize) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("hand").arg(what).arg(root).arg(jobs.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, out) = (child.stdin.take(), BufReader::new(child.stdout.take().ok_or("a pipe")?));
        let mut hand = Self { child, stdin, out };
        hand.line()?;
        Ok(hand)
    }

    pub(crate) fn begin(&mut self) -> Outcome<()> {
        self.stdin.as_mut().ok_or("it has ended")?.write_all(b"\n")?;
        Ok(())
    }

    pub(crate) fn end(mut self) -> Outcome<Told> {
        drop(self.stdin.take());
        let line = self.line()?;
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [first_ns, took_ns, kib, won, lost] = numbers[..] else { return Err("five numbers".into()) };
        if !self.child.wait()?.success() {
            return Err("a consumer failed".into());
        }
        Ok(Told { first_ns, took_ns, kib, won, lost })
    }

    /// What all of its threads have cost so far.
    pub(crate) fn burnt(&self) -> Outcome<Burnt> {
        let mut burnt = Burnt { cpu: Duration::ZERO, switches: 0 };
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let numbers: Vec<u64> = stat.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            let [ran, _, times] = numbers[..] else { return Err("three numbers".into()) };
            burnt.cpu += Duration::from_nanos(ran);
            burnt.switches += times;
        }
        Ok(burnt)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.out.read_line(&mut line)? == 0 {
            return Err("a consumer died".into());
        }
        Ok(line.trim().to_owned())
    }
}

/// Does what the arguments say.
pub(crate) fn work(args: &[String]) -> Outcome<()> {
    let [what, root, jobs] = args else { return Err("three words".into()) };
    println!("ready");
    let mut stdin = std::io::stdin().lock();
    stdin.read_line(&mut String::new())?;
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
            // Until nobody is there any more.
            let _ = std::io::stdin().lock().read_line(&mut String::new());
            stop.stop();
        });
    }
    drop(stdin);
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
