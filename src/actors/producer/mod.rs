//! The producer: drops jobs, and waits for their outcomes.

mod publish;
mod submission;
mod wait;

pub use publish::{Prepared, Receipt, prepare, submit};
pub use submission::Submission;
pub use wait::{Waiter, wait};
