//! Drop folders, our programs, and Python beside them.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(120);

/// Whether there is a Python to test with. If not, the test says so, and has nothing more to say.
pub(crate) fn no_python() -> bool {
    let version = "import sys; sys.exit(sys.version_info < (3, 9))";
    let has = Command::new("python3").args(["-c", version]).status().is_ok_and(|status| status.success());
    if !has {
        eprintln!(
            "SKIPPED: there is no python3 (3.9 or newer) on the PATH to test clients/python/filedrop.py with"
        );
    }
    !has
}

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
        assert!(start.elapsed() < DEADLINE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A drop folder that is removed after the test.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub(crate) drop: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let drop = dir.path().join("drop");
        assert!(program("filedrop").args(["init", "-q"]).arg(&drop).status().expect("it starts").success());
        Self { dir, drop }
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Our program: `words` are its name, a command and options, DROP the folder.
    pub(crate) fn ours(&self, words: &str, more: &[&str]) -> Command {
        let mut words = words.split_whitespace();
        let mut command = program(words.next().expect("a program"));
        command.current_dir(self.dir.path());
        for word in words {
            if word == "DROP" {
                command.arg(&self.drop)
            } else {
                command.arg(word)
            };
        }
        command.args(more);
        command
    }

    /// Its output, if it exited with 0.
    #[track_caller]
    pub(crate) fn run(&self, words: &str, more: &[&str]) -> String {
        let output = self.ours(words, more).output().expect("it starts");
        said(&output)
    }

    /// Submits a job with this text, and returns its id.
    #[track_caller]
    pub(crate) fn submit(&self, text: &str) -> String {
        let file = self.beside("text");
        std::fs::write(&file, text).expect("a file");
        self.run("producer submit -q DROP --type test --file", &[file.to_str().expect("text")])
            .trim()
            .to_owned()
    }

    /// Submits whole envelopes, and returns their ids.
    #[track_caller]
    pub(crate) fn submit_envelopes(&self, envelopes: &[String]) -> Vec<String> {
        let file = self.beside("envelopes.ndjson");
        std::fs::write(&file, envelopes.join("\n")).expect("a file");
        let ids = self.run("producer submit -q DROP --envelopes --batch", &[file.to_str().expect("text")]);
        ids.lines().map(str::to_owned).collect()
    }

    pub(crate) fn python(&self, what: &str, more: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/client.py"));
        command.arg(what).arg(&self.drop).args(more).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// What Python says, line by line, if it ended well.
    #[track_caller]
    pub(crate) fn says(&self, what: &str, more: &[&str]) -> Vec<Value> {
        let output = self.python(what, more).output().expect("it starts");
        lines(&said(&output))
    }

    /// Likewise, of another drop folder.
    #[track_caller]
    pub(crate) fn says_in(&self, drop: &Path, what: &str) -> Vec<Value> {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/client.py")).arg(what).arg(drop);
        lines(&said(&command.stdin(Stdio::null()).output().expect("it starts")))
    }

    /// Likewise, with these lines on its stdin.
    #[track_caller]
    pub(crate) fn says_to(&self, what: &str, input: &[Value]) -> Vec<Value> {
        let text: String = input.iter().map(|line| format!("{line}\n")).collect();
        let mut command = self.python(what, &[]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
        lines(&said(&child.wait_with_output().expect("it ends")))
    }

    /// Every regular file below the drop folder, sorted, by its path.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.drop.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let below = path.strip_prefix(&self.drop).expect("below it");
                    found.push(below.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// Those in one room, `tmp/` apart from all.
    pub(crate) fn in_room(&self, room: &str) -> Vec<String> {
        let within = format!("{room}/");
        self.files().into_iter().filter(|path| path.starts_with(&within)).collect()
    }

    /// Nobody holds anything, and nothing waits.
    #[track_caller]
    pub(crate) fn is_at_rest(&self) {
        for room in ["inbox", "delayed", "claimed"] {
            assert_eq!(self.in_room(room), [""; 0], "{room}/ when all is done");
        }
        let rooms = std::fs::read_dir(self.drop.join("claimed")).expect("a folder").count();
        assert_eq!(rooms, 0, "rooms of the dead");
    }
}

#[track_caller]
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A process under way, and what it says. It is killed, whatever becomes of the test.
pub(crate) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, out }
    }

    /// The next line that it says.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.out.read_line(&mut line).expect("text") > 0, "it ended");
        line.trim_end().to_owned()
    }

    /// SIGKILL, and nothing of it runs when this returns.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child");
    }

    pub(crate) fn stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).expect("it runs");
    }

    pub(crate) fn go_on(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).expect("it is there");
    }

    /// What else it says to its end, which has to be a good one.
    #[track_caller]
    pub(crate) fn rest(mut self) -> String {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("text");
        assert!(self.child.wait().expect("a child").success(), "{rest}");
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
