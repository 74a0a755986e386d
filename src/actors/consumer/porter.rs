//! The porter: watches the files that strangers drop into the inbox until they are complete, and makes jobs of them.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::floor::{Floor, lock};
use super::refused::Refused;
use super::waiting::Waiting;
use crate::actors::observer::Event;
use crate::ports::{Admitted, Arrivals, Arrived, Fetched, Host, Looked, Marker, Store};
use crate::words::{Error, Pending, Result, StampedId, pause_after, shown};

const TAKE: &str = "take what was dropped into the inbox";

/// How old, at least, and how many times its own cost a look must be before the next one. To make jobs of what it found costs far
/// more, and is no reason to wait.
const LEAST_REST: Duration = Duration::from_millis(10);
const REST: u32 = 10;
/// A drain is to end.
const REST_OF_A_DRAIN: u32 = 1;

/// So many files of one look are told of that no job could be made of; of the others it is most likely for the same reason.
const MOST_FAILURES: usize = 8;

/// So many files that cannot be read are told of, each once; of more, only `filedrop explain` tells.
const MOST_TOLD: usize = 1024;

pub(super) struct Porter<'a, S: Store, H: Host> {
    floor: &'a Floor<'a, S, H>,
    arrivals: Arrivals,
    /// Taken, and neither admitted nor put back yet.
    held: Vec<Held<S::Room>>,
    /// Of which no job could be made; of those some are held.
    refused: Refused,
    /// How many files one look gives out, beside those.
    at_once: usize,
    /// In this look: of how many files a job was made, and of how many it could not be.
    made: usize,
    failed: usize,
    failures: u32,
    told: HashSet<OsString>,
    waiting: Waiting,
}

struct Held<R> {
    room: Arc<R>,
    stamp: StampedId,
    file: Arrived,
    /// It was what was judged when it was taken. Otherwise it is only to be put back.
    judged: bool,
}

impl<'a, S: Store, H: Host> Porter<'a, S, H> {
    pub(super) fn new(floor: &'a Floor<'a, S, H>) -> Self {
        let arrivals = Arrivals::new(floor.options.customs.clone(), floor.options.quiet_period);
        Self {
            floor,
            at_once: arrivals.at_once,
            arrivals,
            held: Vec::new(),
            refused: Refused::default(),
            made: 0,
            failed: 0,
            failures: 0,
            told: HashSet::new(),
            waiting: Waiting::default(),
        }
    }

    /// Works until the end.
    pub(super) fn attend(mut self) {
        let mut due = None;
        while let Some((look, renamed)) = self.floor.gate.wait(due) {
            for (name, was) in renamed {
                self.arrivals.renamed(name, was);
            }
            let failures = self.failures;
            let began = Instant::now();
            let answer = self.look();
            let cost = began.elapsed();
            let answer = answer.and_then(|looked| self.take(&looked).map(|tried| (looked, tried)));
            let (clear, again) = match answer {
                Ok((looked, tried)) if self.failures == failures => {
                    self.failures = 0;
                    self.floor.troubles.works(TAKE);
                    // Those that were ready, and not taken, are others by now.
                    let again = if tried > 0 { Some(Duration::ZERO) } else { self.again(&looked) };
                    let clear = looked.fresh + looked.beyond + tried == 0 && !self.refused.are_tried();
                    (clear, again)
                }
                Ok(_) => (false, Some(pause_after(self.failures))),
                Err(e) => {
                    self.failures += 1;
                    let pause = pause_after(self.failures);
                    self.floor.trouble(TAKE, None, &e, Some(pause));
                    self.floor.lose_patience(self.failures, e);
                    (false, Some(pause))
                }
            };
            self.floor.gate.looked(look, clear);
            if self.floor.options.drain {
                self.floor.stopper.bell().ring();
            }
            let now = Instant::now();
            due = again.map(|again| now + again);
            let rest = if self.floor.options.drain { REST_OF_A_DRAIN } else { REST };
            let pause = if self.failures > 0 { pause_after(self.failures) } else { cost * rest };
            self.floor.gate.rest(now + pause.max(LEAST_REST));
        }
        for Held { room, stamp, .. } in std::mem::take(&mut self.held) {
            if let Err(e) = self.floor.store.untake(&room, &stamp) {
                self.floor.trouble("put a file back into the inbox", Some(&stamp.id), &e, None);
            }
        }
        if self.floor.options.drain
            && let Some(e) = self.refused.into_error()
        {
            lock(&self.floor.failure).get_or_insert(e);
        }
    }

    fn again(&self, looked: &Looked) -> Option<Duration> {
        let next = self.refused.next().map(|due| due.saturating_duration_since(Instant::now()));
        looked.again.into_iter().chain(next).min()
    }

