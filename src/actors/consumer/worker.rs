//! A worker: takes a job, has it handled on its own thread, settles it or hands it back, and never gives up.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::floor::{Floor, lock};
use super::task::{Next, Task, Unsettled};
use super::verdict::{DOUBTFUL, Hitch, Otherwise};
use super::{Conclusion, Doubt, PATIENCE_OF_A_DRAIN, Taken, conclude, finish, finish_all, take};
use crate::actors::observer::Event;
use crate::ports::{Claim, Host, Scan, Store};
use crate::words::{Attempt, Error, ErrorKind, Id, InboxName, Job, Millis, Outcome, Problem, pause_after};

pub(super) const SCAN: &str = "scan the inbox";

/// After so many claims lost in a row, the worker makes sure that its room is still there, and lets others go first.
const UNLUCKY: u32 = 64;

/// The longest rest of a worker in a drain.
const LONGEST_REST_OF_A_DRAIN: Duration = Duration::from_millis(400);

/// What a worker remembers from job to job.
#[derive(Default)]
struct Luck {
    /// Claims that could not be told, in a row.
    failures: u32,
    /// Outcomes that could not be settled, in a row.
    unsettled: u32,
    /// Claims lost in a row.
    lost: u32,
}

/// What is being done with a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Settle,
    HandBack,
}

impl Doing {
    fn words(self) -> &'static str {
        match self {
            Doing::Settle => "settle a job",
            Doing::HandBack => "hand a job back",
        }
    }
}

