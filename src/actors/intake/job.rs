//! What job files make.

use std::path::Path;

use serde::Serialize;

use super::JobRule;
use crate::ports::{Batch, Marker};
use crate::words::{
    ClaimCheck, ClaimCheckKind, Consignment, Envelope, Job, Listing, Millis, Payload, Priority, StampedId,
    TakenFile, envelope_of_file, path_to_reference, shown, shown_path, to_reference,
};

/// The data of a job of several files.
#[derive(Serialize)]
struct Contents<'a> {
    manifest: &'a str,
    files: Vec<Listing>,
}

impl JobRule {
    /// Describes what a batch makes, of one file or of a manifest and its files.
    pub(super) fn describe(
        &self,
        batch: &Batch<'_>,
        stamp: StampedId,
        files: Vec<TakenFile>,
        now: Millis,
    ) -> Consignment {
        let names: Vec<_> = batch.files.iter().map(|(file, _)| &file.name).collect();
        let path = batch.folder.join(names[0]);
        let mut envelope = if let [name] = names[..] {
            let check = ClaimCheck { stamp: stamp.clone(), kind: ClaimCheckKind::Files };
            envelope_of_file(&stamp.id, name, &check, &self.source, now)
        } else {
            let mut envelope = Job::envelope(&stamp.id, &self.source, "files", now);
            envelope.payload = Some(contents(&names, &files));
            envelope
        };
        self.dress(&mut envelope, &path);
        let markers = batch.files.iter().flat_map(|(file, _)| &file.markers);
        let marker = |Marker { name, changed_ns }: &Marker| (to_reference(name), *changed_ns);
        Consignment {
            stamp,
            path: path_to_reference(&path),
            envelope,
            data: (names.len() == 1).then(|| to_reference(names[0])),
            files,
            markers: markers.map(marker).collect(),
        }
    }

    fn dress(&self, envelope: &mut Envelope, path: &Path) {
        envelope.set("subject", shown_path(path));
        if let Some(kind) = &self.kind {
            envelope.set("type", kind.as_str());
        }
        if let Some(address) = &self.reply_to {
            envelope.set("replyto", address.as_str());
        }
        if self.priority != Priority::default() {
            envelope.set("priority", self.priority.get());
        }
    }
}

/// So that a handler need not look for what is there. The first one is the manifest.
fn contents(names: &[&std::ffi::OsString], files: &[TakenFile]) -> Payload {
    let listing = |(name, file): (&&std::ffi::OsString, &TakenFile)| Listing {
        name: shown(name),
        size: Some(file.size),
        sha256: Some(file.sha256.clone()),
    };
    let files = names.iter().zip(files).skip(1).map(listing).collect();
    let json = serde_json::to_vec(&Contents { manifest: &shown(names[0]), files });
    Payload::typed(json.expect("strings and numbers serialise"), "application/json")
}
