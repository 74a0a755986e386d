//! How soon a process that had nothing to do has a job in hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use filedrop::Durability;

use crate::pairs::{name, paired, tell_times};
use crate::processes::{Part, Player};
use crate::{Outcome, Plan, place};

/// So long nothing happens.
const IDLE: Duration = Duration::from_millis(20);

/// From before the submission until the handler has the data: the median of each run.
pub(crate) fn pick_up(plan: &Plan, durability: Durability) -> Outcome<()> {
    let jobs = plan.jobs.div_ceil(20);
    let took = paired(plan, |side| {
        let place = place(&plan.below)?;
        let root = place.path().join("drop");
        let mut picker = Player::start(Part::Picker, side, &root, durability, 0, jobs)?;
        let mut poker = Player::start(Part::Poker, side, &root, durability, 0, jobs)?;
        picker.begin()?;
        poker.begin()?;
        poker.end()?;
        picker.end()
    })?;
    tell_times(&format!("pick-up when idle, {}, p50", name(durability)), took);
    Ok(())
}

/// Submits one job, idles, and so on. Each says when it was made.
pub(crate) fn now_and_then(
    jobs: usize,
    mut submit: impl FnMut(usize, Vec<u8>) -> Outcome<()>,
) -> Outcome<()> {
    (0..jobs).try_for_each(|nth| {
        std::thread::sleep(IDLE);
        let at = now();
        submit(nth, format!(r#"{{"at":"{at:020}","text":"{}"}}"#, "x".repeat(1024 - 39)).into_bytes())
    })
}

/// How long ago that was.
pub(crate) fn age(data: &[u8]) -> Duration {
    let at = data.get(7..27).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0);
    Duration::from_nanos(now().saturating_sub(at))
}

/// Nanoseconds by the clock that all processes share.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
