//! Consumers, and instances of a service that asks, killed again and again in the middle of their work: `FILEDROP_KILL_JOBS=10000` and
//! `FILEDROP_REPLY_JOBS=2500` are the full campaigns.

mod audit;
mod campaign;
mod consumers;
mod instances;
mod stopped;
