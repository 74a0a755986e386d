//! A machine that can be stopped between any two system calls, and whose disk forgets what was not flushed.
//!
//! For tests, behind the feature `sim`. Actors run as coroutines over one [`World`]; the test decides at every call who
//! goes on, who dies, whose answer is lost and when the power fails. There are no threads, no clock and no entropy but
//! the world's own: one seed, one run.

mod actor;
mod call;
mod disk;
mod host;
mod listings;
mod power;
mod step;
mod suffered;
mod world;

pub use actor::{Actor, Fate};
pub use call::{SimFile, SimFs};
pub use disk::{Disk, Ino};
pub use host::SimHost;
pub use power::{Data, Model};
pub use suffered::Suffered;
pub use world::{Lie, World};
