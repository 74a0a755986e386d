//! Steps of the protocol before this one. Each is wrong; `holes.rs` shows that the search finds how.

use std::path::{Path, PathBuf};

use filedrop::adapters::fs::sim::{SimFile, SimFs, SimHost};
use filedrop::adapters::store::local::{Layout, LocalStore};
use filedrop::ports::{FileKind, Fs, Host, NewJob, Store};
use filedrop::words::{Id, InboxName, Job, Outcome, Payload, RoomName, StagedName};

use crate::ledger::Ledger;
use crate::programs::{self, ADDRESS, DROP, Kind, Program};

/// Bare system calls in a drop folder.
struct Raw<'a> {
    fs: SimFs<'a>,
    host: SimHost,
    layout: Layout,
}

impl<'a> Raw<'a> {
    fn new(fs: SimFs<'a>) -> Self {
        let host = fs.host();
        Self { fs, host, layout: Layout::new(DROP) }
    }

    /// A room with a presence that says nothing: the dead are judged by their silence.
    fn room(&self, consumer: &str) -> RoomName {
        let room = RoomName { consumer: consumer.parse().expect("a name"), nonce: self.host.nonce() };
        let _ = self.fs.make_dir(&self.layout.claims(&room));
        let _ = self.fs.flush_dir(&self.layout.room("claimed"));
        room
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Option<SimFile> {
        let file = self.fs.create(path).ok()?;
        self.fs.write(&file, bytes).ok()?;
        self.fs.flush(&file).ok()?;
        Some(file)
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.fs.read(&self.fs.open(path).ok()?, usize::MAX).ok()
    }

    fn exists(&self, path: &Path) -> bool {
        self.fs.stat(path).is_ok()
    }

    fn names(&self, dir: &Path) -> Vec<String> {
        let mut names = Vec::new();
        let _ = self.fs.list(dir, &mut |entry| names.extend(entry.name.into_string()));
        names
    }

    fn ready(&self) -> Vec<InboxName> {
        self.names(&self.layout.room("inbox")).iter().filter_map(|name| name.parse().ok()).collect()
    }

    fn claim(&self, room: &RoomName, name: &InboxName) -> Option<Job> {
        self.fs.rename(&self.layout.ready(name), &self.layout.claim(room, name)).ok()?;
        Job::decode(&name.id, name.attempt, &self.read(&self.layout.claim(room, name))?).ok()
    }

    fn handle(&self, job: &Job) -> Outcome {
        let (id, now) = self.host.mint();
        Outcome::of(job, &id, "/sim", now, Ok(Payload::detect(format!("by {}", self.host.pid()))))
    }

    fn stage(&self, room: &RoomName, name: &InboxName, outcome: &Outcome) -> PathBuf {
        let staged = self.layout.staged(room, &name.staged(self.host.nonce()));
        self.write(&staged, &outcome.envelope.encode().expect("small"));
        let _ = self.fs.flush_dir(&self.layout.claims(room));
        staged
    }

    fn make_day(&self, dir: &Path) {
        let _ = self.fs.make_dir(dir);
        let _ = self.fs.flush_dir(dir.parent().expect("a room"));
    }

    /// The draft's commit: the claim goes to `done/`. Believed.
    fn commit(&self, room: &RoomName, name: &InboxName) -> bool {
        let day = self.layout.archive_day(name);
        self.make_day(&day);
        let answer = self.fs.rename(&self.layout.claim(room, name), &self.layout.archived(name));
        let _ = self.fs.flush_dir(&day);
        let _ = self.fs.flush_dir(&self.layout.claims(room));
        answer.is_ok()
    }

    /// The draft's publication: a rename that replaces.
    fn publish(&self, staged: &Path, name: &InboxName) {
        let day = self.layout.slot_day(name);
        self.make_day(&day);
        let _ = self.fs.rename(staged, &self.layout.slot(name));
        let _ = self.fs.flush_dir(&day);
    }

    fn rooms_of_others(&self, own: &RoomName) -> Vec<RoomName> {
        let mut rooms = Vec::new();
        let _ = self.fs.list(&self.layout.room("claimed"), &mut |entry| {
            let room = entry
                .name
                .to_str()
                .filter(|_| entry.kind == FileKind::Dir)
                .and_then(|name| name.parse().ok());
            rooms.extend(room);
        });
        rooms.retain(|room| room != own);
        rooms
    }

    fn leave(&self, room: &RoomName) {
        let _ = self.fs.flush_dir(&self.layout.claims(room));
        let _ = self.fs.remove_dir(&self.layout.claims(room));
        let _ = self.fs.unlink(&self.layout.presence(room));
    }
}

/// What the draft does with the outcomes that the dead had staged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staged {
    /// H1: the job is not done, so the outcome was never committed: discard it, then give the job back.
    Discarded,
    /// H2: give the job back; the job is done, so the outcome was committed: publish it.
    PublishedIfDone,
}

