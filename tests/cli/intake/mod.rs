//! `producer intake`: files in a folder of somebody else's become jobs.

mod folders;
mod kills;
mod manifests;
mod singles;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Ended, Folder};

/// A drop folder, a partner's folder, and one for receipts.
struct Yard {
    folder: Folder,
    from: PathBuf,
    receipts: PathBuf,
    /// If the partner's folder lies elsewhere.
    _elsewhere: Option<tempfile::TempDir>,
}

/// Says what it got, in one write each: subject, checksum of stdin, checksum of the file.
const HANDLER: &str = r#"printf '%s %s %s\n' "$FILEDROP_SUBJECT" "$(sha256sum | cut -c1-64)" "$(sha256sum < "$FILEDROP_PAYLOAD" | cut -c1-64)" >> ../handled"#;

impl Yard {
    fn new() -> Self {
        Self::at(None)
    }

    /// The partner's folder on a file system of its own.
    fn elsewhere() -> Self {
        Self::at(Some(tempfile::tempdir_in("/dev/shm").expect("a tmpfs")))
    }

    fn at(elsewhere: Option<tempfile::TempDir>) -> Self {
        let folder = Folder::new();
        let from = elsewhere.as_ref().map_or(folder.beside("in"), |place| place.path().join("in"));
        let receipts = folder.beside("receipts");
        for dir in [&from, &receipts] {
            fs::create_dir(dir).expect("a folder");
        }
        Self { folder, from, receipts, _elsewhere: elsewhere }
    }

    fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let path = |path: &'a Path| path.to_str().expect("text");
        let mut args = vec!["--from", path(&self.from), "--receipts", path(&self.receipts)];
        if !more.contains(&"--quiet-period") {
            args.extend(["--quiet-period", "0s"]);
        }
        args.extend(more);
        args
    }

    /// Takes what is complete.
    fn once(&self, more: &[&str]) -> Ended {
        self.folder.run("producer intake DROP --once", &self.args(more))
    }

    /// Puts a file into the partner's folder.
    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.from.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// What the partner sees.
    fn names(&self) -> Vec<String> {
        let names = self.folder.names(self.from.to_str().expect("text"));
        names.into_iter().filter(|name| name != ".filedrop").collect()
    }

    fn receipt(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.receipts.join(name)).ok()
    }

    /// The lines of the audit.
    fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path.join("intake.log")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Handles what is there, and returns by subject what its handlers got, sorted.
    fn handle(&self) -> BTreeMap<String, Vec<(String, String)>> {
        self.folder.drain(&format!("cd \"$FILEDROP_DROP\" && {HANDLER}"));
        let text = fs::read_to_string(self.folder.beside("handled")).unwrap_or_default();
        let mut handled: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.rsplitn(3, ' ').map(str::to_owned);
            let (file, stdin) = (words.next().expect("a sum"), words.next().expect("a sum"));
            handled.entry(words.next().expect("a subject")).or_default().push((stdin, file));
        }
        handled
    }

    /// Nothing is left to be done there.
    #[track_caller]
    fn is_cleared(&self) {
        let home = self.from.join(".filedrop");
        let left = self.folder.names(home.to_str().expect("text"));
        let left: Vec<_> =
            left.iter().filter(|name| !["lock", "open", "rejected", "tmp"].contains(&&name[..])).collect();
        assert!(left.is_empty(), "{left:?}");
        // Notes of what was put back stay for a day, and so does the empty file with which a killed one tried notifications.
        let drafts = self.folder.names(home.join("tmp").to_str().expect("text"));
        let is_known = |name: &String| match name.ends_with(".probe") {
            true => {
                home.join("tmp").join(name).metadata().is_ok_and(|meta| meta.is_file() && meta.len() == 0)
            }
            false => name.ends_with(".back"),
        };
        assert!(drafts.iter().all(is_known), "{drafts:?}");
    }
}

fn sha256(text: &str) -> String {
    let mut child = std::process::Command::new("sha256sum");
    child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = child.spawn().expect("coreutils");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), text.as_bytes()).expect("it reads");
    let out = child.wait_with_output().expect("it ends").stdout;
    String::from_utf8(out).expect("text")[..64].to_owned()
}
