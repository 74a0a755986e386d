//! When a handler has to end before it is done: told to those that are polled ([`Cut::wait`]), and to those that keep their thread.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep_until;

/// Why a handler was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It took longer than it may: the job fails.
    TimedOut,
    /// Its consumer ends: the job is handed back.
    Stopped,
}

/// Tells a handler when it has to end.
pub struct Cut {
    stopped: watch::Receiver<bool>,
    deadline: Option<Instant>,
}

impl Cut {
    /// From now on, within `patience`, and only until `stopped` says so.
    pub fn new(stopped: watch::Receiver<bool>, patience: Option<Duration>) -> Self {
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        Self { stopped, deadline }
    }

    /// Waits until the handler has to end. May be asked again. Needs a runtime with timers if there is a `patience`.
    pub async fn wait(&mut self) -> Why {
        let stopped = until(&mut self.stopped);
        match self.deadline {
            None => stopped.await,
            Some(deadline) => tokio::select! {
                biased;
                () = stopped => {}
                () = sleep_until(deadline.into()) => return Why::TimedOut,
            },
        }
        Why::Stopped
    }

    /// For who waits by itself, without a runtime: until when, and what ends it before. That wakes who has polled it.
    pub(super) fn parts(&self) -> (Option<Instant>, impl Future<Output = ()> + Send + use<>) {
        let mut stopped = self.stopped.clone();
        (self.deadline, async move { until(&mut stopped).await })
    }
}

async fn until(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        // The consumer is gone, and with it whoever could stop us.
        std::future::pending::<()>().await;
    }
}
