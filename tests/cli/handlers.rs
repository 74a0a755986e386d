//! What a handler's process is given by whatever consumer: its signals, its descriptors, and who runs it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::harness::{Folder, Running};

/// Tells which signals are blocked, and which are ignored.
#[cfg(target_os = "linux")]
const SIGNALS: [&str; 4] = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];

/// A shell that becomes a command so.
fn by(shell: &str) -> Command {
    let script = format!("{shell} \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).env_remove("RUST_LOG").stdin(Stdio::null());
    shell
}

/// What a handler says to a job, if its consumer is started so.
fn said(shell: &str, folder: &Folder, handler: &[&str]) -> String {
    let id = folder.submit("1");
    let consumer = folder.command("consumer run DROP --drain --max-attempts 1 --", handler);
    let mut shell = by(shell);
    shell.arg(consumer.get_program()).args(consumer.get_args()).current_dir(folder.beside(""));
    Running::start(shell).end().with(0);
    folder.run("producer wait DROP --timeout 0s", &[&id]).with(0).text().to_owned()
}

/// What they are in a process that is started so, and is no handler.
#[cfg(target_os = "linux")]
fn fresh(shell: &str) -> Vec<u64> {
    let told = by(shell).args(SIGNALS).output().expect("a shell");
    signals(&String::from_utf8_lossy(&told.stdout))
}

/// Which are blocked, and which ignored, but for two: the C library has them to itself as soon as there is a second thread.
#[cfg(target_os = "linux")]
fn signals(told: &str) -> Vec<u64> {
    let set = |line: &str| u64::from_str_radix(line.split_whitespace().last()?, 16).ok();
    told.lines().map(|line| set(line).expect("a set") & !(0b11 << 31)).collect()
}

/// Rust has SIGPIPE ignored, and all are blocked while a process is started; what others have ignored (`nohup`) stays so.
#[cfg(target_os = "linux")]
#[test]
fn its_signals_are_those_of_a_fresh_process() {
    let folder = Folder::new();
    for shell in ["exec", "trap '' HUP; exec"] {
        assert_eq!(signals(&said(shell, &folder, &SIGNALS)), fresh(shell), "{shell}");
    }
}

/// Who ignores SIGCHLD is never told how a child ended: a consumer that is started so ends that, also for its handlers.
#[cfg(target_os = "linux")]
#[test]
fn a_consumer_that_is_to_ignore_its_children_does_not() {
    let folder = Folder::new();
    let shell = "exec env --ignore-signal=CHLD";
    assert_ne!(fresh(shell), fresh("exec"), "env is that of GNU");
    assert_eq!(signals(&said(shell, &folder, &SIGNALS)), fresh("exec"));
}

/// Then what it opens may be where a child's stdin, stdout or stderr belong.
#[test]
fn a_consumer_without_its_first_descriptors_has_handlers_with_theirs() {
    let folder = Folder::new();
    let echoes = ["sh", "-c", "cat; echo unheard >&2; echo heard"];
    assert_eq!(said("exec 0<&- 1>&- 2>&-; exec", &folder, &echoes), "1heard\n");
}

/// As it is for a shell, or `execvp`.
#[test]
fn a_script_that_does_not_say_who_runs_it_is_run_by_a_shell() {
    let folder = Folder::new();
    let script = folder.file("script", "echo \"$# $2\"; cat\n");
    std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said("exec", &folder, &["./script", "a", "b  c"]), "2 b  c\n1");
}
