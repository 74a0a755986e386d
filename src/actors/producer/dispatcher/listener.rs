//! The one thread: arm the watch, look, hand out, wait for a hint or a deadline, look again.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::Shared;
use super::desk::{Desk, Post};
use crate::ports::{Interest, Store, Watch};
use crate::words::{Error, ErrorKind, Id};

/// The first safety rescan of a watch that hears; each doubles the pause, until somebody new waits.
pub(super) const FIRST_RESCAN: Duration = Duration::from_secs(1);
/// The longest pause between safety rescans.
const LAST_RESCAN: Duration = Duration::from_secs(30);
/// A look at no more ids than this is followed by no rest.
const FEW: usize = 64;
/// How long it goes on looking where it could look before. What has never worked is told at once.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it stays when nobody waits any more.
const LINGER: Duration = Duration::from_secs(1);
/// The longest rest after a look, however long the look took.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// Serves all who wait, until nobody does for a while.
pub(super) fn attend<S: Store>(shared: &Shared<S>) {
    let _lest_all_wait_for_ever = Close(shared);
    loop {
        match (shared.watcher)(&shared.bell) {
            Ok((watch, chosen)) => {
                tracing::debug!(mode = ?chosen.mode, why = chosen.why, "waiting for outcomes");
                let (next_rescan, worked, troubled) = (Instant::now(), false, None);
                let armed = None;
                Listener { shared, watch, rescan: FIRST_RESCAN, next_rescan, worked, troubled, armed }
                    .serve();
                shared.desk().post = Post::default();
            }
            Err(e) => shared.desk().refuse(&e),
        }
        // The watch is closed by now, so that there is never more than one.
        let mut desk = shared.desk();
        if desk.is_empty() {
            desk.attended = false;
            return;
        }
    }
}

struct Close<'a, S>(&'a Shared<S>);

impl<S> Drop for Close<'_, S> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.desk().close();
        }
    }
}

struct Listener<'a, S> {
    shared: &'a Shared<S>,
    watch: Box<dyn Watch>,
    rescan: Duration,
    next_rescan: Instant,
    /// A look has worked.
    worked: bool,
    /// Since when the system does not let us look.
    troubled: Option<Instant>,
    /// When all folders of the post were last armed.
    armed: Option<Instant>,
}

