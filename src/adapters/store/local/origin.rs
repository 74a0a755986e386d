//! Which drop folder a claim came from: another one may lie in its place by now.

use std::io;

use super::LocalStore;
use crate::ports::{Claim, Fs, Host, Origin};
use crate::words::{Error, ErrorKind, Result};

impl<F: Fs, H: Host> LocalStore<F, H> {
    /// What tells this drop folder from another that is put in its place. `None`: there is none at the moment.
    pub(super) fn origin(&self) -> Result<Option<Origin>> {
        // Where outcomes count. `filedrop.json` will not do: an editor replaces it.
        Ok(self
            .look(&self.layout.room("outcomes"))?
            .map(|meta| Origin { id: meta.id, born_ns: meta.born_ns }))
    }

    /// Fails unless a claim came from the drop folder that is here now: in another, its outcome would be that of another job with
    /// the same id. [`ErrorKind::Elsewhere`]: it came from another one. Any other kind: that cannot be told now.
    pub(super) fn is_from_here(&self, claim: &Claim) -> Result<()> {
        // Nearly always: it lies in a room that no other drop folder has.
        if self.look(&claim.path)?.is_some() {
            return Ok(());
        }
        // Another may have taken it over. That it is decided all the same needs the same folder.
        match (claim.origin, self.origin()?) {
            (Some(then), Some(now)) if then.differs_from(now) => {
                let why = "another drop folder is here than the one that the job came from; it stays there, and is handled again when \
                           that folder is back";
                Err(Error::new(ErrorKind::Elsewhere, why).at(self.layout.root()))
            }
            (_, Some(_)) => Ok(()),
            (_, None) => Err(Error::io(
                "find the folder of outcomes",
                self.layout.room("outcomes"),
                io::ErrorKind::NotFound.into(),
            )),
        }
    }
}
