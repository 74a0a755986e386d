//! What the seams are made of on a real machine, and in the simulator.

pub mod fs;
pub mod host;
pub mod probe;
pub mod store;
pub mod watch;
