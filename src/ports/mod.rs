//! The seams: what the actors need of a machine, as traits.

mod exchange;
mod foreign;
mod fs;
mod host;
mod recipient;
mod store;
mod watch;

pub use exchange::{Exchange, FanOut, Group, Resubscribed, Wish};
pub use foreign::{Batch, Clerk, Folders, Foreign, Taking};
pub(crate) use fs::hold_by_name;
pub use fs::{Durability, FileId, FileKind, Fs, Held, Listed, Meta};
pub use host::Host;
pub use recipient::{Delivery, Recipient, Refusal};
pub(crate) use store::Sighting;
pub use store::{
    Admitted, Arrivals, Arrived, AttachBy, Attachment, Backlog, Beat, Broom, Census, Claim, Claimed,
    ConsumerCensus, DeadLetter, Fetched, Finding, Harvest, Interest, Looked, Marker, NewJob, Origin, Place,
    Prepared, Progress, Promotion, Remains, RoomCounts, Scan, Store, Submitted, Swept, Takeover, Vigil,
    Workspace,
};
pub use watch::{Bell, Chosen, Ear, Watch, WatchMode};
