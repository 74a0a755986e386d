//! The pipes of a child: what it writes is read as it comes, and when it has exited, no longer than is due.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};

use super::wait::{Wanted, ready};

/// How long after the command's exit its pipes are read on. What it wrote itself is in them by then, and is read however long
/// that takes; but a process that it left behind may keep them open for ever.
const LINGER: Duration = Duration::from_millis(200);

/// As much as a pipe usually holds.
const BUFFER: usize = 64 << 10;

/// Where the bytes go.
pub(super) trait Sink {
    /// Why it takes no more.
    type Stuck: From<io::Error>;
    /// Takes the next bytes, at once: what was taken is there, also if the reading is given up then.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Self::Stuck>;
}

/// A pipe for what a child reads: its end, and ours, that never waits.
pub(super) fn to_child() -> io::Result<(OwnedFd, OwnedFd)> {
    let (theirs, ours) = pipe()?;
    never_wait(&ours)?;
    Ok((theirs, ours))
}

/// A pipe for what a child writes: our end, that never waits, and its own.
pub(super) fn from_child() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe()?;
    never_wait(&ours)?;
    Ok((ours, theirs))
}

/// No child inherits it by itself.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// Ours alone: a child expects to wait. What was ready need not be so any more when it is read: the child may read it, too.
fn never_wait(ours: &OwnedFd) -> io::Result<()> {
    // A new pipe has no other flag.
    Ok(fcntl_setfl(ours, OFlags::NONBLOCK)?)
}

/// The reading end of a pipe, and where its bytes go.
#[derive(Debug)]
pub(super) struct Drain<S> {
    /// `None` at its end.
    pipe: Option<OwnedFd>,
    buffer: Vec<u8>,
    pub(super) sink: S,
}

impl<S: Sink> Drain<S> {
    pub(super) fn new(pipe: Option<OwnedFd>, sink: S) -> Self {
        Self { pipe, buffer: Vec::new(), sink }
    }

    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// What to wait for before [`some`](Self::some).
    pub(super) fn wanted(&self) -> Wanted<'_> {
        self.pipe.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::IN))
    }

    /// Reads no more. Whoever still writes to it is told that nobody reads.
    pub(super) fn close(&mut self) {
        self.pipe = None;
    }

    /// Reads some bytes, or the end, if they are there.
    pub(super) fn some(&mut self) -> Result<usize, S::Stuck> {
        let Some(pipe) = &self.pipe else { return Ok(0) };
        self.buffer.clear();
        self.buffer.reserve(BUFFER);
        let read = match retry_on_intr(|| rustix::io::read(pipe, spare_capacity(&mut self.buffer))) {
            Err(Errno::AGAIN) => return Ok(0),
            other => other.map_err(io::Error::from)?,
        };
        if read == 0 {
            self.pipe = None;
        } else {
            self.sink.take(&self.buffer)?;
        }
        Ok(read)
    }

    /// Reads what is in the pipe, and waits for nothing.
    pub(super) fn due(&mut self) -> Result<(), S::Stuck> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let mut due = rustix::io::ioctl_fionread(pipe).map_err(io::Error::from)?;
        while due > 0 {
            match self.some()? {
                0 => break,
                read => due = due.saturating_sub(read as u64),
            }
        }
        Ok(())
    }

    /// The child has exited: reads what it wrote, and what others write for a moment.
    pub(super) fn rest(&mut self, end: Instant) -> Result<(), S::Stuck> {
        self.due()?;
        // Who never pauses never lets a time-out come.
        while self.is_open() && Instant::now() < end {
            if let [true] = ready([self.wanted()], Some(end))? {
                self.some()?;
            }
        }
        Ok(())
    }
}

/// Until when [`Drain::rest`] reads what others write.
pub(super) fn linger() -> Instant {
    Instant::now() + LINGER
}

/// What a child is given to read, as fast as it reads.
#[derive(Debug)]
pub(super) struct Feed<'a> {
    /// `None` when it has all, or wants no more.
    pipe: Option<OwnedFd>,
    left: &'a [u8],
}

impl<'a> Feed<'a> {
    /// Nothing.
    pub(super) fn done() -> Self {
        Self { pipe: None, left: &[] }
    }

    /// Writes what the pipe takes, so that little data is there before the child is.
    pub(super) fn begin(pipe: OwnedFd, data: &'a [u8]) -> Self {
        let mut feed = Self { pipe: Some(pipe), left: data };
        feed.some();
        feed
    }

    /// What to wait for before [`some`](Self::some).
    pub(super) fn wanted(&self) -> Wanted<'_> {
        self.pipe.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::OUT))
    }

    /// Writes what the pipe takes. A command need not read it: then the pipe breaks, and that is fine.
    pub(super) fn some(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        if !write(pipe, &mut self.left) || self.left.is_empty() {
            self.pipe = None;
        }
    }
}

/// Writes what a pipe takes. Whether somebody may read it.
pub(super) fn write(pipe: &OwnedFd, data: &mut &[u8]) -> bool {
    while !data.is_empty() {
        match rustix::io::write(pipe, data) {
            Ok(written) => *data = &data[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(e) => {
                tracing::debug!(error = %e, "the handler did not read all data");
                return false;
            }
        }
    }
    true
}
