//! Programs that talk through files in a shared folder.

pub mod actors;
pub mod adapters;
#[cfg(feature = "cli")]
pub mod edge;
mod folder;
pub mod ports;
pub mod words;

pub use actors::consumer::{Stopper, Summary};
pub use actors::handler::Exec;
pub use actors::observer::{Event, Observer};
pub use actors::producer::Submission;
pub use folder::{Consumer, DropFolder};
pub use ports::{Census, Chosen, ConsumerCensus, Place, RoomCounts, Takeover, WatchMode};
pub use words::*;
