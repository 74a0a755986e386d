//! A drop folder, the consumer that works on it, and what its handler saw.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Who the consumer is if the tests are run by root.
const STRANGER: u32 = 12_101;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(240);

/// One line a run: the attempt, and the data in hex, as it may hold any byte. The first attempt of a file that says so changes that file.
const HANDLER: &str = r#"
data=$(head -c 200 | od -An -v -tx1 | tr -d ' \n')
if [ "$FILEDROP_SUBJECT $FILEDROP_ATTEMPT" = "changes.txt 1" ]; then echo more >> "$FILEDROP_PAYLOAD"; fi
echo "$FILEDROP_ATTEMPT $data" >> "$0"
"#;

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Past the harness, which would show it only if the test failed.
pub(crate) fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Says what is left out. In CI it fails.
pub(crate) fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI skips nothing: {what}");
    say(&format!("skipped: {what}"));
}

pub(crate) struct Place {
    _dir: tempfile::TempDir,
    /// Whose the drop folder is, and as whom the consumer runs, if that is another than who runs the tests.
    pub(crate) user: Option<u32>,
    /// Its true name: that is what the kernel tells of open files.
    pub(crate) root: PathBuf,
    pub(crate) drop: PathBuf,
    log: PathBuf,
}

impl Place {
    /// As another user, if possible.
    pub(crate) fn of_another() -> Self {
        Self::new(is_root().then_some(STRANGER))
    }

    /// As whoever runs the tests: root may read everything.
    pub(crate) fn own() -> Self {
        Self::new(None)
    }

    fn new(user: Option<u32>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (drop, log) = (root.join("home").join("drop"), root.join("home").join("handled"));
        let programs = [env!("CARGO_BIN_EXE_consumer"), env!("CARGO_BIN_EXE_filedrop")].map(Path::new);
        // The consumer's user may not reach where they were built.
        fs::create_dir(root.join("bin")).unwrap();
        // By another process: what is open for writing here, while another test starts something, could not be executed.
        let copied = Command::new("cp").args(programs).arg(root.join("bin")).status().unwrap();
        assert!(copied.success(), "{copied}");
        fs::create_dir(root.join("home")).unwrap();
        let place = Self { _dir: dir, user, root, drop, log };
        place.give(&place.root.join("home"));
        fs::write(&place.log, "").unwrap();
        place.give(&place.log);
        place.filedrop(&["init", "-q"]);
        place
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.drop.join("inbox")
    }

    /// Makes a file the consumer's own.
    pub(crate) fn give(&self, path: &Path) {
        if self.user.is_some() {
            chown(path, self.user, self.user).unwrap();
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.root.join("bin").join(name));
        command.current_dir("/").stdin(Stdio::null()).env_remove("RUST_LOG");
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// `filedrop WORDS DROP`, which has to work. What it prints.
    pub(crate) fn filedrop(&self, words: &[&str]) -> String {
        let output = self.program("filedrop").args(words).arg(&self.drop).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "filedrop {words:?}: {}: {said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a consumer of this folder is called with.
    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (drop, log) = (text(&self.drop), text(&self.log));
        let mut words = vec!["run", &drop, "-q", "--concurrency", "4", "--quiet-period", "500ms"];
        words.extend(more);
        words.extend(["--", "sh", "-c", HANDLER, &log]);
        words.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn consume(&self) -> Running<'_> {
        let more = ["--backoff", "1ms", "--max-attempts", "3"];
        let child = self.program("consumer").args(self.arguments(&more)).spawn().unwrap();
        Running { place: self, child, start: Instant::now() }
    }

    /// What was handled: the data, and the attempts in which.
    pub(crate) fn handled(&self) -> BTreeMap<Vec<u8>, Vec<u32>> {
        let mut handled: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        for line in fs::read_to_string(&self.log).unwrap().lines() {
            let (attempt, hex) = line.split_once(' ').unwrap();
            let digits: Vec<char> = hex.chars().collect();
            let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
            let data = digits.chunks(2).map(byte).collect();
            handled.entry(data).or_default().push(attempt.parse().unwrap());
        }
        handled
    }

    /// The names in a room.
    pub(crate) fn names(&self, room: &str) -> Vec<std::ffi::OsString> {
        let entries = fs::read_dir(self.drop.join(room)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }
}

/// A consumer that stays until it is told to go.
pub(crate) struct Running<'a> {
    place: &'a Place,
    child: Child,
    start: Instant,
}

impl Running<'_> {
    /// Waits until nothing is missing any more. How long the consumer has been running by then.
    #[track_caller]
    pub(crate) fn until(&mut self, missing: impl Fn(&Place) -> Option<String>) -> Duration {
        while let Some(what) = missing(self.place) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the consumer ended ({}), and there was {what}", ended.unwrap());
            assert!(self.start.elapsed() < LONG, "it took too long, and there is {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.start.elapsed()
    }

    /// Ends it. The most memory that it ever needed, in KiB, as the kernel counted.
    pub(crate) fn end(mut self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        peak
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // It has ended, unless a test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
