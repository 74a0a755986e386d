//! `producer collect --to`: outcomes become files in a folder of somebody else's (P15).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Running, golden, program, wait_until};

const COLLECT: &str = "producer collect DROP --as acme --to out";

/// A drop folder, an outgoing folder beside it, and jobs that want their outcomes there.
struct Desk {
    folder: Folder,
    out: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let folder = Folder::new();
        let out = folder.beside("out");
        fs::create_dir(&out).expect("a folder");
        Self { folder, out }
    }

    /// Submits jobs that ask to be answered there. Returns their ids.
    fn ask(&self, jobs: &[Value]) -> Vec<String> {
        let envelope = |job: &Value| {
            let mut all = json!({"specversion": "1.0", "source": "/t", "type": "t", "replyto": "acme"});
            all.as_object_mut().expect("an object").extend(job.as_object().expect("an object").clone());
            format!("{all}\n")
        };
        let lines: String = jobs.iter().map(envelope).collect();
        let ended = self.folder.fed("producer submit DROP --batch - --envelopes", lines.as_bytes()).with(0);
        ended.text().lines().map(str::to_owned).collect()
    }

    /// So many jobs, each answered with its own number.
    fn answered(&self, jobs: usize) -> BTreeMap<String, String> {
        let name = |nth: usize| (format!("{nth}.txt"), format!("answer {nth}"));
        let job = |nth: usize| json!({"subject": name(nth).0, "datacontenttype": "text/plain", "data": name(nth).1});
        self.ask(&(0..jobs).map(job).collect::<Vec<_>>());
        self.folder.drain("cat");
        (0..jobs).map(name).collect()
    }

    /// What lies in the outgoing folder. A draft may get its name while somebody looks.
    fn files(&self) -> BTreeMap<String, String> {
        let file = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.expect("an entry");
            let text = match fs::read_to_string(entry.path()) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
                text => text.expect("text"),
            };
            Some((entry.file_name().into_string().expect("text"), text))
        };
        fs::read_dir(&self.out).expect("a folder").filter_map(file).collect()
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    /// Nothing of the address is left but the archive.
    #[track_caller]
    fn is_all_settled(&self) {
        for room in ["inbox", "claimed"] {
            assert_eq!(self.folder.names(&format!("replies/acme/{room}")), [""; 0], "{room}");
        }
    }
}

#[test]
fn data_and_files_and_failures_are_delivered() {
    let desk = Desk::new();
    let ids = desk.ask(&[
        json!({"subject": "orders.csv", "data": "data"}),
        json!({"subject": "with files.csv", "data": "files"}),
        json!({"subject": "bad.csv", "data": "bad"}),
        json!({"data": "data"}),
        json!({"subject": "large.bin", "data": "large"}),
    ]);
    desk.folder.drain(
        r#"case $(cat) in
            *data*) printf done ;;
            *files*) mkdir "$FILEDROP_RESULT_DIR/in"; echo 1 > "$FILEDROP_RESULT_DIR/in/a.txt"; echo 2 > "$FILEDROP_RESULT_DIR/b.txt" ;;
            *large*) head -c 2000000 /dev/zero ;;
            *) echo secret >&2; exit 65 ;;
        esac"#,
    );
    let ended = desk.folder.run(COLLECT, &[]).with(0);
    let files = desk.files();
    let expected = ["b.txt", "bad.csv.failed.json", "in_a.txt", "large.bin", "orders.csv"];
    let mut expected: Vec<String> = expected.map(str::to_owned).into();
    expected.insert(0, ids[3].clone());
    assert_eq!(desk.names(), expected);
    let printed: BTreeSet<String> = ended.text().lines().map(str::to_owned).collect();
    assert_eq!(printed, expected.iter().map(|name| format!("out/{name}")).collect());
    assert_eq!(
        (&files["orders.csv"][..], &files[&ids[3]][..], &files["in_a.txt"][..]),
        ("done", "done", "1\n")
    );
    assert_eq!(files["large.bin"].len(), 2_000_000);
    golden("collect-failed.json", &desk.folder.normal(&files["bad.csv.failed.json"], &[&ids[2]]));
    desk.is_all_settled();
    assert_eq!(desk.folder.run(COLLECT, &[]).with(0).out, b"", "nothing is delivered twice");
}

