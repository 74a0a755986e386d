//! The keeper: recovers what the dead left, listens, and sees to the end.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::floor::Floor;
use super::stop::Stage;
use super::worker::SCAN;
use crate::actors::news::News;
use crate::actors::observer::Event;
use crate::actors::recovery_rest;
use crate::ports::{Broom, Host, Interest, Promotion, Store, Takeover, Vigil, Watch};
use crate::words::{DeliveryKind, Error, InboxName, Result, pause_after};

const WATCH: &str = "watch a folder";
const RECOVER: &str = "recover what absent consumers left";
const PROMOTE: &str = "move delayed jobs that are due";
const SWEEP: &str = "sweep";

/// The pause before a safety rescan, where there are notifications: doubled each time that it finds nothing.
const FIRST_RESCAN: Duration = Duration::from_secs(1);
const LAST_RESCAN: Duration = Duration::from_secs(30);
/// Whoever has something for the keeper rings.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// What is due is moved in such portions, so that a beat of the keeper stays short.
const PROMOTE_AT_ONCE: usize = 10_000;
/// How old, at least, and how many times its own cost a look at the delayed jobs must be before a ring is followed by another.
const PROMOTION_PAUSE: Duration = Duration::from_millis(20);
const PROMOTION_REST: u32 = 10;
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// After one that failed.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);
/// How long a portion of a sweep takes at most: nothing is recovered meanwhile.
const SWEEP_AT_ONCE: Duration = Duration::from_millis(200);
/// How many times its own cost a portion must be old before the next one.
const SWEEP_REST: u32 = 10;
/// How many names a drain looks at, at first, to see whether there is a job among them.
const GLANCE: usize = 16;

pub(super) struct Keeper<'a, S: Store, H: Host> {
    floor: &'a Floor<'a, S, H>,
    watch: Box<dyn Watch>,
    vigil: Vigil,
    news: News,
    hears: bool,
    rescan: Duration,
    /// What had been given out at the last rescan.
    given: u64,
    /// Recoveries that failed in a row.
    failures: u32,
    /// A drain's last looks that failed in a row, and when the next one may be.
    failed_looks: u32,
    look_after: Option<Instant>,
    /// When a ring may be followed by another recovery.
    recovery_rest: Instant,
    /// The look of the porter's that a drain waits for.
    porters_look: Option<u64>,
    /// A drain is at its end: its workers end.
    drained: bool,
    /// When delayed jobs may be looked at again after a ring.
    promotion_rest: Instant,
    promotion_due: Instant,
    cut_at: Option<Instant>,
    recovery_due: Instant,
    rescan_due: Instant,
    sweep_due: Instant,
    /// It was told that more of a sweep is to follow.
    sweep_goes_on: bool,
}

impl<'a, S: Store, H: Host> Keeper<'a, S, H> {
    pub(super) fn new(floor: &'a Floor<'a, S, H>, watch: Box<dyn Watch>) -> Self {
        let now = Instant::now();
        Self {
            floor,
            watch,
            vigil: Vigil::default(),
            news: News::default(),
            hears: false,
            rescan: FIRST_RESCAN,
            given: u64::MAX,
            failures: 0,
            failed_looks: 0,
            look_after: None,
            recovery_rest: now,
            porters_look: None,
            drained: false,
            promotion_rest: now,
            promotion_due: now,
            cut_at: None,
            recovery_due: now,
            rescan_due: now,
            sweep_due: now + floor.options.first_sweep.min(SWEEP_EVERY),
            sweep_goes_on: false,
        }
    }

    /// Keeps until all workers have ended.
    pub(super) fn keep(mut self) {
        // Armed before the first scan: what comes after that scan rings.
        self.rescan(Instant::now());
        loop {
            let now = Instant::now();
            self.see_to_the_end(now);
            if self.floor.live.load(Ordering::Acquire) == 0 {
                return;
            }
            let running = !self.floor.is_stopping();
            if running {
                self.look_after_others(now);
            }
            if self.floor.stopper.bell().wait(self.pause(running)) {
                self.heard();
            } else if running && Instant::now() >= self.rescan_due {
                self.rescan(Instant::now());
            }
        }
    }

    fn look_after_others(&mut self, now: Instant) {
        if now >= self.sweep_due && !self.floor.options.drain {
            self.sweep();
        }
        if now >= self.recovery_due {
            self.recover(now);
        }
        if now >= self.promotion_due {
            // That it did not work was told, and it is due again.
            let _ = self.promote();
        }
        if self.floor.options.drain && !self.drained {
            self.end_if_drained(now);
        }
    }

