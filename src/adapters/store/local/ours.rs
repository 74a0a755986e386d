//! Which entries of a drop folder are its own: those whose names PROTOCOL.md gives.

use std::ffi::OsStr;
use std::path::Path;

use super::layout::{OUTER_ROOMS, ROOMS};
use crate::words::{
    ClaimCheck, DelayedName, DeliveryName, EventName, Id, InboxName, Millis, RoomName, StagedName, StampedId,
};

/// What an intake writes down, if it is not told to do so elsewhere.
pub(crate) const INTAKE_LOG: &str = "intake.log";

/// Whether what lies at this path, relative to the drop folder, has a name of ours. Of the files that travel with a job all are:
/// people choose their names.
pub(crate) fn is_ours(below: &Path, is_dir: bool) -> bool {
    let mut parts = below.iter().map(OsStr::to_str);
    let (Some(Some(room)), second) = (parts.next(), parts.next()) else { return false };
    match (room, second) {
        (room, None) if OUTER_ROOMS.contains(&room) => is_dir,
        (INTAKE_LOG, None) => !is_dir,
        ("replies", Some(Some(address))) if is::<Id>(address) => {
            let below: std::path::PathBuf = below.iter().skip(2).collect();
            if below.as_os_str().is_empty() { is_dir } else { is_in_folder(&below, is_dir) }
        }
        ("subscribers", Some(Some(group))) if is::<Id>(group) => {
            let below: std::path::PathBuf = below.iter().skip(2).collect();
            match below.to_str() {
                Some("") => is_dir,
                Some("subscription.json") => !is_dir,
                _ => is_ours(&below, is_dir),
            }
        }
        ("outbox", Some(_)) => {
            let below: std::path::PathBuf = below.iter().skip(1).collect();
            is_on_its_way(&below, is_dir) || is_in_folder(&below, is_dir)
        }
        ("payload", Some(Some(name))) => {
            let is_data = name.ends_with(".data");
            let is_top = parts.next().is_none();
            ClaimCheck::parse_name(name).is_ok() && if is_top { is_dir != is_data } else { !is_data }
        }
        ("ids", Some(Some(shelf))) => match (parts.next(), parts.next()) {
            (None, _) => is_dir && shelf.len() == 2 && is::<Id>(shelf),
            (Some(Some(name)), None) => !is_dir && (is::<Id>(name) || StampedId::parse_draft(name).is_some()),
            _ => false,
        },
        ("claimed", Some(_)) if is_taken(below, is_dir) => true,
        _ => is_in_folder(below, is_dir),
    }
}

/// Files of strangers in a room, and their folders; what else is taken with them has any name.
fn is_taken(below: &Path, is_dir: bool) -> bool {
    let mut parts = below.iter().skip(1);
    let (room, folder) = (parts.next().and_then(OsStr::to_str), parts.next().and_then(OsStr::to_str));
    let (Some(room), Some(folder)) = (room, folder) else { return false };
    let stamps = [StampedId::parse_taken, StampedId::parse_copying, StampedId::parse_spent];
    let inside = parts.next().is_some();
    is::<RoomName>(room) && stamps.iter().any(|parse| parse(folder).is_some()) && (is_dir || inside)
}

/// An event, below the outbox.
fn is_on_its_way(below: &Path, is_dir: bool) -> bool {
    let Some(parts) = below.iter().map(OsStr::to_str).collect::<Option<Vec<_>>>() else { return false };
    match (&parts[..], is_dir) {
        (["inbox", event], true) => is::<EventName>(event),
        (["inbox", event, file], false) => {
            let known = [EventName::DRAFT, EventName::PUBLISHED].contains(file);
            is::<EventName>(event) && (known || is::<DeliveryName>(file))
        }
        _ => false,
    }
}

/// The same for the rooms that each drop folder has, a nested one too.
fn is_in_folder(below: &Path, is_dir: bool) -> bool {
    let Some(parts) = below.iter().map(OsStr::to_str).collect::<Option<Vec<_>>>() else { return false };
    match (&parts[..], is_dir) {
        (["filedrop.json"], false) => true,
        ([room], true) => ROOMS.contains(room),
        // Drafts have the names that their writers like, and folders are made there, too.
        (["tmp", ..], _) => true,
        (["inbox", name], false) => is_job(name),
        (["delayed", name], false) => is::<DelayedName>(name),
        (["claimed", room], true) => is::<RoomName>(room),
        (["claimed", file], false) => file.strip_suffix(".presence").is_some_and(is::<RoomName>),
        (["claimed", _, name], false) => is_job(name) || is::<StagedName>(name),
        (["outcomes" | "done", day], true) => Millis::of_day(day).is_some(),
        (["outcomes", _, name], false) => {
            InboxName::parse_slot(name).is_some() || InboxName::parse_attempt_record(name).is_some()
        }
        (["done", _, name], false) => InboxName::parse_archived(name).is_ok(),
        (["dead" | "invalid", name], false) => {
            let reason = name.strip_suffix(".reason.json").map(|stem| format!("{stem}.job.json"));
            InboxName::parse_archived(reason.as_deref().unwrap_or(name)).is_ok()
        }
        _ => false,
    }
}

