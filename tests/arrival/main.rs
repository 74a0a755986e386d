//! Files that strangers drop: what their names say, and when they are there in whole.

#![allow(clippy::unwrap_used)]

mod judge;
mod looks;
mod names;
mod returns;
