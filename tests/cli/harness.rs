//! Drop folders to throw away, processes with a deadline, and what they should print.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use filedrop::{DeliveryKind, Id, InboxName, Job};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Far more than anything here takes, also on a busy machine: a test fails when it is over.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn program(name: &str) -> Command {
    let path = match name {
        "producer" => env!("CARGO_BIN_EXE_producer"),
        "consumer" => env!("CARGO_BIN_EXE_consumer"),
        "filedrop" => env!("CARGO_BIN_EXE_filedrop"),
        _ => unreachable!("three programs"),
    };
    let mut command = Command::new(path);
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").env("TERM", "xterm").stdin(Stdio::null());
    command
}

/// What a process did.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ended {
    /// Its output, if it exited with this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("stdout is text")
    }

    /// The one line of stdout.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let line = self.text().strip_suffix('\n').expect("a line");
        assert!(!line.contains('\n'), "{self:?}");
        line.to_owned()
    }
}

/// A process under way. It is killed if the test ends before it.
pub(crate) struct Running {
    child: Child,
    out: Receiver<Vec<u8>>,
    err: Receiver<String>,
    said: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        Self::of(child, stdout, stderr)
    }

    /// A process, and where its output is read.
    pub(crate) fn of(
        child: Child,
        mut stdout: impl Read + Send + 'static,
        stderr: impl Read + Send + 'static,
    ) -> Self {
        let (send, out) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                let _ = send.send(buffer[..n].to_vec());
            }
        });
        let stderr = BufReader::new(stderr);
        let (send, err) = channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, out, err, said: String::new() }
    }

    pub(crate) fn input(&mut self) -> &mut impl Write {
        self.child.stdin.as_mut().expect("piped")
    }

    pub(crate) fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits until stdout has this many lines more, and returns them.
    #[track_caller]
    pub(crate) fn wait_for_lines(&mut self, lines: usize) -> Vec<String> {
        let mut text = Vec::new();
        while text.iter().filter(|&&b| b == b'\n').count() < lines {
            text.extend(self.out.recv_timeout(DEADLINE).expect("more output"));
        }
        String::from_utf8(text).expect("text").lines().map(str::to_owned).collect()
    }

    /// Waits until stderr has a line that contains this.
    #[track_caller]
    pub(crate) fn wait_for_words(&mut self, words: &str) {
        loop {
            let line = self.err.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|_| panic!("nobody said {words:?}: {}", self.said));
            self.said += &format!("{line}\n");
            if line.contains(words) {
                return;
            }
        }
    }

    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let status = wait_until("the process ends", || self.child.try_wait().expect("a child"));
        let out = self.out.iter().flatten().collect();
        let mut err = std::mem::take(&mut self.said);
        err.extend(self.err.iter().map(|line| line + "\n"));
        Ended { code: ExitStatus::code(&status), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until there is an answer.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A drop folder that is removed after the test.
pub(crate) struct Folder {
    place: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self::on(|_| {})
    }

    /// A drop folder in one that `prepare` was given before.
    pub(crate) fn on(prepare: impl FnOnce(&Path)) -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        let path = place.path().join("drop");
        prepare(&path);
        run("filedrop", &["init".as_ref(), path.as_os_str()]).with(0);
        Self { place, path }
    }

    /// A path beside the drop folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A file beside the drop folder.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.beside(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// `words` is a program, a command and further arguments, separated by spaces; DROP stands for the folder. Further
    /// arguments may follow.
    pub(crate) fn command(&self, words: &str, more: &[&str]) -> Command {
        let mut words = words.split_whitespace();
        let mut command = program(words.next().expect("a program"));
        command.current_dir(self.place.path());
        for word in words {
            match word {
                "DROP" => command.arg(&self.path),
                word => command.arg(word),
            };
        }
        command.args(more);
        command
    }

    pub(crate) fn run(&self, words: &str, more: &[&str]) -> Ended {
        Running::start(self.command(words, more)).end()
    }

    pub(crate) fn start(&self, words: &str, more: &[&str]) -> Running {
        let mut command = self.command(words, more);
        command.stdin(Stdio::piped());
        Running::start(command)
    }

    /// Runs with this on stdin.
    pub(crate) fn fed(&self, words: &str, input: &[u8]) -> Ended {
        let mut running = self.start(words, &[]);
        running.input().write_all(input).expect("it reads");
        running.close_input();
        running.end()
    }

    /// Submits a job with this data.
    #[track_caller]
    pub(crate) fn submit(&self, data: &str) -> String {
        self.run("producer submit DROP --type t --data", &[data]).with(0).line()
    }

    /// Handles what is there with a shell script.
    #[track_caller]
    pub(crate) fn drain(&self, script: &str) {
        self.run("consumer run DROP --drain --max-attempts 1 -- sh -c", &[script]).with(0);
    }

    /// The jobs in a room.
    pub(crate) fn jobs(&self, room: &str) -> Vec<Job> {
        let mut names: Vec<InboxName> =
            self.names(room).iter().filter_map(|name| name.parse().ok()).collect();
        names.retain(|name| name.kind == DeliveryKind::Job);
        names.sort();
        let read = |name: &InboxName| {
            let bytes = std::fs::read(self.path.join(room).join(name.to_string())).expect("a job");
            Job::decode(&name.id, name.attempt, &bytes).expect("an envelope")
        };
        names.iter().map(read).collect()
    }

    pub(crate) fn job(&self, id: &str) -> Job {
        let id: Id = id.parse().expect("an id");
        self.jobs("inbox").into_iter().find(|job| job.id == id).expect("the job is in the inbox")
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path.join(folder)).expect("a folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> =
            entries.map(name).map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What differs from run to run, named: the folder, these ids, times.
    pub(crate) fn normal(&self, text: &str, ids: &[&str]) -> String {
        let mut text = text.replace(&*self.path.to_string_lossy(), "DROP");
        text = text.replace(&*self.place.path().to_string_lossy(), "HERE");
        for (nth, id) in ids.iter().enumerate() {
            text = text.replace(id, &format!("ID{}", nth + 1));
        }
        for (pattern, name) in [
            ("dddd-dd-ddTdd:dd:dd.dddZ", "TIME"),
            ("dddd-dd-ddTdd:dd:ddZ", "TIME"),
            ("dddd-dd-dd", "DAY"),
            (".ddddddddddddd.", ".MS."),
            ("/ddddddddddddd.", "/MS."),
        ] {
            text = replace(&text, pattern, name);
        }
        let who = |line: &str| match line.split_once(", by ") {
            Some((line, _consumer)) => format!("{line}, by CONSUMER\n"),
            None => format!("{line}\n"),
        };
        text.lines().map(who).collect()
    }

    /// What `filedrop show` tells of a job.
    #[track_caller]
    pub(crate) fn story(&self, id: &str) -> Value {
        serde_json::from_str(&self.run("filedrop show DROP --json", &[id]).with(0).line()).expect("JSON")
    }

    /// All regular files below the folder, with what is in them.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => drop(files.insert(path.clone(), std::fs::read(path).expect("a file"))),
                }
            }
        }
        files
    }
}

pub(crate) fn run(name: &str, args: &[&OsStr]) -> Ended {
    let mut command = program(name);
    command.args(args);
    Running::start(command).end()
}

/// Replaces what looks like `pattern`, in which `d` is any digit.
fn replace(text: &str, pattern: &str, with: &str) -> String {
    let fits = |at: &[u8]| {
        let pairs = at.iter().zip(pattern.as_bytes());
        at.len() >= pattern.len()
            && pairs.into_iter().all(|(b, p)| if *p == b'd' { b.is_ascii_digit() } else { b == p })
    };
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let (new, used) =
            if fits(rest.as_bytes()) { (with, pattern.len()) } else { (&rest[..c.len_utf8()], c.len_utf8()) };
        replaced.push_str(new);
        rest = &rest[used..];
    }
    replaced
}

/// Compares with `tests/golden/<name>`. With `BLESS=1` in the environment the file is written anew.
#[track_caller]
pub(crate) fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, actual).expect("the golden file is written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} has:\n{expected}\nbut this was printed:\n{actual}\n(if that is right: BLESS=1 cargo test --test cli)",
        path.display(),
    );
}
