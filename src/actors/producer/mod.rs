//! The producer: drops jobs, and waits for their outcomes.

mod dispatcher;
mod publish;
mod submission;

pub use dispatcher::Dispatcher;
pub use publish::{Prepared, Receipt, prepare, submit};
pub use submission::Submission;
