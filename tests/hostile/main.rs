//! An inbox into which somebody with bad intentions put whatever a file system can hold, between a thousand good jobs.
//!
//! As root, the consumer is another user: then there are device nodes, too, and files that it may not read.
//! `FILEDROP_HOSTILE_JUNK` says how many worthless files there are beside, 20,000 if it is not set.

#![allow(clippy::unwrap_used)]

mod among;
mod bad;
mod good;
mod opens;
mod outside;
mod place;
mod swapped;
