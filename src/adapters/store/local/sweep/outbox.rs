//! P16, P35: events whose publisher died before they were published.

use std::path::Path;

use super::{LITTER_AGE, Sweep, Visit};
use crate::ports::{FileKind, Fs, Host};
use crate::words::{Error, EventName, Result};

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    pub(super) fn visit_outbox(&mut self, after: &str) -> Result<Visit> {
        let inbox = self.store.layout.outbox().room("inbox");
        let mut names = Vec::new();
        self.store.each_name(&inbox, &mut |name, kind| {
            if let (FileKind::Dir, Ok(event)) = (kind, name.parse::<EventName>())
                && name > after
            {
                names.push((name.to_owned(), event));
            }
        })?;
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.has_listed();
        for (name, event) in names {
            if let Err(e) = self.sweep_event(&event, &inbox.join(&name)) {
                self.trouble(&e);
            }
            if self.is_spent() {
                return Ok(Visit::Spent(name));
            }
        }
        Ok(Visit::Done)
    }

    /// First the folder gets a new name: who publishes the event all the same finds that it cannot, or has done it before; then it is
    /// delivered from there.
    fn sweep_event(&mut self, name: &EventName, folder: &Path) -> Result<()> {
        let Some(meta) = self.store.look(folder)? else { return Ok(()) };
        let published = folder.join(EventName::PUBLISHED);
        if !self.is_old(meta.modified_ms, LITTER_AGE) || self.store.look(&published)?.is_some() {
            return Ok(());
        }
        if !self.broom.dry_run {
            let fresh = EventName { nonce: self.store.host.nonce(), ..name.clone() };
            let aside = folder.with_file_name(fresh.to_string());
            if let Err(e) = self.store.fs.rename(folder, &aside)
                && self.store.look(&aside)?.is_none()
            {
                return Err(Error::io("rename a folder", folder, e));
            }
            if self.store.look(&aside.join(EventName::PUBLISHED))?.is_some() {
                return Ok(());
            }
            self.store.remove_tree(&aside)?;
        }
        (self.broom.each)(folder);
        self.swept.drafts += 1;
        Ok(())
    }
}
