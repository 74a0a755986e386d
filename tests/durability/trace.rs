//! Runs a program under `strace`, and reads what it writes.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::skip;

/// Whatever can flush, name or change a file. A question mark: not every machine has it.
const CALLS: &str = "trace=?open,openat,?openat2,?creat,close,write,pwrite64,ftruncate,?mkdir,mkdirat,\
    ?utimensat,?link,linkat,?unlink,?unlinkat,?rename,?renameat,renameat2,fsync,fdatasync,sync,syncfs,sync_file_range,msync";

/// A program that ran.
pub(crate) struct Traced {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) trace: Trace,
}

impl Traced {
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.trace);
        self
    }
}

/// Runs a command. `None` where there is no `strace`, or it may not trace.
pub(crate) fn strace(command: &[&str], more: &[&str]) -> Option<Traced> {
    strace_calls(CALLS, command, more)
}

/// The same, of these calls.
pub(crate) fn strace_calls(calls: &str, command: &[&str], more: &[&str]) -> Option<Traced> {
    let probe = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let why = match probe {
        Ok(probe) if probe.status.success() => None,
        Ok(probe) => Some(String::from_utf8_lossy(&probe.stderr).trim().to_owned()),
        Err(e) => Some(e.to_string()),
    };
    if let Some(why) = why {
        skip(&format!("strace does not run here: {why}"));
        return None;
    }
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", calls, "-o"]).arg(log.path()).args(more).arg("--").args(command);
    strace.env_remove("RUST_LOG").stdin(Stdio::null());
    let ended = strace.output().expect("strace runs");
    let log = std::fs::read_to_string(log.path()).expect("what strace saw");
    let out = String::from_utf8(ended.stdout).expect("text");
    let err = String::from_utf8_lossy(&ended.stderr).into_owned();
    Some(Traced { code: ended.status.code(), out, err, trace: Trace::read(&log) })
}

/// A system call that has returned.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) thread: u32,
    pub(crate) name: String,
    args: String,
    /// What it returned: often a descriptor.
    answer: Option<i32>,
    pub(crate) ok: bool,
}

/// The calls of a program, in the order in which they returned.
pub(crate) struct Trace {
    pub(crate) calls: Vec<Call>,
}

impl Call {
    /// From `name(args) = answer ...`
    fn read(thread: u32, text: &str) -> Option<Self> {
        let (call, answer) = text.rsplit_once(" = ")?;
        let (name, args) = call.trim_end().strip_suffix(')')?.split_once('(')?;
        let digits = answer.find(|c: char| !c.is_ascii_digit()).unwrap_or(answer.len());
        let answer = answer[..digits].parse().ok();
        Some(Self { thread, name: name.to_owned(), args: args.to_owned(), ok: answer.is_some(), answer })
    }

    /// The descriptor that it is about.
    pub(crate) fn fd(&self) -> Option<i32> {
        let digits = self.args.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.args.len());
        self.args[..digits].parse().ok()
    }

    /// The paths that it is given.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.args.split('"').skip(1).step_by(2).collect()
    }

    /// The last of them: where it puts what it makes.
    fn path(&self) -> Option<&Path> {
        self.paths().pop().map(Path::new)
    }

    pub(crate) fn is_about(&self, path: &Path) -> bool {
        self.path() == Some(path)
    }

    /// Whether any of its arguments has this in it.
    pub(crate) fn mentions(&self, what: &str) -> bool {
        self.args.contains(what)
    }

    /// Anything that flushes.
    pub(crate) fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync" | "sync" | "syncfs" | "sync_file_range" | "msync")
    }

    /// Whether it made the names in this folder durable.
    pub(crate) fn is_sync_of(&self, folder: &Path) -> bool {
        self.flushes() && self.args.ends_with(&format!("<{}>", folder.display()))
    }

    /// A call that flushes a whole file or folder, and did.
    pub(crate) fn flushes(&self) -> bool {
        self.ok && ["fsync", "fdatasync"].contains(&self.name.as_str())
    }

    /// Whether it does something with this folder, which is open.
    pub(crate) fn is_with(&self, folder: &Path) -> bool {
        self.fd().is_some() && self.args.contains(&format!("<{}>", folder.display()))
    }

    fn opens(&self) -> bool {
        self.ok && (self.name.starts_with("open") || self.name == "creat")
    }

    pub(crate) fn is_unnamed(&self) -> bool {
        self.opens() && self.args.contains("O_TMPFILE")
    }

    pub(crate) fn opens_synchronous(&self) -> bool {
        self.opens() && ["O_SYNC", "O_DSYNC"].iter().any(|flag| self.args.contains(flag))
    }

    fn changes(&self, fd: i32) -> bool {
        let changes = ["write", "pwrite64", "ftruncate"].contains(&self.name.as_str());
        changes && self.fd() == Some(fd)
    }

    pub(crate) fn gives_a_name(&self) -> bool {
        self.ok && (self.name.starts_with("link") || self.name.starts_with("rename"))
    }
}

