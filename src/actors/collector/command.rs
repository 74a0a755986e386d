//! A handler, a command above all, as the recipient of outcomes: each is handled as a consumer handles a job.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::actors::consumer::Stopper;
use crate::actors::handler::{Call, Cut, Ended, Handler, Started, Why, runtime};
use crate::ports::{Delivery, Recipient, Refusal};
use crate::words::{Job, Problem, Result};

/// Hands each outcome to a handler, and waits for it.
pub struct Handing<H> {
    handler: H,
    runtime: Runtime,
    stopper: Stopper,
    /// Says that handlers have to end. `None` before the first.
    stopped: Option<watch::Receiver<bool>>,
    timeout: Option<Duration>,
    grace: Duration,
}

impl<H: Handler> Handing<H> {
    /// `stopper` is that of the collector.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system has no more descriptors or threads.
    pub fn new(handler: H, stopper: Stopper) -> Result<Self> {
        let runtime = runtime()?;
        Ok(Self { handler, runtime, stopper, stopped: None, timeout: None, grace: Duration::from_secs(10) })
    }

    /// How long a handler may take before it is ended. By default for ever.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a handler may go on after a gentle stop before it is ended: 10 s by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// A handler may keep our thread to itself, so another waits for the stop.
    fn stopped(&mut self) -> watch::Receiver<bool> {
        let (stopper, grace, runtime) = (&self.stopper, self.grace, &self.runtime);
        let begin = || {
            let (stop, stopped) = watch::channel(false);
            let stopper = stopper.clone();
            runtime.spawn(async move {
                stopper.handlers_must_end(grace).await;
                stop.send_replace(true);
            });
            stopped
        };
        self.stopped.get_or_insert_with(begin).clone()
    }
}

impl<H: Handler> Recipient for Handing<H> {
    fn take(&mut self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        let envelope = delivery.outcome.envelope.clone();
        let job = Job { id: delivery.name.id.clone(), attempt: delivery.name.attempt, envelope };
        let stopped = self.stopped();
        let ended = self.runtime.block_on(async {
            let cut = Cut::new(stopped, self.timeout);
            let (path, started) = (delivery.path.to_owned(), Started::unheard());
            self.handler.handle(Call { job, path, workspace: None, cut, started }).await
        });
        match ended {
            Ended::Done(_) | Ended::Spilled { .. } => Ok(()),
            Ended::Failed(problem) | Ended::Killed(problem) => Err(Refusal::because(problem.in_words())),
            Ended::NotStarted(error) => Err(Refusal::NotNow(error)),
            Ended::NotKept(error) => Err(Refusal::Again(error)),
            Ended::Cut { why, stderr } => {
                let why = match why {
                    Why::Stopped => "the handler was ended, as the collector stops".to_owned(),
                    Why::TimedOut => {
                        format!("the handler was ended after {:?}", self.timeout.unwrap_or_default())
                    }
                };
                Err(Refusal::because(Problem::timeout(why).with_stderr(stderr).in_words()))
            }
        }
    }
}
