//! The protocol against a machine that fails at every step. See ARCHITECTURE.md, "What proves it".

mod audit;
mod cargo;
mod crash_points;
mod draft;
mod events;
mod faults;
mod holes;
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
mod search;
mod strangers;
mod travel;
