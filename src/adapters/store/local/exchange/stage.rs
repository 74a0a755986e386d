//! P35: an event is put together in a folder of its own, and published by the name that it then gets there.

use std::path::{Path, PathBuf};

use super::super::LocalStore;
use super::super::layout::Layout;
use super::super::moves::parent;
use super::super::submit::uncertain;
use crate::ports::{Fs, Group, Host, NewJob};
use crate::words::{ClaimCheck, DeliveryName, Envelope, Error, EventName, Result, Topic};

/// An event that is still to be published.
pub(in crate::adapters::store::local) struct Staged {
    name: EventName,
    folder: PathBuf,
}

impl Staged {
    /// What it is called once it is published.
    pub(in crate::adapters::store::local) fn published(&self) -> PathBuf {
        self.folder.join(EventName::PUBLISHED)
    }

    pub(super) fn name(&self) -> &EventName {
        &self.name
    }

    fn draft(&self) -> PathBuf {
        self.folder.join(EventName::DRAFT)
    }
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// Publishes events, and makes them durable. An error: the first of them may be there, and those after it are not.
    pub(in crate::adapters::store::local) fn publish_events(
        &self,
        events: &[&NewJob],
    ) -> Result<Vec<Staged>> {
        let groups = self.all_groups()?;
        let outbox = self.ensure_outbox()?;
        let mut staged = Vec::with_capacity(events.len());
        let answer = self.stage_all(events, &groups, &outbox, &mut staged);
        // Of those that are not published nothing must be left that only a sweep removes, a day later.
        if let Err(e) = answer {
            staged.iter().for_each(|staged| self.abandon(staged));
            return Err(e);
        }
        for (nth, event) in staged.iter().enumerate() {
            let published =
                self.relocate(&event.draft(), &event.published()).and_then(|()| self.keep_published(event));
            if let Err(e) = published {
                let unsure = nth > 0 || self.look(&event.draft()).ok().flatten().is_none();
                self.deliver_events(&staged[..nth]);
                staged[nth..]
                    .iter()
                    .filter(|event| self.is_draft(event))
                    .for_each(|event| self.abandon(event));
                return Err(if unsure { uncertain(e) } else { e });
            }
        }
        Ok(staged)
    }

    /// Makes it durable that an event is published. Whoever has delivered it already, and archived it, has done that before.
    pub(in crate::adapters::store::local) fn keep_published(&self, event: &Staged) -> Result<()> {
        match self.flush_dir(&event.folder) {
            Err(e) if self.look(&event.folder)?.is_none() => {
                let archived = self.layout.outbox().archived(&event.name.job);
                match self.look(&archived)? {
                    Some(_) => self.flush_dir(parent(&archived)),
                    None => Err(e),
                }
            }
            answer => answer,
        }
    }

    /// Whether it is certain that it is not published.
    fn is_draft(&self, event: &Staged) -> bool {
        self.look(&event.draft()).is_ok_and(|draft| draft.is_some())
    }

    fn stage_all(
        &self,
        events: &[&NewJob],
        groups: &[Group],
        outbox: &Layout,
        staged: &mut Vec<Staged>,
    ) -> Result<()> {
        for event in events {
            staged.push(self.make_event_folder(outbox, event)?);
        }
        // What is put into them must not be in folders that a power cut takes away.
        self.flush_dir(&outbox.room("inbox"))?;
        for (event, staged) in events.iter().zip(staged.iter()) {
            self.publish(&event.bytes, &staged.draft())?;
            self.link_for_groups(event, groups, &staged.draft(), &staged.folder)?;
        }
        Ok(())
    }

    pub(in crate::adapters::store::local) fn abandon(&self, staged: &Staged) {
        if let Err(e) = self.remove_tree(&staged.folder) {
            tracing::debug!(error = %e, "an event that is not published is left to the sweep");
        }
    }

    /// Likewise for an event whose draft lies elsewhere, up to the rename that publishes it.
    pub(in crate::adapters::store::local) fn stage_event(
        &self,
        event: &NewJob,
        draft: &Path,
    ) -> Result<Staged> {
        let groups = self.all_groups()?;
        let outbox = self.ensure_outbox()?;
        let staged = self.make_event_folder(&outbox, event)?;
        let linked = self
            .flush_dir(&outbox.room("inbox"))
            .and_then(|()| self.link_for_groups(event, &groups, draft, &staged.folder));
        match linked {
            Ok(()) => Ok(staged),
            Err(e) => {
                self.abandon(&staged);
                Err(e)
            }
        }
    }

    fn make_event_folder(&self, outbox: &Layout, event: &NewJob) -> Result<Staged> {
        let name = EventName { job: event.name.clone(), nonce: self.host.nonce() };
        let folder = outbox.room("inbox").join(name.to_string());
        self.fs.make_dir(&folder).map_err(|e| Error::io("make a folder", &folder, e))?;
        Ok(Staged { name, folder })
    }

    /// Decides who gets the event. Durable when it returns.
    fn link_for_groups(&self, event: &NewJob, groups: &[Group], draft: &Path, folder: &Path) -> Result<()> {
        let Some(topic) = &event.topic else { return self.flush_dir(folder) };
        let Some(file) = self.look(draft)? else {
            return Err(Error::io("link an event", draft, std::io::ErrorKind::NotFound.into()));
        };
        // Once for all groups: it may be a large envelope.
        let envelope = Envelope::decode(&event.bytes)?;
        let travelling = ["filesref", "dataref"].map(|attribute| envelope.claim_check(attribute));
        for group in groups.iter().filter(|group| group.subscription.matches(topic)) {
            let name = DeliveryName { group: group.name.clone(), due: event.due };
            self.bring_files(travelling.iter().flatten(), &self.layout.group(&group.name))?;
            self.link_if_free(draft, file.id, &folder.join(name.to_string()))?;
        }
        self.flush_dir(folder)
    }

    /// What travels with an event lies in the group's own `payload/` too.
    fn bring_files<'a>(&self, checks: impl Iterator<Item = &'a ClaimCheck>, group: &Layout) -> Result<()> {
        for check in checks {
            self.hand_over(check, &group.payload(check))?;
            self.flush_dir(parent(&group.payload(check)))?;
        }
        Ok(())
    }
}

/// The topic of an event whose entry, or draft, was read.
pub(in crate::adapters::store::local) fn topic_of(envelope: &Envelope) -> Option<Topic> {
    envelope.text("topic")?.parse().ok()
}
