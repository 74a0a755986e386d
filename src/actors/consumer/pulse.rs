//! The pulse: says that the consumer is alive, on a thread of its own, and keeps the workers from new jobs when nobody was
//! told so for too long.
//!
//! The keeper may take long over a recovery, and an observer over a line of a log; others would take the consumer for dead.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::PATIENCE_OF_A_DRAIN;
use super::floor::{Floor, lock};
use crate::actors::heart::{BEAT, REGISTER, beat_interval};
use crate::actors::observer::Event;
use crate::ports::{Beat, Bell, Host, Progress, Store};
use crate::words::Error;

/// Leases may be longer than the clock's range; a year is as good.
const LONGEST_LEASE: Duration = Duration::from_secs(365 * 86_400);

/// What was settled when, for the minute before a beat.
#[derive(Default)]
struct Tempo(VecDeque<(Instant, u64)>);

impl Tempo {
    const SPAN: Duration = Duration::from_secs(60);

    fn measure(&mut self, now: Instant, settled: u64) -> Progress {
        self.0.push_back((now, settled));
        // The last one that is a minute old stays: it is where the minute began.
        while self.0.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= Self::SPAN) {
            self.0.pop_front();
        }
        let first = self.0.front().filter(|(at, _)| now.saturating_duration_since(*at) >= Self::SPAN);
        Progress { settled, a_minute_ago: first.map_or(0, |(_, settled)| *settled) }
    }
}

/// How others reach the pulse.
#[derive(Default)]
pub(super) struct Pulse {
    bell: Bell,
    over: AtomicBool,
    /// It has another room than before: what it listened to may be gone, too.
    moved: AtomicBool,
}

impl Pulse {
    /// Beats now: the room may be gone.
    pub(super) fn check(&self) {
        self.bell.ring();
    }

    /// Whether there is another room since this was last asked.
    pub(super) fn has_moved(&self) -> bool {
        self.moved.swap(false, Ordering::AcqRel)
    }

    /// No beat is needed any more.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.bell.ring();
    }
}

impl<S: Store, H: Host> Floor<'_, S, H> {
    /// Beats until the end. `rooms` are all that this consumer ever had; the last one is the one for new claims.
    pub(super) fn beat_on(&self, rooms: &mut Vec<Arc<S::Room>>) {
        let mut tempo = Tempo::default();
        // It was evicted, and could not register anew yet.
        let mut homeless = false;
        let mut failures = 0;
        let mut pause = beat_interval(self.options.lease);
        loop {
            self.pulse.bell.wait(pause);
            if self.pulse.over.load(Ordering::Acquire) {
                return;
            }
            // A room before this one, in which nothing is in hand any more, is let go of: others see to what is left in it.
            rooms.retain(|room| Arc::strong_count(room) > 1);
            let progress = tempo.measure(Instant::now(), lock(&self.tally).settled());
            let (doing, answer) = self.beat(rooms, progress, &mut homeless);
            pause = beat_interval(self.options.lease);
            match answer {
                Ok(()) => {
                    failures = 0;
                    [BEAT, REGISTER].iter().for_each(|doing| self.troubles.works(doing));
                }
                Err(e) => {
                    failures += 1;
                    pause = pause.min(Duration::from_secs(1));
                    self.trouble(doing, None, &e, Some(pause));
                    // A drain that may not take anything any more would wait for ever.
                    if self.options.drain && failures >= PATIENCE_OF_A_DRAIN && self.ready.is_fenced() {
                        self.give_up(e);
                    }
                }
            }
        }
    }

    fn beat(
        &self,
        rooms: &mut Vec<Arc<S::Room>>,
        progress: Progress,
        homeless: &mut bool,
    ) -> (&'static str, Result<(), Error>) {
        // Before the beat: who judges us counts from the moment in which it is written.
        let began = Instant::now();
        let room = self.room();
        match self.store.beat(&room, progress) {
            // A disk that was unmounted is there again, perhaps, and in the room is what was in hand.
            Ok(Beat::Alive) => {
                self.trust_from(began);
                if std::mem::take(homeless) {
                    self.settle_in();
                }
                return ("", Ok(()));
            }
            Ok(Beat::Evicted) if *homeless => {}
            Ok(Beat::Evicted) => {
                *homeless = true;
                self.ready.trust_until(began);
                self.tell(&Event::Evicted);
            }
            Err(e) => return (BEAT, Err(e)),
        }
        // Here, on the floor, and in the list: nobody has anything in hand there. A disk that somebody wants to unmount waits for
        // its descriptors.
        if Arc::strong_count(&room) == 3 {
            self.store.abandon(&room);
        }
        let began = Instant::now();
        match self.store.register(&self.options.name, self.options.lease) {
            Ok(room) => {
                let room = Arc::new(room);
                self.introduce(&room);
                // What is in flight ends in the room that it was claimed into.
                *lock(&self.room) = room.clone();
                rooms.push(room);
                *homeless = false;
                self.trust_from(began);
                self.settle_in();
                ("", Ok(()))
            }
            Err(e) => (REGISTER, Err(e)),
        }
    }

    /// It has a room: what waited for one can go on.
    fn settle_in(&self) {
        self.tell(&Event::Registered { consumer: &self.options.name });
        self.ready.hurry();
        self.ready.mark();
        self.pulse.moved.store(true, Ordering::Release);
        self.stopper.bell().ring();
    }

    /// A beat was seen to work that began then. New jobs may be taken until it is three quarters of a lease old: the last
    /// quarter is for a claim that is under way.
    pub(super) fn trust_from(&self, began: Instant) {
        self.ready.trust_until(began + self.options.lease.min(LONGEST_LEASE) / 4 * 3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_ago_is_a_minute_ago() {
        let (mut tempo, start) = (Tempo::default(), Instant::now());
        let mut at =
            |second: u64, settled| tempo.measure(start + Duration::from_secs(second), settled).a_minute_ago;
        assert_eq!((at(0, 0), at(30, 10), at(59, 20)), (0, 0, 0));
        assert_eq!(at(60, 25), 0);
        assert_eq!(at(95, 40), 10);
        assert_eq!(at(125, 41), 25);
        assert_eq!(at(1000, 41), 41);
    }
}
