//! What somebody puts into an inbox to read, to write, to block or to exhaust what is not his.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use filedrop::Id;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::outside::Outside;
use crate::place::{Place, is_root, say, skip};

/// What is to become of it all.
#[derive(Default)]
pub(crate) struct Bad {
    /// Stays in the inbox, and is explained with this reason.
    pub(crate) left: BTreeMap<String, &'static str>,
    /// Ends in `invalid/`.
    pub(crate) invalid: Vec<Id>,
    /// Ends in `dead/`, though it is valid: what it refers to is not what it says.
    pub(crate) dead: Vec<Id>,
    /// Is handled, odd as it is: the data that its handler sees.
    pub(crate) handled: BTreeSet<Vec<u8>>,
    /// Worthless files, whose names say so.
    pub(crate) junk: usize,
}

const JUNK: [(&str, &str); 6] =
    [(".", ""), ("", "~"), ("#", "#"), ("", ".tmp"), ("", ".part"), ("", ".filepart")];

impl Bad {
    pub(crate) fn put(place: &Place, outside: &Outside, junk: usize) -> Self {
        let mut bad = Self { junk, ..Self::default() };
        bad.no_files(place, outside);
        bad.unreadable(place);
        bad.envelopes(place);
        bad.references(place, outside);
        // Another name of a file beside the folder: whoever could make it, dropped that file.
        let linked = place.root.join("linked");
        fs::write(&linked, "linked").unwrap();
        fs::hard_link(&linked, place.inbox().join("linked.csv")).unwrap();
        bad.handled.insert(b"linked".to_vec());
        for nth in 0..junk {
            let (before, after) = JUNK[nth % JUNK.len()];
            File::create(place.inbox().join(format!("{before}junk-{nth}{after}"))).unwrap();
        }
        bad
    }

