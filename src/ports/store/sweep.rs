//! What is removed when it was kept for long enough.

use std::path::Path;
use std::time::Duration;

/// How to sweep.
pub struct Broom<'a> {
    /// Only say what would go.
    pub dry_run: bool,
    /// How long what is done is kept, if not as the folder says.
    pub keep: Option<Duration>,
    /// How long it may take; what is left is left for the next time. One step is done in any case.
    pub budget: Duration,
    /// Is told of every path that goes. Of a folder of files that travelled with a job only the folder.
    pub each: &'a mut dyn FnMut(&Path),
}

/// What a sweep removed, or would have removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Drafts of dead writers.
    pub drafts: usize,
    /// Jobs that were kept long enough.
    pub jobs: usize,
    /// Outcomes that were kept long enough, also delivered ones, and records of attempts.
    pub outcomes: usize,
    /// Files that travelled with them, and such as nobody refers to. A folder counts once.
    pub payloads: usize,
    /// Entries of given ids.
    pub ids: usize,
    /// What could not be removed, or could not be looked at. The log says why.
    pub failed: usize,
    /// Whether the budget was over before the work was done.
    pub unfinished: bool,
    /// Whether another program is sweeping the folder. Then nothing was done.
    pub busy: bool,
}

impl std::ops::AddAssign for Swept {
    /// Of another folder. Whether one was busy is not asked: the other was swept.
    fn add_assign(&mut self, other: Self) {
        self.drafts += other.drafts;
        self.jobs += other.jobs;
        self.outcomes += other.outcomes;
        self.payloads += other.payloads;
        self.ids += other.ids;
        self.failed += other.failed;
        self.unfinished |= other.unfinished;
    }
}

impl Swept {
    /// How much went.
    pub fn total(&self) -> usize {
        self.drafts + self.jobs + self.outcomes + self.payloads + self.ids
    }
}
