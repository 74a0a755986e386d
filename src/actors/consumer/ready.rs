//! The names that are ready, shared by the workers of a consumer.
//!
//! A scan costs as much as the inbox is long, so it must not follow every job: its first names are kept as a window, and a
//! new scan is due when the window is empty and something may have changed, or when something did change and the last scan
//! is twenty times as old as it was long. So a new job of priority 0 is seen soon, and scanning costs a twentieth at most.
//!
//! Nor may the first job wait for it: a scan goes through four times as many names as the last one at most. Of a million that are
//! waiting, the first one sees four thousand, and a second or two later one has seen them all.

mod handed;

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::passed_over::PassedOver;
use super::task::{Again, Next, Task};
use super::{Doubt, HoldBack};
use crate::ports::Scan;
use crate::words::{DeliveryKind, InboxName, Result, Turns, pause_after};
use handed::Handed;

/// How many times its own cost a scan must be old before a change is followed by another while there is work left.
const REST: u32 = 20;
/// So many names of a scan are kept: some megabytes, and seconds of work, so that even the scan of a million does not come often.
const WINDOW: usize = 64 << 10;
/// So many names the first scan goes through, in a few milliseconds, and how many times as many the next one may.
const GLANCE: usize = 4 << 10;
const WIDER: usize = 4;
/// With so many outcomes that could not be settled, no more jobs are handled.
const MOST_UNSETTLED: usize = 64;

/// The names that are ready. `R` is a consumer's room.
pub(super) struct Ready<R> {
    state: Mutex<State<R>>,
    /// There may be something to do, or an end.
    changed: Condvar,
    /// There is an end.
    ending: Condvar,
    /// Something was handed over, or there is an end.
    handing: Condvar,
}

struct State<R> {
    window: Turns,
    limit: usize,
    /// How many names the next scan goes through.
    most: usize,
    /// Something may have changed since the last scan began.
    dirty: bool,
    scanning: bool,
    scanned: Option<Scanned>,
    /// How many scans failed, one after the other, and when the next one may begin.
    failures: u32,
    scan_after: Instant,
    /// Names that a worker has, or that are to be tried again: what a scan tells of them is old.
    held: HashSet<InboxName>,
    /// Those among them that a drain has given up: they are nobody's work any more.
    aside: HashSet<InboxName>,
    again: Vec<Again<R>>,
    handed: Handed<R>,
    passed: PassedOver,
    /// How many names were given out.
    given: u64,
    /// Something was done or looked for since a worker last said that there is nothing to do.
    busy: bool,
    hold: HoldBack,
    /// Until when names may be given out, if there is an end to it.
    trusted_until: Option<Instant>,
    closed: bool,
    cut: bool,
}

struct Scanned {
    at: Instant,
    cost: Duration,
    /// There were more than fitted the window, or than it went through.
    more: bool,
    /// It did not go through all names.
    cut_short: bool,
}

