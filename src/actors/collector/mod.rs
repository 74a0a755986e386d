//! The collector: takes the outcomes that were delivered to a Return Address, and hands each over to whoever asked for it.
//!
//! A Return Address is a drop folder in which outcomes lie where jobs do in others. So collectors compete, and recover what
//! each other leaves, as consumers do; and an outcome is settled, like a job, only when it has been handed over (P15). What is not
//! taken over stays with its collector for a pause, and then goes back as one more collection.

mod command;
mod desk;
mod run;

use std::ops::Add;
use std::time::Duration;

use crate::actors::usual_name;
use crate::ports::Host;
use crate::words::{DEFAULT_LEASE, Id};

pub use command::Handing;
pub use run::{Setup, run};

/// How a collector works.
#[derive(Debug, Clone)]
pub struct CollectorOptions {
    /// What its room is called. Need not be nobody else's.
    pub name: Id,
    /// How long it may be silent before others take what it has in hand.
    pub lease: Duration,
    /// Whether it goes on until it is stopped.
    pub follow: bool,
    /// How often it looks where there are no notifications.
    pub poll_interval: Duration,
}

impl CollectorOptions {
    /// The usual ones, on this machine.
    pub fn new<H: Host>(host: &H) -> Self {
        Self {
            name: usual_name(host),
            lease: DEFAULT_LEASE,
            follow: false,
            poll_interval: Duration::from_secs(1),
        }
    }
}

/// What a collector did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Outcomes of jobs that succeeded.
    pub succeeded: u64,
    /// Outcomes of jobs that failed or expired.
    pub failed: u64,
    /// Outcomes that another collector handed over too: it was taken for dead, or we were.
    pub twice: u64,
    /// How often an outcome was handed over, and not taken.
    pub refused: u64,
}

impl Add for Collected {
    type Output = Self;

    /// What two collectors did together.
    fn add(self, other: Self) -> Self {
        Self {
            succeeded: self.succeeded + other.succeeded,
            failed: self.failed + other.failed,
            twice: self.twice + other.twice,
            refused: self.refused + other.refused,
        }
    }
}