impl<S: Store, H: Host> Floor<'_, S, H>
where
    S::Room: Send + Sync,
{
    /// Works until the end.
    pub(super) fn work(&self) {
        let scan = |limit, most| self.scan(limit, most);
        let idle = || {
            if self.options.drain {
                self.stopper.bell().ring();
            }
        };
        let mut luck = Luck::default();
        loop {
            match self.ready.next(scan, idle) {
                Next::Closed => return,
                // The keeper may not have closed the doors yet, but who has asked for a stop relies on it.
                Next::New(name) if self.is_stopping() => {
                    self.done(&name);
                    self.ready.close();
                }
                Next::New(name) => self.attend(name, self.room(), 0, &mut luck),
                Next::Again(again) => match again.task {
                    Task::Take(name, room) if self.is_stopping() => {
                        self.let_go(&name, &room);
                        self.done(&name);
                    }
                    Task::Take(name, room) => self.attend(name, room, again.tries, &mut luck),
                    Task::Settle(mut unsettled) => {
                        // Who was taken for dead has another room now; the old one may be gone, and with it the place
                        // to stage an outcome. The slot decides all the same.
                        unsettled.room = self.room();
                        self.settle(unsettled, again.tries, &mut luck);
                    }
                },
                Next::Trouble(e, tries, pause) => {
                    self.trouble(SCAN, None, &e, Some(pause));
                    self.try_patience(tries, e);
                }
            }
        }
    }

    /// What is ready. What somebody moved to the inbox and is no job any more is moved back; what cannot be is told of once, as
    /// long as it lies there.
    fn scan(&self, limit: usize, most: usize) -> Result<Scan, Error> {
        let scan = self.store.scan_part(limit, most)?;
        self.troubles.works(SCAN);
        let mut stuck = HashSet::new();
        if scan.dropped > 0 {
            self.gate.poke();
        }
        for name in &scan.misplaced {
            match self.store.put_back(name) {
                Ok(path) => self.tell(&Event::PutBack { id: &name.id, path: &path }),
                Err(error) => {
                    if !lock(&self.stuck).contains(name) {
                        self.tell(&Event::Stuck { id: &name.id, error: &error });
                    }
                    stuck.insert(name.clone());
                }
            }
        }
        let mut before = lock(&self.stuck);
        if scan.cut_short {
            // What it did not see may be there still.
            stuck.extend(before.drain());
        }
        *before = stuck;
        drop(before);
        Ok(scan)
    }

    fn try_patience(&self, tries: u32, e: Error) {
        if self.options.drain && tries >= PATIENCE_OF_A_DRAIN {
            self.give_up(e);
        }
    }

    fn attend(&self, name: InboxName, room: Arc<S::Room>, tries: u32, luck: &mut Luck) {
        let taken = take(self.store, &room, &name, self.host, self.terms());
        if let Ok(taken) = &taken {
            luck.failures = 0;
            self.ready.tried(&name, matches!(taken, Taken::Lost));
        }
        if !matches!(taken, Ok(Taken::Job(..))) {
            self.ready.go_on_trying();
        }
        // A claim that worked says nothing of the outcome that is to come.
        if matches!(taken, Ok(Taken::Settled | Taken::Refused(..))) {
            self.aside.store(0, Ordering::Release);
        }
        match taken {
            Ok(Taken::Job(claim, job)) => {
                luck.lost = 0;
                self.handle(room, claim, job, luck);
            }
            Ok(Taken::Refused(claim, outcome, counts)) => {
                luck.lost = 0;
                self.settled(&claim, &outcome, counts, None);
            }
            Ok(Taken::Settled) => self.done(&name),
            Ok(Taken::Lost) => {
                self.done(&name);
                self.count(|tally| tally.lost += 1);
                luck.lost += 1;
                if luck.lost >= UNLUCKY {
                    luck.lost = 0;
                    self.pulse.check();
                    self.ready.pause(Duration::from_millis(5));
                }
            }
            Err(e) => self.could_not_take(name, room, tries + 1, e, luck),
        }
    }

    /// The claim may be ours or not, so it must be asked for again; but first others get their chance.
    fn could_not_take(&self, name: InboxName, room: Arc<S::Room>, tries: u32, e: Error, luck: &mut Luck) {
        let pause = (!self.options.drain || tries < PATIENCE_OF_A_DRAIN).then(|| pause_after(tries));
        self.trouble("take a job", Some(&name.id), &e, pause);
        match pause {
            None => {
                self.let_go(&name, &room);
                self.put_aside(&name, e);
            }
            Some(pause) => {
                self.ready.again(Task::Take(name, room), tries, pause);
                if tries == 1 {
                    luck.failures += 1;
                    self.ready.pause(self.rest_after(luck.failures));
                }
            }
        }
    }

    /// Gives up to take a job. If it is ours nevertheless, it goes back: nobody has attempted it.
    fn let_go(&self, name: &InboxName, room: &S::Room) {
        let claim = Claim { name: name.clone(), bytes: Vec::new(), path: PathBuf::new(), origin: None };
        if let Err(e) = self.store.release(room, &claim) {
            self.trouble(Doing::HandBack.words(), Some(&name.id), &e, None);
            self.count(|tally| tally.left += 1);
        }
    }

    /// How long a worker rests when so many of its jobs failed it in a row. A drain has to find out soon whether it is the
    /// jobs or the folder.
    fn rest_after(&self, failures: u32) -> Duration {
        let most = if self.options.drain { LONGEST_REST_OF_A_DRAIN } else { Duration::MAX };
        pause_after(failures).min(most)
    }

    fn handle(&self, room: Arc<S::Room>, claim: Claim, job: Job, luck: &mut Luck) {
        let (began, began_at) = (Instant::now(), self.host.now());
        self.tell(&Event::Claimed { id: &job.id, attempt: job.attempt });
        let result = match self.verdict(&claim, &job) {
            Ok(product) => Ok(product),
            Err(Otherwise::Failed(problem)) => Err(*problem),
            Err(Otherwise::HandBack(why)) => return self.return_to_inbox(&room, &claim, why),
            Err(Otherwise::Blameless(hitch)) => return self.hold_back(&room, &claim, *hitch),
        };
        self.ready.handled();
        DOUBTFUL.iter().for_each(|doing| self.troubles.works(doing));
        let conclusion = conclude(self.store, &claim, &job, result, began_at, self.host, self.terms());
        let handled = Box::new(Unsettled { room, claim, conclusion, began });
        if let Some(alone) = self.ready.hand_over(handled) {
            self.settle(alone, 0, luck);
        }
    }

    /// Settles what workers hand over, until the end.
    pub(super) fn settle_together(&self) {
        let mut luck = Luck::default();
        self.ready.attend(|mut handed| {
            while let Some(room) = handed.first().map(|handed| handed.room.clone()) {
                let (here, later): (Vec<_>, Vec<_>) =
                    handed.into_iter().partition(|handed| Arc::ptr_eq(&handed.room, &room));
                handed = later;
                let concluded: Vec<_> = here.iter().map(|one| (&one.claim, &one.conclusion)).collect();
                let answers = finish_all(self.store, &room, &concluded);
                let mut fails = false;
                for (one, answer) in here.into_iter().zip(answers) {
                    fails |= self.finished(one, answer, 0, &mut luck);
                }
                self.rest_if(fails, &mut luck);
            }
        });
    }

    /// A deployment is broken, the folder does not take what a handler writes, or the machine is at its limits: no job is to
    /// blame. All workers wait; then one tries again.
    fn hold_back(&self, room: &Arc<S::Room>, claim: &Claim, Hitch { doubt, doing, why, error }: Hitch) {
        let (tries, pause) = self.ready.hold_back(doubt);
        let name = &claim.name;
        match doubt {
            Doubt::Start => {
                self.troubles.with_all(doing, Some(&name.id), &error, Some(pause));
                self.return_to_inbox(room, claim, why);
            }
            // It may be that this one only needs more space than there is.
            Doubt::Keep => {
                let times = self.ready.times_passed_over(name) + 1;
                if self.options.drain && times >= PATIENCE_OF_A_DRAIN {
                    self.troubles.with_one(doing, &name.id, &error, None);
                    if self.hand_back(room, claim, why) {
                        self.put_aside(name, error.again());
                    }
                } else {
                    let pause = pause.max(pause_after(times));
                    self.troubles.with_one_at_length(doing, &name.id, &error, pause);
                    if self.hand_back(room, claim, why) {
                        self.ready.pass_over(name);
                    }
                }
            }
        }
        self.try_patience(tries, error);
    }

    /// A job goes back to its place among the others.
    fn return_to_inbox(&self, room: &Arc<S::Room>, claim: &Claim, why: &'static str) {
        if self.hand_back(room, claim, why) {
            self.troubles.done(&claim.name.id);
            self.ready.returned(&claim.name);
        }
    }

    /// Does what was concluded.
    fn settle(&self, unsettled: Box<Unsettled<Arc<S::Room>>>, tries: u32, luck: &mut Luck) {
        let Unsettled { room, claim, conclusion, .. } = &*unsettled;
        let answer = finish(self.store, room, claim, conclusion);
        let fails = self.finished(unsettled, answer, tries, luck);
        self.rest_if(fails, luck);
    }

    /// What comes of it. If it did not work it is put aside, to be tried again until it works, or the consumer or the patience of a
    /// drain ends: others may be settled meanwhile, if only one reply cannot be delivered. Whether this was its first failure.
    fn finished(
        &self,
        unsettled: Box<Unsettled<Arc<S::Room>>>,
        answer: Result<Option<bool>, Error>,
        tries: u32,
        luck: &mut Luck,
    ) -> bool {
        let Unsettled { room, claim, conclusion, began } = &*unsettled;
        match answer {
            Ok(counts) => {
                luck.unsettled = 0;
                self.aside.store(0, Ordering::Release);
                match conclusion {
                    Conclusion::Settle(outcome) => {
                        self.settled(claim, outcome, counts == Some(true), Some(began.elapsed()));
                    }
                    Conclusion::Postpone(due, attempt) => self.postponed(claim, *due, attempt),
                }
                false
            }
            // It never will be: what is here is another drop folder.
            Err(e) if e.kind() == ErrorKind::Elsewhere => {
                self.leave(Doing::Settle, claim, &e);
                false
            }
            Err(e) => {
                let tries = tries + 1;
                let pause = pause_after(tries);
                let again = self.may_try_again(Doing::Settle, room, claim, tries, e);
                if again {
                    self.ready.again(Task::Settle(unsettled), tries, pause);
                }
                again && tries == 1
            }
        }
    }

    /// Only when something fails for the first time: who pauses until it is due again gets to nothing else.
    fn rest_if(&self, fails: bool, luck: &mut Luck) {
        if fails {
            luck.unsettled += 1;
            self.ready.pause(self.rest_after(luck.unsettled));
        }
    }

    /// Whether it is in the inbox again. Else it was parted with.
    fn hand_back(&self, room: &Arc<S::Room>, claim: &Claim, why: &'static str) -> bool {
        let mut tries = 0;
        loop {
            match self.store.release(room, claim) {
                Ok(()) => {
                    self.count(|tally| tally.handed_back += 1);
                    self.tell(&Event::HandedBack { id: &claim.name.id, attempt: claim.name.attempt, why });
                    return true;
                }
                // Our room is gone: others have taken the claim over.
                Err(e) if !Arc::ptr_eq(room, &self.room()) => {
                    self.leave(Doing::HandBack, claim, &e);
                    return false;
                }
                Err(e) => {
                    tries += 1;
                    if !self.may_try_again(Doing::HandBack, room, claim, tries, e) {
                        return false;
                    }
                    self.ready.pause(pause_after(tries));
                }
            }
        }
    }

    /// Whether to try again, after the pause. If not, the claim is parted with.
    fn may_try_again(&self, doing: Doing, room: &Arc<S::Room>, claim: &Claim, tries: u32, e: Error) -> bool {
        let out_of_patience = self.options.drain && tries >= PATIENCE_OF_A_DRAIN;
        if !self.is_cut() && !out_of_patience {
            self.trouble(doing.words(), Some(&claim.name.id), &e, Some(pause_after(tries)));
            return true;
        }
        self.trouble(doing.words(), Some(&claim.name.id), &e, None);
        // A full disk takes no outcome, but it still renames. The job goes back, uncounted: it must not be taken for one whose
        // consumers vanish.
        let back = doing == Doing::Settle && self.store.release(room, claim).is_ok();
        self.count(|tally| if back { tally.handed_back += 1 } else { tally.left += 1 });
        if back {
            let (id, attempt) = (&claim.name.id, claim.name.attempt);
            self.tell(&Event::HandedBack { id, attempt, why: "its outcome could not be written" });
        }
        if self.is_cut() {
            self.done(&claim.name);
        } else {
            self.put_aside(&claim.name, e);
        }
        false
    }

    /// Leaves a claim where it is. Recovery will see to it, when our presence is gone.
    fn leave(&self, doing: Doing, claim: &Claim, e: &Error) {
        self.trouble(doing.words(), Some(&claim.name.id), e, None);
        self.count(|tally| tally.left += 1);
        self.done(&claim.name);
    }

    fn settled(&self, claim: &Claim, outcome: &Outcome, counts: bool, took: Option<Duration>) {
        let problem = outcome.problem();
        self.count(|tally| match (counts, problem.as_ref().map(|problem| problem.kind.as_str())) {
            (false, _) => tally.superseded += 1,
            (true, None) => tally.succeeded += 1,
            (true, Some(Problem::INVALID)) => tally.invalid += 1,
            (true, Some(Problem::EXPIRED)) => tally.expired += 1,
            (true, Some(_)) => tally.failed += 1,
        });
        let id: &Id = &claim.name.id;
        let why = problem.as_ref().map(Problem::in_words);
        let (attempt, problem) = (claim.name.attempt, why.as_deref());
        let disposition = outcome.disposition;
        self.tell(&Event::Settled { id, attempt, disposition, problem, counts, took });
        self.done(&claim.name);
    }

    fn postponed(&self, claim: &Claim, due: Millis, attempt: &Attempt) {
        self.count(|tally| tally.postponed += 1);
        let problem = &attempt.problem.in_words();
        let (id, attempt) = (&claim.name.id, attempt.attempt);
        self.tell(&Event::Postponed { id, attempt, due, problem });
        self.done(&claim.name);
        // The keeper has to learn when it is due.
        self.stopper.bell().ring();
    }
}
