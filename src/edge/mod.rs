//! The edge: where people and scripts meet the library.

pub mod cli;