#[test]
fn names_follow_the_pattern_and_nothing_is_replaced() {
    let desk = Desk::new();
    let job = json!({"subject": "a.csv", "data": 1});
    let ids = desk.ask(&[job.clone(), job.clone(), job]);
    desk.folder.drain("cat");
    fs::write(desk.out.join("r-a.csv"), "somebody else's").unwrap();
    desk.folder.run(COLLECT, &["--name", "r-{stem}.{ext}"]).with(0);
    // Equal results of different jobs are as many files.
    assert_eq!(desk.names(), ["r-a.2.csv", "r-a.3.csv", "r-a.4.csv", "r-a.csv"]);
    assert_eq!(desk.files()["r-a.csv"], "somebody else's");
    assert_eq!(ids.len(), 3);
    for (pattern, why) in [("a/{id}", "not a path"), ("../{id}", "not a path"), ("{who}", "placeholders")] {
        let ended = desk.folder.run(COLLECT, &["--name", pattern]).with(2);
        assert!(ended.err.contains(why), "{ended:?}");
    }
    for to in ["drop/inbox", "drop/done", "drop"] {
        let ended = desk.folder.run(&format!("producer collect DROP --as acme --to {to}"), &[]).with(65);
        assert!(ended.err.contains("which is for jobs alone"), "{ended:?}");
    }
    fs::remove_dir_all(&desk.out).unwrap();
    let ended = desk.folder.run(COLLECT, &[]).with(66);
    assert!(ended.err.contains("no such folder to deliver to"), "{ended:?}");
    assert!(!desk.out.exists(), "a mistyped folder, or one that is not mounted, is not made");
}

