//! Who acts on a drop folder, over the seams alone: the same code runs on a real folder and in the simulator.

pub mod collector;
pub mod consumer;
pub mod handler;
mod heart;
pub mod intake;
mod news;
pub mod observer;
pub mod producer;
mod registration;
mod troubles;

use std::time::Duration;

use crate::ports::Host;
use crate::words::Id;

/// A busy inbox rings at each job: recovery follows a ring, but not every ring. How many times its own cost, and at least and at
/// most how old, the last one must be.
const RECOVERY_REST: u32 = 10;
const RECOVERY_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_RECOVERY_PAUSE: Duration = Duration::from_millis(100);

/// How long after a recovery that took so long the next one may follow a ring.
fn recovery_rest(took: Duration) -> Duration {
    (took * RECOVERY_REST).clamp(RECOVERY_PAUSE, LONGEST_RECOVERY_PAUSE)
}

/// What somebody's room is called who was given no other name: `<host>-<pid>`.
fn usual_name(host: &impl Host) -> Id {
    let name = format!("{}-{}", plain_name(&host.name()), host.pid());
    name.parse().expect("at most 40 of the alphabet, and a number")
}

/// A machine's name in the alphabet of ids, at most 40 long: `-` for what is not in it.
pub(crate) fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().take(40).map(plain).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}
