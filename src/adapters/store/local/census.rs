//! Counting what lies where, while it moves: a file that vanishes meanwhile is no error.

use std::path::Path;

use super::LocalStore;
use super::presence::Judgement;
use crate::ports::{Census, ConsumerCensus, FileKind, Fs, Host, Listed};
use crate::words::{DeliveryKind, InboxName, Millis, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    pub(super) fn count(&self) -> Result<Census> {
        let mut census = Census::default();
        let mut oldest: Option<Millis> = None;
        for entry in self.names(&self.layout.room("inbox"))? {
            match job(&entry) {
                Some(name) => {
                    census.rooms.inbox += 1;
                    oldest = Some(oldest.map_or(name.submitted, |earlier| earlier.min(name.submitted)));
                }
                None => census.unrecognised += 1,
            }
        }
        let age = |since: Millis| self.host.now().get().saturating_sub(since.get()) as f64 / 1000.0;
        census.oldest_ready_seconds = oldest.map(age);
        for room in self.rooms()? {
            let present = match self.judge(&room, None) {
                Ok(Judgement::Present(_)) => Some(true),
                Ok(Judgement::Absent(_)) => Some(false),
                Ok(Judgement::Unjudged(_)) | Err(_) => None,
            };
            let claimed = self.count_in(&self.layout.claims(&room), |entry| job(entry).is_some());
            let claimed = claimed.unwrap_or_else(|e| {
                tracing::warn!(error = %e, "a room is not counted");
                0
            });
            census.rooms.claimed += claimed;
            let settled_last_minute = if present == Some(false) { None } else { self.tempo(&room) };
            census.settled_last_minute += settled_last_minute.unwrap_or(0);
            let name = room.consumer.to_string();
            census.consumers.push(ConsumerCensus { name, present, claimed, settled_last_minute });
        }
        let archived =
            |entry: &Listed| entry.name.to_str().is_some_and(|n| InboxName::parse_archived(n).is_ok());
        let outcome =
            |entry: &Listed| entry.name.to_str().is_some_and(|name| name.ends_with(".outcome.json"));
        let delayed = |entry: &Listed| entry.name.to_str().is_some_and(|name| name.ends_with(".job.json"));
        census.rooms.delayed = self.count_in(&self.layout.room("delayed"), delayed)?;
        census.rooms.outcomes = self.count_days("outcomes", outcome)?;
        census.rooms.done = self.count_days("done", archived)?;
        census.rooms.dead = self.count_in(&self.layout.room("dead"), archived)?;
        census.rooms.invalid = self.count_in(&self.layout.room("invalid"), archived)?;
        census.rooms.tmp = self.count_in(&self.layout.room("tmp"), |_| true)?;
        for address in self.names(&self.layout.room("replies"))? {
            let inbox = self.layout.room("replies").join(&address.name).join("inbox");
            let waiting = self.count_in(&inbox, outcome)?;
            census.replies.insert(address.name.to_string_lossy().into_owned(), waiting);
        }
        Ok(census)
    }

    fn count_days(&self, room: &str, counts: impl Fn(&Listed) -> bool) -> Result<usize> {
        let room = self.layout.room(room);
        let days = self.names(&room)?;
        let folders = days.iter().filter(|day| day.kind == FileKind::Dir);
        folders.map(|day| self.count_in(&room.join(&day.name), &counts)).sum()
    }

    fn count_in(&self, dir: &Path, counts: impl Fn(&Listed) -> bool) -> Result<usize> {
        Ok(self.names(dir)?.iter().filter(|entry| counts(entry)).count())
    }
}

/// A regular file with a job's name.
fn job(entry: &Listed) -> Option<InboxName> {
    let name: InboxName = entry.name.to_str()?.parse().ok()?;
    (entry.kind == FileKind::File && name.kind == DeliveryKind::Job).then_some(name)
}