    fn look(&mut self) -> Result<Looked> {
        let (mut unreadable, mut unfinished) = (Vec::new(), Vec::new());
        let (now, waiting, refused) = (Instant::now(), &mut self.waiting, &mut self.refused);
        // However many have to wait, others are given out beside them.
        self.arrivals.at_once = self.at_once + refused.len();
        let looked = self.floor.store.arrivals(None, &mut self.arrivals, &mut |name, finding| {
            refused.seen(name);
            match finding {
                Err(Pending::Unreadable(why)) => unreadable.push((name.to_owned(), why.clone())),
                Err(missing) if waiting.found(name, now) => {
                    unfinished.push((name.to_owned(), missing.clone()))
                }
                _ => {}
            }
        })?;
        // Of many that are complete, one look sees a part.
        if looked.beyond == 0 {
            self.waiting.end_of_look();
            self.refused.end_of_look(|name| self.held.iter().any(|held| held.file.name == name));
        }
        for (name, missing) in &looked.damaged {
            self.floor.tell(&Event::Left { name: &shown(name), why: &missing.to_string() });
        }
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

    /// Makes jobs of what is complete, but for those that have to wait. Of how many it tried to.
    fn take(&mut self, looked: &Looked) -> Result<usize> {
        (self.made, self.failed) = (0, 0);
        let (failures, now) = (self.failures, Instant::now());
        let (due, later) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held: &Held<_>| !self.refused.waits(&held.file, now));
        self.held = later;
        let helped = due.len();
        self.finish(due);
        // What cannot be admitted now would only leave the inbox.
        if self.failures > failures {
            return Ok(helped);
        }
        let ready = looked.ready.iter().filter(|file| !self.refused.waits(file, now));
        let ready: Vec<Arrived> = ready.cloned().collect();
        if ready.is_empty() {
            return Ok(helped);
        }
        let (room, tried) = (self.floor.room(), ready.len());
        let answers = self.floor.store.take_files(&room, &ready)?;
        let mut taken = Vec::with_capacity(tried);
        for (answer, file) in answers.into_iter().zip(ready) {
            let room = room.clone();
            match answer {
                Fetched::Here(stamp) => taken.push(Held { room, stamp, file, judged: true }),
                Fetched::Not => {}
                Fetched::Failed(stamp, e) => {
                    self.failed(Held { room, stamp, file, judged: false }, "take a dropped file", Some(e));
                }
            }
        }
        let failed = self.failed;
        self.finish(taken);
        // Of one file it is that file's fault, of all of them the folder's.
        if self.failed > failed && self.made == 0 {
            self.failures += 1;
        }
        Ok(helped + tried)
    }

    /// What was taken becomes jobs. What cannot is put back, if that is possible, and otherwise tried again.
    fn finish(&mut self, taken: Vec<Held<S::Room>>) {
        let (mut judged, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(|held| held.judged);
        for held in others {
            self.put_back(held);
        }
        while let Some(room) = judged.first().map(|held| held.room.clone()) {
            let (now, later): (Vec<_>, Vec<_>) =
                judged.into_iter().partition(|held| Arc::ptr_eq(&held.room, &room));
            judged = later;
            self.admit(&room, now);
        }
    }

    fn admit(&mut self, room: &S::Room, taken: Vec<Held<S::Room>>) {
        const DOING: &str = "make a job of a dropped file";
        let stamps: Vec<_> = taken.iter().map(|held| held.stamp.clone()).collect();
        match self.floor.store.admit(room, &stamps) {
            Ok(answers) => {
                for (held, answer) in taken.into_iter().zip(answers) {
                    match answer {
                        Ok(admitted) => {
                            self.floor.troubles.done(&held.stamp.id);
                            self.admitted(&held.file, &admitted);
                        }
                        Err(e) => self.failed(held, DOING, Some(e)),
                    }
                }
            }
            Err(e) => {
                self.failures += 1;
                let mut why = Some(e);
                for held in taken {
                    self.failed(held, DOING, why.take());
                }
            }
        }
        self.floor.ready.mark();
    }

    fn failed(&mut self, held: Held<S::Room>, doing: &'static str, e: Option<Error>) {
        self.failed += 1;
        self.refuse(&held, doing, e);
        if self.floor.store.untake(&held.room, &held.stamp).is_err() {
            self.held.push(held);
        }
    }

    fn put_back(&mut self, held: Held<S::Room>) {
        if let Err(e) = self.floor.store.untake(&held.room, &held.stamp) {
            self.refuse(&held, "put a file back into the inbox", Some(e));
            self.held.push(held);
        }
    }

    fn refuse(&mut self, held: &Held<S::Room>, doing: &'static str, e: Option<Error>) {
        let pause = self.refused.failed(&held.file, e, Instant::now());
        if self.failed <= MOST_FAILURES
            && let Some(e) = self.refused.error_of(&held.file)
        {
            self.floor.trouble(doing, Some(&held.stamp.id), e, Some(pause));
        }
    }

    fn admitted(&mut self, file: &Arrived, admitted: &Admitted) {
        self.made += 1;
        self.refused.forget(&file.name);
        // It went back; what says that it is complete is needed.
        let (Admitted::New(id) | Admitted::Before(id)) = admitted else { return };
        let (name, evidence) = (shown(&file.name), &file.evidence);
        self.floor.tell(&Event::Admitted { id, name: &name, evidence });
        for marker in &file.markers {
            self.forget(marker);
        }
    }

    fn forget(&self, marker: &Marker) {
        if let Err(e) = self.floor.store.finish_arrival(marker) {
            self.floor.trouble("remove the marker of a file that was taken", None, &e, None);
        }
    }
}