impl Trace {
    fn read(log: &str) -> Self {
        let mut begun: HashMap<u32, &str> = HashMap::new();
        let mut calls = Vec::new();
        for line in log.lines() {
            let Some((thread, text)) = line.split_once(' ') else { continue };
            let (thread, text) = (thread.parse().expect("a thread"), text.trim_start());
            // Another thread's call came in between.
            if let Some(start) = text.strip_suffix("<unfinished ...>") {
                begun.insert(thread, start.trim_end());
            } else if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|t| t.split_once(" resumed>"))
            {
                let start = begun.remove(&thread).unwrap_or_default();
                calls.extend(Call::read(thread, &format!("{start}{rest}")));
            } else {
                calls.extend(Call::read(thread, text));
            }
        }
        Self { calls }
    }

    /// What one thread did.
    pub(crate) fn of_thread(&self, thread: u32) -> Self {
        Self { calls: self.calls.iter().filter(|call| call.thread == thread).cloned().collect() }
    }

    /// The first such call from there on.
    pub(crate) fn first(&self, from: usize, is_it: impl Fn(&Call) -> bool) -> Option<usize> {
        self.calls[from..].iter().position(is_it).map(|nth| from + nth)
    }

    /// The first such call.
    #[track_caller]
    pub(crate) fn position(&self, is_it: impl Fn(&Call) -> bool) -> usize {
        self.first(0, is_it).unwrap_or_else(|| panic!("there is no such call: {self}"))
    }

    /// The one call that gave a file its first name in this folder.
    #[track_caller]
    pub(crate) fn published(&self, folder: &Path) -> usize {
        let names_here =
            |call: &Call| call.gives_a_name() && call.path().and_then(Path::parent) == Some(folder);
        let found: Vec<_> = (0..self.calls.len()).filter(|&nth| names_here(&self.calls[nth])).collect();
        assert_eq!(found.len(), 1, "one file was to be published in {}: {self}", folder.display());
        found[0]
    }

    /// The call that made the content durable of the file that was published there.
    #[track_caller]
    pub(crate) fn flushed_before(&self, published: usize) -> usize {
        let from = self.calls[published].paths()[0].to_owned();
        let before = &self.calls[..published];
        // Linked by its descriptor; or by a name, with which it was made.
        let unnamed = from.strip_prefix("/proc/self/fd/").map(|fd| fd.parse::<i32>().expect("a descriptor"));
        let made = before.iter().rposition(|call| match unnamed {
            Some(fd) => call.opens() && call.answer == Some(fd),
            None => call.opens() && call.is_about(Path::new(&from)),
        });
        let made = made.unwrap_or_else(|| panic!("nobody made {from}: {self}"));
        assert!(unnamed.is_none() || before[made].is_unnamed(), "another file was published: {self}");
        let fd = before[made].answer.expect("a descriptor");
        let flushed = before.iter().rposition(|call| call.flushes() && call.fd() == Some(fd));
        let flushed = flushed.unwrap_or_else(|| panic!("{from} was not flushed: {self}"));
        let closed = before[made..flushed].iter().any(|call| call.name == "close" && call.fd() == Some(fd));
        assert!(made < flushed && !closed, "another file was flushed: {self}");
        assert!(!before[flushed..].iter().any(|call| call.changes(fd)), "changed after its flush: {self}");
        flushed
    }
}

/// For the message of a test that fails.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Call { thread, name, args, answer, .. } in &self.calls {
            let answer = answer.map_or_else(|| "an error".to_owned(), |answer| answer.to_string());
            write!(f, "\n  {thread} {name}({args}) = {answer}")?;
        }
        Ok(())
    }
}
