//! P36, P37: an event that is published goes to each group that it is for, and then to the archive. Anyone does that, at any time.

use std::path::Path;
use std::time::Duration;

use super::super::LocalStore;
use super::super::layout::Layout;
use super::super::moves::parent;
use super::stage::Staged;
use crate::ports::{FanOut, FileKind, Fs, Host, Takeover};
use crate::words::{DeliveryName, EventName, InboxName, Result};

/// An event that is not published yet is published a moment later, or never.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const YOUNG: Duration = Duration::from_secs(60);

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Whoever published them may be dead, which nobody can see.
    pub(in crate::adapters::store::local) fn help_on_events(&self, takeover: &mut Takeover) {
        match self.fan_out_all() {
            Ok(FanOut { delivered, left, troubles }) => {
                takeover.events += delivered;
                takeover.troubles.extend(troubles);
                if left > 0 {
                    takeover.look_again =
                        Some(takeover.look_again.map_or(LOOK_AGAIN, |again| again.min(LOOK_AGAIN)));
                }
            }
            Err(e) => takeover.troubles.push(e.to_string()),
        }
    }

    /// Delivers events that have just been published.
    pub(in crate::adapters::store::local) fn deliver_events(&self, events: &[Staged]) {
        let outbox = self.layout.outbox();
        for event in events {
            if let Err(e) = self.deliver_event(&outbox, event.name()) {
                tracing::warn!(event = %event.name().job.id, error = %e, "an event is published, and not delivered to all yet");
            }
        }
    }

    pub(in crate::adapters::store::local) fn fan_out_all(&self) -> Result<FanOut> {
        let outbox = self.layout.outbox();
        let mut answer = FanOut::default();
        let mut names = self.names(&outbox.room("inbox"))?;
        // In the order of submission, as consumers take them.
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        for entry in names.into_iter().filter(|entry| entry.kind == FileKind::Dir) {
            let Some(event) = entry.name.to_str().and_then(|name| name.parse::<EventName>().ok()) else {
                continue;
            };
            match self.help_on_event(&outbox, &event) {
                Ok(Some(delivered)) => answer.delivered += delivered,
                Ok(None) => answer.left += usize::from(self.is_young(&outbox, &event)),
                Err(e) => {
                    answer.left += 1;
                    let id = &event.job.id;
                    answer.troubles.push(format!("the event {id} cannot be delivered to all: {e}"));
                }
            }
        }
        Ok(answer)
    }

    /// Whoever published it may not have made that durable: then some would have it after a power cut, and others never (R5).
    fn help_on_event(&self, outbox: &Layout, event: &EventName) -> Result<Option<usize>> {
        let folder = outbox.room("inbox").join(event.to_string());
        if self.look(&folder.join(EventName::PUBLISHED))?.is_some() {
            self.flush_dir_if_there(&folder)?;
        }
        self.deliver_event(outbox, event)
    }

    /// Whether somebody may be putting this event together. Clocks may differ: then it is looked at later, or more often.
    fn is_young(&self, outbox: &Layout, event: &EventName) -> bool {
        let folder = self.look(&outbox.room("inbox").join(event.to_string()));
        let young = self.host.now().get().saturating_sub(YOUNG.as_millis() as u64);
        folder.is_ok_and(|folder| folder.is_some_and(|folder| folder.modified_ms > young))
    }

    /// Delivers an event that is durable, and archives it. How many deliveries were made; `None` if it is not published.
    fn deliver_event(&self, outbox: &Layout, event: &EventName) -> Result<Option<usize>> {
        let folder = outbox.room("inbox").join(event.to_string());
        let published = folder.join(EventName::PUBLISHED);
        if self.look(&published)?.is_none() {
            // Unless it was archived meanwhile, somebody is still at it.
            return Ok(self.look(&folder)?.is_none().then_some(0));
        }
        let mut delivered = 0;
        loop {
            let now = self.deliver_all(event, &folder)?;
            delivered += now;
            // A delivery that a power cut undid would not be repeated once the event is archived. That its link is gone from here is
            // durable only with its new name.
            self.flush_dir_if_there(&folder)?;
            // What a network file system lists may be what it knew some time ago.
            if self.fs.is_local() || now == 0 {
                break;
            }
        }
        let day = outbox.archive_day(&event.job);
        let archived = outbox.archived(&event.job);
        self.inside(&day, || self.relocate(&published, &archived))?;
        if let Err(e) = self.fs.remove_dir(&folder)
            && self.look(&folder)?.is_some()
        {
            // Nobody else would do it, without `event.json`.
            delivered += self.deliver_all(event, &folder)?;
            tracing::debug!(folder = %folder.display(), error = %e, "an event's folder is left to the sweep");
        }
        Ok(Some(delivered))
    }

    fn deliver_all(&self, event: &EventName, folder: &Path) -> Result<usize> {
        let (mut delivered, mut trouble) = (0, None);
        for entry in self.names(folder)? {
            if let Some(delivery) = entry.name.to_str().and_then(|name| name.parse::<DeliveryName>().ok()) {
                // A group that cannot get it keeps it from no other.
                match self.deliver_to(&delivery, &folder.join(&entry.name), &event.job) {
                    Ok(()) => delivered += 1,
                    Err(e) => trouble = trouble.or(Some(e)),
                }
            }
        }
        trouble.map_or(Ok(delivered), Err)
    }

    fn deliver_to(&self, delivery: &DeliveryName, link: &Path, job: &InboxName) -> Result<()> {
        let group = self.layout.group(&delivery.group);
        let place = match delivery.due {
            None => group.ready(job),
            Some(due) => group.delayed(&job.delayed(due)),
        };
        match self.relocate(link, &place) {
            // Somebody removed the group with all that it had.
            Err(_) if self.look(parent(&place))?.is_none() => self.remove(link),
            answer => answer,
        }
    }
}
