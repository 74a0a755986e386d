//! Who could take what lies in the inbox.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use super::{Taker, Why};
use crate::folder::DropFolder;
use crate::ports::ConsumerCensus;
use crate::words::{Habits, Result};

const ROOT: u32 = 0;

/// Those who say how they take files, and the others.
pub(super) fn of(folder: &DropFolder) -> Result<(Vec<Taker>, Vec<ConsumerCensus>)> {
    let (mut by_habits, mut others) = (BTreeMap::<Habits, Vec<ConsumerCensus>>::new(), Vec::new());
    for consumer in folder.store.consumers()? {
        match &consumer.takes {
            _ if consumer.present == Some(false) => {}
            Some(habits) if habits.customs().is_ok() => {
                by_habits.entry(habits.clone()).or_default().push(consumer);
            }
            _ => others.push(consumer),
        }
    }
    if by_habits.is_empty() {
        by_habits.insert(Habits::default(), Vec::new());
    }
    let taker = |(habits, consumers): (Habits, Vec<ConsumerCensus>)| {
        let users = consumers.iter().filter_map(|consumer| user_of(folder, consumer)).collect();
        Taker { habits, consumers, users }
    };
    Ok((by_habits.into_iter().map(taker).collect(), others))
}

/// The user that a consumer runs as: its presence is its own.
fn user_of(folder: &DropFolder, consumer: &ConsumerCensus) -> Option<u32> {
    let presence = folder.path().join("claimed").join(format!("{}.presence", consumer.room));
    std::fs::symlink_metadata(presence).ok().map(|meta| meta.uid())
}

impl Taker {
    /// What keeps all of these consumers from reading a file, as far as its modes tell: groups are not looked up.
    pub(super) fn shut_out(&self, meta: &Metadata) -> Option<Why> {
        let shut_out = |user: &u32| match *user {
            ROOT => false,
            user if user == meta.uid() => meta.mode() & 0o400 == 0,
            _ => meta.mode() & 0o044 == 0,
        };
        let all = self.users.len() == self.consumers.len() && self.users.iter().all(shut_out);
        let first = self.consumers.first().filter(|_| all)?;
        let why = format!("{} runs as user {}", first.name, self.users.first()?);
        Some(unreadable(Some(first.name.clone()), why, meta))
    }
}

pub(super) fn unreadable(by: Option<String>, why: String, meta: &Metadata) -> Why {
    Why::Unreadable { by, why, owner: meta.uid(), mode: meta.mode() & 0o7777 }
}
