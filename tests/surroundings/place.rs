//! A drop folder whose programs run as a user whom modes bind: root becomes somebody else for that.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Far more than anything here takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// Who the programs are if the tests are root's.
const USER: &str = "12100";

/// Looks again and again until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(start.elapsed() < LONG, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says that a test is skipped. In CI it fails.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI skips nothing: {why}");
    // Not by `eprintln!`, which the test harness keeps to itself.
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

pub(crate) fn says_yes(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// What a handler does that notes its jobs, one a line: data, attempt.
pub(crate) const NOTE: &str = "echo \"$(cat) $FILEDROP_ATTEMPT\" >> \"$HERE/log\"";

/// Like [`NOTE`], after it has waited for the file `go`.
pub(crate) const NOTE_LATER: &str = ": > \"$HERE/begun\"; until [ -e \"$HERE/go\" ]; do sleep 0.02; done; echo \"$(cat) $FILEDROP_ATTEMPT\" >> \"$HERE/log\"";

/// A folder that may be removed, closed, mounted.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub(crate) drop: PathBuf,
}

impl Place {
    /// With a drop folder.
    pub(crate) fn new() -> Self {
        let place = Self::without();
        place.run("filedrop init DROP");
        place
    }

    /// With none: somebody mounts something first.
    pub(crate) fn without() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        // Whoever runs them may not get to where they were built.
        for program in
            [env!("CARGO_BIN_EXE_producer"), env!("CARGO_BIN_EXE_consumer"), env!("CARGO_BIN_EXE_filedrop")]
        {
            let copy = dir.path().join(Path::new(program).file_name().unwrap());
            fs::hard_link(program, &copy).or_else(|_| fs::copy(program, &copy).map(drop)).unwrap();
            fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let drop = dir.path().join("drop");
        Self { dir, drop }
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command of that user's. `words` are separated by spaces; DROP stands for the folder.
    pub(crate) fn command(&self, words: &str) -> Command {
        self.wrapped(&[], words)
    }

    /// Likewise, by a program that runs it.
    pub(crate) fn wrapped(&self, by: &[&str], words: &str) -> Command {
        let mut all: Vec<String> = Vec::new();
        if geteuid().is_root() {
            all.extend(["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"].map(str::to_owned));
        }
        all.extend(by.iter().map(|word| (*word).to_owned()));
        for (nth, word) in words.split_whitespace().enumerate() {
            let ours = nth == 0 && ["producer", "consumer", "filedrop"].contains(&word);
            all.push(match word {
                word if ours => self.beside(word).to_str().unwrap().to_owned(),
                word => word.replace("DROP", self.drop.to_str().unwrap()),
            });
        }
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]).env_remove("RUST_LOG").env("NO_COLOR", "1").env("HERE", self.dir.path());
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs it to its end, which has to be a good one. What it wrote.
    #[track_caller]
    pub(crate) fn run(&self, words: &str) -> String {
        let output = self.command(words).output().expect("it starts (setpriv is in util-linux)");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}: {}: {stderr}", output.status);
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    #[track_caller]
    pub(crate) fn submit(&self, data: &str) -> String {
        self.run(&format!("producer submit DROP --type t --data {data}"))
    }

    /// Waits until the job has succeeded.
    #[track_caller]
    pub(crate) fn succeeds(&self, id: &str) {
        self.run(&format!("producer wait DROP {id} --timeout 120s"));
    }

    /// A consumer with this handler, a shell script, that looks often and tells how often.
    pub(crate) fn consumer(&self, options: &str, script: &str) -> Running {
        Running::start(self.consuming(&[], options, script))
    }

    pub(crate) fn consuming(&self, by: &[&str], options: &str, script: &str) -> Command {
        let words = "consumer -v run DROP --lease 2s --poll-interval 200ms --backoff 1ms";
        let mut command = self.wrapped(by, &format!("{words} {options} -- sh -c"));
        command.arg(script);
        command
    }

    /// What handlers noted, sorted.
    pub(crate) fn notes(&self) -> Vec<String> {
        let notes = fs::read_to_string(self.beside("log")).unwrap_or_default();
        let mut notes: Vec<String> = notes.lines().map(str::to_owned).collect();
        notes.sort();
        notes
    }

    /// Gives a folder below the drop folder other modes.
    pub(crate) fn chmod(&self, below: &str, mode: u32) {
        fs::set_permissions(self.drop.join(below), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Gives away what root has made here.
    pub(crate) fn hand_over(&self, path: &Path) {
        if geteuid().is_root() {
            let id = USER.parse().ok();
            std::os::unix::fs::chown(path, id, id).unwrap();
        }
    }

    /// Nothing is in hand or ready any more.
    #[track_caller]
    pub(crate) fn is_tidy(&self) {
        for room in ["inbox", "claimed", "tmp", "invalid", "dead"] {
            let left = fs::read_dir(self.drop.join(room)).unwrap().count();
            assert_eq!(left, 0, "left in {room}");
        }
    }
}

/// A program under way, and what it says on stderr. It is killed if the test ends before it.
pub(crate) struct Running {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = Arc::<Mutex<Vec<String>>>::default();
        let (stderr, heard) = (BufReader::new(child.stderr.take().unwrap()), said.clone());
        let reader = std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| heard.lock().unwrap().push(line));
        });
        Self { child, said, reader: Some(reader) }
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// How many lines contain all of these words.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let has = |line: &&String| words.iter().all(|word| line.contains(word));
        self.said.lock().unwrap().iter().filter(has).count()
    }

    /// Waits until there are so many lines that contain all of these words.
    #[track_caller]
    pub(crate) fn says(&self, times: usize, words: &[&str]) {
        until(&format!("{words:?} in {:#?}", self.said), || (self.count(words) >= times).then_some(()));
    }

    /// Waits until it has tried things again so often, and told of it only to who asks for that (-v).
    #[track_caller]
    pub(crate) fn tries(&self, times: usize) {
        let before = self.count(&["DEBUG cannot"]);
        self.says(before + times, &["DEBUG cannot"]);
    }

    /// Few lines are for everybody to read, and hardly any time was spent.
    #[track_caller]
    pub(crate) fn is_calm(&self, warnings: usize) {
        let told = self.count(&["WARN"]) + self.count(&["ERROR"]);
        assert!(told <= warnings, "{:#?}", self.said);
        let spent = self.time_spent();
        assert!(spent < Duration::from_secs(5), "{spent:?} of the processor's time");
    }

    fn time_spent(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // utime and stime, in hundredths of a second.
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).expect("it runs");
    }

    /// Whether it is stopped (SIGSTOP), all of it.
    pub(crate) fn is_stopped(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks.flatten().all(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"))
        })
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends_with(mut self, code: i32) {
        let status = until("its end", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        assert_eq!(ExitStatus::code(&status), Some(code), "{:#?}", self.said);
    }

    /// Asks it to end, which it does well.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        self.ends_with(0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
