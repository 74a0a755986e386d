//! The queue's verbs. The local folder implements them with links and renames; a bucket could with conditional puts.

mod arrivals;
mod payload;
mod submit;
mod survey;
mod sweep;
mod work;

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::words::{
    Attempt, ClaimCheck, Envelope, Habits, Id, InboxName, Millis, Outcome, Result, StampedId,
};

pub use arrivals::{Admitted, Arrivals, Arrived, Finding, Looked, Marker};
pub use payload::{AttachBy, Attachment, Harvest, Prepared, Workspace};
pub use submit::{NewJob, Submitted};
pub use survey::{Backlog, Census, ConsumerCensus, DeadLetter, Place, Remains, RoomCounts};
pub use sweep::{Broom, Swept};
pub(crate) use work::Sighting;
pub use work::{Beat, Claim, Claimed, Fetched, Interest, Origin, Progress, Promotion, Scan, Takeover, Vigil};

/// A queue of jobs, and where their outcomes are decided.
///
/// Every verb may be repeated, by anyone, after it was interrupted at any point.
pub trait Store {
    /// A consumer's registration. Dropping it without [`retire`](Store::retire) is what a crash does.
    type Room;

    /// Publishes jobs, and returns when all are durable (P2, P3, P20). Says of each whether it is new, or was submitted
    /// before under the same given id: then the first one counts.
    ///
    /// # Errors
    /// [`Uncertain`](crate::ErrorKind::Uncertain): some may be there. Any other kind: the named ones are not.
    fn submit(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>>;

    /// Puts files beside a job that is still to be submitted, durably (P23). `progress` is told how many bytes more are there.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`NotFound`](crate::ErrorKind::NotFound): one of them cannot travel. After any
    /// error all are where they were, and nothing is left here.
    fn attach(&self, job: &Id, files: &[Attachment], progress: &mut dyn FnMut(u64)) -> Result<ClaimCheck>;

    /// Sees to it that what travels with a job that is published is where that refers to: a sweep that did not know the job yet
    /// may have it in hand, and then it is brought back (P26).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound): it is not there any more.
    fn find_cargo(&self, check: &ClaimCheck) -> Result<()>;

    /// Removes the names that attached files had before, if they were to be moved: their job is durable now. Returns those
    /// that stay, because they stand for something else by now, or cannot be removed.
    fn finish_move(&self, check: &ClaimCheck, files: &[Attachment]) -> Vec<PathBuf>;

    /// Removes what no job and no outcome refers to. It may be gone already.
    fn discard(&self, check: &ClaimCheck) -> Result<()>;

    /// The first `limit` ready names of first attempts and as many of repeated ones, in order.
    fn scan(&self, limit: usize) -> Result<Scan> {
        self.scan_part(limit, usize::MAX)
    }

    /// The same of the first `most` names that there are, which are those that the folder happens to tell first: what this costs has
    /// a bound, however many there are.
    fn scan_part(&self, limit: usize, most: usize) -> Result<Scan>;

    /// Looks for files that strangers dropped into the inbox, or into another folder, and judges whether they are complete by what
    /// `arrivals` remembers. `tell` hears of each.
    fn arrivals(
        &self,
        folder: Option<&Path>,
        arrivals: &mut Arrivals,
        tell: &mut dyn FnMut(&OsStr, Finding<'_>),
    ) -> Result<Looked>;

    /// Takes files out of the inbox (P28). An answer for each of the first ones: those after them were not tried.
    ///
    /// # Errors
    /// None was taken.
    fn take_files(&self, room: &Self::Room, files: &[Arrived]) -> Result<Vec<Fetched>>;

    /// Makes jobs of files that were taken (P29). An error of one concerns only that one: admit it again, or
    /// [untake](Self::untake) it.
    ///
    /// # Errors
    /// If none could be.
    fn admit(&self, room: &Self::Room, taken: &[StampedId]) -> Result<Vec<Result<Admitted>>>;

    /// Puts a file that was taken, and not admitted, back into the inbox. There may be none.
    ///
    /// # Errors
    /// It is where it was, or its way back is not durable; so also if there is another file of its name by now. Do it again.
    fn untake(&self, room: &Self::Room, taken: &StampedId) -> Result<()>;

    /// Removes the marker of a file that is admitted.
    fn finish_arrival(&self, marker: &Marker) -> Result<()>;

    /// Makes a room for a consumer that is silent for no longer than `lease` (P4).
    fn register(&self, consumer: &Id, lease: Duration) -> Result<Self::Room>;

    /// Says how a consumer takes the files that strangers drop, for people and for who explains. Nobody else depends on it.
    fn announce(&self, room: &Self::Room, habits: &Habits) -> Result<Beat>;

    /// Says that the consumer is alive, and how far it has come (P5).
    fn beat(&self, room: &Self::Room, progress: Progress) -> Result<Beat>;

    /// Takes a job, or a delivered outcome, unless another was quicker or it is settled already (P6, P7).
    fn claim(&self, room: &Self::Room, name: &InboxName) -> Result<Claimed>;

    /// Moves jobs that are due into the inbox, at most `limit` (P19).
    fn promote(&self, limit: usize) -> Result<Promotion>;

    /// Moves what was a dead letter, and somebody put into the inbox, back to where it belongs (P22). Returns where. What lies
    /// there is never replaced.
    fn put_back(&self, name: &InboxName) -> Result<PathBuf>;

    /// Gives a claim back, as if it had never been taken (P8).
    fn release(&self, room: &Self::Room, claim: &Claim) -> Result<()>;

    /// Keeps the record of an attempt that failed, and puts the job off until the next one is due (P25, P18).
    ///
    /// # Errors
    /// As [`settle`](Store::settle).
    fn postpone(&self, room: &Self::Room, claim: &Claim, due: Millis, attempt: &Attempt) -> Result<()>;

    /// The records of the attempts at a job that failed.
    fn attempts(&self, name: &InboxName) -> Result<Vec<Attempt>>;

    /// Where a handler may leave files, and data that is too large for an envelope (P24). They are there as long as the
    /// claim is.
    fn workspace(&self, claim: &Claim, prepared: Prepared) -> Result<Workspace>;

    /// Makes durable what a handler left there, and says what of it there is; the rest of the workspace is gone.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid): the handler left what cannot be read. After any error what is there is worth
    /// nothing: [discard](Store::discard) it, and have the job handled again.
    fn harvest(&self, workspace: &Workspace) -> Result<Harvest>;

    /// Decides a job's outcome, delivers it to its Return Address and archives the job (P9–P12). Returns whether it was
    /// this outcome that counts.
    ///
    /// # Errors
    /// [`Elsewhere`](crate::ErrorKind::Elsewhere): another drop folder is here than the one that the job came from; leave it. Any other
    /// kind means: settle it again, or leave it to recovery.
    fn settle(&self, room: &Self::Room, claim: &Claim, outcome: &Outcome) -> Result<bool>;

    /// Settles each of these jobs, as if each were settled alone. An answer for each.
    fn settle_all(&self, room: &Self::Room, jobs: &[(&Claim, &Outcome)]) -> Vec<Result<bool>> {
        jobs.iter().map(|(claim, outcome)| self.settle(room, claim, outcome)).collect()
    }

    /// Whether to settle several at once costs less than to settle each.
    fn settles_together(&self) -> bool {
        false
    }

    /// Settles the claim of a delivered outcome that was handed over (P15). Returns whether this was its first collection.
    fn collected(&self, room: &Self::Room, claim: &Claim) -> Result<bool>;

    /// Gives the claim of a delivered outcome back that was not handed over, or not wholly, as one more collection (P15).
    fn uncollected(&self, room: &Self::Room, claim: &Claim) -> Result<()>;

    /// Takes over what absent consumers left, and clears their rooms (P13). `vigil` remembers what was seen before.
    fn recover(&self, room: &Self::Room, vigil: &mut Vigil) -> Result<Takeover>;

    /// Lets go of a room that is gone, as a [beat](Store::beat) has told, and in which nothing is in hand. It never comes back to life:
    /// others see to what is left there, should it be found again.
    fn abandon(&self, room: &Self::Room);

    /// Gives back the room, which must be empty of claims.
    fn retire(&self, room: Self::Room) -> Result<()>;

    /// The outcome of a job, durable, if it is decided (P14).
    fn outcome(&self, id: &Id) -> Result<Option<Outcome>>;

    /// Tells the outcomes of those of these jobs that are decided, each durable, until `tell` breaks (P14). An error concerns the
    /// job that it is told of. Not `everywhere`: only where the outcome is, unless the job's id was given and its name has
    /// another day than the id; then that is cheaper.
    fn outcomes(
        &self,
        ids: &[Id],
        everywhere: bool,
        tell: &mut dyn FnMut(&Id, Result<Outcome>) -> ControlFlow<()>,
    ) {
        let _ = everywhere;
        for id in ids {
            if let Some(answer) = self.outcome(id).transpose()
                && tell(id, answer).is_break()
            {
                return;
            }
        }
    }

    /// The folders in which a change may mean that there is something new. None, if this store has no folders: then
    /// whoever waits has to look again after a while.
    fn hints(&self, what: Interest<'_>) -> Vec<PathBuf> {
        let _ = what;
        Vec::new()
    }

    /// Whether there may be an outcome of this job already: where not, a look that costs less than [`outcome`](Store::outcome).
    fn may_be_decided(&self, id: &Id) -> bool {
        let _ = id;
        true
    }

    /// Where a job is, for people: it may be elsewhere a moment later.
    fn locate(&self, id: &Id) -> Result<Vec<Place>>;

    /// What lies where.
    fn census(&self) -> Result<Census>;

    /// The job's envelope, wherever it is, for people. `None` if there is no such job, or it cannot be read.
    fn envelope(&self, id: &Id) -> Result<Option<Envelope>>;

    /// Dead letters and invalid jobs, those that were submitted first before the others.
    fn dead(&self) -> Result<Vec<DeadLetter>>;

    /// Reads a dead letter and its reason, each once. `None` if it is not there any more.
    fn exhume(&self, letter: &DeadLetter) -> Result<Option<Remains>>;

    /// Submits a dead letter again, as a new job, and archives it (P21). Returns the new job's id. To redrive one again that
    /// is redriven already returns the same.
    fn redrive(&self, letter: &InboxName) -> Result<Id>;

    /// Removes a dead letter, or an invalid job, and its reason for good. Its outcome stands.
    fn purge(&self, letter: &InboxName) -> Result<()>;

    /// Removes what the dead left, and what was kept for long enough (P16, P26). What cannot be removed is counted, and keeps
    /// nothing else from it; one that is not finished goes on where the last one ended.
    ///
    /// # Errors
    /// If it could not begin.
    fn sweep(&self, broom: &mut Broom<'_>) -> Result<Swept>;
}
