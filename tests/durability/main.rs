//! What reaches the disk, and in which order: the system calls of the programs themselves, as `strace` sees them.
//!
//! Without `strace` these tests say so and pass; where `CI` is set they fail.

mod btrfs;
mod calls;
mod rounds;
mod trace;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use trace::{Call, Trace, Traced, strace};

/// Says that a test is skipped. In CI it fails.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI skips nothing: {why}");
    // Past the harness, which would show it only if the test failed.
    writeln!(std::io::stderr(), "SKIPPED: {why}").expect("stderr is open");
}

/// A drop folder, under its true name: that is how the kernel tells descriptors.
struct Folder {
    _place: tempfile::TempDir,
    drop: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        let drop = place.path().canonicalize().expect("it is there").join("drop");
        filedrop::DropFolder::init(&drop).expect("a drop folder");
        Self { _place: place, drop }
    }

    fn submit(&self) -> Vec<&str> {
        vec![env!("CARGO_BIN_EXE_producer"), "submit", self.path(), "--type", "t", "--data", "1"]
    }

    fn drain(&self) -> Vec<&str> {
        vec![env!("CARGO_BIN_EXE_consumer"), "run", "-q", self.path(), "--drain", "--", "cat"]
    }

    fn path(&self) -> &str {
        self.drop.to_str().expect("text")
    }

    fn room(&self, name: &str) -> PathBuf {
        self.drop.join(name)
    }

    fn jobs(&self) -> usize {
        std::fs::read_dir(self.room("inbox")).expect("a room").count()
    }
}

/// Makes `openat` fail, where it asks for a file without a name, as it does on a file system that has none.
fn without_unnamed_files(folder: &Folder, command: &[&str]) -> String {
    // A run just like it shows which of the calls that is.
    let trace = strace(command, &[]).expect("it ran before").well().trace;
    let asks = trace.calls.iter().position(Call::is_unnamed).expect("a file without a name");
    let thread = trace.calls[asks].thread;
    let opens = |call: &&Call| call.thread == thread && call.name == "openat";
    let nth = trace.calls[..=asks].iter().filter(opens).count();
    for job in std::fs::read_dir(folder.room("inbox")).expect("a room") {
        std::fs::remove_file(job.expect("a job").path()).expect("it goes");
    }
    format!("inject=openat:error=EOPNOTSUPP:when={nth}")
}

/// R1, P3: the file is flushed, then published, then its folder is flushed, then its id is told. Nothing else is flushed.
fn assert_submitted(folder: &Folder, Traced { trace, out, .. }: &Traced) {
    let inbox = folder.room("inbox");
    let published = trace.published(&inbox);
    let file = trace.flushed_before(published);
    let names = trace.first(published, |call| call.is_sync_of(&inbox)).expect("inbox/ is flushed");
    let told = trace.first(0, |call| call.name == "write" && call.fd() == Some(1)).expect("the id is told");
    assert!(file < published && published < names && names < told, "{trace}");
    assert!(out.trim().parse::<filedrop::Id>().is_ok(), "{out}");
    let syncs: Vec<_> = (0..trace.calls.len()).filter(|&nth| trace.calls[nth].is_sync()).collect();
    assert_eq!(syncs, [file, names], "two flushes and no more: {trace}");
    assert!(!trace.calls.iter().any(Call::opens_synchronous), "each write would be a flush: {trace}");
}

#[test]
fn a_submitted_job_is_durable_before_its_id_is_told() {
    let folder = Folder::new();
    let Some(traced) = strace(&folder.submit(), &[]) else { return };
    assert_submitted(&folder, &traced.well());
}

#[test]
fn a_submitted_job_is_durable_also_without_unnamed_files() {
    let folder = Folder::new();
    let Some(traced) = strace(&folder.submit(), &[]) else { return };
    if !traced.well().trace.calls.iter().any(Call::is_unnamed) {
        return; // This file system has none: the test above was this one.
    }
    let inject = without_unnamed_files(&folder, &folder.submit());
    let traced = strace(&folder.submit(), &["-e", &inject]).expect("it ran before").well();
    let published = &traced.trace.calls[traced.trace.published(&folder.room("inbox"))];
    assert!(published.name.starts_with("rename"), "{}", traced.trace);
    assert!(published.paths()[0].starts_with(folder.room("tmp").to_str().expect("text")), "{}", traced.trace);
    assert_submitted(&folder, &traced);
}

#[test]
fn a_flush_that_fails_is_no_submission() {
    let folder = Folder::new();
    let inject = |nth: usize| format!("inject=fsync,fdatasync:error=EIO:when={nth}");
    let Some(traced) = strace(&folder.submit(), &["-e", &inject(1)]) else { return };
    assert_eq!((traced.code, traced.out.as_str(), folder.jobs()), (Some(74), "", 0), "{}", traced.trace);
    let syncs = traced.trace.calls.iter().filter(|call| call.is_sync()).count();
    assert_eq!(syncs, 1, "what failed is not flushed again, but thrown away: {}", traced.trace);

    // It is there, but who knows for how long.
    let traced = strace(&folder.submit(), &["-e", &inject(2)]).expect("it ran before");
    assert_eq!((traced.code, traced.out.as_str(), folder.jobs()), (Some(75), "", 1), "{}", traced.trace);
}

