//! The words of the protocol: pure types, no I/O, no clock.

mod attempt;
mod envelope;
mod error;
mod job;
mod limits;
mod name;
mod outcome;
mod payload;
mod policy;
mod problem;
mod turns;

pub use attempt::{Attempt, MOST_ATTEMPTS_TOLD, vanished};
pub use envelope::Envelope;
pub use error::{Error, ErrorKind, Result};
pub use job::Job;
pub use limits::{DEFAULT_KEEP, DEFAULT_LEASE, MAX_DATA_DEPTH, MAX_FILE_BYTES};
pub use name::{
    ClaimCheck, ClaimCheckKind, DelayedName, DeliveryKind, Id, InboxName, Millis, NameError, Priority,
    RoomName, StagedName, StampedId,
};
pub use outcome::{Disposition, Outcome};
pub use payload::Payload;
pub use policy::{AfterFailure, Retry, pause_after};
pub use problem::Problem;
pub use turns::Turns;
