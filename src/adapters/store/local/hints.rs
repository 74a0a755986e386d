//! Where a watch should listen. Only latency depends on it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::LocalStore;
use crate::ports::{Fs, Host, Interest};

impl<F: Fs, H: Host> LocalStore<F, H> {
    pub(super) fn folders_of(&self, what: Interest<'_>) -> Vec<PathBuf> {
        match what {
            // One watch on `claimed/` sees every room come and every presence close.
            Interest::Ready => {
                let mut rooms: Vec<_> =
                    ["inbox", "claimed", "delayed"].map(|room| self.layout.room(room)).into();
                // A group's consumers see events come: of a publisher that dies then they deliver them.
                rooms.extend(self.home.iter().map(|home| home.layout.outbox().room("inbox")));
                rooms
            }
            // The day folders may not be there yet: their making rings in `outcomes/`. Ids that do not tell their day
            // are looked for in all days when anything rings, most probably today, or at the safety rescan.
            Interest::Outcomes(ids) => {
                let outcomes = self.layout.room("outcomes");
                let day = |id| self.probable_day_of(id).unwrap_or_else(|| self.host.now().day());
                let days: BTreeSet<_> = ids.iter().map(day).collect();
                let days = days.into_iter().map(|day| outcomes.join(day));
                std::iter::once(outcomes.clone()).chain(days).collect()
            }
        }
    }
}
