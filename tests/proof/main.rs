//! The protocol against a machine that fails at every step. See ARCHITECTURE.md, "What proves it".

mod answers;
mod audit;
mod cargo;
mod crash_points;
mod draft;
mod durable;
mod events;
mod faults;
mod groups;
mod holes;
mod init;
mod intake;
mod ledger;
mod letters;
mod load;
mod operators;
mod place;
mod policies;
mod programs;
mod races;
mod replay;
mod retention;
mod rooms;
mod search;
mod strangers;
mod travel;
