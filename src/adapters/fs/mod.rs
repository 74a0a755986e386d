//! File systems: the operating system's, and a simulated one that forgets.

mod group;
mod os;
#[cfg(feature = "sim")]
pub mod sim;

pub use os::OsFs;
