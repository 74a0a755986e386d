//! Files that a manifest names are one job.

use std::fs;

use serde_json::{Value, json};

use super::{Yard, sha256};

const GROUPED: [&str; 4] = ["--group-by", "manifest", "--manifest", "*.manifest"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&GROUPED[..], more].concat()
}

fn manifest(files: &[(&str, &str)]) -> String {
    let lines = files.iter().map(|(name, text)| format!("{name},{},{}\n", text.len(), sha256(text)));
    format!("name,size,sha256\n{}", lines.collect::<String>())
}

#[test]
fn one_job_when_all_are_there() {
    let yard = Yard::new();
    let files = [("a.csv", "first"), ("b.csv", "second")];
    yard.put("day.manifest", &manifest(&files));
    yard.put("a.csv", "first");
    yard.put("other.csv", "nobody names it");
    yard.once(&GROUPED).with(0);
    assert_eq!(yard.names(), ["a.csv", "day.manifest", "other.csv"], "one is missing");
    yard.put("b.csv", "second");
    yard.once(&GROUPED).with(0);
    assert_eq!(yard.names(), ["other.csv"]);
    let jobs = yard.folder.jobs("inbox");
    assert_eq!(jobs.len(), 1);
    let text = |name| jobs[0].envelope.text(name);
    assert_eq!((text("type"), text("subject"), text("dataref")), (Some("files"), Some("day.manifest"), None));
    assert_eq!(yard.audit().len(), 3);
    let receipt = yard.receipt("day.manifest.accepted").unwrap();
    assert!(receipt.contains(&format!("{}  b.csv\n", sha256("second"))), "{receipt}");
    yard.folder.drain(r#"cat > ../list; cd "$FILEDROP_PAYLOAD"; cat day.manifest a.csv b.csv; ls | wc -l"#);
    let id = jobs[0].id.as_str();
    let out = yard.folder.run("producer wait DROP", &[id]).with(0);
    assert!(out.text().ends_with("firstsecond3\n"), "{out:?}");
    let list: Value = serde_json::from_slice(jobs[0].data()).unwrap();
    assert_eq!(list["files"][1], json!({"name": "b.csv", "size": 6, "sha256": sha256("second")}));
    yard.is_cleared();
}

/// Also of names that it writes with backslashes.
#[test]
fn what_sha256sum_writes_is_a_manifest() {
    let yard = Yard::new();
    let names = ["n\nl.csv", "a\\b.csv", "  spaces .csv", "plain.csv"];
    for name in names {
        yard.put(name, name);
    }
    let mut sums = std::process::Command::new("sha256sum");
    let sums = sums.arg("--").args(names).current_dir(&yard.from).output().unwrap().stdout;
    let text = String::from_utf8(sums).unwrap();
    assert!(text.contains("  n\\nl.csv\n") && text.starts_with('\\'), "{text:?}");
    yard.put("day.manifest", &text);
    yard.once(&GROUPED).with(0);
    assert_eq!((yard.names(), yard.receipt("day.manifest.rejected")), (Vec::new(), None));
    let job = yard.folder.jobs("inbox").remove(0);
    let list: Value = serde_json::from_slice(job.data()).unwrap();
    let listed: Vec<_> = list["files"].as_array().unwrap().iter().map(|file| file["name"].clone()).collect();
    assert_eq!(listed, [json!("n%0Al.csv"), json!("a\\b.csv"), json!("  spaces .csv"), json!("plain.csv")]);
    let payload = yard.folder.path.join("payload").join(job.files_ref().unwrap().name());
    assert_eq!(fs::read_to_string(payload.join("n\nl.csv")).unwrap(), "n\nl.csv");
}

/// Not ready is a state: a file that is wrong may be uploaded again.
#[test]
fn a_wrong_file_is_waited_for() {
    let yard = Yard::new();
    yard.put("day.manifest", &manifest(&[("a.csv", "first"), ("b.csv", "second")]));
    for (a, b) in [("first", "SECOND"), ("first!", "second")] {
        yard.put("a.csv", a);
        yard.put("b.csv", b);
        yard.once(&GROUPED).with(0);
        assert_eq!(yard.names().len(), 3);
    }
    yard.put("a.csv", "first");
    yard.once(&GROUPED).with(0);
    assert_eq!(yard.names(), [""; 0]);
    assert_eq!(yard.folder.jobs("inbox").len(), 1);
}

#[test]
fn a_manifest_whose_time_is_over_is_rejected_and_its_files_stay() {
    let yard = Yard::new();
    let files = [("a.csv", "first"), ("b.csv", "second"), ("c.csv", "third")];
    yard.put("day.manifest", &manifest(&files));
    yard.put("a.csv", "first");
    yard.put("b.csv", "SECOND");
    let ended = yard.once(&with(&["--manifest-timeout", "1ms"])).with(0);
    assert!(ended.err.contains("rejected a manifest"), "{ended:?}");
    let why = yard.receipt("day.manifest.rejected").unwrap();
    assert!(why.contains("c.csv: it is not there") && why.contains("b.csv: its SHA-256 is"), "{why}");
    assert!(!why.contains("a.csv"), "{why}");
    assert_eq!(yard.names(), ["a.csv", "b.csv"], "they wait for a better manifest");
    assert_eq!(fs::read_dir(yard.from.join(".filedrop/rejected")).unwrap().count(), 1, "nothing is lost");
    assert_eq!(yard.audit()[0]["what"], "rejected");
    yard.put("day.manifest", &manifest(&[("a.csv", "first"), ("b.csv", "SECOND")]));
    yard.once(&GROUPED).with(0);
    assert!(yard.receipt("day.manifest.accepted").is_some());
    assert!(yard.receipt("day.manifest.rejected").is_none(), "that was the one before");
}

#[test]
fn what_is_no_manifest_is_rejected_at_once() {
    let yard = Yard::new();
    yard.put("a.manifest", "../../etc/passwd\n");
    yard.put("b.manifest", &manifest(&[("../../etc/passwd", "")]));
    yard.put("c.manifest", &"x".repeat(2 << 20));
    yard.put("a.csv", "");
    yard.once(&GROUPED).with(0);
    assert_eq!(yard.names(), ["a.csv"]);
    assert!(yard.receipt("a.manifest.rejected").unwrap().contains("line 1: neither JSON"));
    assert!(yard.receipt("b.manifest.rejected").unwrap().contains("no name of a file beside it"));
    assert!(yard.receipt("c.manifest.rejected").unwrap().contains("larger than"));
}

/// More than one look gives out at a time.
#[test]
fn many_files_are_one_job() {
    let yard = Yard::new();
    let names: Vec<String> = (0..600).map(|nth| format!("{nth}.csv")).collect();
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    for name in &names {
        yard.put(name, name);
    }
    yard.put("all.manifest", &format!("name\n{lines}"));
    yard.once(&GROUPED).with(0);
    assert_eq!((yard.names().len(), yard.folder.jobs("inbox").len()), (0, 1));
}

#[test]
fn groups_are_asked_for_whole() {
    let yard = Yard::new();
    yard.once(&["--group-by", "manifest"]).with(2);
    yard.once(&["--manifest", "*"]).with(2);
}
