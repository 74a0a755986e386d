//! A drop folder that a group shares: its modes, and users who have nothing in common but the group.

#![allow(clippy::unwrap_used)]

mod doctor;
mod events;
mod init;
mod modes;
mod travel;
mod users;
mod work;
