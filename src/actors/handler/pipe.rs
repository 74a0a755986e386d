//! The pipes of a child: what it writes is read as it comes, and when it has exited, no longer than is due.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::ChildStdin;
use tokio::time::{Instant, timeout_at};

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

/// The reading end of a pipe, and where its bytes go.
#[derive(Debug)]
pub(super) struct Drain<R, S> {
    /// `None` at its end.
    pipe: Option<R>,
    buffer: Vec<u8>,
    pub(super) sink: S,
}

impl<R: AsyncRead + AsFd + Unpin, S: Sink> Drain<R, S> {
    pub(super) fn new(pipe: Option<R>, sink: S) -> Self {
        Self { pipe, buffer: vec![0; BUFFER], sink }
    }

    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Reads no more. Who writes to it is told that nobody reads.
    pub(super) fn close(&mut self) {
        self.pipe = None;
    }

    /// Waits for some bytes, or the end. To be dropped at any point: what was read is with the sink.
    pub(super) async fn some(&mut self) -> Result<usize, S::Stuck> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        let read = pipe.read(&mut self.buffer).await?;
        if read == 0 {
            self.pipe = None;
        } else {
            self.sink.take(&self.buffer[..read])?;
        }
        Ok(read)
    }

    /// Reads what is in the pipe, and waits for nothing.
    pub(super) async fn due(&mut self) -> Result<(), S::Stuck> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let mut due = rustix::io::ioctl_fionread(pipe).map_err(io::Error::from)?;
        while due > 0 && self.is_open() {
            due = due.saturating_sub(self.some().await? as u64);
        }
        Ok(())
    }

    /// The child has exited: reads what it wrote, and what others write for a moment.
    pub(super) async fn rest(&mut self) -> Result<(), S::Stuck> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let mut due = rustix::io::ioctl_fionread(pipe).map_err(io::Error::from)?;
        let end = Instant::now() + LINGER;
        while self.is_open() {
            if due > 0 {
                due = due.saturating_sub(self.some().await? as u64);
            } else {
                match timeout_at(end, self.some()).await {
                    Ok(read) => read?,
                    Err(_) => break,
                };
                // Who never pauses never lets a time-out come.
                if Instant::now() >= end {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Writes all data. A command need not read it: then the pipe breaks, and that is fine.
pub(super) async fn feed(stdin: Option<ChildStdin>, data: &[u8]) {
    if let Some(mut stdin) = stdin
        && let Err(e) = stdin.write_all(data).await
    {
        tracing::debug!(error = %e, "the handler did not read all data");
    }
}
