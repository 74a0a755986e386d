//! The words of the protocol: pure types, no I/O, no clock.

mod envelope;
mod error;
mod limits;
mod name;
mod outcome;
mod payload;

pub use envelope::{Envelope, Job};
pub use error::{Error, ErrorKind, Result};
pub use limits::{DEFAULT_LEASE, MAX_DATA_DEPTH, MAX_FILE_BYTES};
pub use name::{DeliveryKind, Id, InboxName, Millis, NameError, Priority, RoomName, StagedName};
pub use outcome::{Disposition, Outcome, Problem};
pub use payload::Payload;
