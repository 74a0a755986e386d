//! Names on the command line that are ids, and are called otherwise.

use crate::Id;

/// A Return Address.
pub(super) fn address(text: &str) -> Result<Id, String> {
    named(text, "an address")
}

/// A group of subscribers.
pub(super) fn group(text: &str) -> Result<Id, String> {
    named(text, "the name of a group")
}

fn named(text: &str, what: &str) -> Result<Id, String> {
    text.parse().map_err(|_| format!("{what} is made of 1 to 64 of a-z 0-9 _ -"))
}
