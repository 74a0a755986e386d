//! The consumer: claims jobs, has them handled, and decides their outcomes.
//!
//! One *keeper* thread recovers what the dead left, and listens; one, the *pulse*, keeps the consumer's presence;
//! the *porter* makes jobs of files that strangers drop; the *workers*, threads too, share the names that are ready: each takes one, has it handled, and settles it, or
//! has it settled with others. All that the protocol asks of them is in the [steps](take).

mod floor;
mod gate;
mod hold_back;
mod keeper;
mod options;
mod passed_over;
mod porter;
mod pulse;
mod ready;
mod refused;
mod run;
mod steps;
mod stop;
mod task;
mod verdict;
mod waiting;
mod worker;

pub use hold_back::{Doubt, HoldBack};
pub use options::{ConsumerOptions, Summary};
pub use run::{Setup, run};
pub use steps::{Conclusion, Product, Taken, Terms, conclude, finish, finish_all, take};
pub use stop::Stopper;

/// After so many failures in a row a drain, which nobody watches, ends with the error, or puts the job aside that it is
/// about. Others go on for ever.
const PATIENCE_OF_A_DRAIN: u32 = 6;
/// With so many jobs put aside, and none that worked in between, it is not the jobs: a drain ends.
const MOST_ASIDE: u32 = 16;
