//! P9–P12 of one job, or of several at once: each as if it were alone, but what several need flushed is flushed once (R5).
//!
//! A step follows only when the one before is durable for that very job. What fails for one concerns no other; a flush of a
//! folder concerns all that rely on it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::LocalStore;
use super::draft::Draft;
use crate::ports::{Claim, Fs, Host};
use crate::words::{Error, Id, InboxName, Outcome, Result, RoomName, StagedName};

/// A job that is being settled.
struct Case<'a, File> {
    claim: &'a Claim,
    outcome: &'a Outcome,
    bytes: Vec<u8>,
    staged: StagedName,
    way: Way,
    /// Written and flushed ahead, if that worked.
    draft: Cell<Option<Draft<File>>>,
    /// Its outcome is the one that counts.
    counts: bool,
    /// What did not work. Nothing more is done then.
    trouble: Option<Error>,
}

/// Which way an outcome goes.
enum Way {
    /// From a draft to the slot.
    Straight,
    /// By the room: it is to be staged.
    ToStage(Id),
    /// It is staged.
    Staged(Id),
    /// It was delivered into this inbox.
    Delivered(PathBuf),
    /// Another, or an earlier call, saw to all that follows the slot.
    Done,
}

impl<'a, File> Case<'a, File> {
    fn of(claim: &'a Claim, outcome: &'a Outcome) -> Self {
        Self {
            claim,
            outcome,
            bytes: Vec::new(),
            staged: claim.name.staged(outcome.nonce()),
            way: Way::Straight,
            draft: Cell::default(),
            counts: false,
            trouble: None,
        }
    }

    fn job(&self) -> &InboxName {
        &self.claim.name
    }

    fn is_staged(&self) -> bool {
        matches!(self.way, Way::Staged(_))
    }

    /// Whether its slot has just been linked, or was found taken.
    fn is_decided(&self) -> bool {
        matches!(self.way, Way::Straight | Way::Staged(_))
    }

    /// Where it was delivered.
    fn inbox(&self) -> Option<&PathBuf> {
        if let Way::Delivered(inbox) = &self.way { Some(inbox) } else { None }
    }
}

/// Does a step of each that nothing has gone wrong with.
fn each<'a, File>(cases: &mut [Case<'a, File>], step: impl Fn(&mut Case<'a, File>) -> Result<()>) {
    for case in cases.iter_mut().filter(|case| case.trouble.is_none()) {
        case.trouble = step(case).err();
    }
}

