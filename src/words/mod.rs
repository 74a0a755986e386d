//! The words of the protocol: pure types. They open nothing and know no clock.

mod answer;
mod arrival;
mod attempt;
mod cause;
mod checksum;
mod consignment;
mod envelope;
mod error;
mod habits;
mod job;
mod limits;
pub(crate) mod lines;
mod manifest;
mod name;
mod outcome;
mod pattern;
mod payload;
mod policy;
mod problem;
mod selection;
mod stranger;
mod temporary;
mod topic;
mod turns;

pub(crate) use answer::Answer;
pub use arrival::{Evidence, Marked, Patience, Pending, Sighting, Version, Writer, judge};
pub use attempt::{Attempt, MOST_ATTEMPTS_TOLD, vanished};
pub use cause::{Cause, is_trace_parent};
pub(crate) use checksum::hex;
pub use checksum::parse_checksum;
pub use consignment::{Consignment, TakenFile};
pub use envelope::Envelope;
pub use error::{Error, ErrorKind, Result};
pub use habits::Habits;
pub use job::Job;
pub use limits::{DEFAULT_KEEP, DEFAULT_LEASE, DEFAULT_QUIET, MAX_DATA_DEPTH, MAX_FILE_BYTES};
pub use lines::{JsonLine, JsonLines};
pub use manifest::{Listing, MAX_MANIFEST_BYTES, Manifest};
pub(crate) use name::InboxNameRead;
pub use name::{
    ClaimCheck, ClaimCheckKind, DelayedName, DeliveryKind, DeliveryName, EventName, Id, InboxName, Millis,
    NameError, Orphan, Priority, RoomName, StagedName, StampedId, flaw,
};
pub use outcome::{Disposition, Outcome};
pub use pattern::{NameFields, NamePattern, PlainName};
pub use payload::Payload;
pub use policy::{AfterFailure, Retry, pause_after};
pub use problem::Problem;
pub use selection::Selection;
pub use stranger::{
    Customs, Sort, TEMPORARY, envelope_of_file, fresh_id, from_reference, from_shown, id_of_another,
    id_of_file, nonce_of, shown, to_reference, type_of_file,
};
pub(crate) use stranger::{path_to_reference, shown_path};
pub use temporary::used_by;
pub use topic::{Subscription, Topic, TopicPattern};
pub use turns::Turns;
