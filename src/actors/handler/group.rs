//! A handler's process group: how it ends.

use std::slice;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::child::Child;

/// How long a group has between SIGTERM and SIGKILL.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ends the group that a child leads, politely first, and reaps it.
pub(super) fn end(child: &mut Child) {
    end_all(slice::from_mut(child));
}

/// The same with several at once: each may take its time.
pub(super) fn end_all(children: &mut [Child]) {
    for group in children.iter().filter_map(Child::pid) {
        signal(group, Signal::TERM);
    }
    let deadline = Instant::now() + LAST_WORDS;
    for child in children {
        // Not reaped before the last signal: as long as its leader is there, nobody else's group can have this number.
        if let Some(group) = child.pid() {
            child.exits_before(deadline);
            signal(group, Signal::KILL);
        }
        if let Err(e) = child.wait() {
            tracing::warn!(error = %e, "cannot wait for a handler that was ended");
        }
    }
}

fn signal(group: Pid, signal: Signal) {
    if let Err(e) = kill_process_group(group, signal) {
        tracing::debug!(error = %e, "the handler's process group is gone");
    }
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