    /// How long nothing is due.
    fn pause(&self, running: bool) -> Duration {
        let now = Instant::now();
        let mut due = self.cut_at.unwrap_or(now + IDLE);
        if running {
            due = self.look_after.map_or(due, |look| due.min(look));
            due = due.min(self.recovery_due).min(self.rescan_due).min(self.promotion_due);
            due = if self.floor.options.drain { due } else { due.min(self.sweep_due) };
        }
        due.saturating_duration_since(now)
    }

    /// Something may have changed: a new job, a birth or a death, a worker, a stop.
    fn heard(&mut self) {
        self.pass_on_renamed();
        if self.floor.pulse.has_moved() {
            self.rescan(Instant::now());
        }
        // A drain that is idle looks for itself, lest its workers' looks ring for each other for ever.
        if !(self.floor.options.drain && self.floor.ready.activity().1) {
            self.floor.ready.mark();
        }
        self.recover_by(self.recovery_rest);
        self.promotion_due = self.promotion_due.min(self.promotion_rest);
    }

    /// Only those in the inbox: a name in a room, or a delayed one, is ours.
    fn pass_on_renamed(&mut self) {
        let renamed = self.watch.renamed();
        if renamed.is_empty() {
            return;
        }
        let inbox = |path: &PathBuf| path.parent().is_some_and(|parent| parent.ends_with("inbox"));
        let names = renamed.into_iter().filter(|(path, _)| inbox(path));
        self.floor.gate.renamed(names.filter_map(|(path, was)| Some((path.file_name()?.to_owned(), was))));
        self.floor.gate.poke();
    }

    /// Looks without having been told. The watch is armed first, and anew: its folder may have been made again.
    fn rescan(&mut self, now: Instant) {
        self.hears = self.watch.hears() && self.arm();
        let given = self.floor.ready.activity().0;
        // What was given out since the last rescan shows that this one is worth its cost: hints may be lost.
        self.rescan = if given == self.given { (self.rescan * 2).min(LAST_RESCAN) } else { FIRST_RESCAN };
        self.given = given;
        self.floor.ready.mark();
        self.recover_by(now);
        self.promotion_due = self.promotion_due.min(self.promotion_rest);
        self.rescan_due = now + if self.hears { self.rescan } else { self.floor.options.poll_interval };
    }

    fn arm(&mut self) -> bool {
        let folders = self.floor.store.hints(Interest::Ready);
        let mut hears = !folders.is_empty();
        for folder in &folders {
            if let Err(e) = self.watch.arm(folder) {
                let retry_in = Some(self.floor.options.poll_interval);
                self.floor.trouble(WATCH, None, &e, retry_in);
                hears = false;
            }
        }
        if hears {
            self.floor.troubles.works(WATCH);
        }
        hears
    }

    /// Moves what is due to the inbox. Whether anything was.
    fn promote(&mut self) -> Result<bool> {
        let began = Instant::now();
        let answer = self.floor.store.promote(PROMOTE_AT_ONCE);
        let now = Instant::now();
        self.promotion_rest = now + ((now - began) * PROMOTION_REST).max(PROMOTION_PAUSE);
        match answer {
            Ok(Promotion { moved, next }) => {
                self.floor.troubles.works(PROMOTE);
                // The wall clock may be set meanwhile: the safety rescan looks again.
                let pause = next.map(|due| due.since(self.floor.host.now()));
                self.promotion_due = now + pause.unwrap_or(IDLE).min(IDLE);
                if moved > 0 {
                    self.floor.ready.mark();
                }
                Ok(moved > 0)
            }
            Err(e) => {
                self.promotion_rest = now + FIRST_RESCAN;
                self.promotion_due = self.promotion_rest;
                self.floor.trouble(PROMOTE, None, &e, Some(FIRST_RESCAN));
                Err(e)
            }
        }
    }

    /// `None` if it did not work.
    fn recover(&mut self, now: Instant) -> Option<Takeover> {
        let began = Instant::now();
        let answer = self.floor.store.recover(&self.floor.room(), &mut self.vigil);
        let ended = Instant::now();
        self.recovery_rest = ended + recovery_rest(ended - began);
        match answer {
            Ok(takeover) => {
                self.failures = 0;
                self.floor.troubles.works(RECOVER);
                // A minute at most: somebody may vanish who was never seen here.
                let again = takeover.look_again.unwrap_or(Duration::MAX).min(2 * LAST_RESCAN);
                self.recovery_due = ended + again.max(Duration::from_millis(5));
                self.news.tell(self.floor.observer, &takeover);
                if takeover.returned + takeover.admitted > 0 {
                    self.floor.ready.mark();
                }
                Some(takeover)
            }
            Err(e) => {
                self.failures += 1;
                let pause = pause_after(self.failures);
                self.recovery_due = now + pause;
                self.floor.trouble(RECOVER, None, &e, Some(pause));
                self.floor.lose_patience(self.failures, e);
                None
            }
        }
    }