/// The draft's consumer: stage, commit by moving the claim, publish. Others' rooms are those of the dead.
pub(crate) fn consumer(name: &'static str, staged: Staged) -> Program {
    Box::new(move |fs| {
        let raw = Raw::new(fs);
        let room = raw.room(name);
        for other in raw.rooms_of_others(&room) {
            recover(&raw, &other, staged);
        }
        for name in raw.ready() {
            let Some(job) = raw.claim(&room, &name) else { continue };
            let staged = raw.stage(&room, &name, &raw.handle(&job));
            if raw.commit(&room, &name) {
                raw.publish(&staged, &name);
            } else {
                // Fenced: another has the job.
                let _ = raw.fs.unlink(&staged);
            }
        }
        raw.leave(&room);
    })
}

fn recover(raw: &Raw<'_>, room: &RoomName, rule: Staged) {
    let dir = raw.layout.claims(room);
    let names = raw.names(&dir);
    let staged: Vec<StagedName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    if rule == Staged::Discarded {
        for staged in &staged {
            if !raw.exists(&raw.layout.archived(&staged.job)) {
                let _ = raw.fs.unlink(&raw.layout.staged(room, staged));
            }
        }
    }
    for claim in names.iter().filter_map(|name| name.parse::<InboxName>().ok()) {
        let _ = raw.fs.rename(&raw.layout.claim(room, &claim), &raw.layout.ready(&claim.next_attempt()));
    }
    for staged in &staged {
        if raw.exists(&raw.layout.archived(&staged.job)) {
            raw.publish(&raw.layout.staged(room, staged), &staged.job);
        }
    }
    raw.leave(room);
}

/// H5: collects without an archive.
pub(crate) fn collector(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let mut raw = Raw::new(fs);
        raw.layout = raw.layout.reply(&ADDRESS.parse::<Id>().expect("a name"));
        let room = raw.room("collector");
        for name in raw.ready() {
            let claim = raw.layout.claim(&room, &name);
            if raw.fs.rename(&raw.layout.ready(&name), &claim).is_err() {
                continue;
            }
            ledger.hand_over(&name.id);
            if raw.fs.unlink(&claim).is_ok()
                && raw.fs.flush_dir(&raw.layout.room("inbox")).is_ok()
                && raw.fs.flush_dir(&raw.layout.claims(&room)).is_ok()
            {
                ledger.collect(&name.id);
            }
        }
        raw.leave(&room);
    })
}

/// H6: tells what it sees.
pub(crate) fn waiter(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let raw = Raw::new(fs);
        for name in ledger.facts().attempted.into_keys() {
            let seen = raw.read(&raw.layout.slot(&name)).and_then(|bytes| Outcome::decode(&bytes).ok());
            if let Some(outcome) = seen {
                ledger.tell(&name.id, outcome.envelope.text("id").unwrap_or_default());
            }
        }
    })
}

/// H8: archives what is decided by a rename, and believes it.
pub(crate) fn believer() -> Program {
    Box::new(|fs| {
        let raw = Raw::new(fs);
        let room = raw.room("believer");
        for other in raw.rooms_of_others(&room) {
            for claim in
                raw.names(&raw.layout.claims(&other)).iter().filter_map(|n| n.parse::<InboxName>().ok())
            {
                if raw.exists(&raw.layout.slot(&claim)) {
                    raw.commit(&other, &claim);
                } else {
                    let _ = raw
                        .fs
                        .rename(&raw.layout.claim(&other, &claim), &raw.layout.ready(&claim.next_attempt()));
                }
            }
            raw.leave(&other);
        }
        for name in raw.ready() {
            let Some(job) = raw.claim(&room, &name) else { continue };
            let staged = raw.stage(&room, &name, &raw.handle(&job));
            raw.make_day(&raw.layout.slot_day(&name));
            let _ = raw.fs.link(&staged, &raw.layout.slot(&name));
            let _ = raw.fs.flush_dir(&raw.layout.slot_day(&name));
            let _ = raw.fs.unlink(&staged);
            raw.commit(&room, &name);
        }
        raw.leave(&room);
    })
}

