//! How a consumer works, and what it says at the end.

use std::time::Duration;

use crate::actors::usual_name;
use crate::ports::Host;
use crate::words::{Customs, DEFAULT_LEASE, DEFAULT_QUIET, Habits, Id, MAX_FILE_BYTES, Retry};

/// How a consumer works.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// What its room is called. Need not be nobody else's. By default `<host>-<pid>`.
    pub name: Id,
    /// How many jobs it handles at a time.
    pub concurrency: usize,
    /// Whether it ends when nothing is left to do.
    pub drain: bool,
    /// How often it looks for jobs without being told.
    pub poll_interval: Duration,
    /// How long it may be silent before others take its claims.
    pub lease: Duration,
    /// How long a handler may take. The job fails if it takes longer.
    pub handler_timeout: Option<Duration>,
    /// How often, and after what pauses, a job is attempted.
    pub retry: Retry,
    /// The largest envelope that it takes, in bytes. Larger ones are invalid.
    pub max_bytes: usize,
    /// How long a gentle stop waits for the handlers before it ends them and hands their jobs back.
    pub grace: Duration,
    /// How long a file that a stranger drops has to be left alone, if nothing else tells that it is complete.
    pub quiet_period: Duration,
    /// Which of their names are taken.
    pub customs: Customs,
    /// How long after its start it first looks for what was kept long enough; then every hour. A drain looks once, at its end.
    pub first_sweep: Duration,
}

impl ConsumerOptions {
    /// One job at a time, for ever.
    pub fn new(host: &impl Host) -> Self {
        Self {
            name: usual_name(host),
            concurrency: 1,
            drain: false,
            poll_interval: Duration::from_secs(1),
            lease: DEFAULT_LEASE,
            handler_timeout: None,
            retry: Retry::default(),
            max_bytes: MAX_FILE_BYTES,
            grace: Duration::from_secs(10),
            quiet_period: DEFAULT_QUIET,
            customs: Customs::default(),
            first_sweep: Duration::from_secs(60),
        }
    }

    /// How it takes the files that strangers drop.
    pub fn habits(&self) -> Habits {
        Habits::of(&self.customs, self.quiet_period)
    }
}

/// What a consumer did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Jobs that are dead letters now: their handler failed for good, or nobody who tried them lived to answer.
    pub failed: u64,
    /// Jobs that nobody could read.
    pub invalid: u64,
    /// Jobs that had expired.
    pub expired: u64,
    /// Attempts that failed, and are to be repeated.
    pub postponed: u64,
    /// Jobs that were handed back, unhandled.
    pub handed_back: u64,
    /// Jobs that were handled here although another attempt's outcome counts.
    pub superseded: u64,
    /// Claims that are left to recovery, because the folder took neither their outcome nor their return.
    pub left: u64,
    /// Names that it tried to claim, and that others took before it.
    pub lost: u64,
}

impl Summary {
    /// Jobs whose outcome was decided here.
    pub fn settled(&self) -> u64 {
        self.succeeded + self.failed + self.invalid + self.expired
    }
}
