//! The surroundings fail under programs that run: the folder goes, comes back, is closed or read-only; notifications, descriptors
//! or the clock are not what they were. Nothing is lost, nothing is done twice, nobody spins or fills a log; and when the trouble is
//! over all goes on by itself. `docs/TROUBLES.md` says it to users.

#![allow(clippy::unwrap_used)]

mod place;

mod clock;
mod closed;
mod descriptors;
mod mounts;
mod notifications;
mod removed;
