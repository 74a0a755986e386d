//! Whether a folder knows an id, or may have forgotten it.

use super::DropFolder;
use crate::ports::Host as _;
use crate::words::{Id, Result};

/// What there is of an id in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Its job or its outcome is there.
    There,
    /// It is an event: each group that got it has an outcome of its own.
    Event,
    /// Nothing is: it was never submitted to this folder, or it is kept no longer.
    Nowhere,
    /// Nothing is, and it was minted longer ago than this folder keeps jobs: whoever submitted it then, it is kept no longer.
    Forgotten,
}

impl DropFolder {
    /// Looks for an id everywhere in the folder. The age of an id compares wall clocks, and only ids that were minted here or
    /// elsewhere as a UUIDv7 tell theirs.
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Submission, Trace};
    ///
    /// let id = drop.submit(Submission::new("order"))?;
    /// assert_eq!(drop.trace(&id)?, Trace::There);
    /// assert_eq!(drop.trace(&"invoice-4711".parse().unwrap())?, Trace::Nowhere);
    /// assert_eq!(drop.trace(&"01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap())?, Trace::Forgotten);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses.
    pub fn trace(&self, id: &Id) -> Result<Trace> {
        // A job is looked for in the order in which it goes through the rooms, so it is not missed on its way; but one that is
        // handed back goes the other way.
        for _ in 0..2 {
            if self.outcome(id)?.is_some() {
                return Ok(Trace::There);
            }
            let places = self.locate(id)?;
            if !places.is_empty() {
                let event = places.iter().all(|place| place.room == "outbox");
                return Ok(if event { Trace::Event } else { Trace::There });
            }
        }
        Ok(if self.may_be_forgotten(id) { Trace::Forgotten } else { Trace::Nowhere })
    }

    /// Whether an id is so old that its job may be kept no longer.
    pub(crate) fn may_be_forgotten(&self, id: &Id) -> bool {
        id.minted_at().is_some_and(|minted| self.store.host().now().since(minted) > self.store.keep())
    }
}
