//! A child: its exit is seen before it is reaped, and it is reaped once.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid};

use super::wait::{Wanted, ready};

/// How often a child is looked at where its exit makes no descriptor readable.
const LOOK: Duration = Duration::from_millis(2);

/// A process that we started.
#[derive(Debug)]
pub(super) struct Child {
    /// `None` when it was reaped: its number may be another's then.
    pid: Option<Pid>,
    /// Readable when it has exited; not every system has such.
    exit: Option<OwnedFd>,
    /// When we have reaped it.
    status: Option<ExitStatus>,
}

impl Child {
    pub(super) fn of(pid: Pid, exit: Option<OwnedFd>) -> Self {
        Self { pid: Some(pid), exit, status: None }
    }

    /// `None` when it was reaped.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// What is readable when it has exited.
    pub(super) fn exit(&self) -> Wanted<'_> {
        self.exit.as_ref().map(|exit| (exit.as_fd(), PollFlags::IN))
    }

    /// When it has to be looked at, where there is no such.
    pub(super) fn look(&self) -> Option<Instant> {
        self.exit.is_none().then(|| Instant::now() + LOOK)
    }

    /// How it ended, and reaps it, if it has. `told`: what [`exit`](Self::exit) wants was ready. That is no proof: on Linux 5.2 it
    /// always is.
    pub(super) fn ended(&mut self, told: bool) -> Option<io::Result<ExitStatus>> {
        if told || self.exit.is_none() { self.try_wait().transpose() } else { None }
    }

    /// Whether it has; it is not reaped.
    pub(super) fn has_exited(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.pid.is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), look), Ok(None)))
    }

    /// Waits for that, until then. Whether it has.
    pub(super) fn exits_before(&self, end: Instant) -> bool {
        loop {
            if self.has_exited() {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            let until = self.look().map_or(end, |look| look.min(end));
            if ready([self.exit()], Some(until)).is_err() {
                return false;
            }
        }
    }

    /// Waits until it exits, and reaps it.
    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            match self.reap(WaitOptions::empty()) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other.and_then(|status| status.ok_or_else(|| Errno::CHILD.into())),
            }
        }
    }

    /// Reaps it, if it has exited.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.reap(WaitOptions::NOHANG)
    }

    fn reap(&mut self, how: WaitOptions) -> io::Result<Option<ExitStatus>> {
        if let Some(status) = self.status {
            return Ok(Some(status));
        }
        let pid = self.pid.ok_or(Errno::CHILD)?;
        let reaped = waitpid(Some(pid), how);
        // Who else is in our process may have reaped it.
        if matches!(reaped, Ok(Some(_)) | Err(Errno::CHILD)) {
            self.pid = None;
        }
        self.status = reaped?.map(|(_, status)| ExitStatus::from_raw(status.as_raw()));
        Ok(self.status)
    }
}

/// Only if a panic keeps those who have it from ending it. What may not be killed, as it has become another user's, is not waited for; and
/// what cannot be waited for is gone.
impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = self.pid
            && kill_process(pid, Signal::KILL).is_ok()
        {
            let _ = self.wait();
        }
    }
}
