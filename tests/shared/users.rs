//! Programs of several users, and a drop folder that they can reach. To become another user takes root.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) const GROUP: u32 = 13000;

/// Each has a primary group of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: u32,
    /// Whether [`GROUP`] is among its groups.
    member: bool,
}

pub(crate) const ANN: User = User { id: 12001, member: true };
pub(crate) const BOB: User = User { id: 12002, member: true };
pub(crate) const OUTSIDER: User = User { id: 12003, member: false };
/// Ann, before she was made a member.
pub(crate) const ANN_BEFORE: User = User { member: false, ..ANN };

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(120);

/// Says that a test is skipped. In CI it fails.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI skips nothing: {why}");
    // Not by `eprintln!`, which the test harness keeps to itself.
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

/// A place that all users can reach, with the programs, a folder in which all can write, and what the programs said on stderr.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub(crate) work: PathBuf,
    pub(crate) drop: PathBuf,
}

impl Place {
    /// None, and a word about it, for who cannot become another user. In CI that is a failure.
    pub(crate) fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skip("only root can become two users");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for program in
            [env!("CARGO_BIN_EXE_producer"), env!("CARGO_BIN_EXE_consumer"), env!("CARGO_BIN_EXE_filedrop")]
        {
            let copy = bin.join(Path::new(program).file_name().unwrap());
            fs::hard_link(program, &copy).or_else(|_| fs::copy(program, &copy).map(drop)).unwrap();
        }
        for readable in [&bin, &bin.join("producer"), &bin.join("consumer"), &bin.join("filedrop")] {
            fs::set_permissions(readable, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let work = dir.path().join("work");
        fs::create_dir(&work).unwrap();
        fs::set_permissions(&work, PermissionsExt::from_mode(0o1777)).unwrap();
        let drop = work.join("drop");
        Some(Self { dir, work, drop })
    }

    /// The same, with a folder that Ann has made for the group.
    pub(crate) fn shared() -> Option<Self> {
        let place = Self::new()?;
        place.run(ANN, "filedrop init drop --shared 13000");
        Some(place)
    }

    /// A shell that runs a line, in `work/`, with the most secretive umask there is.
    pub(crate) fn shell(&self, user: User, line: &str) -> Command {
        self.shell_with(user, "077", line)
    }

    pub(crate) fn shell_with(&self, user: User, umask: &str, line: &str) -> Command {
        let mut command = Command::new("setpriv");
        let id = user.id.to_string();
        command.args(["--reuid", &id, "--regid", &id]);
        match user.member {
            true => command.args(["--groups", &GROUP.to_string()]),
            false => command.arg("--clear-groups"),
        };
        command.args(["sh", "-euc", &format!("umask {umask}; {line}")]);
        let path = format!("{}:{}", self.dir.path().join("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env_remove("RUST_LOG").env("NO_COLOR", "1");
        command.current_dir(&self.work).stdin(Stdio::null());
        command
    }

    /// Runs a line to its end, which has to be a good one. What it wrote.
    #[track_caller]
    pub(crate) fn run(&self, user: User, line: &str) -> String {
        let output = self.shell(user, line).output().expect("setpriv, of util-linux");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{user:?}: {line}: {}: {stderr}", output.status);
        assert_not_refused(&stderr);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a line that is to end with this code, and to say why.
    #[track_caller]
    pub(crate) fn refused(&self, user: User, line: &str, code: i32) -> String {
        let Output { status, stderr, .. } = self.shell(user, line).output().expect("setpriv, of util-linux");
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{user:?}: {line}: {stderr}");
        stderr
    }

    /// Starts a program.
    pub(crate) fn start(&self, user: User, line: &str) -> Running {
        let path = self.dir.path().join(format!("stderr-{}", user.id));
        let stderr = fs::File::options().create(true).append(true).open(path).unwrap();
        Running(self.shell(user, &format!("exec {line}")).stderr(stderr).spawn().unwrap())
    }

    /// What the drop folder looks like to a user.
    #[track_caller]
    pub(crate) fn status(&self, user: User) -> Value {
        serde_json::from_str(&self.run(user, "filedrop status drop --json")).unwrap()
    }

    /// Nothing that was made has other modes, or another group, and nobody who was started was ever refused anything.
    #[track_caller]
    pub(crate) fn assert_shared(&self) {
        let (mut folders, mut files) = (0, 0);
        for path in below(&self.drop) {
            let meta = path.symlink_metadata().unwrap();
            let expected = if meta.is_dir() { 0o2770 } else { 0o660 };
            assert_eq!(meta.mode() & 0o7777, expected, "{} has mode {:o}", path.display(), meta.mode());
            assert_eq!(meta.gid(), GROUP, "{}", path.display());
            *(if meta.is_dir() { &mut folders } else { &mut files }) += 1;
        }
        assert!(folders >= 14 && files >= 1, "{folders} folders, {files} files");
        for user in [ANN, BOB] {
            let said = fs::read_to_string(self.dir.path().join(format!("stderr-{}", user.id)));
            assert_not_refused(&said.unwrap_or_default());
        }
    }

    /// The names in a folder of the drop folder, sorted.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.drop.join(dir))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[track_caller]
fn assert_not_refused(said: &str) {
    for refusal in ["denied", "not permitted", "no permission"] {
        assert!(!said.contains(refusal), "{said}");
    }
}

/// A folder and all that is in it.
pub(crate) fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().unwrap().is_dir() {
            true => found.extend(below(&path)),
            false => found.push(path),
        }
    }
    found
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
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A program under way. It is killed, whatever becomes of the test.
pub(crate) struct Running(Child);

impl Running {
    /// SIGKILL, and nothing of it runs when this returns.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    #[track_caller]
    pub(crate) fn end(&mut self, what: &str) {
        let status = until(what, || self.0.try_wait().unwrap());
        assert!(status.success(), "{what}: {status}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
