//! The invariants, checked on the bytes of the disk and not through the store.

use std::collections::{BTreeMap, BTreeSet};

use filedrop::adapters::fs::sim::World;
use filedrop::words::{
    Attempt, DelayedName, DeliveryKind, Envelope, Id, InboxName, Job, Outcome, Problem, Subscription,
};

use crate::events;
use crate::ledger::{Facts, Ledger};
use crate::place::{Place, classify};
use crate::programs::DROP;
use crate::strangers;

/// Whether a job of this id is anywhere, or its outcome is.
fn is_known(world: &World, id: &Id) -> bool {
    world.tree().into_iter().any(|(path, data)| {
        let nested = path.contains("/replies/");
        let nested = nested || path.contains("/subscribers/");
        data.is_some()
            && !nested
            && match classify(&path) {
                Some(Place::Ready(name) | Place::Claim(_, name) | Place::Archived(_, name)) => name.id == *id,
                Some(Place::Delayed(name)) => name.job.id == *id,
                Some(Place::Slot(slot)) => slot == id.as_str(),
                Some(Place::Event) => path.contains(&format!(".{id}.")),
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
    for (path, data) in world.tree() {
        let Some(data) = data else { continue };
        match classify(&path) {
            None => ledger.violation(format!("I5: PROTOCOL.md names no {path}")),
            Some(place) => {
                complete(&place, &data, ledger);
                let nested = path.contains("/replies/") || events::is_theirs(&path);
                let held = match &place {
                    Place::Ready(name) | Place::Claim(_, name) => Some(name),
                    Place::Delayed(name) => Some(&name.job),
                    _ => None,
                };
                seen.extend(held.filter(|_| !nested).map(|name| name.id.to_string()));
                if let Place::Slot(id) = place
                    && !nested
                {
                    seen.insert(id);
                }
            }
        }
    }
    let facts = ledger.facts();
    strangers::still_there(world, &facts.dropped, ledger);
    events::still_there(world, &facts, ledger);
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
        Place::Subscription => serde_json::from_slice::<Subscription>(data).is_ok(),
        Place::Event => Envelope::decode(data).is_ok(),
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
    for (path, data) in world.tree() {
        let Some(place) = classify(&path) else {
            ledger.violation(format!("I5: PROTOCOL.md names no {path}"));
            continue;
        };
        let nested = path.contains("/replies/");
        let of_an_event = events::is_theirs(&path);
        match (&place, data) {
            (
                Place::Slot(_) | Place::Ready(_) | Place::Claim(..) | Place::Archived(..) | Place::Delayed(_),
                _,
            ) if of_an_event => {}
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
            (Place::Presence(_) | Place::Folder, _) if !is_in_a_drop_folder(world, &path) => {}
            (Place::Presence(_), _) => ledger.violation("I4: the presence of a dead consumer was left"),
            (Place::Folder, _) if path.contains("/claimed/") => {
                ledger.violation("I4: the room of a dead consumer was left");
            }
            _ => {}
        }
    }
    let facts = ledger.facts();
    events::at_rest(world, &facts, ledger);
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
            ([], []) if !acknowledged => {
                // Nobody hears of what may still vanish (P14, P15).
                if facts.told.contains_key(&job) || facts.handed_over.contains_key(&job) {
                    ledger.violation("I2: an outcome was reported, and nothing is left of its job");
                }
            }
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
        let slot = world.tree().into_iter().find(|(path, _)| classify(path) == Some(Place::Slot(id.clone())));
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
    for (path, data) in world.tree() {
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

/// P1: no marker, no drop folder. Until somebody subscribes a group again whose marker a power cut undid, nobody can clear what a
/// consumer left there.
fn is_in_a_drop_folder(world: &World, path: &str) -> bool {
    path.split_once("/claimed/")
        .is_some_and(|(drop, _)| world.peek(&format!("{drop}/filedrop.json")).is_some())
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
    let is_gone =
        |(dead, new): (&Id, &Id)| !of.contains_key(dead.as_str()) && !facts.retired.contains_key(new);
    if facts.redriven.iter().any(is_gone) {
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
    let slot = format!("{DROP}/outcomes/{}/{}", name.day(), name.id.slot());
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
