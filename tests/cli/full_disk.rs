//! A disk that is full, or read-only, in every phase. When there is space again everything goes on: nothing is lost, nothing done twice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Folder, Running, wait_until};

/// A small file system of its own. `None` where nobody may mount one.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    fn mount(kind: &str, at: &Path) -> Option<Self> {
        fs::create_dir(at).expect("a small disk");
        let at = at.to_owned();
        let mounted = match kind {
            "tmpfs" => {
                says_yes(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&at))
            }
            _ => {
                let image = at.with_extension("image");
                File::create(&image).expect("a small disk").set_len(8 << 20).expect("a small disk");
                // Without the reserve that only root may use.
                says_yes(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))
                    && says_yes(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at))
            }
        };
        if !mounted {
            let why = format!("a small {kind} cannot be mounted here (that takes root)");
            assert!(std::env::var_os("CI").is_none(), "{why}");
            // Past the test harness, which keeps what tests that pass say.
            writeln!(std::io::stderr(), "skipped: {why}").expect("stderr is open");
        }
        mounted.then_some(Self { at })
    }

    fn make_read_only(&self) {
        self.remount("remount,ro");
    }

    fn remount(&self, options: &str) {
        let mut command = Command::new("mount");
        assert!(says_yes(command.args(["-o", options]).arg(&self.at)), "it can be remounted");
    }

    /// Not a byte more can be written.
    fn fill(&self) -> PathBuf {
        let filler = self.at.join("filler");
        let mut file = File::create(&filler).expect("a small disk");
        for size in [64 << 10, 4 << 10, 512, 1] {
            while file.write_all(&vec![0; size]).and_then(|()| file.sync_all()).is_ok() {}
        }
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        says_yes(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

fn says_yes(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs a test on each kind of small disk that can be had.
fn on_small_disks(test: impl Fn(Folder, SmallDisk)) {
    for kind in ["tmpfs", "ext4"] {
        let mut disk = None;
        let folder = Folder::on(|path| disk = SmallDisk::mount(kind, path));
        if let Some(disk) = disk {
            test(folder, disk);
        }
    }
}

#[test]
fn a_submission_is_refused_and_leaves_nothing() {
    on_small_disks(|folder, disk| {
        let filler = disk.fill();
        let given = "producer submit DROP --type t --data 1 --id order-1";
        for words in ["producer submit DROP --type t --data 1", given] {
            let ended = folder.run(words, &[]).with(74);
            assert!(ended.err.contains("No space left on device") && ended.out.is_empty(), "{ended:?}");
        }
        assert_eq!(folder.names("inbox"), [""; 0]);
        fs::remove_file(filler).unwrap();
        folder.submit("1");
        for _ in 0..2 {
            assert_eq!(folder.run(given, &[]).with(0).line(), "order-1");
        }
        folder.drain("cat");
        assert_eq!(folder.names("claimed"), [""; 0]);
    });
}

/// What its handlers do, a consumer notes where there is space: one line an attempt. They begin with removing what would
/// give back some space when they end.
const HANDLER: &str = r#"
    rmdir "$FILEDROP_RESULT_DIR"; n=$(cat); echo > "$HERE/begun-$n"; until [ -e "$HERE/go" ]; do sleep 0.01; done
    echo "$n $FILEDROP_ATTEMPT" >> "$HERE/log"
    case $n in *3) exit 65;; *7) exit 1;; esac
    echo "$n""#;

fn start(folder: &Folder, more: &[&str]) -> Running {
    let mut command =
        folder.command("consumer run DROP --backoff 10ms --max-attempts 2 --concurrency 4", more);
    command.args(["--", "sh", "-c", HANDLER]).env("HERE", folder.beside(""));
    Running::start(command)
}

fn wait_for_four(folder: &Folder) {
    let begun = |nth: &usize| folder.beside(&format!("begun-{nth}")).exists();
    wait_until("four have begun", || ((0..40).filter(begun).count() == 4).then_some(()));
}

fn rooms(folder: &Folder) -> Value {
    let status = folder.run("filedrop status DROP --json", &[]).with(0);
    serde_json::from_slice::<Value>(&status.out).expect("it can be read")["rooms"].take()
}

/// How often each job was attempted.
fn attempts(folder: &Folder) -> BTreeMap<String, Vec<String>> {
    let mut attempts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(folder.beside("log")).expect("it can be read").lines() {
        let (job, attempt) = line.split_once(' ').expect("it can be read");
        attempts.entry(job.to_owned()).or_default().push(attempt.to_owned());
    }
    attempts
}

/// Forty jobs, of which four are rejected and four fail in both attempts: each was attempted exactly so often.
fn all_is_done_once(folder: &Folder) {
    let attempts = attempts(folder);
    assert_eq!(attempts.len(), 40);
    for (job, made) in &attempts {
        let expected: &[&str] = if job.ends_with('7') { &["1", "2"] } else { &["1"] };
        assert_eq!(made, expected, "attempts of job {job}");
    }
    let rooms = rooms(folder);
    assert_eq!((&rooms["done"], &rooms["dead"], &rooms["outcomes"]), (&32.into(), &8.into(), &40.into()));
    for room in ["inbox", "delayed", "claimed", "tmp"] {
        assert_eq!(rooms[room], 0, "{room}");
    }
}

/// Claim, postpone, settle and bury while the disk is full: the consumer waits, says so, and goes on when it is not.
#[test]
fn a_consumer_waits_for_space() {
    on_small_disks(|folder, disk| {
        let lines: String = (0..40).map(|n| format!("{n}\n")).collect();
        folder.fed("producer submit DROP --type t --batch -", lines.as_bytes()).with(0);
        let mut consumer = start(&folder, &[]);
        wait_for_four(&folder);
        let filler = disk.fill();
        folder.file("go", "");
        consumer.wait_for_words("cannot settle a job");
        fs::remove_file(filler).unwrap();
        wait_until("all are settled", || (rooms(&folder)["outcomes"] == 40).then_some(()));
        consumer.signal(Signal::TERM);
        let ended = consumer.end().with(0);
        assert!(
            ended.err.contains("No space left on device") && ended.err.contains("trying again"),
            "{ended:?}"
        );
        all_is_done_once(&folder);
    });
}

/// A drain, which nobody watches, gives up; what it handled runs again, and none of that counts as an attempt.
#[test]
fn a_drain_gives_up_and_loses_nothing() {
    on_small_disks(|folder, disk| {
        let ids: Vec<String> = (0..6).map(|n| folder.submit(&n.to_string())).collect();
        let consumer = start(&folder, &["--drain"]);
        wait_for_four(&folder);
        let filler = disk.fill();
        folder.file("go", "");
        consumer.end().with(74);
        assert_eq!(rooms(&folder)["inbox"], 6);
        assert!(ids.iter().all(|id| folder.job(id).attempt == 1), "none is counted");
        fs::remove_file(filler).unwrap();
        start(&folder, &["--drain"]).end().with(0);
        // The one that is rejected is dead, the others are done.
        let rooms = rooms(&folder);
        assert_eq!((&rooms["done"], &rooms["dead"], &rooms["inbox"]), (&5.into(), &1.into(), &0.into()));
    });
}

/// What was decided can be read; what would write says why it cannot, and where.
#[test]
fn a_read_only_folder_is_read_and_nothing_else() {
    on_small_disks(|folder, disk| {
        let id = folder.submit("1");
        folder.drain("cat");
        disk.make_read_only();
        for words in ["producer submit DROP --type t --data 1", "consumer run DROP --drain -- cat"] {
            let ended = folder.run(words, &[]).with(74);
            assert!(ended.err.contains("Read-only file system") && ended.err.contains("drop/"), "{ended:?}");
        }
        assert_eq!(folder.run("producer wait DROP --timeout 5s", &[&id]).with(0).out, b"1");
        folder.run("filedrop show DROP", &[&id]).with(0);
        assert_eq!(rooms(&folder)["done"], 1);
    });
}

/// P24: output that is too large for an envelope, while there is no space for it: the handler is ended and its job handed back,
/// uncounted, and handled again. What there was of it is gone.
#[test]
fn large_output_waits_for_space() {
    on_small_disks(|folder, disk| {
        let id = folder.submit("1");
        let mut command =
            folder.command("consumer run DROP --max-attempts 1 --max-output 1000 -- sh -c", &[]);
        command.arg("until [ -e \"$HERE/go\" ]; do sleep 0.01; done; head -c 100000 /dev/zero");
        let mut consumer = Running::start({
            command.env("HERE", folder.beside(""));
            command
        });
        wait_until("it is claimed", || (rooms(&folder)["claimed"] == 1).then_some(()));
        let filler = disk.fill();
        folder.file("go", "");
        consumer.wait_for_words("cannot keep what a handler left");
        fs::remove_file(filler).unwrap();
        let ended = folder.run("producer wait DROP", &[&id]).with(0);
        assert!(ended.out == vec![0; 100_000], "{} bytes", ended.out.len());
        let outcome = folder.run("producer wait DROP --json", &[&id]).with(0).line();
        assert!(outcome.contains("\"attempt\":1"), "{outcome}");
        assert_eq!(folder.names("payload").len(), 1);
        consumer.signal(Signal::TERM);
        let ended = consumer.end().with(0);
        assert!(ended.err.contains("No space left on device"), "{ended:?}");
    });
}

/// P8: a job whose output never fits, and one worker: the others go first, and nothing is counted.
#[test]
fn what_does_not_fit_is_in_nobodys_way() {
    on_small_disks(|folder, _disk| {
        let large = folder.submit("20000000");
        let others: Vec<String> = (1..20).map(|size| folder.submit(&size.to_string())).collect();
        let mut command = folder.command("consumer run DROP --max-attempts 1 -- sh -c", &[]);
        command.arg("head -c $(cat) /dev/zero");
        let mut consumer = Running::start(command);
        for (size, id) in (1..20).zip(&others) {
            let ended = folder.run("producer wait DROP --timeout 60s", &[id]).with(0);
            assert_eq!(ended.out.len(), size);
        }
        consumer.wait_for_words("other jobs go first");
        consumer.signal(Signal::TERM);
        let ended = consumer.end().with(0);
        assert!(ended.err.contains("cannot keep what a handler left; trying again"), "{ended:?}");
        assert_eq!((folder.job(&large).attempt, folder.names("payload").len()), (1, 0));
    });
}

/// P10: an outcome that does not fit is kept, and tried again, while others are settled.
#[test]
fn an_outcome_that_does_not_fit_is_in_nobodys_way() {
    on_small_disks(|folder, disk| {
        let large = folder.submit("500000");
        let others: Vec<String> = (1..20).map(|size| folder.submit(&size.to_string())).collect();
        let filler = disk.fill();
        let left = fs::metadata(&filler).unwrap().len() - (300 << 10);
        File::options().write(true).open(&filler).unwrap().set_len(left).unwrap();
        let mut command = folder.command("consumer run DROP --max-attempts 1 -- sh -c", &[]);
        command.arg("head -c $(cat) /dev/zero | tr '\\0' x");
        let mut consumer = Running::start(command);
        consumer.wait_for_words("cannot settle a job");
        for (size, id) in (1..20).zip(&others) {
            let ended = folder.run("producer wait DROP --timeout 60s", &[id]).with(0);
            assert_eq!(ended.out.len(), size);
        }
        fs::remove_file(filler).unwrap();
        let outcome = folder.run("producer wait DROP --timeout 60s --json", &[&large]).with(0).line();
        assert!(outcome.contains("\"attempt\":1"), "{outcome}");
        consumer.signal(Signal::TERM);
        consumer.end().with(0);
    });
}

/// P4: who stays waits for a disk on which it cannot register, says so, and ends at once if it is asked to.
#[test]
fn who_stays_can_be_started_before_there_is_space() {
    on_small_disks(|folder, disk| {
        folder.run("filedrop topics DROP add billing orders", &[]).with(0);
        folder.run("producer publish DROP --topic orders --data 1", &[]).with(0);
        let asks =
            folder.run("producer submit DROP --type t --data 1 --reply-to billing", &[]).with(0).line();
        folder.drain("cat");
        let waits = folder.submit("2");
        let commands = [
            "consumer run DROP -- cat",
            "consumer subscribe DROP --as billing --topic orders -- cat",
            "producer collect DROP --as billing --follow",
        ];
        for full in [true, false] {
            let filler = if full { Some(disk.fill()) } else { None };
            if !full {
                disk.make_read_only();
            }
            for words in commands {
                let mut stays = Running::start(folder.command(words, &[]));
                stays.wait_for_words("cannot register; trying again until it works");
                stays.signal(Signal::TERM);
                let ended = stays.end().with(0);
                assert_eq!(ended.err.matches("WARN").count(), 1, "{words}: {ended:?}");
            }
            folder.run("consumer run DROP --drain -- cat", &[]).with(74);
            folder.run("producer collect DROP --as billing", &[]).with(74);
            let mut consumer = Running::start(folder.command("consumer run DROP -- cat", &[]));
            consumer.wait_for_words("cannot register");
            match filler {
                Some(filler) => fs::remove_file(filler).unwrap(),
                None => disk.remount("remount,rw"),
            }
            consumer.wait_for_words("can register again");
            folder.run("producer wait DROP --timeout 60s", &[&waits]).with(0);
            consumer.signal(Signal::TERM);
            consumer.end().with(0);
        }
        let collected = folder.run("producer collect DROP --as billing", &[]).with(0).line();
        assert!(collected.contains(&asks), "{collected}");
        folder.run("consumer subscribe DROP --as billing --drain -- cat", &[]).with(0);
    });
}

/// P23: files that do not fit are refused with their job, and nothing is left; what was to be moved stays.
#[test]
fn files_that_do_not_fit_are_refused() {
    on_small_disks(|folder, disk| {
        let file = folder.file("large", vec![1; 16 << 20]);
        let path = file.to_str().unwrap();
        for how in ["--attach", "--move"] {
            let ended = folder.run("producer submit DROP --type t", &[how, path]).with(74);
            assert!(ended.err.contains("No space left on device") && ended.out.is_empty(), "{ended:?}");
            assert_eq!((folder.names("inbox").len(), folder.names("payload").len()), (0, 0));
        }
        assert_eq!(fs::metadata(&file).unwrap().len(), 16 << 20);
        assert!(!disk.at.join("nothing").exists());
    });
}

/// Less than a doctor needs, and enough for a small job.
#[test]
fn a_doctor_does_not_call_a_disk_full_that_takes_jobs() {
    on_small_disks(|folder, disk| {
        let filler = disk.fill();
        let left = File::options().write(true).open(&filler).expect("it was filled");
        left.set_len(left.metadata().expect("it is there").len() - (128 << 10)).expect("it shrinks");
        left.sync_all().expect("it shrinks");
        let told = folder.run("filedrop doctor DROP", &[]).with(74).text().to_owned();
        assert!(told.contains("too little space is left") && !told.contains("full"), "{told}");
        folder.submit("1");
    });
}

/// It is the first of what a doctor finds there.
#[test]
fn a_doctor_says_that_a_disk_is_full_or_read_only() {
    on_small_disks(|folder, disk| {
        let found = |what: &str, words: &str| {
            let ended = folder.run("filedrop doctor DROP", &[]).with(74);
            let told = ended.text().to_owned();
            let first = told.lines().find(|line| line.starts_with("RISK")).unwrap_or_default();
            assert!(first.contains(words) && first.contains("nothing can be submitted"), "{told}");
            let json = folder.run("filedrop doctor DROP --json", &[]).with(74);
            let found: Value = serde_json::from_slice(&json.out).expect("JSON");
            assert_eq!(
                (&found["risks"][0]["what"], &found["risks"][0]["breaks_promise"]),
                (&what.into(), &true.into())
            );
            assert!(found.get("names").is_none() && json.err.is_empty(), "{json:?}");
        };
        let filler = disk.fill();
        found("full", "this file system is full");
        fs::remove_file(filler).unwrap();
        assert_eq!(folder.names("tmp"), [""; 0]);
        disk.make_read_only();
        found("read-only", "this file system is read-only");
    });
}
