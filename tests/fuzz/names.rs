//! Names: what parses prints the same bytes, leads nowhere else, and is the name of one kind of thing only.

use std::ffi::OsStr;
use std::fmt::{Debug, Display};
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;

use filedrop::words::{
    ClaimCheck, Customs, DelayedName, DeliveryKind, Id, InboxName, Millis, Priority, RoomName, Sort,
    StagedName, StampedId, from_reference, to_reference,
};

/// `input` is a name, or a time.
pub(crate) fn check(input: &[u8]) {
    references(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    let id = same::<Id>(text);
    let inbox = same::<InboxName>(text);
    let delayed = same::<DelayedName>(text);
    let staged = same::<StagedName>(text);
    let room = same::<RoomName>(text);
    let stamp = same::<StampedId>(text);
    let check = same::<ClaimCheck>(text);
    same::<Millis>(text);
    same::<Priority>(text);
    let archived = InboxName::parse_archived(text).ok();
    let slot = InboxName::parse_slot(text);
    let record = InboxName::parse_attempt_record(text);
    let taken = StampedId::parse_taken(text);
    let draft = StampedId::parse_taken_draft(text);
    let (copying, spent) = (StampedId::parse_copying(text), StampedId::parse_spent(text));
    let payload = ClaimCheck::parse_name(text).ok();

    let claim = inbox.as_ref().filter(|name| name.kind == DeliveryKind::Job);
    one_kind("inbox", text, &[inbox.is_some(), delayed.is_some(), archived.is_some(), slot.is_some()]);
    one_kind("room", text, &[claim.is_some(), staged.is_some(), taken.is_some(), draft.is_some()]);
    one_kind("room", text, &[taken.is_some(), copying.is_some(), spent.is_some()]);
    one_kind("outcomes", text, &[slot.is_some(), record.is_some()]);
    let ours = inbox.is_some() || delayed.is_some() || staged.is_some() || archived.is_some();
    if ours || slot.is_some() || record.is_some() || draft.is_some() {
        assert_eq!(Customs::default().sort(text.as_ref()), Sort::Ours, "{text:?} would be taken for a file");
    }
    let ours = ours || id.is_some() || room.is_some() || stamp.is_some() || taken.is_some();
    if ours || payload.is_some() || slot.is_some() || record.is_some() || draft.is_some() {
        stays_here(text);
    }

    if let Some(name) = inbox {
        inbox_name(&name);
    }
    if let Some(name) = archived {
        assert_eq!(name.archived(), text, "the same in an archive");
    }
    if let Some(id) = slot {
        assert_eq!(format!("{id}.outcome.json"), text);
    }
    if let Some(stamp) = taken {
        assert_eq!(stamp.taken(), text);
    }
    if let Some(stamp) = copying {
        assert_eq!(stamp.copying(), text);
    }
    if let Some(stamp) = spent {
        assert_eq!(stamp.spent(), text);
    }
    if let Some(stamp) = draft {
        assert_eq!(stamp.taken_draft(), text);
    }
    if let Some(payload) = payload {
        assert_eq!(payload.name(), text);
    }
    if let Some(check) = check {
        let name = text.strip_prefix("payload/").expect("below payload/").trim_end_matches('/');
        stays_here(name);
        assert_eq!(ClaimCheck::parse_name(name), Ok(check), "the reference leads to this name");
    }
    if let Some(id) = id {
        assert_eq!(id.shelf().len(), 2, "the shelf of {id}");
        if let Some(minted) = id.minted_at() {
            assert_eq!(Millis::new(minted.get()), Some(minted), "{id} fits a name");
        }
    }
    times(text);
}

/// What it parses to, if it does; printed it is the same again.
fn same<T: FromStr<Err: Display> + Display + Debug>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(name) => {
            assert_eq!(name.to_string(), text, "{name:?}");
            Some(name)
        }
        Err(why) => {
            assert!(!why.to_string().is_empty());
            None
        }
    }
}

/// A folder whose entries cannot be told apart by their names would be read by guessing.
fn one_kind(folder: &str, name: &str, kinds: &[bool]) {
    assert!(kinds.iter().filter(|kind| **kind).count() <= 1, "{name:?} is two things in {folder}");
}

fn stays_here(name: &str) {
    assert!(!matches!(name, "" | "." | ".."), "{name:?} is no entry");
    assert!(!name.contains(['/', '\0']) && name.len() <= 255, "{name:?} is no file's name");
}

fn inbox_name(name: &InboxName) {
    for other in [name.archived(), name.id.slot(), name.attempt_record(), name.reason(), name.day()] {
        stays_here(&other);
    }
    assert!(name.next_attempt().attempt >= name.attempt);
    let delivery = name.delivery();
    assert_eq!(delivery.to_string().parse::<InboxName>(), Ok(delivery));
    let delayed = name.delayed(name.submitted);
    assert_eq!(delayed.to_string().parse::<DelayedName>(), Ok(delayed));
    let day = name.day();
    let midnight = Millis::of_day(&day).expect("a day that we print");
    assert!(midnight <= name.submitted && midnight.day() == day, "{day}");
}

fn times(text: &str) {
    if let Ok(time) = Millis::parse_rfc3339(text) {
        assert_eq!(Millis::parse_rfc3339(&time.rfc3339()), Ok(time), "{text:?}");
    }
    if let Some(start) = Millis::of_day(text) {
        assert_eq!(start.day(), text);
    }
}

/// Any bytes are a part of a reference and come back; what is taken for one leads to a name in this folder.
fn references(input: &[u8]) {
    let is_name = !matches!(input, b"" | b"." | b"..") && !input.contains(&b'/') && !input.contains(&0);
    let name = OsStr::from_bytes(input);
    let reference = to_reference(name);
    assert!(reference.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{reference}");
    assert_eq!(from_reference(&reference).as_deref(), is_name.then_some(name));
    if let Ok(text) = std::str::from_utf8(input)
        && let Some(name) = from_reference(text)
    {
        let bytes = name.as_bytes();
        assert!(!matches!(bytes, b"" | b"." | b"..") && !bytes.contains(&b'/') && !bytes.contains(&0));
        assert_eq!(to_reference(&name), text, "one reference for each name");
    }
}