/// P20: the file is flushed, then gets the id, then that is durable; only then it is published, and only then its id is told.
#[test]
fn a_given_id_is_taken_for_good_before_its_job_is_published() {
    let folder = Folder::new();
    let mut given = folder.submit();
    given.extend(["--id", "order-4711"]);
    let Some(traced) = strace(&given, &[]) else { return };
    let trace = &traced.well().trace;
    let (inbox, shelf) = (folder.room("inbox"), folder.room("ids").join("11"));
    let entry = shelf.join("order-4711");
    let taken = trace
        .position(|call| call.name.starts_with("link") && call.paths().last().copied() == entry.to_str());
    let in_shelf = |call: &Call| call.paths().last().is_some_and(|to| Path::new(to).parent() == Some(&shelf));
    let draft = trace.position(|call| {
        (call.name.starts_with("link") || call.name.starts_with("rename")) && in_shelf(call)
    });
    let file = trace.flushed_before(draft);
    let kept = trace.first(taken, |call| call.is_sync_of(&shelf)).expect("the shelf is flushed");
    let published = trace.published(&inbox);
    let names = trace.first(published, |call| call.is_sync_of(&inbox)).expect("inbox/ is flushed");
    let told = trace.first(0, |call| call.name == "write" && call.fd() == Some(1)).expect("the id is told");
    assert!(file < draft && draft < taken && taken < kept, "{trace}");
    assert!(kept < published && published < names && names < told, "{trace}");
}

/// Whoever is told that it is uncertain is told the id, and may repeat the submission with it: it is one job.
#[test]
fn what_is_uncertain_can_be_repeated() {
    let folder = Folder::new();
    let fails = "inject=fsync,fdatasync:error=EIO:when=2";
    let Some(traced) = strace(&folder.submit(), &["-e", fails]) else { return };
    assert_eq!((traced.code, folder.jobs()), (Some(75), 1), "{}", traced.trace);
    let minted = |word: &str| word.parse::<filedrop::Id>().ok().filter(|id| id.minted_at().is_some());
    let told = traced.err.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).find_map(minted);
    let id = told.unwrap_or_else(|| panic!("its id is told: {}", traced.err)).to_string();
    let mut again = folder.submit();
    again.extend(["--id", &id]);
    let traced = strace(&again, &[]).expect("it ran before").well();
    assert_eq!((traced.out.trim(), folder.jobs()), (id.as_str(), 1), "{}", traced.trace);
}

/// P23: each file, their folder and `payload/` are durable before the job is published; what was moved goes after that.
#[test]
fn attached_files_are_durable_before_their_job() {
    let folder = Folder::new();
    let [copied, moved] = ["copied", "moved"].map(|name| folder.drop.with_file_name(name));
    for path in [&copied, &moved] {
        std::fs::write(path, "content").expect("a file");
    }
    let mut command = folder.submit();
    command.extend(["--attach", copied.to_str().expect("text"), "--move", moved.to_str().expect("text")]);
    let Some(traced) = strace(&command, &[]) else { return };
    let trace = traced.well().trace;
    let payload = folder.room("payload");
    let made = std::fs::read_dir(&payload).expect("a room").next().expect("files").expect("files").path();
    let flushed = |path: &Path| trace.position(|call| call.is_sync_of(path));
    let files = ["copied", "moved"].map(|name| flushed(&made.join(name)));
    let (folder_of_files, room) = (flushed(&made), flushed(&payload));
    let published = trace.published(&folder.room("inbox"));
    let durable = flushed(&folder.room("inbox"));
    let gone = trace.position(|call| call.name.starts_with("unlink") && call.is_about(&moved));
    let order = [files[0], files[1], folder_of_files, room, published, durable, gone];
    assert!(order.is_sorted(), "{order:?} {trace}");
}

/// P24: what a handler leaves is durable before the outcome that refers to it has its slot.
#[test]
fn what_a_handler_leaves_is_durable_before_its_outcome() {
    let folder = Folder::new();
    let job = filedrop::Submission::new("t");
    let id = filedrop::DropFolder::open(&folder.drop).expect("it is there").submit(job).expect("a job");
    let leave =
        "mkdir $FILEDROP_RESULT_DIR/in; echo x > $FILEDROP_RESULT_DIR/in/x; head -c 2000000 /dev/zero";
    let consumer = env!("CARGO_BIN_EXE_consumer");
    let command = [consumer, "run", "-q", folder.path(), "--drain", "--", "sh", "-c", leave];
    let Some(traced) = strace(&command, &[]) else { return };
    let trace = traced.well().trace;
    let payload = folder.room("payload");
    let made: Vec<_> =
        std::fs::read_dir(&payload).expect("a room").map(|entry| entry.expect("left").path()).collect();
    let data = made.iter().find(|path| path.is_file()).expect("data");
    let files = made.iter().find(|path| path.is_dir()).expect("files");
    let flushed = |path: &Path| trace.position(|call| call.is_sync_of(path));
    let order = [&files.join("in/x"), &files.join("in"), files, data, &payload].map(|path| flushed(path));
    let slot = trace.published(&folder.room("outcomes").join(id.minted_at().expect("a minted id").day()));
    assert!(order.is_sorted() && order[4] < slot, "{order:?} {slot} {trace}");
}

