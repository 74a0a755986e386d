//! Waiting for outcomes: arm the watch, look, wait for a hint or a deadline, look again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ports::{Bell, Host, Interest, Store, Watch};
use crate::words::{Error, ErrorKind, Id, Outcome, Result};

/// The first safety rescan of a watch that hears; each that finds nothing doubles the pause.
const FIRST_RESCAN: Duration = Duration::from_secs(1);
/// The longest pause between safety rescans.
const LAST_RESCAN: Duration = Duration::from_secs(30);
/// The longest rest after a look, however long the look took.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// How somebody waits.
pub struct Waiter {
    /// Rings `bell`.
    pub watch: Box<dyn Watch>,
    /// Rung by `watch`, and by who sets `cancelled`.
    pub bell: Bell,
    /// How often to look with a watch that is deaf.
    pub poll_interval: Duration,
    /// Ends the waiting when it is set and the bell rings.
    pub cancelled: Arc<AtomicBool>,
}

/// Calls `each` with the outcome of each of these jobs as soon as it is durable, until all are told or `each` breaks.
/// Without `patience` it waits for ever.
///
/// # Errors
/// [`ErrorKind::TimedOut`] if `patience` ran out, with the ids that are missing; any kind of
/// [`Store::outcome`]. What was told before is told.
pub fn wait<S: Store, H: Host>(
    store: &S,
    host: &H,
    mut waiter: Waiter,
    ids: &[Id],
    patience: Option<Duration>,
    each: &mut dyn FnMut(Outcome) -> ControlFlow<()>,
) -> Result<()> {
    let mut pending: Vec<Id> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let start = host.monotonic();
    let mut rescan = FIRST_RESCAN;
    loop {
        let hears = arm(&mut waiter, store.hints(Interest::Outcomes(&pending)));
        let looked = host.monotonic();
        let mut missing = Vec::new();
        for id in pending {
            match store.outcome(&id)? {
                None => missing.push(id),
                Some(outcome) => {
                    if each(outcome).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        pending = missing;
        if pending.is_empty() {
            return Ok(());
        }
        let now = host.monotonic();
        let left = patience.map_or(Duration::MAX, |patience| patience.saturating_sub(now - start));
        if left.is_zero() || waiter.cancelled.load(Ordering::Acquire) {
            return Err(missing_outcomes(&pending, now - start));
        }
        let deadline = if hears { rescan } else { waiter.poll_interval };
        if waiter.bell.wait(left.min(deadline)) {
            rescan = FIRST_RESCAN;
            // Many outcomes ring many times: a look at many ids must not follow a look at many ids at once.
            let rest = (now - looked).min(LONGEST_REST).min(left);
            if rest > Duration::from_millis(1) {
                std::thread::sleep(rest);
            }
        } else {
            rescan = (rescan * 2).min(LAST_RESCAN);
        }
    }
}

/// Arms what is there; the rest at the next look. Whether a hint may come.
fn arm(waiter: &mut Waiter, folders: Vec<std::path::PathBuf>) -> bool {
    let mut hears = waiter.watch.hears();
    if hears {
        for (nth, folder) in folders.iter().enumerate() {
            if let Err(e) = waiter.watch.arm(folder) {
                // The day may not have come yet; its making will ring. Any other error makes us deaf there.
                if nth == 0 || e.kind() != ErrorKind::NotFound {
                    tracing::debug!(error = %e, "cannot watch; looking again every poll interval");
                    hears = false;
                }
            }
        }
    }
    hears && !folders.is_empty()
}

fn missing_outcomes(missing: &[Id], waited: Duration) -> Error {
    const NAMED: usize = 3;
    let named: Vec<_> = missing.iter().take(NAMED).map(Id::as_str).collect();
    let more = match missing.len() {
        n if n > NAMED => format!(" and {} more", n - NAMED),
        _ => String::new(),
    };
    let waited = waited.as_secs_f64();
    let message = format!("no outcome yet of {}{more} after {waited:.1} s; ask again later", named.join(" "));
    Error::new(ErrorKind::TimedOut, message)
}
