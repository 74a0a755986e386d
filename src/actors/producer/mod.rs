//! The producer: drops jobs, and waits for their outcomes.

mod submission;
mod wait;

pub use submission::{Receipt, Submission, submit};
pub use wait::{Waiter, wait};
