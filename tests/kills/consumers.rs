//! Consumers as processes, and what they hold.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use filedrop::InboxName;
use rustix::process::{Pid, Signal, kill_process};

/// How long nothing may happen, on the slowest machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A line of the log. A process that is killed while it writes may have written as far as the end of a page; no line of
/// this length lies across two.
pub(crate) const LINE: usize = 64;

pub(crate) fn program(name: &str) -> Command {
    let path = match name {
        "producer" => env!("CARGO_BIN_EXE_producer"),
        "consumer" => env!("CARGO_BIN_EXE_consumer"),
        "filedrop" => env!("CARGO_BIN_EXE_filedrop"),
        _ => unreachable!("three programs"),
    };
    let mut command = Command::new(path);
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Looks again and again until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(start.elapsed() < LONG, "waited too long for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A drop folder with a log beside it, in which the handlers say that they run.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub(crate) drop: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let drop = dir.path().join("drop");
        assert!(program("filedrop").args(["init", "-q"]).arg(&drop).status().expect("it starts").success());
        let place = Self { dir, drop };
        place.append("log");
        place
    }

    /// A path beside the drop folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.beside(name)).expect("a file")
    }

    /// Submits a job for each line, and returns their ids, in the same order.
    pub(crate) fn submit(&self, lines: &[String]) -> Vec<String> {
        let batch = self.beside("batch");
        fs::write(&batch, lines.join("\n")).expect("a file");
        let mut submit = program("producer");
        submit.args(["submit", "-q", "--type", "test"]).arg(&self.drop).arg("--batch").arg(batch);
        let ended = submit.stderr(Stdio::inherit()).output().expect("it starts");
        assert!(ended.status.success());
        let ids: Vec<_> = String::from_utf8(ended.stdout).expect("text").lines().map(str::to_owned).collect();
        assert_eq!(ids.len(), lines.len());
        ids
    }

    /// What the handlers said: a line for each time that one began.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.beside("log")).expect("the log");
        log.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// What all consumers and handlers had to complain of.
    pub(crate) fn complaints(&self) -> String {
        fs::read_to_string(self.beside("stderr")).expect("text")
    }

    /// Starts a consumer whose handler is a shell script. It runs beside the drop folder.
    pub(crate) fn consume(&self, options: &[&str], script: &str) -> Consumer {
        let mut command = program("consumer");
        command.current_dir(self.dir.path()).args(["run", "-q"]).arg(&self.drop).args(options);
        command.args(["--", "sh", "-c", script]).stderr(self.append("stderr"));
        Consumer(command.spawn().expect("it starts"))
    }

    pub(crate) fn status(&self) -> serde_json::Value {
        let status = program("filedrop").args(["status", "--json"]).arg(&self.drop).output();
        let status = status.expect("it starts");
        assert!(status.status.success());
        serde_json::from_slice(&status.stdout).expect("JSON")
    }

    /// The claims in the room of the process with this id.
    pub(crate) fn claims_of(&self, pid: u32) -> Vec<InboxName> {
        let rooms = names(&self.drop.join("claimed"));
        let presences = rooms.iter().filter(|name| name.ends_with(".presence"));
        let own = presences.filter(|name| self.pid_in(name) == Some(pid));
        let claims = |presence: &String| {
            let room = presence.trim_end_matches(".presence");
            names(&self.drop.join("claimed").join(room))
        };
        own.flat_map(claims).filter_map(|name| name.parse().ok()).collect()
    }

    fn pid_in(&self, presence: &str) -> Option<u32> {
        // It may vanish meanwhile, or be in the middle of a beat.
        let text = fs::read(self.drop.join("claimed").join(presence)).ok()?;
        let presence: serde_json::Value = serde_json::from_slice(&text).ok()?;
        presence["pid"].as_u64()?.try_into().ok()
    }
}

/// The names in a folder; none if it is gone.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        entries => entries.expect("a folder"),
    };
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries.map(|entry| name(entry).into_string().expect("a name of ours")).collect()
}

/// A consumer under way. It is killed, whatever becomes of the test.
pub(crate) struct Consumer(Child);

impl Consumer {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
    }

    /// SIGKILL, and nothing of it runs when this returns.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("a child");
    }

    /// The same. How many claims it had: it is stopped first, so that nobody takes them over before they are counted.
    pub(crate) fn kill_in(&mut self, place: &Place) -> usize {
        self.signal(Signal::STOP);
        until("the stop", || self.is_stopped().then_some(()));
        let claims = place.claims_of(self.pid()).len();
        self.kill();
        claims
    }

    #[track_caller]
    pub(crate) fn end(&mut self, what: &str) -> ExitStatus {
        until(what, || self.0.try_wait().expect("a child"))
    }

    /// Whether it has been stopped by SIGSTOP, all of it.
    pub(crate) fn is_stopped(&self) -> bool {
        let tasks = names(Path::new(&format!("/proc/{}/task", self.pid())));
        let stopped = |task: &String| {
            let stat = fs::read_to_string(format!("/proc/{}/task/{task}/stat", self.pid()));
            stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
        };
        tasks.iter().all(stopped)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
