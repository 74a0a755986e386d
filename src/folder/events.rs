//! Events: published once, and handled by each group that subscribed to their topic.

use std::thread;
use std::time::{Duration, Instant};

use super::{Consumer, DropFolder};
use crate::actors::producer::{Receipt, Submission};
use crate::adapters::fs::OsFs;
use crate::adapters::host::OsHost;
use crate::adapters::store::local::LocalStore;
use crate::ports::{Exchange as _, Group, Resubscribed, Wish};
use crate::words::{Error, ErrorKind, Id, Result, Subscription, TopicPattern};

/// How long others may keep us from changing a subscription, and how often we try.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// What became of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscribed {
    /// The group is there from now on.
    New,
    /// It had asked for just that before.
    Before,
    /// It had asked for this before, and what it is asking for now counts instead.
    Changed(Subscription),
    /// It had asked for this before, and that still counts.
    Differs(Subscription),
}

impl Subscribed {
    fn after(before: Option<Subscription>, now: &Subscription) -> Self {
        match before {
            None => Subscribed::New,
            Some(before) if before == *now => Subscribed::Before,
            Some(before) => Subscribed::Changed(before),
        }
    }
}

impl DropFolder {
    /// Publishes an event. Each group that had subscribed to its topic before gets it as a job of its own, with the same id, whether it
    /// is up now or not, and at its own pace. Blocks until that is durable.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Job, Submission, Subscription};
    ///
    /// let (billing, mail) = ("billing".parse()?, "mail".parse()?);
    /// drop.subscribe(&billing, &Subscription::new(["orders.>".parse()?])?)?;
    /// drop.subscribe(&mail, &Subscription::new(["orders.created".parse()?])?)?;
    ///
    /// drop.publish(Submission::event("orders.created".parse()?).data(r#"{"order":7}"#))?;
    /// drop.publish(Submission::event("orders.paid.late".parse()?).data(r#"{"order":6}"#))?;
    ///
    /// let handler = async |job: Job| Ok::<_, String>(job.data().to_vec());
    /// assert_eq!(drop.subscriber(&billing)?.drain(true).run(handler).await?.succeeded, 2);
    /// assert_eq!(drop.subscriber(&mail)?.drain(true).run(handler).await?.succeeded, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`submit`](Self::submit); [`ErrorKind::Invalid`] also if it has no [topic](Submission::event).
    pub fn publish(&self, event: Submission) -> Result<Id> {
        let mut receipts = self.publish_all(vec![event])?;
        receipts.pop().map(|receipt| receipt.id).ok_or_else(|| Error::new(ErrorKind::Invalid, "no event"))
    }

    /// Publishes events, which is quicker than one by one. Groups get them in this order.
    ///
    /// # Errors
    /// As [`publish`](Self::publish). If one is invalid, none is published.
    pub fn publish_all(&self, events: Vec<Submission>) -> Result<Vec<Receipt>> {
        if events.iter().any(|event| event.topic().is_none()) {
            return Err(Error::new(ErrorKind::Invalid, "an event has a topic; this one has none"));
        }
        self.submit_with_receipts(events)
    }

    /// Has a group get every event of these topics from now on, whoever publishes it. Durable when it returns. If the group had asked
    /// for other topics before, nothing changes, and those are [returned](Subscribed::Differs).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses; [`ErrorKind::Busy`] if others go on changing it.
    pub fn subscribe(&self, group: &Id, wanted: &Subscription) -> Result<Subscribed> {
        let answer = self.ask_for(group, &|before| Ok(Some(before.unwrap_or(wanted).clone())))?;
        Ok(match answer.before {
            Some(before) if before != *wanted => Subscribed::Differs(before),
            before => Subscribed::after(before, wanted),
        })
    }

