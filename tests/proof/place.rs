//! What a file in the folder is: each has a row of PROTOCOL.md that names it.

use filedrop::words::{
    ClaimCheck, DelayedName, DeliveryName, EventName, Id, InboxName, Orphan, RoomName, StagedName, StampedId,
};

use crate::events::GROUPS;
use crate::programs::{ADDRESS, DROP};

/// What a file is, and the row of PROTOCOL.md that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Marker,
    Draft,
    Ready(InboxName),
    Delayed(DelayedName),
    Claim(RoomName, InboxName),
    Staged(RoomName, StagedName),
    Presence(RoomName),
    Slot(String),
    Archived(&'static str, InboxName),
    Reason,
    /// The record of an attempt.
    Record,
    /// The entry of a given id, and its draft.
    Entry,
    EntryDraft,
    /// What travels with a job or an outcome.
    Payload,
    /// Files that are to travel, outside of the folder.
    Outside,
    /// What a group asked for.
    Subscription,
    /// An event on its way.
    Event,
    /// A file that a stranger dropped; it may be taken already.
    Dropped,
    Folder,
}

impl Place {
    pub(crate) fn row(&self) -> &'static str {
        match self {
            Place::Marker | Place::Folder => "P1",
            Place::Draft => "P2",
            Place::Ready(_) => "P3",
            Place::Presence(_) => "P4",
            Place::Claim(..) => "P6",
            Place::Staged(..) => "P9",
            Place::Slot(_) => "P10",
            Place::Archived(..) | Place::Reason => "P11",
            Place::Delayed(_) => "P18",
            Place::Entry | Place::EntryDraft => "P20",
            Place::Payload | Place::Outside => "P23",
            Place::Record => "P25",
            Place::Dropped => "P28",
            Place::Subscription => "P33",
            Place::Event => "P35",
        }
    }
}

/// Finds the row that names a path; `None` is a file that PROTOCOL.md does not know.
pub(crate) fn classify(path: &str) -> Option<Place> {
    if path.starts_with("/outside") {
        return Some(Place::Outside);
    }
    let below = path.strip_prefix(DROP)?;
    let reply = format!("/replies/{ADDRESS}");
    let below = below.strip_prefix(&reply).unwrap_or(below);
    let below = below.strip_prefix("/outbox").filter(|below| !below.is_empty()).unwrap_or(below);
    let below =
        GROUPS.iter().find_map(|group| below.strip_prefix(&format!("/subscribers/{group}"))).unwrap_or(below);
    let parts: Vec<&str> = below.split('/').skip(1).collect();
    let is_day = |day: &str| day.len() == 10 && day.bytes().filter(|b| *b == b'-').count() == 2;
    match parts[..] {
        [] | ["replies"] => Some(Place::Folder),
        ["subscription.json"] => Some(Place::Subscription),
        ["inbox", event] if event.ends_with(".event") => {
            event.parse::<EventName>().ok().map(|_| Place::Folder)
        }
        ["inbox", event, file] => {
            let known = [EventName::DRAFT, EventName::PUBLISHED].contains(&file)
                || file.parse::<DeliveryName>().is_ok();
            (known && event.parse::<EventName>().is_ok()).then_some(Place::Event)
        }
        [room] if !room.contains('.') => Some(Place::Folder),
        ["filedrop.json"] => Some(Place::Marker),
        ["tmp", _] => Some(Place::Draft),
        ["inbox", name] => {
            // P22: what a person put there.
            let misplaced = || Some(Place::Archived("inbox", InboxName::parse_archived(name).ok()?));
            let dropped = || name.ends_with(".csv").then_some(Place::Dropped);
            name.parse().ok().map(Place::Ready).or_else(misplaced).or_else(dropped)
        }
        ["delayed", name] => name.parse().ok().map(Place::Delayed),
        ["payload", name, ..] => {
            let aside = || Orphan::parse_name(name).or_else(|| Orphan::parse_spent(name));
            (ClaimCheck::parse_name(name).is_ok() || aside().is_some()).then_some(Place::Payload)
        }
        ["ids", _] => Some(Place::Folder),
        ["ids", shelf, name] => match (name.parse::<Id>(), name.parse::<StampedId>()) {
            (Ok(id), _) => (id.shelf() == shelf).then_some(Place::Entry),
            (_, Ok(stamp)) => (stamp.id.shelf() == shelf).then_some(Place::EntryDraft),
            _ => {
                let (stamp, _) = StampedId::parse_draft(name)?;
                (stamp.id.shelf() == shelf).then_some(Place::EntryDraft)
            }
        },
        ["claimed", room] => match room.strip_suffix(".presence") {
            Some(room) => room.parse().ok().map(Place::Presence),
            None => room.parse::<RoomName>().ok().map(|_| Place::Folder),
        },
        ["claimed", room, name] if StampedId::parse_taken(name).is_some() => {
            room.parse::<RoomName>().ok().map(|_| Place::Folder)
        }
        ["claimed", _, taken, _] => StampedId::parse_taken(taken).map(|_| Place::Dropped),
        ["claimed", room, name] => {
            let room: RoomName = room.parse().ok()?;
            let staged = name.parse().ok().map(|staged| Place::Staged(room.clone(), staged));
            staged.or_else(|| name.parse().ok().map(|claim| Place::Claim(room, claim)))
        }
        ["outcomes" | "done", day] => is_day(day).then_some(Place::Folder),
        ["outcomes", day, name] if name.ends_with(".attempt.json") => is_day(day).then_some(Place::Record),
        ["outcomes", day, name] => {
            let id = name.strip_suffix(".outcome.json")?;
            is_day(day).then(|| Place::Slot(id.to_owned()))
        }
        ["done", _, name] => InboxName::parse_archived(name).ok().map(|name| Place::Archived("done", name)),
        [room @ ("dead" | "invalid"), name] => {
            let room = if room == "dead" { "dead" } else { "invalid" };
            let archived = InboxName::parse_archived(name).ok().map(|name| Place::Archived(room, name));
            archived.or_else(|| name.ends_with(".reason.json").then_some(Place::Reason))
        }
        _ => None,
    }
}
