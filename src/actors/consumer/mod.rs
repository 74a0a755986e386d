//! The consumer: claims jobs, has them handled, and decides their outcomes.

mod options;
mod stop;

pub use options::{ConsumerOptions, Summary};
pub use stop::Stopper;
