//! Programs that talk through files in a shared folder.

pub mod adapters;
pub mod ports;
pub mod words;

pub use words::*;
