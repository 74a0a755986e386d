//! Files of others: whatever they are called, their names are sorted, and what makes a job makes one that leads to them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use filedrop::words::{
    ClaimCheck, Customs, Job, Millis, Sort, TEMPORARY, Version, envelope_of_file, from_shown, id_of_file,
    shown, type_of_file,
};

/// `input` is a file's name, and further patterns and suffixes of markers in turn, each after a NUL.
pub(crate) fn check(input: &[u8]) {
    let mut parts = input.split(|byte| *byte == 0);
    let name = parts.next().unwrap_or_default();
    let is_name = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && name.len() <= 255;
    if !is_name {
        return;
    }
    let name = OsStr::from_bytes(name);
    sorts(&Customs::default(), name, &[]);
    makes_a_job(name);
    let (mut patterns, mut markers) = (Vec::new(), Vec::new());
    for (n, part) in parts.take(6).enumerate() {
        let Ok(part) = std::str::from_utf8(part) else { continue };
        if n % 2 == 0 { patterns.push(part.to_owned()) } else { markers.push(part.to_owned()) }
    }
    if let Ok(customs) = Customs::new(&patterns, &markers) {
        assert_eq!(customs.marker_required(), !markers.is_empty());
        sorts(&customs, name, &patterns);
    }
}

fn sorts(customs: &Customs, name: &OsStr, patterns: &[String]) {
    let plain = |pattern: &&String| pattern.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    match customs.sort(name) {
        Sort::Ours => {
            let ends = |ending: &&[u8]| name.as_bytes().ends_with(ending);
            assert!([&b".json"[..], b".ndjson", b".presence"].iter().any(ends), "{name:?}");
        }
        Sort::Ignored(by) => {
            assert!(TEMPORARY.contains(&by.as_str()) || patterns.contains(&by), "{name:?} because of {by:?}");
        }
        Sort::Marker(of) => {
            let suffix = name.as_bytes().strip_prefix(of.as_bytes()).expect("a suffix is what it is more");
            assert!(!of.is_empty() && !suffix.is_empty(), "{name:?}");
            let suffix = std::str::from_utf8(suffix).expect("markers are text");
            let known = [".done", ".sha256"].contains(&suffix);
            assert!(known || customs.markers().iter().any(|marker| marker == suffix), "{suffix:?}");
        }
        Sort::Bare => {
            let itself = patterns.iter().filter(plain).find(|pattern| name == pattern.as_str());
            assert_eq!(itself, None, "ignored by its own name");
        }
    }
}

fn makes_a_job(name: &OsStr) {
    let version = Version { ino: 1, size: 2, modified_ns: 3, changed_ns: 4, born_ns: Some(5) };
    let id = id_of_file(&version).expect("it is known when the file was made");
    let check: ClaimCheck = format!("payload/{id}.0123456789abcdef/").parse().expect("a folder of files");
    let now = Millis::new(1_700_000_000_000).expect("13 digits");
    let written = envelope_of_file(&id, name, &check, "/inbox", now).encode().expect("a short envelope");
    let job = Job::decode(&id, 1, &written).expect("a job");
    assert_eq!(job.data_file().as_deref(), Some(name), "its data is the file");
    assert_eq!(job.files_ref(), Some(check), "which lies there");
    let kind = type_of_file(name);
    assert!(job.kind() == kind && (kind == "file" || kind.starts_with("file.")), "{kind:?}");
    assert!(kind.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.')), "{kind:?}");
    let subject = job.envelope.text("subject").expect("its name");
    assert_eq!(subject, shown(name));
    assert_eq!(from_shown(subject).as_deref(), Some(name), "no other name is shown so");
    assert!(!subject.is_empty() && !subject.chars().any(char::is_control), "{subject:?}");
}
