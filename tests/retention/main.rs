//! Retention on real folders: what goes, what stays, and in what portions.

#![allow(clippy::unwrap_used)]

mod ids;
mod past;
mod payloads;
mod portions;
mod rules;
mod stays;
mod troubles;