impl<S: Store> Listener<'_, S> {
    fn serve(mut self) {
        let mut rang = true;
        loop {
            // Whoever comes while it lingers rings; and then the time is another.
            rang |= self.shared.desk().is_empty();
            if !self.lingers() {
                return;
            }
            let looked = Instant::now();
            let everywhere = looked >= self.next_rescan;
            // With a deaf watch, a ring only says that somebody new is there.
            let all = everywhere || (rang && self.watch.hears());
            let round = {
                let mut desk = self.shared.desk();
                self.rescan_soon_for_newcomers(&desk, looked);
                desk.round(looked, all, everywhere)
            };
            let ids: Vec<Id> = round.everywhere.iter().chain(&round.at_home).cloned().collect();
            let hears = !all || self.arm(self.shared.store.hints(Interest::Outcomes(&ids)));
            let armed = Instant::now();
            let trouble = self.look(round.everywhere, true);
            let trouble = trouble.or(self.look(round.at_home, false));
            if !ids.is_empty() {
                self.see_to(trouble);
            }
            // What so few cost was spent on flushing what had come, and not on names that are not there.
            let rest = if ids.len() > FEW { armed.elapsed().min(LONGEST_REST) } else { Duration::ZERO };
            self.shared.desk().dismiss(looked);

            let calm = hears && self.troubled.is_none();
            let pause = if calm { self.rescan } else { self.shared.poll_interval };
            if everywhere {
                self.next_rescan = looked + pause;
                self.rescan = (self.rescan * 2).min(LAST_RESCAN);
            } else if !calm {
                self.next_rescan = self.next_rescan.min(looked + pause);
            }
            rang = self.wait(rest);
        }
    }

    /// Whether somebody waits, or comes before long: who calls once and again needs no new thread and watch each time.
    fn lingers(&self) -> bool {
        let until = Instant::now() + LINGER;
        loop {
            let mut desk = self.shared.desk();
            if !desk.is_empty() {
                return true;
            }
            desk.post.until = Some(until);
            drop(desk);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.shared.bell.wait(left);
        }
    }

    /// Whom a hint that is lost would cost most.
    fn rescan_soon_for_newcomers(&mut self, desk: &Desk, now: Instant) {
        if desk.has_newcomers() && self.watch.hears() {
            self.rescan = FIRST_RESCAN;
            self.next_rescan = self.next_rescan.min(now + FIRST_RESCAN);
        }
    }

    /// Waits for a ring, or until there is something to do; after a ring, rests. Whether it rang. If nobody waits, at once.
    fn wait(&mut self, rest: Duration) -> bool {
        let shared = self.shared;
        let mut desk = shared.desk();
        if desk.is_empty() {
            return false;
        }
        // Some came while it looked.
        self.rescan_soon_for_newcomers(&desk, Instant::now());
        let until = desk.next_deadline().map_or(self.next_rescan, |at| at.min(self.next_rescan));
        desk.post.until = Some(until);
        drop(desk);
        let patience = || until.saturating_duration_since(Instant::now());
        if !shared.bell.wait(patience()) {
            return false;
        }
        // Many outcomes ring many times: a look at many ids must not follow a look at many ids at once.
        if rest > Duration::from_millis(1) {
            thread::sleep(rest.min(patience()));
            // What rang meanwhile is seen by the look that follows, all of it.
            while !patience().is_zero() && shared.bell.wait(Duration::ZERO) {}
        }
        true
    }

    /// Hands out what there is of these. The trouble that the system made, as far as it may pass.
    fn look(&mut self, ids: Vec<Id>, everywhere: bool) -> Option<Error> {
        let (any, mut room, mut refused, mut trouble) = (!ids.is_empty(), true, false, None);
        let patient = self.worked && self.troubled.is_none_or(|since| since.elapsed() < PATIENCE);
        self.shared.store.outcomes(&ids, everywhere, &mut |id, answer| match answer {
            Err(e) if patient && e.kind() == ErrorKind::Io => {
                trouble.get_or_insert(e);
                ControlFlow::Continue(())
            }
            answer => {
                refused |= answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::Io);
                room = self.shared.desk().deliver(id, answer);
                if room { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
        });
        if !room {
            self.shared.desk().put_off(ids);
            self.shared.bell.ring();
        }
        self.worked |= any && !refused && trouble.is_none();
        trouble
    }

    /// Says when trouble begins and when it is over.
    fn see_to(&mut self, trouble: Option<Error>) {
        match (trouble, self.troubled) {
            (Some(e), None) => {
                self.troubled = Some(Instant::now());
                tracing::warn!(error = %e, "cannot look for outcomes; trying again for {PATIENCE:?}");
            }
            (None, Some(since)) => {
                self.troubled = None;
                tracing::info!("can look for outcomes again, after {:.1?}", since.elapsed());
            }
            _ => {}
        }
    }

    /// Arms what is there; the rest at the next look. Whether a hint may come.
    fn arm(&mut self, folders: Vec<PathBuf>) -> bool {
        let mut hears = self.watch.hears();
        if !hears {
            return false;
        }
        // A folder may have been removed and made again, but not all the time.
        let recently = self.armed.is_some_and(|at| at.elapsed() < FIRST_RESCAN);
        let mut desk = self.shared.desk();
        if recently && folders.iter().all(|folder| desk.post.folders.contains(folder)) {
            return true;
        }
        desk.post.folders.clear();
        drop(desk);
        self.armed = Some(Instant::now());
        let mut armed = Vec::with_capacity(folders.len());
        for (nth, folder) in folders.iter().enumerate() {
            let Err(e) = self.watch.arm(folder) else {
                armed.push(folder.clone());
                continue;
            };
            // The day may not have come yet; its making will ring. Any other error makes us deaf there.
            if nth == 0 || e.kind() != ErrorKind::NotFound {
                hears = false;
                if !self.shared.said_deaf.swap(true, Ordering::Relaxed) {
                    let every = self.shared.poll_interval;
                    tracing::warn!(error = %e, "cannot watch for outcomes; looking every {every:?} until that works");
                }
            }
        }
        if hears {
            self.shared.desk().post.folders = armed;
        }
        if hears && self.shared.said_deaf.swap(false, Ordering::Relaxed) {
            tracing::info!("watching for outcomes again");
        }
        hears && !folders.is_empty()
    }
}