/// P10, P11: the outcome is durable, then it gets the slot, then the slot is durable, then the claim goes away.
#[test]
fn an_outcome_is_durable_before_its_claim_goes() {
    let folder = Folder::new();
    let job = filedrop::Submission::new("t").data("1");
    let id = filedrop::DropFolder::open(&folder.drop).expect("it is there").submit(job).expect("a job");
    let Some(traced) = strace(&folder.drain(), &[]) else { return };
    let trace = traced.well().trace;

    let day = folder.room("outcomes").join(id.minted_at().expect("a minted id").day());
    let published = trace.published(&day);
    // One thread does it all, so the order in which its calls were seen is that in which they were made.
    let trace: Trace = trace.of_thread(trace.calls[published].thread);
    let made = trace.position(|call| call.name.starts_with("mkdir") && call.is_about(&day));
    let parent = trace.position(|call| call.is_sync_of(&folder.room("outcomes")));
    let published = trace.published(&day);
    let outcome = trace.flushed_before(published);
    let slot = trace.first(published, |call| call.is_sync_of(&day)).expect("the day is flushed");
    let archived = trace.position(|call| is_archiving(&folder.drop, call));
    assert!(made < parent && parent < outcome, "the day is there for good before anything is in it: {trace}");
    assert!(outcome < published && published < slot && slot < archived, "{trace}");
}

/// Nobody waits for the disk, and all that happens happens.
#[test]
fn what_is_left_to_the_operating_system_is_not_flushed() {
    let folder = Folder::new();
    let (producer, consumer) = (env!("CARGO_BIN_EXE_producer"), env!("CARGO_BIN_EXE_consumer"));
    let group = "a".parse().expect("a name");
    let topics = filedrop::Subscription::new(["t".parse().expect("a topic")]).expect("one");
    let drop = filedrop::DropFolder::open(&folder.drop).expect("it is there");
    drop.subscribe(&group, &topics).expect("a subscription");
    let file = folder.drop.with_file_name("scan.tif");
    std::fs::write(&file, "a picture").expect("a file");
    let file = file.to_str().expect("text");
    let given = ["--type", "t", "--data", "1", "--id", "job-1", "--reply-to", "billing", "--attach", file];
    let steps: [(&str, &[&str], &[&str]); 6] = [
        (producer, &["submit"], &given),
        (producer, &["publish"], &["--topic", "t", "--data", "2"]),
        (consumer, &["run", "-q"], &["--drain", "--", "cat"]),
        (consumer, &["subscribe", "-q"], &["--as", "a", "--drain", "--", "cat"]),
        (producer, &["wait"], &["job-1"]),
        (producer, &["collect"], &["--as", "billing"]),
    ];
    for (program, before, after) in steps {
        let command = [&[program], before, &[folder.path(), "--durability", "os"], after].concat();
        let Some(traced) = strace(&command, &[]) else { return };
        let trace = traced.well().trace;
        let flushed: Vec<_> = trace.calls.iter().filter(|call| call.flushes()).collect();
        assert!(flushed.is_empty(), "{before:?}: {trace}");
        assert!(
            trace.calls.iter().any(Call::gives_a_name) || before == ["wait"],
            "it did something: {trace}"
        );
    }
    assert!(names(&folder, "inbox").is_empty() && names(&folder, "replies/billing/inbox").is_empty());
    assert_eq!(names(&folder, "subscribers/a/done").len(), 1);
}

fn names(folder: &Folder, room: &str) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(folder.room(room)).expect("a room");
    entries.map(|entry| entry.expect("a name").file_name()).collect()
}

/// P4: after a power cut an empty presence would say nothing of a lock, and everybody would wait for a lease.
#[test]
fn a_presence_is_durable_before_it_is_seen() {
    let folder = Folder::new();
    let Some(traced) = strace(&folder.drain(), &[]) else { return };
    let trace = traced.well().trace;
    let is_presence = |call: &Call| call.paths().last().is_some_and(|to| to.ends_with(".presence"));
    let seen = trace.position(|call| call.name.starts_with("rename") && is_presence(call));
    assert!(trace.flushed_before(seen) < seen, "{trace}");
}

fn is_archiving(drop: &Path, call: &Call) -> bool {
    let text = |room: &str| drop.join(room).to_str().expect("text").to_owned();
    match call.paths()[..] {
        [from, to] => call.ok && from.starts_with(&text("claimed/")) && to.starts_with(&text("done/")),
        _ => false,
    }
}
