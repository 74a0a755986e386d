//! What a folder can do, tried and measured. Nothing here decides anything: but who decides at run time (the watch, the locks) asks
//! the same functions as `filedrop doctor`.

mod access;
mod flush;
mod hints;
mod locks;
mod names;
mod peer;
mod place;
mod rooms;
mod site;
mod times;

use std::io;

use serde::Serialize;

pub use access::Access;
pub(crate) use access::look as access;
pub use flush::Flushes;
pub(crate) use flush::measure as flushes;
pub use hints::Delays;
pub(crate) use hints::{hears, measure as hints};
pub use locks::Locks;
pub(crate) use locks::measure as locks;
pub(crate) use names::measure as names;
pub use names::{Names, Replaced};
pub(crate) use peer::{Given, meet_and_measure};
pub use peer::{Peer, Race};
pub use place::Surroundings;
pub(crate) use place::look as surroundings;
pub(crate) use rooms::look as unusable_rooms;
pub use rooms::{Flaw, Unusable};
pub(crate) use site::{Site, Space, is_site, remove_old};
pub use times::Times;
pub(crate) use times::measure as times;

/// Whether something works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// It does.
    pub works: bool,
    /// If not: why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Ability {
    fn of(tried: io::Result<()>) -> Self {
        Self { works: tried.is_ok(), why: tried.err().map(|e| e.to_string()) }
    }
}

/// Nothing went wrong, but what should have happened did not.
fn expect(as_it_should: bool, otherwise: &str) -> io::Result<()> {
    if as_it_should { Ok(()) } else { Err(io::Error::other(otherwise)) }
}
