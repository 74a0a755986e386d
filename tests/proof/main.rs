//! The protocol against a machine that fails at every step. See ARCHITECTURE.md, "What proves it".

mod audit;
mod crash_points;
mod ledger;
mod programs;
mod races;
mod search;
