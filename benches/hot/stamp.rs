//! Jobs that say when they were made, here and in benches/peers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Outcome;

/// So long nothing happens.
const IDLE: Duration = Duration::from_millis(20);

/// Idles, submits one job, and so on.
pub(crate) fn now_and_then(
    jobs: usize,
    mut submit: impl FnMut(usize, Vec<u8>) -> Outcome<()>,
) -> Outcome<()> {
    (0..jobs).try_for_each(|nth| {
        std::thread::sleep(IDLE);
        submit(nth, stamped())
    })
}

/// One kilobyte of JSON, made now.
pub(crate) fn stamped() -> Vec<u8> {
    let at = now();
    format!(r#"{{"at":"{at:020}","text":"{}"}}"#, "x".repeat(1024 - 39)).into_bytes()
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