/// A dead letter that somebody put there is one, too (P22).
fn is_job(name: &str) -> bool {
    is::<InboxName>(name) || InboxName::parse_archived(name).is_ok()
}

fn is<T: std::str::FromStr>(name: &str) -> bool {
    name.parse::<T>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn names_that_are_ours() {
        let (folders, files) = (
            [
                "inbox",
                "payload",
                "ids",
                "ids/aa",
                "claimed/host-1-0123456789abcdef",
                "outcomes/2026-11-23",
                "replies/billing",
                "replies/billing/inbox",
                "payload/a.0123456789abcdef",
                "payload/a.0123456789abcdef/below",
                "tmp/any",
                "claimed/host-1-0123456789abcdef/a.0123456789abcdef.bare",
                "claimed/host-1-0123456789abcdef/a.0123456789abcdef.copy",
                "claimed/host-1-0123456789abcdef/a.0123456789abcdef.spent",
                "claimed/host-1-0123456789abcdef/a.0123456789abcdef.copy/any folder",
            ],
            [
                "filedrop.json",
                "inbox/5.1700000000000.a.1.job.json",
                "inbox/5.1700000000000.a.job.json",
                "delayed/1700000000001.5.1700000000000.a.1.job.json",
                "claimed/host-1-0123456789abcdef.presence",
                "claimed/host-1-0123456789abcdef/5.1700000000000.a.1.job.json",
                "claimed/host-1-0123456789abcdef/5.1700000000000.a.1.0123456789abcdef.outcome.json",
                "outcomes/2026-11-23/a.outcome.json",
                "outcomes/2026-11-23/a.1.attempt.json",
                "done/2026-11-23/5.1700000000000.a.job.json",
                "dead/5.1700000000000.a.reason.json",
                "invalid/5.1700000000000.a.job.json",
                "ids/aa/aa",
                "ids/aa/aa.0123456789abcdef",
                "payload/a.0123456789abcdef/any name",
                "payload/a.0123456789abcdef.data",
                "replies/billing/filedrop.json",
                "replies/billing/inbox/5.1700000000000.a.1.outcome.json",
                "tmp/0123",
                "intake.log",
                "claimed/host-1-0123456789abcdef/a.0123456789abcdef.bare/any name",
                "claimed/host-1-0123456789abcdef/a.0123456789abcdef.copy/any name",
                "claimed/host-1-0123456789abcdef/a.0123456789abcdef.spent/any name",
            ],
        );
        for (ours, is_dir) in
            folders.iter().map(|path| (path, true)).chain(files.iter().map(|path| (path, false)))
        {
            assert!(is_ours(ours.as_ref(), is_dir), "{ours}");
            // The presence beside a room has a room's name but for its end, and people may put folders into `tmp/`.
            assert!(
                ours.contains("any")
                    || ours.starts_with("tmp/")
                    || ours.ends_with("/below")
                    || !is_ours(ours.as_ref(), !is_dir),
                "{ours}"
            );
        }
    }

    #[test]
    fn names_that_are_not() {
        for other in [
            "README",
            "notes",
            "inbox/README",
            "inbox/order.csv",
            "inbox/below",
            "inbox/5.1700000000000.a.1.job.json/below",
            "outbox/any",
            "payload/any",
            "payload/a.0123456789abcdef.data/below",
            "ids/aa/aa/below",
            "ids/aaa",
            "outcomes/today",
            "replies/UP",
            "replies/billing/payload",
            "replies/billing/notes",
            "dead/notes",
            "claimed/host",
            "claimed/host/a.0123456789abcdef.bare",
            "claimed/host-1-0123456789abcdef/a.bare",
            "claimed/host-1-0123456789abcdef/any/a.0123456789abcdef.bare",
            "replies/billing/intake.log",
        ] {
            assert!(!is_ours(other.as_ref(), true) && !is_ours(other.as_ref(), false), "{other}");
        }
    }
}
