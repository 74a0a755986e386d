//! What a consumer tells of its work, as log lines.

use tracing::{debug, error, info, warn};

use super::duration;
use crate::{Event, Observer, Takeover, WatchMode};

/// Logs every event. What went wrong is a warning, or an error if this consumer will not try again; what a person wants
/// to see of a healthy consumer is `info`, and each job is `debug`.
pub(super) struct Log;

impl Observer for Log {
    fn notice(&self, event: &Event<'_>) {
        match event {
            Event::Watching(chosen) => {
                let how = match chosen.mode {
                    WatchMode::Poll => "looking for jobs every poll interval",
                    _ => "notified of new jobs",
                };
                info!("{how}: {}", chosen.why);
            }
            Event::Registered { consumer } => info!(%consumer, "ready"),
            Event::Evicted => {
                warn!(
                    "taken for dead by others; registering anew, and what is being handled may be handled twice"
                );
            }
            Event::Claimed { id, attempt } => debug!(%id, attempt, "claimed"),
            Event::Settled { id, attempt, counts: false, .. } => {
                warn!(%id, attempt, "another attempt's outcome came first and counts; this one is dropped");
            }
            Event::Settled { id, attempt, problem: Some(problem), took, .. } => {
                warn!(%id, attempt, took = %show(*took), "failed: {problem}");
            }
            Event::Settled { id, attempt, disposition, took, .. } => {
                debug!(%id, attempt, took = %show(*took), "{}", disposition.as_str());
            }
            Event::HandedBack { id, attempt, why } => info!(%id, attempt, "handed back: {why}"),
            Event::Recovered(takeover) => recovered(takeover),
            Event::Swept { removed } => debug!(removed, "removed drafts of dead writers"),
            Event::Trouble { doing, id, error, retry_in } => {
                let about = id.map(|id| format!(" (job {id})")).unwrap_or_default();
                match retry_in {
                    Some(after) => {
                        warn!("could not {doing}{about}: {error}; trying again in {}", show(*after))
                    }
                    None => error!("could not {doing}{about}: {error}"),
                }
            }
            Event::Stopping { in_flight } => info!(in_flight, "stopping: no more claims"),
            Event::CutShort { in_flight } => warn!(in_flight, "ending the handlers that still run"),
            Event::Drained => info!("drained"),
        }
    }
}

fn recovered(takeover: &Takeover) {
    let Takeover { returned, helped, archived, cleared, strangers, .. } = takeover;
    if returned + helped + archived + cleared > 0 {
        info!(returned, helped, archived, cleared, "took over from absent consumers");
    }
    for stranger in strangers {
        warn!(
            "left alone in the room of an absent consumer, it bears no name of ours: {}",
            stranger.display()
        );
    }
}

/// To the millisecond.
fn show(duration: std::time::Duration) -> String {
    duration::show(std::time::Duration::from_millis(duration.as_millis().try_into().unwrap_or(u64::MAX)))
}
