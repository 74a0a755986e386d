//! How long a job waits after its consumer was killed: from the kill to the start of the handler of its next attempt.
//!
//! ```text
//! cargo bench --bench takeover                    in a temporary folder
//! cargo bench --bench takeover -- /dev/shm        in one below /dev/shm, to measure that file system
//! ```
//!
//! Three consumers, as processes; the one that has the job is killed, and started anew. Once with nothing else to do, once beside a
//! stream of other jobs. It includes the death of the process and the start of a shell. Times are in milliseconds.

#![allow(clippy::print_stdout)]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use filedrop::{DropFolder, Submission};

type Failed = Box<dyn std::error::Error>;

const CONSUMERS: usize = 3;
const KILLS: usize = 60;
/// As long must all have been at rest before a kill, so that the keeper's rest after an earlier one is no part of it.
const REST: Duration = Duration::from_millis(300);
/// A job of the stream each so often.
const STREAM: Duration = Duration::from_millis(10);

/// A trap tells which attempt runs and in whose room; its first one does not end.
const HANDLER: &str = r#"
[ "$FILEDROP_TYPE" = trap ] || exit 0
echo "$FILEDROP_ATTEMPT $FILEDROP_JOB" > told
[ "$FILEDROP_ATTEMPT" != 1 ] || exec sleep 3600
"#;

fn main() -> Result<(), Failed> {
    // Cargo passes `--bench`.
    let below = std::env::args_os().skip(1).find(|arg| arg != "--bench");
    let below = below.map_or_else(std::env::temp_dir, PathBuf::from);
    println!("beside       kills      p50      p90      max");
    for stream in [false, true] {
        measure(&below, stream)?;
    }
    Ok(())
}

fn measure(below: &Path, stream: bool) -> Result<(), Failed> {
    let place = tempfile::tempdir_in(below)?;
    let drop = DropFolder::init(place.path().join("drop"))?;
    let told = place.path().join("told");
    rustix::fs::mkfifoat(rustix::fs::CWD, &told, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    // Open for writing too, so that it never ends.
    let mut told = BufReader::new(File::options().read(true).write(true).open(told)?);
    let mut consumers = Consumers::start(place.path())?;
    let over = Arc::new(AtomicBool::new(false));
    let streaming = stream.then(|| {
        let (drop, over) = (drop.clone(), over.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Acquire) {
                drop.submit(Submission::new("stream").data("1"))?;
                std::thread::sleep(STREAM);
            }
            Ok::<_, filedrop::Error>(())
        })
    });
    let mut times = Vec::new();
    for _ in 0..KILLS {
        drop.submit(Submission::new("trap").data("1"))?;
        let (attempt, pid) = next_start(&mut told)?;
        assert_eq!(attempt, 1);
        std::thread::sleep(REST);
        let killed = Instant::now();
        consumers.kill(pid)?;
        let (attempt, _) = next_start(&mut told)?;
        times.push(killed.elapsed());
        assert_eq!(attempt, 2);
        consumers.replace(pid)?;
    }
    over.store(true, Ordering::Release);
    if let Some(streaming) = streaming {
        streaming.join().map_err(|_| "the stream")??;
    }
    times.sort();
    let ms = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let beside = if stream { "a stream" } else { "nothing" };
    println!("{beside:10} {:7} {:8.1} {:8.1} {:8.1}", times.len(), ms(0.5), ms(0.9), ms(1.0));
    Ok(())
}

/// The number of the attempt, and the process in whose room its job is: a room is called `<host>-<pid>-<nonce>`.
fn next_start(told: &mut impl BufRead) -> Result<(u32, u32), Failed> {
    let mut line = String::new();
    told.read_line(&mut line)?;
    let (attempt, job) = line.split_once(' ').ok_or("an attempt and a path")?;
    let room = Path::new(job).parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let pid = room.and_then(|room| room.rsplit('-').nth(1)).ok_or("a room")?;
    Ok((attempt.parse()?, pid.parse()?))
}

struct Consumers {
    place: PathBuf,
    processes: Vec<Child>,
}

impl Consumers {
    fn start(place: &Path) -> Result<Self, Failed> {
        let mut consumers = Self { place: place.to_owned(), processes: Vec::new() };
        for _ in 0..CONSUMERS {
            let consumer = consumers.spawn()?;
            consumers.processes.push(consumer);
        }
        Ok(consumers)
    }

    fn spawn(&self) -> Result<Child, Failed> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consumer"));
        command.current_dir(&self.place).args(["run", "-q", "drop", "--concurrency", "4"]);
        Ok(command.args(["--", "sh", "-c", HANDLER]).stdin(Stdio::null()).spawn()?)
    }

    fn find(&mut self, pid: u32) -> Result<&mut Child, Failed> {
        Ok(self.processes.iter_mut().find(|child| child.id() == pid).ok_or("it is none of ours")?)
    }

    fn kill(&mut self, pid: u32) -> Result<(), Failed> {
        Ok(self.find(pid)?.kill()?)
    }

    fn replace(&mut self, pid: u32) -> Result<(), Failed> {
        let anew = self.spawn()?;
        std::mem::replace(self.find(pid)?, anew).wait()?;
        Ok(())
    }
}

impl Drop for Consumers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
