//! The intake: takes the files that somebody puts into a folder of theirs, and makes jobs of them.
//!
//! It judges whether they are complete as a consumer does for its inbox. What it has taken it keeps aside until the job is durable
//! and the books are kept; so whatever interrupts it, the next one goes on from there (P30–P32).

mod bring;
mod desk;
mod job;
mod look;
mod manifests;
mod run;

use std::time::Duration;

use crate::actors::usual_name;
use crate::ports::Host;
use crate::words::{Customs, DEFAULT_LEASE, Id, Priority, Selection};

pub use run::{Setup, run};

/// How an intake works.
#[derive(Debug, Clone)]
pub struct IntakeOptions {
    /// What its room is called. Need not be nobody else's.
    pub name: Id,
    /// How long it may be silent before others make jobs of what it has in hand.
    pub lease: Duration,
    /// Whether it ends when nothing is left to take.
    pub once: bool,
    /// How often it looks where there are no notifications.
    pub poll_interval: Duration,
    /// Which names are markers, and which are left.
    pub customs: Customs,
    /// How long a file has to be left alone if nothing else tells that it is complete.
    pub quiet_period: Duration,
    /// Which files are taken; if there is no pattern, all.
    pub include: Selection,
    /// Which are not.
    pub exclude: Selection,
    /// Files are taken only as a manifest says.
    pub manifests: Option<ManifestRule>,
    /// What their jobs are like.
    pub jobs: JobRule,
}

/// Which files are manifests, and how long they wait.
#[derive(Debug, Clone)]
pub struct ManifestRule {
    /// Their names.
    pub names: Selection,
    /// How long after its own last change a manifest is rejected if its files are not there: by the wall clock.
    pub patience: Duration,
}

/// What the jobs are like that files make.
#[derive(Debug, Clone, Default)]
pub struct JobRule {
    /// Their type; if not `file.<extension>`, of several files `files`.
    pub kind: Option<String>,
    /// Where their outcomes are delivered to.
    pub reply_to: Option<Id>,
    /// Their place in the order.
    pub priority: Priority,
    /// Their `source`, a URI reference.
    pub source: String,
}

impl IntakeOptions {
    /// The usual ones, on this machine.
    pub fn new<H: Host>(host: &H) -> Self {
        let all = || Selection::new(&[]).expect("no pattern is wrong");
        Self {
            name: usual_name(host),
            lease: DEFAULT_LEASE,
            once: false,
            poll_interval: Duration::from_secs(1),
            customs: Customs::default(),
            quiet_period: Duration::from_secs(2),
            include: all(),
            exclude: all(),
            manifests: None,
            jobs: JobRule { source: "/intake".to_owned(), ..JobRule::default() },
        }
    }
}

/// How an intake ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// What it did.
    pub taken: TakenIn,
    /// Its folder is not the one at its path any more: there it is to begin anew.
    pub moved: bool,
}

/// What an intake did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// Jobs.
    pub jobs: u64,
    /// Their files.
    pub files: u64,
    /// Manifests that were rejected.
    pub rejected: u64,
}

impl TakenIn {
    /// As much more.
    pub(crate) fn add(&mut self, more: TakenIn) {
        self.jobs += more.jobs;
        self.files += more.files;
        self.rejected += more.rejected;
    }
}
