//! The invariants, checked on the bytes of the disk and not through the store.

use std::collections::{BTreeMap, BTreeSet};

use filedrop::adapters::fs::sim::World;
use filedrop::words::{
    Attempt, ClaimCheck, DelayedName, DeliveryKind, Envelope, Id, InboxName, Job, Outcome, Problem, RoomName,
    StagedName, StampedId,
};

use crate::ledger::{Facts, Ledger};
use crate::programs::{ADDRESS, DROP};
use crate::strangers;

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
    let parts: Vec<&str> = below.split('/').skip(1).collect();
    let is_day = |day: &str| day.len() == 10 && day.bytes().filter(|b| *b == b'-').count() == 2;
    match parts[..] {
        [] | ["replies"] => Some(Place::Folder),
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
        ["payload", name, ..] => ClaimCheck::parse_name(name).ok().map(|_| Place::Payload),
        ["ids", _] => Some(Place::Folder),
        ["ids", shelf, name] => match (name.parse::<Id>(), name.parse::<StampedId>()) {
            (Ok(id), _) => (id.shelf() == shelf).then_some(Place::Entry),
            (_, Ok(stamp)) => (stamp.id.shelf() == shelf).then_some(Place::EntryDraft),
            _ => None,
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

/// Whether a job of this id is anywhere, or its outcome is.
fn is_known(world: &World, id: &Id) -> bool {
    world.disk().tree().into_iter().any(|(path, data)| {
        let nested = path.contains("/replies/");
        data.is_some()
            && !nested
            && match classify(&path) {
                Some(Place::Ready(name) | Place::Claim(_, name) | Place::Archived(_, name)) => name.id == *id,
                Some(Place::Delayed(name)) => name.job.id == *id,
                Some(Place::Slot(slot)) => slot == id.as_str(),
                _ => false,
            }
    })
}

/// I7: who is told that an id was submitted before can find its job, or what became of it, at that moment.
pub(crate) fn submitted_before(world: &World, id: &Id, ledger: &Ledger) {
    if !is_known(world, id) {
        ledger.violation("I7: an id was called submitted already, and no job has it");
    }
}

/// I3, I5, and that a slot never changes: for every name that came or went since the last look.
pub(crate) fn names_that_changed(world: &World, ledger: &Ledger) {
    for (path, came) in world.take_changes() {
        let Some(place) = classify(&path) else {
            ledger.violation(format!("I5: PROTOCOL.md names no {path}"));
            continue;
        };
        if !came {
            if let Place::Slot(id) = place
                && !is_retired(&id, ledger)
            {
                ledger.violation("I2: a slot was replaced or removed");
            }
            continue;
        }
        if let Some((data, flushed)) = world.peek(&path) {
            complete(&place, &data, ledger);
            if !flushed
                && !matches!(
                    place,
                    Place::Draft | Place::Presence(_) | Place::Payload | Place::Outside | Place::Dropped
                )
            {
                ledger.violation(format!("I3: a file of {} was named before it was flushed", place.row()));
            }
        }
    }
}

/// I1, I3, I5 on a disk as a crash left it.
pub(crate) fn after_crash(world: &World, ledger: &Ledger) {
    let mut seen = BTreeSet::new();
    for (path, data) in world.disk().tree() {
        let Some(data) = data else { continue };
        match classify(&path) {
            None => ledger.violation(format!("I5: PROTOCOL.md names no {path}")),
            Some(place) => {
                complete(&place, &data, ledger);
                let nested = path.contains("/replies/");
                let held = match &place {
                    Place::Ready(name) | Place::Claim(_, name) => Some(name),
                    Place::Delayed(name) => Some(&name.job),
                    _ => None,
                };
                seen.extend(held.filter(|_| !nested).map(|name| name.id.to_string()));
                if let Place::Slot(id) = place {
                    seen.insert(id);
                }
            }
        }
    }
    let facts = ledger.facts();
    strangers::still_there(world, &facts.dropped, ledger);
    for id in facts.acknowledged {
        if !seen.contains(id.as_str()) && !facts.retired.contains_key(&id) {
            ledger.violation("I1: an acknowledged job is neither there nor finished");
        }
    }
}

fn is_retired(id: &str, ledger: &Ledger) -> bool {
    id.parse::<Id>().is_ok_and(|id| ledger.facts().retired.contains_key(&id))
}

/// I3: whatever has a name that others read is whole.
fn complete(place: &Place, data: &[u8], ledger: &Ledger) {
    let whole = match place {
        // A draft of an entry is read only once the entry is that file.
        Place::Draft | Place::Presence(_) | Place::Folder | Place::EntryDraft => true,
        // Who refers to it says when it has to be: see travel.rs.
        Place::Payload | Place::Outside | Place::Dropped => true,
        Place::Record => serde_json::from_slice::<Attempt>(data).is_ok(),
        Place::Entry => Envelope::decode(data).is_ok(),
        Place::Delayed(name) => Job::decode(&name.job.id, name.job.attempt, data).is_ok(),
        Place::Marker => serde_json::from_slice::<serde_json::Value>(data).is_ok(),
        Place::Staged(..) | Place::Slot(_) | Place::Reason => Outcome::decode(data).is_ok(),
        Place::Ready(name) | Place::Claim(_, name) | Place::Archived(_, name) => {
            data == b"not an envelope"
                || match name.kind {
                    DeliveryKind::Job => Job::decode(&name.id, name.attempt, data).is_ok(),
                    DeliveryKind::Outcome => Outcome::decode(data).is_ok(),
                }
        }
    };
    if !whole {
        ledger.violation(format!("I3: a file of {} is not whole", place.row()));
    }
}

/// What must hold when everybody who works has worked and nothing is left to do.
pub(crate) fn at_rest(world: &World, ledger: &Ledger) {
    let mut at: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    let mut slots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rests: BTreeMap<String, (String, Vec<u8>)> = BTreeMap::new();
    let mut deliveries: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, data) in world.disk().tree() {
        let Some(place) = classify(&path) else {
            ledger.violation(format!("I5: PROTOCOL.md names no {path}"));
            continue;
        };
        let nested = path.contains("/replies/");
        match (&place, data) {
            (Place::Ready(name) | Place::Claim(_, name) | Place::Archived(_, name), Some(data)) if nested => {
                let id = Envelope::decode(&data).ok().and_then(|e| e.text("id").map(str::to_owned));
                deliveries.entry(name.id.to_string()).or_default().push(id.unwrap_or_default());
            }
            (Place::Slot(id), Some(data)) => {
                let outcome = Outcome::decode(&data).ok();
                let outcome = outcome.and_then(|outcome| outcome.envelope.text("id").map(str::to_owned));
                slots.entry(id.clone()).or_default().push(outcome.unwrap_or_default());
            }
            (
                Place::Ready(name)
                | Place::Claim(_, name)
                | Place::Archived(_, name)
                | Place::Delayed(DelayedName { job: name, .. }),
                data,
            ) => {
                rests.insert(name.id.to_string(), (path.clone(), data.unwrap_or_default().to_vec()));
                at.entry(name.id.to_string()).or_default().push(place.clone());
            }
            (Place::Staged(..), _) => ledger.violation("I4: a staged outcome was left"),
            (Place::Presence(_), _) => ledger.violation("I4: the presence of a dead consumer was left"),
            (Place::Folder, _) if path.contains("/claimed/") => {
                ledger.violation("I4: the room of a dead consumer was left");
            }
            _ => {}
        }
    }
    let facts = ledger.facts();
    for id in facts.retired.keys() {
        at.remove(id.as_str());
        slots.remove(id.as_str());
    }
    let caused: BTreeSet<String> = rests.values().filter_map(|(_, data)| cause(data)).collect();
    // Given ids may have been submitted under several names: whichever came first is the job.
    let mut submitted: BTreeMap<String, Vec<(&InboxName, &Vec<u8>)>> = BTreeMap::new();
    for (name, bytes) in &facts.attempted {
        submitted.entry(name.id.to_string()).or_default().push((name, bytes));
    }
    for (id, submissions) in submitted {
        let job: Id = id.parse().expect("an id");
        if facts.retired.contains_key(&job) {
            continue;
        }
        let acknowledged = facts.acknowledged.contains(&job);
        let places = at.remove(&id).unwrap_or_default();
        let outcomes = slots.remove(&id).unwrap_or_default();
        match (&places[..], &outcomes[..]) {
            ([], []) if !acknowledged => {}
            ([Place::Archived(room, _)], [_]) => {
                let rest = &rests[&id];
                let is_it = |(name, _): &&(&InboxName, &Vec<u8>)| rest.0.ends_with(&name.archived());
                let (name, bytes) = submissions.iter().find(is_it).unwrap_or(&submissions[0]);
                at_its_place(world, room, name, bytes, rest, caused.contains(&id), ledger);
            }
            // P3: a job that was not acknowledged may survive as its outcome alone.
            ([], [_]) if !acknowledged => {}
            // P21: a redrive that was interrupted is finished by the next one, and nobody was told that it is done.
            ([Place::Archived("dead", _), Place::Archived("done", _)], [_])
                if caused.contains(&id) && !facts.redriven.contains_key(&job) => {}
            ([], []) => ledger.violation("I1: an acknowledged job is gone"),
            (_, []) => ledger.violation("I4: no outcome was published"),
            (_, [_]) => ledger.violation(format!("I4: one job, one room; it is in {places:?}")),
            (_, _) => ledger.violation("I2: one job has two slots"),
        }
        if facts.refused.contains(&job) && !outcomes.is_empty() {
            ledger.violation("I7: a submission was refused for certain, and the job was handled");
        }
        if let (Some(told), [outcome]) = (facts.told.get(&job), &outcomes[..])
            && !told.contains(outcome)
        {
            ledger.violation("I2: the outcome that was reported is not the one in the slot");
        }
        let delivered = deliveries.remove(&id).unwrap_or_default();
        if delivered.iter().any(|delivered| Some(delivered) != outcomes.first()) {
            ledger.violation("I2: another outcome was delivered than the one in the slot");
        }
        let slot =
            world.disk().tree().into_iter().find(|(path, _)| classify(path) == Some(Place::Slot(id.clone())));
        let address =
            slot.and_then(|(_, data)| Outcome::decode(&data?).ok()).and_then(|outcome| outcome.reply_to());
        match (address.is_some(), delivered.len()) {
            (true, 1) | (false, 0) => {}
            (true, 0) => ledger.violation("I6: an outcome never reached its Return Address"),
            _ => ledger.violation("I2: one outcome was delivered under two names"),
        }
    }
    strangers::are_jobs(world, &facts.dropped, &mut at, &mut slots, &rests, ledger);
    successors(&facts, &mut at, &mut slots, &rests, ledger);
    // P3, of a redrive: nobody was told that the new job is there, and it is there as its outcome alone.
    for (path, data) in world.disk().tree() {
        if let (Some(Place::Slot(id)), Some(outcome)) =
            (classify(&path), data.and_then(|d| Outcome::decode(&d).ok()))
        {
            let flow = outcome.envelope.text("correlationid").unwrap_or_default();
            let of_ours = facts.attempted.keys().any(|name| name.id.as_str() == flow);
            if of_ours && flow != id && !facts.redriven.values().any(|new| new.as_str() == id) {
                slots.remove(&id);
            }
        }
    }
    if !at.is_empty() || !slots.is_empty() {
        ledger.violation("I1: a job that nobody submitted");
    }
}

/// Whose dead letter a job was before.
fn cause(job: &[u8]) -> Option<String> {
    Envelope::decode(job).ok()?.text("causationid").map(str::to_owned)
}

/// P21: what is left is what dead letters became: one job each, with an outcome of its own.
fn successors(
    facts: &Facts,
    at: &mut BTreeMap<String, Vec<Place>>,
    slots: &mut BTreeMap<String, Vec<String>>,
    rests: &BTreeMap<String, (String, Vec<u8>)>,
    ledger: &Ledger,
) {
    let mut of: BTreeMap<String, usize> = BTreeMap::new();
    at.retain(|id, places| {
        let Some(dead) = cause(&rests[id].1) else { return true };
        *of.entry(dead).or_default() += 1;
        let outcomes = slots.remove(id).unwrap_or_default();
        if !matches!((&places[..], &outcomes[..]), ([Place::Archived(..)], [_])) {
            ledger.violation(format!(
                "I4: a redriven job is at {places:?} and has {} outcomes",
                outcomes.len()
            ));
        }
        false
    });
    if of.values().any(|jobs| *jobs > 1) {
        ledger.violation("I8: one dead letter became two jobs");
    }
    if facts.redriven.keys().any(|dead| !of.contains_key(dead.as_str())) {
        ledger.violation("I1: a dead letter was redriven, and its new job is gone");
    }
}

/// P11: where the outcome in the slot says, below the job's own day, as it was submitted, and a failure with its reason.
fn at_its_place(
    world: &World,
    room: &str,
    name: &InboxName,
    bytes: &[u8],
    (path, found): &(String, Vec<u8>),
    redriven: bool,
    ledger: &Ledger,
) {
    let slot = format!("{DROP}/outcomes/{}/{}", name.day(), name.slot());
    let outcome = world.peek(&slot).and_then(|(data, _)| Outcome::decode(&data).ok());
    let expected = match outcome.as_ref().map(Outcome::problem) {
        Some(None) => "done",
        // A redrive archives it at its end; one that was interrupted has not.
        Some(Some(_)) if redriven && room == "done" => "done",
        Some(Some(problem)) if problem.kind == Problem::INVALID => "invalid",
        _ => "dead",
    };
    let day = if room == "done" { format!("{}/", name.day()) } else { String::new() };
    if room != expected || *path != format!("{DROP}/{room}/{day}{}", name.archived()) {
        ledger.violation(format!("I4: a job whose place is {expected}/ is at {path}"));
    }
    if found != bytes {
        ledger.violation("I3: an archived job is not what was submitted");
    }
    if room != "done" && world.peek(&format!("{DROP}/{room}/{}", name.reason())).is_none() {
        ledger.violation(format!("I4: a job in {room}/ has no reason beside it"));
    }
}
