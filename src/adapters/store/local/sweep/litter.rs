//! P16: drafts whose writer died.

use super::super::layout::Layout;
use super::{LITTER_AGE, Sweep, Visit};
use crate::adapters::probe::is_site;
use crate::ports::{FileKind, Fs, Host};
use crate::words::{Error, InboxName, Result};

impl<F: Fs, H: Host> Sweep<'_, '_, '_, F, H> {
    pub(super) fn visit_litter(&mut self, yard: &Layout, after: &str) -> Result<Visit> {
        let tmp = yard.room("tmp");
        let mut names = self.store.names(&tmp)?;
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.has_listed();
        for entry in names.into_iter().filter(|entry| *entry.name > *after) {
            if let Err(e) = self.sweep_draft(&tmp.join(&entry.name)) {
                self.trouble(&e);
            }
            if self.is_spent() {
                return Ok(Visit::Spent(entry.name.to_string_lossy().into_owned()));
            }
        }
        Ok(Visit::Done)
    }

    fn sweep_draft(&mut self, path: &std::path::Path) -> Result<()> {
        let Some(meta) = self.store.look(path)? else { return Ok(()) };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let aside = InboxName::parse_aside(name);
        // What was renamed to here is as old as that.
        let since_ms = if aside.is_some() { meta.changed_ns / 1_000_000 } else { meta.modified_ms };
        if !self.is_old(since_ms, LITTER_AGE) {
            return Ok(());
        }
        match (meta.kind, aside) {
            // P22: whoever was putting it back died. It may be its last name.
            (FileKind::File, Some(letter)) if path.starts_with(self.store.layout.room("tmp")) => {
                return if self.broom.dry_run { Ok(()) } else { self.store.end_aside(path, &letter) };
            }
            (FileKind::File, _) => self.remove(path)?,
            // What a program was trying out when it died.
            (FileKind::Dir, _) if is_site(name) => {
                if !self.broom.dry_run {
                    self.store.fs.remove_tree(path).map_err(|e| Error::io("remove a folder", path, e))?;
                }
                (self.broom.each)(path);
            }
            // In a folder that a group shares, folders too are drafts first: empty ones.
            (FileKind::Dir, _) if self.store.names(path)?.is_empty() => {
                self.remove_folder(path)?;
                (self.broom.each)(path);
            }
            (FileKind::Dir | FileKind::Other, _) => return Ok(()),
        }
        self.swept.drafts += 1;
        Ok(())
    }
}
