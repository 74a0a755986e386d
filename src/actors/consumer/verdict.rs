//! What became of a job in the hands of its handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::floor::Floor;
use super::steps::discard;
use super::{Doubt, Product};
use crate::actors::handler::{Call, Cut, Ended, Started, Why};
use crate::ports::{Claim, Harvest, Host, Store, Workspace};
use crate::words::{ClaimCheck, ClaimCheckKind, Error, ErrorKind, Job, Payload, Problem};

/// How long after a handler was killed a stop of the consumer may explain it.
const MOMENT: Duration = Duration::from_millis(100);

const MAKE: &str = "make a workspace";
const START: &str = "start the handler";
const KEEP: &str = "keep what a handler left";
const NOT_KEPT: &str = "the folder did not take what its handler left; other jobs go first";

/// What a job that was handled shows to work.
pub(super) const DOUBTFUL: [&str; 2] = [MAKE, START];

/// Why a job that was handled, or was to be, did not succeed.
pub(super) enum Otherwise {
    /// The attempt failed.
    Failed(Box<Problem>),
    /// It was no attempt: the job goes back, for this reason.
    HandBack(&'static str),
    /// Likewise, and there is trouble.
    Blameless(Box<Hitch>),
}

/// Something that did not work, and no job is to blame for.
pub(super) struct Hitch {
    /// What works again when it works.
    pub(super) doubt: Doubt,
    pub(super) doing: &'static str,
    /// Why the job goes back.
    pub(super) why: &'static str,
    pub(super) error: Error,
}

fn hitch(doubt: Doubt, doing: &'static str, why: &'static str, error: Error) -> Otherwise {
    Otherwise::Blameless(Box::new(Hitch { doubt, doing, why, error }))
}

/// What a handler wrote, if it succeeded.
struct Written {
    payload: Payload,
    /// Its bytes are in the workspace's file for data.
    spilled: bool,
}

impl<S: Store, H: Host> Floor<'_, S, H>
where
    S::Room: Send + Sync,
{
    /// Has a job handled. Unless it succeeded, what its handler left is gone then.
    pub(super) fn verdict(&self, claim: &Claim, job: &Job) -> Result<Product, Otherwise> {
        let workspace =
            self.handler.workspace().map(|prepared| self.store.workspace(claim, prepared)).transpose();
        let workspace = match workspace {
            Ok(workspace) => workspace,
            Err(error) => {
                let why = "the folder has no room for what its handler would leave";
                return Err(hitch(Doubt::Start, MAKE, why, error));
            }
        };
        let written = self.handled(claim, job, workspace.clone());
        let product = written.and_then(|written| self.gather(workspace.as_ref(), written));
        if let (Err(_), Some(Workspace { stamp, .. })) = (&product, workspace) {
            let check = |kind| ClaimCheck { stamp: stamp.clone(), kind };
            discard(self.store, [ClaimCheckKind::Files, ClaimCheckKind::Data].map(check).iter());
        }
        product
    }

    /// What travels with the outcome of a job that succeeded.
    fn gather(&self, workspace: Option<&Workspace>, written: Written) -> Result<Product, Otherwise> {
        let failed = |why: String| Err(Otherwise::Failed(Box::new(Problem::handler(why))));
        let Written { payload, spilled } = written;
        let mut harvest = match workspace.map(|workspace| self.store.harvest(workspace)) {
            None => Harvest::default(),
            Some(Ok(harvest)) => harvest,
            Some(Err(e)) if e.kind() == ErrorKind::Invalid => return failed(e.to_string()),
            // A file that could not be flushed cannot be flushed again: the kernel may have dropped what was in it. So the
            // handler has to write it anew.
            Some(Err(error)) => return Err(hitch(Doubt::Keep, KEEP, NOT_KEPT, error)),
        };
        if !spilled {
            // Somebody made it who was not asked to.
            discard(self.store, harvest.data.take().iter());
        } else if harvest.data.is_none() {
            return failed("what it wrote to stdout was removed".to_owned());
        }
        Ok(Product { payload, harvest })
    }

    fn handled(&self, claim: &Claim, job: &Job, workspace: Option<Workspace>) -> Result<Written, Otherwise> {
        let cut = Cut::new(self.cut.subscribe(), self.options.handler_timeout);
        // Others are held back while nobody knows whether a handler can be started: not until this one has ended.
        let (ready, troubles) = (&self.ready, &self.troubles);
        let started = || {
            ready.started();
            DOUBTFUL.iter().for_each(|doing| troubles.works(doing));
        };
        let call =
            Call { job: job.clone(), path: claim.path.clone(), workspace, cut, started: Started(&started) };
        let handling = || self.runtime.block_on(self.handler.handle(call));
        let failed = |problem| Otherwise::Failed(Box::new(problem));
        Err(match catch_unwind(AssertUnwindSafe(handling)) {
            // A runtime that is shut down makes what needs it panic; that is an end, not a failure.
            Err(_) if self.is_cut() || self.stopper.is_stopping_now() => {
                Otherwise::HandBack("the consumer ends")
            }
            Err(panic) => failed(Problem::handler(format!("the handler panicked{}", said(&*panic)))),
            Ok(Ended::Done(payload)) => return Ok(Written { payload, spilled: false }),
            Ok(Ended::Spilled { content_type }) => {
                return Ok(Written { payload: Payload::typed([], content_type), spilled: true });
            }
            Ok(Ended::Failed(problem)) => failed(problem),
            Ok(Ended::Killed(_)) if self.is_stopping_soon() => {
                Otherwise::HandBack("its handler was killed while the consumer was stopping")
            }
            Ok(Ended::Killed(problem)) => failed(problem),
            Ok(Ended::NotStarted(error)) => {
                hitch(Doubt::Start, START, "its handler could not be started", error)
            }
            Ok(Ended::NotKept(error)) => hitch(Doubt::Keep, KEEP, NOT_KEPT, error),
            Ok(Ended::Cut { why: Why::Stopped, .. }) => Otherwise::HandBack("the consumer ends"),
            Ok(Ended::Cut { why: Why::TimedOut, stderr }) => {
                let allowed = self.options.handler_timeout.unwrap_or_default();
                let problem = Problem::timeout(format!("the handler was ended after {allowed:?}"));
                failed(problem.with_stderr(stderr))
            }
        })
    }

    /// Whether a stop was asked for, or is within a moment: who kills all processes of a service may reach a handler
    /// before its consumer.
    fn is_stopping_soon(&self) -> bool {
        if !self.is_stopping() {
            self.ready.pause(MOMENT);
        }
        self.is_stopping()
    }
}

/// What a panic said, if it was text.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(String::new, |text| format!(": {text}"))
}
