//! Asking a consumer to end.

use std::time::Duration;

use tokio::sync::watch;

use crate::ports::Bell;

/// How far a consumer has been asked to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Not at all.
    Run,
    /// No more claims; handlers have their grace.
    Gentle,
    /// Handlers are ended.
    Now,
}

/// Asks a consumer to end, from any thread, also before it began. A request can only be made more urgent.
#[derive(Clone)]
pub struct Stopper {
    stage: watch::Sender<Stage>,
    bell: Bell,
}

impl Stopper {
    /// Claim no more jobs, let the handlers finish within the grace, then hand back what still runs.
    pub fn stop(&self) {
        self.raise(Stage::Gentle);
    }

    /// End the handlers at once and hand their jobs back.
    pub fn stop_now(&self) {
        self.raise(Stage::Now);
    }

    /// Whether it was asked for.
    pub fn is_stopping(&self) -> bool {
        *self.stage.borrow() != Stage::Run
    }

    fn raise(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let raised = to > *stage;
            *stage = to.max(*stage);
            raised
        });
        self.bell.ring();
    }

    pub(super) fn is_stopping_now(&self) -> bool {
        self.stage() == Stage::Now
    }

    pub(super) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Waits until handlers have to end: until [`stop_now`](Self::stop_now), or so long after [`stop`](Self::stop).
    pub(crate) async fn handlers_must_end(&self, grace: Duration) {
        let mut stage = self.stage.subscribe();
        // Neither fails: the sender is ours.
        let _ = stage.wait_for(|stage| *stage != Stage::Run).await;
        let _ = tokio::time::timeout(grace, stage.wait_for(|stage| *stage == Stage::Now)).await;
    }

    /// Rung by a stop, and by the watch of the consumer that it stops.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }
}

impl Default for Stopper {
    fn default() -> Self {
        Self { stage: watch::Sender::new(Stage::Run), bell: Bell::default() }
    }
}