/// H9: the slot lies below today's date.
pub(crate) fn calendar(name: &'static str) -> Program {
    Box::new(move |fs| {
        let raw = Raw::new(fs);
        let room = raw.room(name);
        for other in raw.rooms_of_others(&room) {
            recover(&raw, &other, Staged::PublishedIfDone);
        }
        for name in raw.ready() {
            let Some(job) = raw.claim(&room, &name) else { continue };
            let today = InboxName { submitted: raw.host.now(), ..name.clone() };
            let slot = raw.layout.slot_day(&today).join(name.id.slot());
            raw.make_day(&raw.layout.slot_day(&today));
            let staged = raw.stage(&room, &name, &raw.handle(&job));
            let _ = raw.fs.link(&staged, &slot);
            let _ = raw.fs.flush_dir(&raw.layout.slot_day(&today));
            let _ = raw.fs.unlink(&staged);
            raw.commit(&room, &name);
        }
        raw.leave(&room);
    })
}

/// H12: the draft is not there any more, so the rename must have happened.
pub(crate) fn producer(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let raw = Raw::new(fs);
        let job = programs::new_job(&raw.host, Kind::Plain);
        ledger.attempt(&job);
        let NewJob { name, bytes, .. } = job;
        let draft = raw.layout.room("tmp").join(format!("{:032x}", raw.host.entropy()));
        if raw.write(&draft, &bytes).is_none() {
            return;
        }
        match raw.fs.rename(&draft, &raw.layout.ready(&name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {}
            _ => {
                if raw.fs.flush_dir(&raw.layout.room("inbox")).is_ok() {
                    ledger.acknowledge(&name.id);
                }
            }
        }
    })
}

/// H10: an id is given, and nobody remembers it.
pub(crate) fn forgetful(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let host = fs.host();
        let Ok(store) = LocalStore::open(fs, host, DROP) else { return };
        let job = programs::new_job(store.host(), Kind::Given(5));
        ledger.attempt(&job);
        if store.submit(&[NewJob { given: false, ..job.clone() }]).is_ok() {
            ledger.acknowledge(&job.name.id);
        }
    })
}

/// H10: the id is taken first and the job published then; whose id is taken believes that the job is there.
pub(crate) fn trusting(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let raw = Raw::new(fs);
        let job = programs::new_job(&raw.host, Kind::Given(5));
        ledger.attempt(&job);
        let NewJob { name, bytes, .. } = job;
        let _ = raw.fs.make_dir(&raw.layout.shelf(&name.id));
        let _ = raw.fs.flush_dir(&raw.layout.room("ids"));
        let entry = raw.layout.entry(&name.id);
        if !raw.exists(&entry) {
            let taken =
                raw.write(&entry, &bytes).is_some() && raw.fs.flush_dir(&raw.layout.shelf(&name.id)).is_ok();
            let published = taken && raw.write(&raw.layout.ready(&name), &bytes).is_some();
            if !published || raw.fs.flush_dir(&raw.layout.room("inbox")).is_err() {
                return;
            }
        }
        ledger.acknowledge(&name.id);
    })
}

/// H13: a dead letter is given another try under its own id, and its outcome another name.
pub(crate) fn reviver() -> Program {
    Box::new(|fs| {
        let raw = Raw::new(fs);
        let dead = raw.layout.room("dead");
        for letter in raw.names(&dead).iter().filter_map(|name| InboxName::parse_archived(name).ok()) {
            let _ = raw.fs.unlink(&raw.layout.slot(&letter));
            let _ = raw.fs.rename(&dead.join(letter.archived()), &raw.layout.ready(&letter.next_attempt()));
            let _ = raw.fs.unlink(&dead.join(letter.reason()));
        }
    })
}

/// Removes everything in `tmp/`, as a sweep does to drafts that were forgotten for a day.
pub(crate) fn sweep_all() -> Program {
    Box::new(|fs| {
        let world = fs.world().clone();
        world.advance(2 * 24 * 3600 * 1000);
        let host = fs.host();
        if let Ok(store) = LocalStore::open(fs, host, DROP) {
            let _ = programs::sweep(&store);
        }
    })
}

/// Archives the claim first, and only then decides.
pub(crate) fn hasty() -> Program {
    Box::new(|fs| {
        let raw = Raw::new(fs);
        let room = raw.room("hasty");
        for name in raw.ready() {
            let Some(job) = raw.claim(&room, &name) else { continue };
            raw.commit(&room, &name);
            let staged = raw.stage(&room, &name, &raw.handle(&job));
            raw.make_day(&raw.layout.slot_day(&name));
            let _ = raw.fs.link(&staged, &raw.layout.slot(&name));
            let _ = raw.fs.flush_dir(&raw.layout.slot_day(&name));
            let _ = raw.fs.unlink(&staged);
        }
        raw.leave(&room);
    })
}
