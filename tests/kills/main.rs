//! Consumers that are killed again and again in the middle of their work: `FILEDROP_KILL_JOBS=10000` is the full campaign.

mod audit;
mod campaign;
mod consumers;
mod stopped;
