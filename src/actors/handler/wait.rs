//! Waiting for several descriptors at once, on one's own thread.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Cut, Why};

/// A descriptor, and what for.
pub(super) type Wanted<'a> = Option<(BorrowedFd<'a>, PollFlags)>;

/// Waits until one of these is ready for this, or closed, or it is time: which are. A signal may end it earlier.
pub(super) fn ready<const N: usize>(of: [Wanted<'_>; N], until: Option<Instant>) -> io::Result<[bool; N]> {
    let mut fds = Vec::with_capacity(N);
    fds.extend(of.iter().flatten().map(|(fd, what)| PollFd::from_borrowed_fd(*fd, *what)));
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    // Too long for the system is for ever.
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut fds, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    Ok(of.map(|wanted| wanted.is_some() && ready.next().unwrap_or_default()))
}

/// Tells a thread that waits for descriptors that its job has to end.
pub(super) struct Alarm {
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    deadline: Option<Instant>,
    rung: Arc<OwnedFd>,
    waker: Waker,
    /// Somebody has rung, or nobody was asked yet.
    ask: bool,
}

/// Rings: whoever waits at the other end of the pipe wakes.
struct Ringer(OwnedFd);

thread_local! {
    /// A thread has one job at a time. That somebody rings late for the job before only makes it ask once more.
    static BELL: RefCell<Option<(Arc<OwnedFd>, Waker)>> = const { RefCell::new(None) };
}

impl Ringer {
    fn hang() -> io::Result<(Arc<OwnedFd>, Waker)> {
        let (rung, ringer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok((Arc::new(rung), Arc::new(Self(ringer)).into()))
    }
}

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        // A pipe that is full rings anyhow.
        let _ = rustix::io::write(&self.0, &[0]);
    }
}

impl Alarm {
    /// # Errors
    /// If the system has no more descriptors.
    pub(super) fn of(cut: &Cut) -> io::Result<Self> {
        let (rung, waker) = BELL.with_borrow_mut(|bell| match bell {
            Some(bell) => Ok::<_, io::Error>(bell.clone()),
            None => Ok(bell.insert(Ringer::hang()?).clone()),
        })?;
        let (deadline, stopped) = cut.parts();
        // Its thread polls nothing else: it need not let others go first.
        let stopped = Box::pin(tokio::task::unconstrained(stopped));
        Ok(Self { stopped, deadline, rung, waker, ask: true })
    }

    /// Whether the job has to end now, and why.
    pub(super) fn due(&mut self) -> Option<Why> {
        if self.ask {
            self.ask = false;
            if let Poll::Ready(()) = self.stopped.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                // It is not to be polled again.
                self.stopped = Box::pin(std::future::pending());
                return Some(Why::Stopped);
            }
        }
        (self.deadline? <= Instant::now()).then_some(Why::TimedOut)
    }

    /// What to wait for besides.
    pub(super) fn rung(&self) -> Wanted<'_> {
        Some((self.rung.as_fd(), PollFlags::IN))
    }

    /// It was ready.
    pub(super) fn heard(&mut self) {
        let mut rings = [0; 16];
        let _ = rustix::io::read(&self.rung, &mut rings);
        self.ask = true;
    }

    /// When to wake at the latest: for the job, and for whatever else has its time.
    pub(super) fn until(&self, others: impl IntoIterator<Item = Instant>) -> Option<Instant> {
        self.deadline.into_iter().chain(others).min()
    }
}
