//! Files that strangers drop: what their names say, and when they are there in whole. Words alone: no file, no clock.

#![allow(clippy::unwrap_used)]

mod judge;
mod names;
