//! Stores: the local folder.

pub mod local;
