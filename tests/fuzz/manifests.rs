//! Manifests of partners, what an intake reads of its own, and names of files for partners: none leads out of a folder.

use filedrop::words::{Consignment, Id, Manifest, NameFields, NamePattern};
use serde_json::json;

/// `input` is a manifest, a consignment, and a subject.
pub(crate) fn check(input: &[u8]) {
    if let Ok(Manifest { files }) = Manifest::parse(input) {
        let mut names: Vec<_> = files.iter().map(|file| &file.name).collect();
        assert!(!names.is_empty());
        for name in &names {
            let leads_away = matches!(&name[..], "" | "." | "..") || name.contains(['/', '\0']);
            assert!(!leads_away, "{name:?}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), files.len(), "each once");
        let digest = |hex: &String| hex.len() == 64 && !hex.bytes().any(|b| b.is_ascii_uppercase());
        assert!(files.iter().filter_map(|file| file.sha256.as_ref()).all(digest));
        let json = json!({"files": files}).to_string();
        assert_eq!(
            Manifest::parse(json.as_bytes()).map(|again| again.files).ok(),
            Some(files),
            "the same in JSON"
        );
    }
    if let Ok(consignment) = Consignment::decode(input) {
        let again = Consignment::decode(&consignment.encode());
        assert_eq!(again.ok(), Some(consignment));
    }
    let subject = String::from_utf8_lossy(input);
    let id: Id = "an-id".parse().expect("an id");
    let fields = NameFields { subject: Some(&subject), id: &id, name: None, date: "2026-11-23" };
    for pattern in ["{name}", "{subject}", "{stem}-{date}.{ext}", "{ext}", "a{stem}.{id}"] {
        let name = pattern.parse::<NamePattern>().expect("a pattern").fill(&fields).with(".failed.json");
        for name in [name.nth(1), name.nth(u32::MAX)] {
            assert!(
                name.len() <= 255 && !name.starts_with('.') && !name.contains(['/', '\\', '\0', '\n']),
                "{name:?}"
            );
        }
    }
}