    /// Whether the pause after a failure is not over.
    fn is_resting(&self, now: Instant) -> bool {
        (self.failures > 0 && now < self.recovery_due) || self.look_after.is_some_and(|due| now < due)
    }

    /// Something may be there to recover: at this time at the latest, but not before the pause after a failure is over.
    fn recover_by(&mut self, due: Instant) {
        if self.failures == 0 {
            self.recovery_due = self.recovery_due.min(due);
        }
    }

    fn sweep(&mut self) {
        let began = Instant::now();
        let mut broom = Broom {
            dry_run: false,
            keep: None,
            budget: SWEEP_AT_ONCE,
            each: &mut |path| {
                tracing::trace!(path = %path.display(), "swept");
            },
        };
        let answer = self.floor.store.sweep(&mut broom);
        let now = Instant::now();
        self.sweep_due = now + SWEEP_EVERY;
        match answer {
            Ok(swept) => {
                self.floor.troubles.works(SWEEP);
                if swept.unfinished {
                    self.sweep_due = now + (now - began) * SWEEP_REST;
                }
                let goes_on = std::mem::replace(&mut self.sweep_goes_on, swept.unfinished);
                if goes_on || swept.total() + swept.failed > 0 {
                    self.floor.tell(&Event::Swept(&swept));
                }
            }
            Err(e) => {
                self.sweep_due = now + SWEEP_AGAIN;
                self.floor.trouble(SWEEP, None, &e, Some(SWEEP_AGAIN));
            }
        }
    }

    /// A drain ends when nobody's claims are in doubt, then nothing is ready, and all the while no worker did anything.
    fn end_if_drained(&mut self, now: Instant) {
        // Each try counts against the patience, so none comes before its time.
        if self.is_resting(now) {
            return;
        }
        let (given, idle) = self.floor.ready.activity();
        if !idle {
            return;
        }
        // The last thing before the scan: what it returns to the inbox has to be seen.
        match self.recover(Instant::now()) {
            Some(takeover) if takeover.unjudged == 0 => {}
            _ => return,
        }
        match self.promote() {
            Ok(false) => {}
            Ok(true) => return,
            Err(e) => return self.look_again(e),
        }
        // What strangers dropped is a job soon, or waits for its first quiet period, once.
        let look = *self.porters_look.get_or_insert_with(|| self.floor.gate.ask());
        match self.floor.gate.was_clear(look) {
            None => return,
            Some(clear) => {
                self.porters_look = None;
                if !clear {
                    return;
                }
            }
        }
        let mut limit = GLANCE;
        let ready = loop {
            match self.floor.store.scan(limit) {
                Ok(scan) => {
                    (self.failed_looks, self.look_after) = (0, None);
                    let work =
                        |name: &InboxName| name.kind == DeliveryKind::Job && !self.floor.ready.is_aside(name);
                    let job = scan.names.iter().any(work);
                    if job || scan.beyond == 0 {
                        break job;
                    }
                    limit = limit.saturating_mul(4);
                }
                Err(e) => {
                    self.floor.trouble(SCAN, None, &e, Some(pause_after(self.failed_looks + 1)));
                    return self.look_again(e);
                }
            }
        };
        if ready {
            self.floor.ready.mark();
        } else if self.floor.ready.activity() == (given, true) {
            self.drained = true;
            // Many folders see nothing but drains.
            self.sweep();
            self.floor.tell(&Event::Drained);
            self.floor.ready.close();
        }
    }

    /// A drain could not see whether anything is left to do: it looks again later, but not for ever.
    fn look_again(&mut self, e: Error) {
        self.failed_looks += 1;
        self.look_after = Some(Instant::now() + pause_after(self.failed_looks));
        self.floor.lose_patience(self.failed_looks, e);
    }

    /// A stop closes the doors; when the grace is over, or at once, the handlers are ended.
    fn see_to_the_end(&mut self, now: Instant) {
        let stage = self.floor.stopper.stage();
        let in_flight = || self.floor.ready.in_flight();
        if stage != Stage::Run && self.cut_at.is_none() {
            self.floor.gate.end();
            self.floor.ready.close();
            self.floor.tell(&Event::Stopping { in_flight: in_flight() });
            // A grace beyond the clock's range is as good as a year.
            let grace = self.floor.options.grace.min(Duration::from_secs(365 * 86_400));
            self.cut_at = Some(now + grace);
        }
        let over = stage == Stage::Now || self.cut_at.is_some_and(|cut| now >= cut);
        if over && !self.floor.is_cut() {
            let in_flight = in_flight();
            if in_flight > 0 {
                self.floor.tell(&Event::CutShort { in_flight });
            }
            self.floor.cut.send_replace(true);
            self.floor.ready.cut();
        }
        if over {
            // Nothing more is due until the workers have ended.
            self.cut_at = Some(now + self.floor.options.grace.max(FIRST_RESCAN));
        }
    }
}