impl<R> Ready<R> {
    /// `seed` is nobody else's.
    pub(super) fn new(seed: u64) -> Self {
        let state = State {
            window: Turns::of(seed),
            limit: WINDOW,
            most: GLANCE,
            dirty: true,
            scanning: false,
            scanned: None,
            failures: 0,
            scan_after: Instant::now(),
            held: HashSet::new(),
            aside: HashSet::new(),
            again: Vec::new(),
            handed: Handed::default(),
            passed: PassedOver::default(),
            given: 0,
            busy: true,
            hold: HoldBack::default(),
            trusted_until: None,
            closed: false,
            cut: false,
        };
        let (changed, ending, handing) = (Condvar::new(), Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), changed, ending, handing }
    }

    /// Waits for something to do. `idle` is called when there was something, and now nothing is left here.
    /// `scan` keeps so many names of the first so many that it goes through.
    pub(super) fn next(&self, scan: impl Fn(usize, usize) -> Result<Scan>, idle: impl Fn()) -> Next<R> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            // At the end, what was handled is to be settled as long as there is time, and tried a last time when that is over. What
            // may have been taken is to be let go at once.
            let last = |again: &Again<R>| state.cut || (state.closed && matches!(again.task, Task::Take(..)));
            let due = |again: &Again<R>| again.due <= now || last(again);
            if let Some(due) = state.again.iter().position(|again| due(again) && state.may_give(again, now)) {
                state.given += 1;
                return Next::Again(state.again.swap_remove(due));
            }
            if state.closed && state.again.is_empty() && state.handed.is_empty() {
                return Next::Closed;
            }
            if state.closed || !state.may_begin(now) {
                state = self.wait(state, now);
                continue;
            }
            if state.wants_scan(now) {
                state.scanning = true;
                // Before the scan: what changes while it runs may escape it.
                state.dirty = false;
                state.busy = true;
                let (limit, most) = (state.limit, state.most);
                drop(state);
                let found = scan(limit, most);
                let cost = now.elapsed();
                state = self.lock();
                state.scanning = false;
                self.changed.notify_all();
                match found {
                    Ok(found) => state.install(found, cost),
                    Err(e) => {
                        state.dirty = true;
                        state.failures += 1;
                        let pause = pause_after(state.failures);
                        state.scan_after = Instant::now() + pause;
                        return Next::Trouble(e, state.failures, pause);
                    }
                }
                continue;
            }
            let others = !state.window.is_empty();
            if let Some(name) = state.passed.next(others, now).or_else(|| state.window.next()) {
                if !state.held.insert(name.clone()) {
                    continue;
                }
                state.given += 1;
                state.hold.began(now);
                return Next::New(name);
            }
            if state.busy && state.is_idle() {
                state.busy = false;
                idle();
            }
            state = self.wait(state, now);
        }
    }

    /// `now` is when it was found that there is nothing to do.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State<R>>, now: Instant) -> MutexGuard<'a, State<R>> {
        let may_scan = !state.scanning && !state.closed && state.may_begin(now);
        let scan = if state.failures > 0 { Some(state.scan_after) } else { state.look_again() };
        let scan = scan.filter(|_| may_scan);
        let held_back = state.hold.until(now).filter(|_| !state.closed);
        let again = state.again.iter().filter(|again| state.may_give(again, now)).map(|again| again.due);
        // While it may not begin, something else is waited for first.
        let passed = state.passed.due().filter(|_| !state.closed && state.may_begin(now));
        match again.chain(scan).chain(held_back).chain(passed).min() {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(due) => {
                let left = due.saturating_duration_since(Instant::now());
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Something may have changed: a scan is due.
    pub(super) fn mark(&self) {
        self.lock().dirty = true;
        self.changed.notify_one();
    }

    /// Names may be given out until then, and not after it.
    pub(super) fn trust_until(&self, until: Instant) {
        self.lock().trusted_until = Some(until);
        self.changed.notify_all();
    }

    /// This did not work, and no job is to blame: no names are given out for a while, and then one. How often that has happened
    /// now, and how long the pause is.
    pub(super) fn hold_back(&self, doubt: Doubt) -> (u32, Duration) {
        self.lock().hold.hitch(doubt, Instant::now())
    }

    /// The name that was given out to see whether it works again did not get so far: the next one may.
    pub(super) fn go_on_trying(&self) {
        self.go_on_if(HoldBack::found_nothing);
    }

    /// A handler has started.
    pub(super) fn started(&self) {
        self.go_on_if(HoldBack::started);
    }

    /// A job was handled.
    pub(super) fn handled(&self) {
        self.go_on_if(HoldBack::ended);
    }

    fn go_on_if(&self, changes: impl FnOnce(&mut HoldBack) -> bool) {
        if changes(&mut self.lock().hold) {
            self.changed.notify_all();
        }
    }

    /// Whether names may not be given out any more.
    pub(super) fn is_fenced(&self) -> bool {
        self.lock().is_fenced(Instant::now())
    }

    /// A name that was given out was there, or another's.
    pub(super) fn tried(&self, name: &InboxName, lost: bool) {
        let window = &mut self.lock().window;
        if lost { window.lost(name) } else { window.won(name) }
    }

    /// A name is settled, lost, or left.
    pub(super) fn done(&self, name: &InboxName) {
        let mut state = self.lock();
        state.held.remove(name);
        state.passed.forget(name);
        state.busy = true;
    }

    /// A name is given up, wherever it is: it is not given out again, and does not keep a drain from its end.
    pub(super) fn put_aside(&self, name: &InboxName) {
        let mut state = self.lock();
        state.held.insert(name.clone());
        state.aside.insert(name.clone());
        state.passed.forget(name);
        state.busy = true;
    }

    /// Whether it was given up.
    pub(super) fn is_aside(&self, name: &InboxName) -> bool {
        self.lock().aside.contains(name)
    }

    /// A name is in the inbox again.
    pub(super) fn returned(&self, name: &InboxName) {
        self.done(name);
        self.mark();
    }

    /// A name is in the inbox again, because what its handler wrote could not be kept: others go first.
    pub(super) fn pass_over(&self, name: &InboxName) {
        let mut state = self.lock();
        state.held.remove(name);
        (state.busy, state.dirty) = (true, true);
        self.changed.notify_one();
        state.passed.add(name.clone(), Instant::now());
    }

    /// How often that was so by now.
    pub(super) fn times_passed_over(&self, name: &InboxName) -> u32 {
        self.lock().passed.times(name)
    }

    /// Something did not work, for the `tries`th time: after a pause it is to be tried again. Its name is held till then.
    pub(super) fn again(&self, task: Task<R>, tries: u32, pause: Duration) {
        self.lock().again.push(Again { task, tries, due: Instant::now() + pause });
        self.changed.notify_one();
    }

    /// What did not work is tried again now.
    pub(super) fn hurry(&self) {
        let now = Instant::now();
        self.lock().again.iter_mut().for_each(|again| again.due = again.due.min(now));
        self.changed.notify_all();
    }

    /// How many names were given out so far, and whether none is out or waiting to be.
    pub(super) fn activity(&self) -> (u64, bool) {
        let state = self.lock();
        (state.given, state.is_idle())
    }

    /// How many names are out.
    pub(super) fn in_flight(&self) -> usize {
        let state = self.lock();
        state.held.len().saturating_sub(state.again.len() + state.aside.len())
    }

    /// Nothing is given out any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
        self.ending.notify_all();
        self.handing.notify_all();
    }

    /// Ends all pauses.
    pub(super) fn cut(&self) {
        self.lock().cut = true;
        self.changed.notify_all();
        self.ending.notify_all();
    }

    /// A worker's pause after trouble, ended early by the end of the work.
    pub(super) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        let closed = state.closed;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // Who has something to settle goes on trying after the close, until the cut.
            if left.is_zero() || state.cut || state.closed != closed {
                return;
            }
            state = self.ending.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> State<R> {
    fn is_idle(&self) -> bool {
        let nothing_known = self.window.is_empty() && self.look_again().is_none();
        self.held.len() == self.aside.len() && self.passed.is_empty() && nothing_known && !self.scanning
    }

    fn is_fenced(&self, now: Instant) -> bool {
        self.trusted_until.is_some_and(|until| now >= until)
    }

    /// Whether another name may be given out.
    fn may_begin(&self, now: Instant) -> bool {
        self.may_go_on(now) && self.handed.has_space()
    }

    /// Whether one may be, once there is space for what is handled.
    fn may_go_on(&self, now: Instant) -> bool {
        !self.is_fenced(now) && self.hold.may_begin(now) && self.unsettled() < MOST_UNSETTLED
    }

    /// Who may be taken for dead takes nothing more. What it has may be settled: the slot decides.
    fn may_give(&self, again: &Again<R>, now: Instant) -> bool {
        matches!(again.task, Task::Settle(_)) || self.closed || !self.is_fenced(now)
    }

    fn unsettled(&self) -> usize {
        self.again.iter().filter(|again| matches!(again.task, Task::Settle(_))).count()
    }

    fn wants_scan(&self, now: Instant) -> bool {
        if self.scanning || (self.failures > 0 && now < self.scan_after) {
            return false;
        }
        let Some(last) = &self.scanned else { return true };
        if self.window.is_empty() && (self.dirty || last.more) {
            return true;
        }
        let old = self.dirty || last.cut_short || (self.window.is_old() && !self.window.is_empty());
        (old || self.window.has_passed_over()) && now >= last.at + last.cost * REST
    }

    /// When to look for names that were passed over, if nothing else is left.
    fn look_again(&self) -> Option<Instant> {
        let last = self.scanned.as_ref().filter(|_| self.window.has_passed_over())?;
        Some(last.at + last.cost * REST)
    }

    fn install(&mut self, found: Scan, cost: Duration) {
        self.failures = 0;
        // Delivered outcomes are for who collects them.
        let known = |name: &InboxName| self.held.contains(name) || self.passed.contains(name);
        let mine = |name: &InboxName| name.kind == DeliveryKind::Job && !known(name);
        self.window.renew(found.names.into_iter().filter(mine));
        let cut_short = found.cut_short;
        if found.beyond > 0 && !cut_short && self.window.is_empty() {
            // What we cannot take fills the window: look beyond it.
            self.limit = self.limit.saturating_mul(2);
        }
        self.most = found.seen.saturating_mul(WIDER).max(GLANCE);
        let more = found.beyond > 0 || cut_short;
        self.scanned = Some(Scanned { at: Instant::now(), cost, more, cut_short });
    }
}

#[cfg(test)]
mod tests;
