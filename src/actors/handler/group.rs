//! A handler's process group: how it is made, how it ends.

use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// How long a group has between SIGTERM and SIGKILL.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Makes the command lead a process group of its own, and die with the thread that starts it.
pub(super) fn lead(command: &mut Command) {
    command.process_group(0).kill_on_drop(true);
    #[cfg(target_os = "linux")]
    die_with_us(command);
}

#[cfg(target_os = "linux")]
fn die_with_us(command: &mut Command) {
    let parent = Pid::from_raw(std::process::id() as i32);
    let ask_for_it = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before we asked, and then nobody tells us. Nor is there anybody to whom an error could be told:
        // the standard library would abort, with a message on stderr.
        if rustix::process::getppid() != parent {
            kill_process(rustix::process::getpid(), Signal::KILL)?;
        }
        Ok(())
    };
    // SAFETY: the closure runs between fork and exec. It makes a few system calls, none allocates nor takes a lock, and
    // the error that it may return is a plain number.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(ask_for_it);
    }
}

/// Ends a group that [`lead`] made, politely first, and reaps its leader.
pub(super) async fn end(child: &mut Child) {
    if let Some(group) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
        signal(group, Signal::TERM);
        let deadline = Instant::now() + LAST_WORDS;
        // Not reaped before the last signal: as long as its leader is there, nobody else's group can have this number.
        while !has_exited(group) && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
        signal(group, Signal::KILL);
    }
    if let Err(e) = child.wait().await {
        tracing::warn!(error = %e, "cannot wait for a handler that was ended");
    }
}

fn signal(group: Pid, signal: Signal) {
    if let Err(e) = kill_process_group(group, signal) {
        tracing::debug!(error = %e, "the handler's process group is gone");
    }
}

fn has_exited(leader: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(leader), look), Ok(None))
}

/// What a signal is called.
pub(super) fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match Signal::from_named_raw(signal)? {
        Signal::HUP => "SIGHUP",
        Signal::INT => "SIGINT",
        Signal::QUIT => "SIGQUIT",
        Signal::ILL => "SIGILL",
        Signal::ABORT => "SIGABRT",
        Signal::BUS => "SIGBUS",
        Signal::FPE => "SIGFPE",
        Signal::KILL => "SIGKILL",
        Signal::USR1 => "SIGUSR1",
        Signal::SEGV => "SIGSEGV",
        Signal::USR2 => "SIGUSR2",
        Signal::PIPE => "SIGPIPE",
        Signal::ALARM => "SIGALRM",
        Signal::TERM => "SIGTERM",
        Signal::XCPU => "SIGXCPU",
        Signal::XFSZ => "SIGXFSZ",
        Signal::SYS => "SIGSYS",
        _ => return None,
    })
}
