//! `clients/python/filedrop.py` and the programs of this crate, in one folder.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod crashes;
mod events;
mod flushes;
mod harness;
mod orphans;
mod recovery;
mod talking;
mod together;