    /// What is no regular file.
    fn no_files(&mut self, place: &Place, outside: &Outside) {
        let inbox = place.inbox();
        let mut leave = |name: &str, reason| {
            self.left.insert(name.to_owned(), reason);
            inbox.join(name)
        };
        for (name, target) in [
            ("link.csv", outside.dir.join("secret")),
            ("link-to-folder", outside.dir.join("folder")),
            ("link-to-nothing.csv", outside.dir.join("new")),
            ("link-to-itself.csv", "link-to-itself.csv".into()),
            ("link-to-device.csv", "/dev/zero".into()),
            // With a job's own name.
            ("5.1764000000000.link.1.job.json", outside.dir.join("secret")),
            // And as a marker, with a checksum that would have to be read.
            ("good-0000.csv.sha256", outside.dir.join("secret")),
        ] {
            symlink(target, leave(name, "symbolic-link")).unwrap();
        }
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, leave("fifo.csv", "pipe"), FileType::Fifo, mode, 0).unwrap();
        mknodat(CWD, leave("5.1764000000000.fifo.1.job.json", "pipe"), FileType::Fifo, mode, 0).unwrap();
        drop(UnixListener::bind(leave("socket.csv", "socket")).unwrap());
        if !is_root() {
            skip("device nodes, and files that the consumer may not read: they take root");
        } else {
            let null = rustix::fs::makedev(1, 3);
            match mknodat(CWD, inbox.join("device.csv"), FileType::CharacterDevice, mode, null) {
                Ok(()) => drop(leave("device.csv", "device")),
                // A container without that right: root of the machine is not who runs this.
                Err(e) => say(&format!("without a device node: {e}")),
            }
        }
        fs::create_dir(leave("folder", "folder")).unwrap();
        fs::create_dir(leave("folder.csv", "folder")).unwrap();
        fs::write(inbox.join("folder.csv").join("inside.csv"), "inside").unwrap();
        fs::create_dir(leave("5.1764000000000.folder.1.job.json", "folder")).unwrap();
    }

    /// What the consumer's user may not read.
    fn unreadable(&mut self, place: &Place) {
        if place.user.is_none() {
            return;
        }
        let path = place.inbox().join("unreadable.csv");
        fs::write(&path, "unreadable").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
        self.left.insert("unreadable.csv".to_owned(), "unreadable");
        let id = self.envelope(place, "unreadable", "{}");
        fs::set_permissions(place.inbox().join(job_name(&id)), PermissionsExt::from_mode(0o000)).unwrap();
    }

    /// Writes an envelope that will be invalid.
    fn envelope(&mut self, place: &Place, id: &str, text: &str) -> Id {
        let id: Id = id.parse().unwrap();
        fs::write(place.inbox().join(job_name(&id)), text).unwrap();
        self.invalid.push(id.clone());
        id
    }

    /// What is no job, though its name says so.
    fn envelopes(&mut self, place: &Place) {
        for name in [
            "x.job.json",
            "5.1.x.1.job.json",
            "5.1764000000000.UP.1.job.json",
            "5.1764000000000...1.job.json",
        ] {
            fs::write(place.inbox().join(name), "{}").unwrap();
            self.left.insert(name.to_owned(), "misnamed");
        }
        let huge = self.envelope(place, "huge", "");
        let file = File::options().write(true).open(place.inbox().join(job_name(&huge))).unwrap();
        file.set_len(100 << 20).unwrap();
        let text = self.envelope(place, "huge-text", r#"{"specversion":"1.0","id":"huge-text","data":""#);
        let mut file = File::options().append(true).open(place.inbox().join(job_name(&text))).unwrap();
        for _ in 0..100 {
            file.write_all(&[b'x'; 1 << 20]).unwrap();
        }
        let (open, shut) = ("[".repeat(100_000), "]".repeat(100_000));
        let object = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        for (id, text) in [
            ("bomb-open", open.clone()),
            ("bomb", format!("{open}{shut}")),
            ("bomb-object", object.clone()),
            ("bomb-member", event("bomb-member", &format!(r#","x":{open}{shut}"#))),
            ("bomb-unclosed", format!(r#"{{"data":{open}"#)),
            ("id-elsewhere", event("../../outside/new", "")),
            ("id-of-another", event("another", "")),
            ("id-twice", event("id-twice", r#","id":"../x""#)),
            ("address", event("address", r#","replyto":"../../outside""#)),
            ("no-text", "\u{0}\u{1}\u{2}".to_owned()),
        ] {
            self.envelope(place, id, &text);
        }
        // As deep as can be, where any JSON may stand: data is kept as it is, and nobody climbs into it.
        let id: Id = "bomb-data".parse().unwrap();
        let data = format!("{open}{shut}");
        let text = event("bomb-data", &format!(r#","data":{data}"#));
        fs::write(place.inbox().join(job_name(&id)), text).unwrap();
        self.handled.insert(data.into_bytes().into_iter().take(200).collect());
    }

    /// Envelopes that refer to what is not theirs.
    fn references(&mut self, place: &Place, outside: &Outside) {
        let secret = outside.dir.join("secret");
        let folder = "payload/REF.0123456789abcdef/";
        let targets = [
            "payload/../../outside/".to_owned(),
            "payload/../../outside/secret".to_owned(),
            "payload/%2e%2e/%2e%2e/outside/secret".to_owned(),
            "payload/..%2f..%2foutside%2fsecret".to_owned(),
            secret.to_str().unwrap().to_owned(),
            format!("file://{}", secret.display()),
            "inbox/".to_owned(),
            "payload/".to_owned(),
            "payload/./".to_owned(),
            format!("{folder}../../outside/"),
            format!("{folder}../../../outside/secret"),
            format!("{folder}%2e%2e%2f%2e%2e%2foutside%2fsecret"),
            format!("{folder}..%2fx"),
            format!("{folder}%00"),
            format!("{folder}a/b"),
        ];
        for (nth, target) in targets.iter().enumerate() {
            for (kind, both) in [("filesref", false), ("dataref", false), ("dataref", true)] {
                let id = format!("ref-{nth}-{kind}-{both}");
                let target = target.replace("REF", &id);
                let own = folder.replace("REF", &id);
                let files = if both { format!(r#","filesref":"{own}""#) } else { String::new() };
                let text = event(&id, &format!(r#","{kind}":"{target}"{files}"#));
                self.envelope(place, &id, &text);
            }
        }
        self.payloads(place, outside);
    }

    /// References as they should be, to what is a way out.
    fn payloads(&mut self, place: &Place, outside: &Outside) {
        let payload = place.drop.join("payload");
        let stamp = "0123456789abcdef";
        let mut refer = |id: &str, more: &str| {
            let id: Id = id.parse().unwrap();
            fs::write(place.inbox().join(job_name(&id)), event(id.as_str(), more)).unwrap();
            self.dead.push(id);
        };
        let (secret, folder) = (outside.dir.join("secret"), outside.dir.join("folder"));
        symlink(&folder, payload.join(format!("way-out.{stamp}"))).unwrap();
        refer("way-out", &format!(r#","filesref":"payload/way-out.{stamp}/""#));
        symlink(&secret, payload.join(format!("data-out.{stamp}.data"))).unwrap();
        refer("data-out", &format!(r#","dataref":"payload/data-out.{stamp}.data""#));
        let own = payload.join(format!("file-out.{stamp}"));
        fs::create_dir(&own).unwrap();
        place.give(&own);
        symlink(&secret, own.join("x.csv")).unwrap();
        let (files, data) = (format!("payload/file-out.{stamp}/"), format!("payload/file-out.{stamp}/x.csv"));
        refer("file-out", &format!(r#","filesref":"{files}","dataref":"{data}""#));
        symlink(&folder, payload.join(format!("dir-out.{stamp}"))).unwrap();
        let (files, data) = (format!("payload/dir-out.{stamp}/"), format!("payload/dir-out.{stamp}/secret"));
        refer("dir-out", &format!(r#","filesref":"{files}","dataref":"{data}""#));
    }
}

fn event(id: &str, more: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/bad","type":"bad"{more}}}"#)
}

/// A time long ago: so it goes first.
pub(crate) fn job_name(id: &Id) -> String {
    format!("5.1764000000000.{id}.1.job.json")
}

/// What should not be in the inbox any more, or should still be there.
pub(crate) fn amiss(bad: &Bad, names: Vec<OsString>) -> Vec<OsString> {
    let all: BTreeSet<OsString> = names.into_iter().filter(|name| !is_junk(Path::new(name))).collect();
    let left = bad.left.keys().map(OsString::from).collect();
    all.symmetric_difference(&left).cloned().collect()
}

pub(crate) fn is_junk(name: &Path) -> bool {
    name.to_str().is_some_and(|name| name.contains("junk-"))
}