/// Flushes for each the folder that it relies on, each folder once.
fn flush_for_each<File>(
    cases: &mut [Case<'_, File>],
    folder: impl Fn(&Case<'_, File>) -> Option<PathBuf>,
    flush: impl Fn(&Path) -> Result<()>,
) {
    let answers = RefCell::new(BTreeMap::new());
    each(cases, |case| {
        let Some(folder) = folder(case) else { return Ok(()) };
        let mut answers = answers.borrow_mut();
        let answer: &Result<()> = answers.entry(folder).or_insert_with_key(|folder: &PathBuf| flush(folder));
        answer.as_ref().copied().map_err(Error::again)
    });
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Whether it was these outcomes that count.
    pub(super) fn settle_together(&self, room: &RoomName, jobs: &[(&Claim, &Outcome)]) -> Vec<Result<bool>> {
        let mut group: Vec<Case<'_, F::File>> =
            jobs.iter().map(|(claim, outcome)| Case::of(claim, outcome)).collect();
        let cases = &mut group;
        let flush = |folder: &Path| self.flush_dir(folder);
        let claims = self.layout.claims(room);
        each(cases, |case| self.find_way(room, case));
        // One alone is written when it is published: nobody waits with it.
        if cases.len() > 1 {
            self.write_drafts(room, cases);
        }
        each(cases, |case| self.stage(room, case));
        flush_for_each(cases, |case| case.is_staged().then(|| claims.clone()), flush);
        each(cases, |case| self.decide(room, case));
        flush_for_each(cases, |case| case.is_decided().then(|| self.layout.slot_day(case.job())), flush);
        each(cases, |case| self.send_on(room, case));
        flush_for_each(cases, |case| case.inbox().cloned(), flush);
        flush_for_each(
            cases,
            |case| case.inbox().map(|_| claims.clone()),
            |room| self.flush_dir_if_there(room),
        );
        let grave = |case: &Case<'_, F::File>| self.layout.grave(case.outcome).filter(|_| case.counts);
        each(cases, |case| {
            grave(case).map_or(Ok(()), |grave| self.give_reason(case.job(), &grave).map(drop))
        });
        flush_for_each(cases, grave, flush);
        each(cases, |case| match case.counts {
            true => self.bury(room, case.job(), grave(case)),
            false => self.archive(room, case.job()),
        });
        let end = |case: Case<'_, F::File>| {
            case.draft.take().into_iter().for_each(|draft| self.discard(draft));
            case.trouble.map_or(Ok(case.counts), Err)
        };
        group.into_iter().map(end).collect()
    }

    /// An earlier call may have come as far as the delivery, and then something failed.
    fn find_way(&self, room: &RoomName, case: &mut Case<'_, F::File>) -> Result<()> {
        self.is_from_here(case.claim)?;
        case.bytes = case.outcome.envelope.encode()?;
        let Some(address) = case.outcome.reply_to() else { return Ok(()) };
        case.way = if self.look(&self.layout.staged(room, &case.staged))?.is_some() {
            Way::Staged(address)
        } else if self.is_slot_of(&case.staged)? {
            case.counts = true;
            Way::Delivered(self.ensure_reply(&address)?.room("inbox"))
        } else {
            Way::ToStage(address)
        };
        Ok(())
    }

    fn write_drafts(&self, room: &RoomName, cases: &mut [Case<'_, F::File>]) {
        let place = |case: &Case<'_, F::File>| match &case.way {
            Way::Straight => {
                self.ensure_dir(&self.layout.slot_day(case.job())).ok()?;
                Some(self.layout.slot(case.job()))
            }
            Way::ToStage(_) => Some(self.layout.staged(room, &case.staged)),
            _ => None,
        };
        let fit = |case: &&Case<'_, F::File>| case.trouble.is_none();
        let (cases, places): (Vec<_>, Vec<_>) =
            cases.iter().filter(fit).filter_map(|case| Some((case, place(case)?))).unzip();
        let files: Vec<(&[u8], &Path)> =
            cases.iter().zip(&places).map(|(case, place)| (&*case.bytes, &**place)).collect();
        for (case, draft) in cases.iter().zip(self.drafts(&files)) {
            case.draft.set(draft);
        }
    }

    /// P9, but for its flush. The name in the room must be durable before the slot can be: only this file can be delivered.
    fn stage(&self, room: &RoomName, case: &mut Case<'_, F::File>) -> Result<()> {
        if let Way::ToStage(address) = &case.way {
            let path = self.layout.staged(room, &case.staged);
            self.publish_written(case.draft.take(), &case.bytes, &path)?;
            case.way = Way::Staged(address.clone());
        }
        Ok(())
    }

    /// P10, but for its flush.
    fn decide(&self, room: &RoomName, case: &mut Case<'_, F::File>) -> Result<()> {
        match case.way {
            Way::Straight => {
                let slot = self.layout.slot(case.job());
                let link = || self.publish_written_if_free(case.draft.take(), &case.bytes, &slot);
                case.counts = self.inside(&self.layout.slot_day(case.job()), link)?;
            }
            Way::Staged(_) => match self.decide_staged(room, &case.staged)? {
                Some(counts) => case.counts = counts,
                None => {
                    case.counts = self.is_slot_of(&case.staged)?;
                    case.way = Way::Done;
                }
            },
            Way::ToStage(_) | Way::Delivered(_) | Way::Done => {}
        }
        Ok(())
    }

    /// P12, but for its flushes, if the slot is this outcome's.
    fn send_on(&self, room: &RoomName, case: &mut Case<'_, F::File>) -> Result<()> {
        match &case.way {
            // The slot may be taken by this very outcome: an earlier call came so far, and then something failed.
            Way::Straight => case.counts = case.counts || self.is_slot_of(&case.staged)?,
            Way::Staged(address) if case.counts => {
                case.way = Way::Delivered(self.deliver(room, &case.staged, address)?);
            }
            Way::Staged(_) => self.remove(&self.layout.staged(room, &case.staged))?,
            Way::ToStage(_) | Way::Delivered(_) | Way::Done => {}
        }
        Ok(())
    }
}
