//! What befell the calls of a world, counted where it made a difference.

use super::actor::Fate;

/// How often something happened that a process noticed, or will: not how often it could have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suffered {
    /// Calls that were done, and answered with an error.
    pub lost_answers: usize,
    /// Calls that were not done, and answered with an input/output error.
    pub errors: usize,
    /// Calls for which there was no space.
    pub no_space: usize,
    /// Calls for which there was no descriptor.
    pub no_descriptor: usize,
    /// Flushes that failed and lost what was written.
    pub lost_data: usize,
    /// Listings whose names were not those that are there.
    pub stale_listings: usize,
    /// Readings of a wall clock that had been set.
    pub wrong_clocks: usize,
}

impl Suffered {
    pub(super) fn refused(&mut self, fate: Fate) {
        *match fate {
            Fate::NoSpace => &mut self.no_space,
            Fate::NoDescriptor => &mut self.no_descriptor,
            _ => &mut self.errors,
        } += 1;
    }
}