#[test]
fn subjects_that_climb_out_lie_in_the_folder() {
    let desk = Desk::new();
    let subjects =
        ["../climbed", "/etc/climbed", "..", ".", "a/../../climbed", "..\\climbed", ".hidden", "n\nl"];
    let jobs: Vec<_> = subjects.iter().map(|subject| json!({"subject": subject, "data": 1})).collect();
    let before = desk.folder.names("..");
    desk.ask(&jobs);
    desk.folder.drain(r#"mkdir "$FILEDROP_RESULT_DIR/d"; echo x > "$FILEDROP_RESULT_DIR/d/..climbed""#);
    desk.folder.run(COLLECT, &["--name", "{subject}"]).with(0);
    let names = desk.names();
    assert_eq!(names.len(), subjects.len());
    assert!(names.iter().all(|name| !name.starts_with('.') && !name.contains(['\n', '\\'])), "{names:?}");
    assert_eq!(desk.folder.names(".."), before);
    desk.is_all_settled();
}

/// Its stdout is full, so it stands still after the delivery, and before the settlement.
#[test]
fn killed_between_delivery_and_settlement() {
    let desk = Desk::new();
    let expected = desk.answered(1);
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let full: OwnedFd = writer.try_clone().unwrap();
    let mut full = File::from(full);
    while full.write(&[b'x'; 4096]).is_ok() {}
    while full.write(b"x").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let mut command = desk.folder.command(COLLECT, &[]);
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it delivers", || (desk.files() == expected).then_some(()));
    assert_eq!(desk.folder.names("replies/acme/done"), [""; 0]);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(reader);
    let ended = desk.folder.run(COLLECT, &[]).with(0);
    assert_eq!(ended.text(), "out/0.txt\n");
    assert_eq!(desk.files(), expected, "the file that is there already is it");
    desk.is_all_settled();
}

/// Killed again and again, wherever it is.
#[test]
fn killed_again_and_again() {
    let desk = Desk::new();
    let expected = desk.answered(120);
    let mut runs = 0;
    while !desk.folder.names("replies/acme/inbox").is_empty() {
        let mut running = Running::start(desk.folder.command(COLLECT, &["--follow"]));
        if desk.folder.names("replies/acme/inbox").len() > 7 {
            running.wait_for_lines(1 + runs % 7);
            runs += 1;
        } else {
            wait_until("the rest", || desk.folder.names("replies/acme/inbox").is_empty().then_some(()));
        }
        drop(running);
    }
    assert!(runs > 3, "it was killed");
    desk.folder.run(COLLECT, &[]).with(0);
    assert_eq!(desk.files(), expected);
    desk.is_all_settled();
}

#[test]
fn two_collectors_share_an_address() {
    let desk = Desk::new();
    let mut collectors = [(); 2].map(|()| Running::start(desk.folder.command(COLLECT, &["--follow"])));
    let expected = desk.answered(200);
    wait_until("all are delivered", || (desk.names().len() >= 200).then_some(()));
    wait_until("all are settled", || desk.folder.names("replies/acme/inbox").is_empty().then_some(()));
    let mut printed = Vec::new();
    for collector in collectors.iter_mut() {
        collector.signal(Signal::TERM);
    }
    for collector in collectors {
        printed.extend(collector.end().with(0).text().lines().map(str::to_owned));
    }
    printed.sort();
    let once: BTreeSet<String> = printed.iter().cloned().collect();
    assert_eq!((printed.len(), once.len()), (200, 200), "each is taken by one of them");
    assert_eq!(desk.files(), expected);
    desk.is_all_settled();
}

/// One that cannot be delivered keeps none of the others; it comes again the next time.
#[test]
fn what_cannot_be_delivered_is_left_for_later() {
    let desk = Desk::new();
    let large = json!({"subject": "large", "data": "x".repeat(100_000)});
    desk.ask(&[large, json!({"subject": "small", "data": 1})]);
    desk.folder.drain("cat");
    let mut limited = Command::new("sh");
    let script = r#"trap '' XFSZ; ulimit -f 64; exec "$@""#;
    limited.args(["-c", script, "sh"]).arg(program("producer").get_program());
    limited.args(["collect".as_ref(), desk.folder.path.as_os_str()]);
    limited.args(["--as", "acme", "--to", "out"]).current_dir(desk.folder.beside(""));
    let ended = Running::start(limited).end().with(74);
    assert!(ended.err.contains("cannot deliver a file"), "{ended:?}");
    assert_eq!(desk.names(), ["small"]);
    desk.folder.run(COLLECT, &[]).with(0);
    assert_eq!(desk.names(), ["large", "small"]);
    desk.is_all_settled();
}

#[test]
fn one_that_follows_tries_again() {
    let desk = Desk::new();
    let mut running = Running::start(desk.folder.command(COLLECT, &["--follow", "-v"]));
    running.wait_for_words("watching");
    fs::remove_dir(&desk.out).unwrap();
    let expected = desk.answered(3);
    running.wait_for_words("trying again");
    fs::create_dir(&desk.out).unwrap();
    running.wait_for_lines(3);
    assert_eq!(desk.files(), expected);
    running.signal(Signal::TERM);
    running.end().with(0);
    desk.is_all_settled();
}

#[test]
fn what_is_no_outcome_stays_and_is_named() {
    let desk = Desk::new();
    let expected = desk.answered(2);
    let stranger = "0.1764000000000.strange.1.outcome.json";
    fs::write(desk.folder.path.join("replies/acme/inbox").join(stranger), "no outcome").unwrap();
    let ended = desk.folder.run(COLLECT, &[]).with(65);
    assert!(ended.err.contains("no outcome") && ended.err.contains(stranger), "{ended:?}");
    assert_eq!(desk.files(), expected);
    assert_eq!(desk.folder.names("replies/acme/inbox"), [stranger]);
}

/// Somebody removed what travels with an outcome.
#[test]
fn a_result_that_is_gone_is_a_failure() {
    let desk = Desk::new();
    let ids = desk.ask(&[json!({"subject": "a", "data": 1}), json!({"subject": "b", "data": 1})]);
    desk.folder.drain(r#"echo x > "$FILEDROP_RESULT_DIR/x""#);
    for name in desk.folder.names("payload").iter().filter(|name| name.starts_with(&ids[0])) {
        fs::remove_dir_all(desk.folder.path.join("payload").join(name)).unwrap();
    }
    desk.folder.run(COLLECT, &[]).with(0);
    assert_eq!(desk.names(), ["a.failed.json", "x"]);
    let told: Value = serde_json::from_str(&desk.files()["a.failed.json"]).unwrap();
    assert_eq!((&told["type"], &told["outcome"]), (&json!("urn:filedrop:problem:gone"), &json!("failed")));
    desk.is_all_settled();
}

/// What a killed collector was writing is removed by the next one, unless its writer lives.
#[test]
fn parts_of_the_dead_are_removed() {
    let desk = Desk::new();
    let dead = desk.out.join(format!(".filedrop-{}.part", "0".repeat(32)));
    let living = desk.out.join(format!(".filedrop-{}.part", "1".repeat(32)));
    fs::write(&dead, "half").unwrap();
    let lock = File::create(&living).unwrap();
    lock.lock().unwrap();
    desk.folder.run(COLLECT, &[]).with(0);
    assert!(!dead.exists() && living.exists());
}
