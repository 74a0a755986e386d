//! Locks, and who tells of writers.

use std::io;

use serde::Serialize;

use super::{Ability, Site, expect};
use crate::ports::Fs as _;
use crate::words::Writer;

/// What tells of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Locks {
    /// Whether this program relies on them here.
    pub trusted: bool,
    /// A lock on a file is seen by who opens the file, and is free when it is closed.
    pub seen: Ability,
    /// The kernel tells whether somebody has a file open for writing (read leases).
    pub writers_told: Ability,
}

pub(crate) fn measure(site: &Site<'_>) -> Locks {
    Locks {
        trusted: site.fs.is_local(),
        seen: Ability::of(lock(site)),
        writers_told: Ability::of(writer(site)),
    }
}

/// As a consumer locks its presence, and others judge it.
fn lock(site: &Site<'_>) -> io::Result<()> {
    let path = site.at("locked");
    let owner = site.fs.create(&path)?;
    expect(site.fs.try_lock(&owner)?, "a new file is locked already")?;
    let judge = site.fs.open(&path)?;
    expect(!site.fs.try_lock(&judge)?, "who opens a locked file gets its lock, too")?;
    drop(owner);
    expect(site.fs.try_lock(&judge)?, "the lock of a file that was closed is not free")
}

fn writer(site: &Site<'_>) -> io::Result<()> {
    let path = site.at("written");
    let open = site.fs.create(&path)?;
    let while_open = site.fs.writer(&path)?;
    drop(open);
    let closed = site.fs.writer(&path)?;
    match (while_open, closed) {
        (Writer::Some, Writer::None) => Ok(()),
        (Writer::Unknown, _) | (_, Writer::Unknown) if !site.fs.is_local() => {
            expect(false, "it is not asked where others may be on the other side")
        }
        (Writer::Unknown, _) | (_, Writer::Unknown) => expect(false, "the kernel does not tell"),
        _ => expect(false, "what the kernel tells is wrong"),
    }
}
