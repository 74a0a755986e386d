//! The porter: watches the files that strangers drop into the inbox until they are complete, and makes jobs of them.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::floor::Floor;
use super::waiting::Waiting;
use crate::actors::observer::Event;
use crate::ports::{Admitted, Arrivals, Arrived, Host, Looked, Marker, Store};
use crate::words::{Error, Pending, Result, StampedId, pause_after, shown};

/// How old, at least, and how many times its own cost a look must be before the next one. To make jobs of what it found costs far
/// more, and is no reason to wait.
const LEAST_REST: Duration = Duration::from_millis(10);
const REST: u32 = 10;

/// So many files that cannot be read are told of, each once; of more, only `filedrop explain` tells.
const MOST_TOLD: usize = 1024;

pub(super) struct Porter<'a, S: Store, H: Host> {
    floor: &'a Floor<'a, S, H>,
    arrivals: Arrivals,
    /// Taken, and not admitted: the folder did not take them yet.
    held: Vec<Held<S::Room>>,
    failures: u32,
    told: HashSet<OsString>,
    waiting: Waiting,
}

struct Held<R> {
    room: Arc<R>,
    stamp: StampedId,
    file: Arrived,
}

impl<'a, S: Store, H: Host> Porter<'a, S, H> {
    pub(super) fn new(floor: &'a Floor<'a, S, H>) -> Self {
        let arrivals = Arrivals::new(floor.options.customs.clone(), floor.options.quiet_period);
        Self {
            floor,
            arrivals,
            held: Vec::new(),
            failures: 0,
            told: HashSet::new(),
            waiting: Waiting::default(),
        }
    }

    /// Works until the end.
    pub(super) fn attend(mut self) {
        let mut due = None;
        while let Some((look, renamed)) = self.floor.gate.wait(due) {
            for (name, ino) in renamed {
                self.arrivals.renamed(name, ino);
            }
            let failures = self.failures;
            let began = Instant::now();
            let answer = self.look();
            let cost = began.elapsed();
            let answer = answer.and_then(|looked| self.take(&looked).map(|()| looked));
            let (clear, again) = match answer {
                Ok(looked) if self.failures == failures => {
                    self.failures = 0;
                    let coming = looked.beyond + looked.ready.len() + self.held.len();
                    // Those that were ready, and not taken, are others by now.
                    let again = if coming > 0 { Some(Duration::ZERO) } else { looked.again };
                    (looked.fresh + coming == 0, again)
                }
                Ok(_) => (false, Some(pause_after(self.failures))),
                Err(e) => {
                    self.failures += 1;
                    let pause = pause_after(self.failures);
                    self.floor.trouble("take what was dropped into the inbox", None, &e, Some(pause));
                    // A drain has other ways to find out that the folder does not work.
                    (self.floor.options.drain, Some(pause))
                }
            };
            self.floor.gate.looked(look, clear);
            if self.floor.options.drain {
                self.floor.stopper.bell().ring();
            }
            let now = Instant::now();
            due = again.map(|again| now + again);
            let pause = if self.failures > 0 { pause_after(self.failures) } else { cost * REST };
            self.floor.gate.rest(now + pause.max(LEAST_REST));
        }
        for Held { room, stamp, .. } in std::mem::take(&mut self.held) {
            if let Err(e) = self.floor.store.untake(&room, &stamp) {
                self.floor.trouble("put a file back into the inbox", Some(&stamp.id), &e, None);
            }
        }
    }

    fn look(&mut self) -> Result<Looked> {
        let (mut unreadable, mut unfinished) = (Vec::new(), Vec::new());
        let (now, waiting) = (Instant::now(), &mut self.waiting);
        let looked =
            self.floor.store.arrivals(None, &mut self.arrivals, &mut |name, finding| match finding {
                Err(Pending::Unreadable(why)) => unreadable.push((name.to_owned(), why.clone())),
                Err(missing) if waiting.found(name, now) => {
                    unfinished.push((name.to_owned(), missing.clone()))
                }
                _ => {}
            })?;
        self.waiting.end_of_look();
        for (name, missing) in unfinished {
            self.floor.tell(&Event::Unfinished { name: &shown(&name), missing: &missing });
        }
        for (name, why) in unreadable {
            if self.told.len() < MOST_TOLD && self.told.insert(name.clone()) {
                self.floor.tell(&Event::Unreadable { name: &shown(&name), why: &why });
            }
        }
        Ok(looked)
    }

    /// Makes jobs of what is complete.
    fn take(&mut self, looked: &Looked) -> Result<()> {
        self.try_held();
        // What cannot be admitted now would only leave the inbox.
        if looked.ready.is_empty() || !self.held.is_empty() {
            return Ok(());
        }
        let room = self.floor.room();
        let stamps = self.floor.store.take_files(&room, &looked.ready)?;
        let taken = stamps.into_iter().zip(&looked.ready);
        let taken = taken
            .filter_map(|(stamp, file)| Some(Held { room: room.clone(), stamp: stamp?, file: file.clone() }));
        self.held.extend(taken);
        self.try_held();
        Ok(())
    }

    /// What does not work is put back, if it can be, and otherwise tried again.
    fn try_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        let Some(room) = held.first().map(|held| held.room.clone()) else { return };
        let (now, later): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|held| Arc::ptr_eq(&held.room, &room));
        self.held = later;
        let stamps: Vec<_> = now.iter().map(|held| held.stamp.clone()).collect();
        let answers = match self.floor.store.admit(&room, &stamps) {
            Ok(answers) => answers,
            Err(e) => {
                self.failures += 1;
                self.floor.trouble("make jobs of dropped files", None, &e, Some(pause_after(self.failures)));
                now.into_iter().for_each(|held| self.put_back(held));
                return;
            }
        };
        for (held, answer) in now.into_iter().zip(answers) {
            match answer {
                Ok(admitted) => self.admitted(&held.file, &admitted),
                Err(e) => self.failed(held, &e),
            }
        }
        self.floor.ready.mark();
    }

    fn failed(&mut self, held: Held<S::Room>, e: &Error) {
        self.failures += 1;
        self.floor.trouble(
            "make a job of a dropped file",
            Some(&held.stamp.id),
            e,
            Some(pause_after(self.failures)),
        );
        self.put_back(held);
    }

    fn put_back(&mut self, held: Held<S::Room>) {
        if self.floor.store.untake(&held.room, &held.stamp).is_err() {
            self.held.push(held);
        }
    }

    fn admitted(&mut self, file: &Arrived, admitted: &Admitted) {
        if let Admitted::New(id) | Admitted::Before(id) = admitted {
            let (name, evidence) = (shown(&file.name), &file.evidence);
            self.floor.tell(&Event::Admitted { id, name: &name, evidence });
        }
        if let Some(marker) = &file.marker {
            self.forget(marker);
        }
    }

    fn forget(&self, marker: &Marker) {
        if let Err(e) = self.floor.store.finish_arrival(marker) {
            self.floor.trouble("remove the marker of a file that was taken", None, &e, None);
        }
    }
}
