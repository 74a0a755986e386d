//! The machine that a process runs on: its clocks, its entropy, its identity.

use std::time::Duration;

use crate::words::{Id, Millis};

/// Clock and entropy, and who we are.
pub trait Host {
    /// The wall clock. Names are made with it; nothing is ever judged by it.
    fn now(&self) -> Millis;

    /// A clock that only goes forward, from an arbitrary start. Leases are judged by it.
    fn monotonic(&self) -> Duration;

    /// Random bits.
    fn entropy(&self) -> u128;

    /// The machine's name.
    fn name(&self) -> String;

    /// The process, for people to read.
    fn pid(&self) -> u32;

    /// 64 random bits, for a name that is never used twice.
    fn nonce(&self) -> u64 {
        self.entropy() as u64
    }

    /// A new id, and the millisecond in it.
    fn mint(&self) -> (Id, Millis) {
        let now = self.now();
        (Id::mint(now, self.entropy()), now)
    }
}