    /// The same, and if the group had asked for other topics before, these count instead, from now on.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn resubscribe(&self, group: &Id, wanted: &Subscription) -> Result<Subscribed> {
        let answer = self.ask_for(group, &|_| Ok(Some(wanted.clone())))?;
        Ok(Subscribed::after(answer.before, wanted))
    }

    /// Has a group get events of these topics, too. Returns what it asks for now, and had asked for before.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe); [`ErrorKind::Invalid`] if these are too many.
    pub fn add_topics(&self, group: &Id, topics: &[TopicPattern]) -> Result<Resubscribed> {
        self.ask_for(group, &|before| {
            let had = before.map_or(&[][..], Subscription::topics);
            Subscription::new(had.iter().chain(topics).cloned()).map(Some)
        })
    }

    /// Has a group get no more events of these topics, each as it had asked for it; of none at all if these are all. What it got already
    /// stays. Returns what it asks for now, and had asked for before.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe); [`ErrorKind::NotFound`] if it had not asked for one of them.
    pub fn remove_topics(&self, group: &Id, topics: &[TopicPattern]) -> Result<Resubscribed> {
        self.ask_for(group, &|before| {
            let had = before.ok_or_else(|| self.no_group(group))?;
            if let Some(strange) = topics.iter().find(|topic| !had.topics().contains(topic)) {
                let why = format!("{group} is not subscribed to {strange}, but to {had}");
                return Err(Error::new(ErrorKind::NotFound, why));
            }
            let left: Vec<_> = had.topics().iter().filter(|topic| !topics.contains(topic)).cloned().collect();
            if left.is_empty() { Ok(None) } else { Subscription::new(left).map(Some) }
        })
    }

    /// Has a group get no more events. What it got already stays, and can be handled. Returns what it had asked for, if it had.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe(&self, group: &Id) -> Result<Option<Subscription>> {
        Ok(self.ask_for(group, &|_| Ok(None))?.before)
    }

    /// Somebody else who is at it is so for some milliseconds.
    fn ask_for(&self, group: &Id, wish: &Wish<'_>) -> Result<Resubscribed> {
        let since = Instant::now();
        loop {
            match self.store.subscribe(group, wish) {
                Err(e) if e.kind() == ErrorKind::Busy && since.elapsed() < PATIENCE => thread::sleep(PAUSE),
                answer => return answer,
            }
        }
    }

    fn no_group(&self, group: &Id) -> Error {
        let why = format!("there is no group {group} (see `filedrop topics {}`)", self.path().display());
        Error::new(ErrorKind::NotFound, why)
    }

    /// Who subscribed to what.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses; [`ErrorKind::Invalid`] if a subscription cannot be read.
    pub fn groups(&self) -> Result<Vec<Group>> {
        self.store.groups()
    }

    /// The drop folder of a group: its events are jobs in it, with outcomes, dead letters and all.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such group; otherwise as [`open`](Self::open).
    pub fn group(&self, group: &Id) -> Result<DropFolder> {
        let layout = self.store.layout().group(group);
        if !layout.root().is_dir() {
            return Err(self.no_group(group));
        }
        let fs =
            OsFs::at(layout.root()).map_err(|e| Error::io("look at the file system", layout.root(), e))?;
        let fs = fs.with_durability(self.store.fs().durability());
        let store = LocalStore::open(fs, OsHost, layout.root())?.of_group_in(self.store.clone());
        // Who waits there waits for other outcomes than who waits here.
        Ok(Self::of(store).with_watch(self.mode, self.poll_interval))
    }

    /// Those of all groups, also of those that unsubscribed, in the order of their names.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn group_folders(&self) -> Result<Vec<(Id, DropFolder)>> {
        let mut folders = Vec::new();
        for group in self.nested("subscribers")? {
            match self.group(&group) {
                Ok(folder) => folders.push((group, folder)),
                // Just being made, or no drop folder at all.
                Err(e) if matches!(e.kind(), ErrorKind::NotADropFolder | ErrorKind::NotFound) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(folders)
    }

    /// A consumer of a group's events, still to be run. Consumers of one group compete for its events. It also delivers, to all groups,
    /// what a publisher that died has left on its way.
    ///
    /// # Errors
    /// As [`group`](Self::group).
    pub fn subscriber(&self, group: &Id) -> Result<Consumer> {
        Ok(Consumer::of(self.group(group)?).for_handlers_of(self.path()))
    }
}
