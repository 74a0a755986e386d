//! `producer wait` and `producer call`.

use std::io::Write as _;
use std::process::Command;

use filedrop::{Disposition, Outcome};
use rustix::process::Signal;

use crate::harness::{Folder, Running, golden, wait_until};

#[test]
fn outcomes_come_back_byte_for_byte() {
    let folder = Folder::new();
    let odd = [
        &b"{\"a\" : 1.00,  \"b\":[ ]}"[..],
        b"{\n  \"pretty\": true\n}\n",
        b"text without a newline",
        b"text with one\n",
        b"\r\n",
        b"",
        b"\0\x01\xff\xfe",
        b"\"a JSON string\"",
        b"\xEF\xBB\xBFmarked",
    ];
    let ids: Vec<String> = odd
        .iter()
        .map(|data| folder.fed("producer submit DROP --type t --file -", data).with(0).line())
        .collect();
    folder.drain("cat");
    for (id, data) in ids.iter().zip(odd) {
        let ended = folder.run("producer wait DROP", &[id]).with(0);
        assert_eq!((&ended.out[..], &ended.err[..]), (data, ""));
    }
    let mut words: Vec<&str> = ids.iter().map(String::as_str).collect();
    words.push(&ids[0]); // asked for twice, told once
    let all = folder.run("producer wait DROP", &words).with(0);
    assert_eq!(all.out.len(), odd.concat().len());
}

#[test]
fn what_a_handler_writes_to_a_real_file() {
    let folder = Folder::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/files")).unwrap() {
        let path = entry.unwrap().path();
        let id = folder.run("producer submit DROP --type t --file", &[path.to_str().unwrap()]).with(0).line();
        folder.drain("cat");
        let ended = folder.run("producer wait DROP", &[&id]).with(0);
        assert_eq!(ended.out, std::fs::read(&path).unwrap(), "{}", path.display());
    }
}

#[test]
fn a_failed_job_is_on_stderr_and_nothing_on_stdout() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2")];
    folder.drain(
        "n=$(cat); if [ $n = 1 ]; then printf partial; echo no such order >&2; exit 3; fi; printf fine",
    );
    let ended = folder.run("producer wait DROP", &[&ids[0]]).with(1);
    assert!(ended.out.is_empty(), "{ended:?}");
    golden("wait-failed.txt", &folder.normal(&ended.err, &[&ids[0], &ids[1]]));
    let both = folder.run("producer wait DROP", &[&ids[0], &ids[1]]).with(1);
    assert_eq!(both.out, b"fine");
}

#[test]
fn json_is_an_envelope_a_line_and_failed_ones_too() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2")];
    folder.drain("[ $(cat) = 1 ] || exit 3; printf '{\\n\"a\" : 1}'");
    let ended = folder.run("producer wait DROP --json", &[&ids[0], &ids[1]]).with(1);
    let lines: Vec<&str> = ended.text().lines().collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let outcome = Outcome::decode(line.as_bytes()).unwrap();
        assert_eq!(outcome.attempt(), 1);
        if outcome.job_id().as_str() == ids[0] {
            assert_eq!(
                (outcome.disposition, outcome.data()),
                (Disposition::Succeeded, &b"{\n\"a\" : 1}"[..])
            );
        } else {
            assert_eq!((outcome.job_id().as_str(), outcome.disposition), (&ids[1][..], Disposition::Failed));
        }
    }
}

#[test]
fn several_ids_are_told_as_they_arrive() {
    for watch in ["auto", "notify", "poll"] {
        let folder = Folder::new();
        let ids = [folder.submit("1"), folder.submit("2")];
        let words = format!("producer wait DROP --watch {watch} --poll-interval 10ms");
        let mut waiting = folder.start(&words, &[&ids[1], &ids[0]]);
        let go = folder.beside("go");
        let script = "n=$(cat); until [ $n = 1 ] || [ -e go ]; do sleep 0.01; done; echo $n";
        let mut consumer =
            folder.start("consumer run DROP --drain --max-attempts 1 --concurrency 2 -- sh -c", &[script]);
        assert_eq!(waiting.wait_for_lines(1), ["1"]);
        std::fs::write(go, "").unwrap();
        assert_eq!(waiting.wait_for_lines(1), ["2"]);
        waiting.end().with(0);
        consumer.close_input();
        consumer.end().with(0);
    }
}

#[test]
fn time_out_names_what_is_missing() {
    let folder = Folder::new();
    let settled = folder.submit("1");
    folder.drain("cat");
    let missing = [folder.submit("2"), folder.submit("3")];
    let ended =
        folder.run("producer wait DROP --timeout 0s", &[&missing[0], &settled, &missing[1]]).with(124);
    assert_eq!(ended.out, b"1");
    assert!(ended.err.ends_with(&format!("{} {}\n", missing[0], missing[1])), "{ended:?}");
    assert!(!ended.err.contains(&settled), "{ended:?}");
}

#[test]
fn an_unknown_id_is_said_once_and_waited_for() {
    let folder = Folder::new();
    let mut waiting =
        folder.start("producer wait DROP --timeout 50ms not-yet --watch poll --poll-interval 1ms", &[]);
    waiting.wait_for_words("never submitted to this folder, or kept no longer; waiting");
    let ended = waiting.end().with(124);
    golden("wait-unknown.txt", &folder.normal(&ended.err, &[]));
}

#[test]
fn an_unknown_id_is_said_in_the_midst_of_waiting_and_a_pending_one_is_not() {
    let folder = Folder::new();
    let pending = folder.submit("1");
    let mut waiting = folder.start("producer wait DROP", &[&pending, "not-yet"]);
    waiting.wait_for_words("waiting: not-yet");
    folder.drain("echo 1");
    assert_eq!(waiting.wait_for_lines(1), ["1"]);
    waiting.signal(Signal::KILL);
    assert!(!waiting.end().err.contains(&pending));
}

/// Also when others are waited for, and before the time given is over.
#[test]
fn an_id_that_is_older_than_what_is_kept_is_not_waited_for() {
    let folder = Folder::new();
    let old = "01890a5d-ac96-774b-bcce-b302099a8057";
    for quiet in ["", "-q "] {
        let ended = folder.run(&format!("producer wait {quiet}DROP"), &[old]).with(66);
        assert!(ended.err.contains("it is older than what is kept there: 01890a5d"), "{ended:?}");
    }
    let pending = folder.submit("1");
    let mut waiting = folder.start("producer wait DROP", &[&pending, old]);
    waiting.wait_for_words("it is older than what is kept there");
    folder.drain("echo 1");
    assert_eq!(waiting.wait_for_lines(1), ["1"]);
    waiting.end().with(66);

    // One that is there is waited for, however old it is.
    let event = format!(r#"{{"specversion":"1.0","id":"{old}","source":"/s","type":"t"}}"#);
    std::fs::write(folder.path.join(format!("inbox/5.1688000000000.{old}.1.job.json")), event).unwrap();
    let late = folder.run("producer wait DROP --timeout 10ms", &[old]).with(124);
    assert!(!late.err.contains("older"), "{late:?}");
}

#[test]
fn call_is_submit_and_wait() {
    let folder = Folder::new();
    let mut consumer =
        folder.start("consumer run DROP --max-attempts 1 -- sh -c", &["tr a-z A-Z; [ $FILEDROP_TYPE = t ]"]);
    let ended = folder.run("producer call DROP --type t --data", &["{\"a\" : \"b\"}"]).with(0);
    assert_eq!((&ended.out[..], &ended.err[..]), (&b"{\"A\" : \"B\"}"[..], ""));
    let failed = folder.run("producer call DROP --type u --data", &["1"]).with(1);
    assert!(failed.out.is_empty() && failed.err.starts_with("producer: job "), "{failed:?}");
    let json = folder.run("producer call DROP --type t --json --data", &["1"]).with(0);
    assert_eq!(Outcome::decode(json.line().as_bytes()).unwrap().data(), b"1");
    consumer.signal(Signal::TERM);
    consumer.close_input();
    consumer.end().with(0);
}

#[test]
fn call_that_times_out_says_how_to_ask_again() {
    let folder = Folder::new();
    let ended = folder.run("producer call DROP --type t --timeout 20ms --data", &["1"]).with(124);
    assert!(ended.out.is_empty(), "{ended:?}");
    ask_again(&folder, &ended.err);
}

#[test]
fn call_that_is_interrupted_says_how_to_ask_again() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = Folder::new();
        let calling = Running::start(folder.command("producer call DROP --type t --data", &["1"]));
        wait_until("the job is there", || folder.jobs("inbox").pop());
        calling.signal(signal);
        let ended = calling.end().with(code);
        assert!(ended.out.is_empty(), "{ended:?}");
        ask_again(&folder, &ended.err);
    }
}

/// As a script starts what ends with `&`.
#[test]
fn wait_in_the_background_is_left_alone_by_an_interrupt() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let wait = folder.command("producer -v wait DROP", &[&id]);
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap "" INT; exec "$@""#, "sh"]).arg(wait.get_program()).args(wait.get_args());
    if let Some(dir) = wait.get_current_dir() {
        command.current_dir(dir);
    }
    let mut waiting = Running::start(command);
    waiting.wait_for_words("waiting for outcomes");
    waiting.signal(Signal::INT);
    folder.drain("cat");
    assert_eq!(waiting.end().with(0).out, b"1");
}

#[test]
fn wait_that_is_interrupted_says_how_to_ask_again() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = Folder::new();
        let id = folder.submit("1");
        let mut waiting = folder.start("producer -v wait DROP", &[&id]);
        waiting.wait_for_words("waiting for outcomes");
        waiting.signal(signal);
        let ended = waiting.end().with(code);
        assert!(ended.out.is_empty() && ended.err.contains("the job goes on, ask again with: "), "{ended:?}");
        ask_again(&folder, &ended.err);
    }
}

/// The caller is killed: nothing of it is left that could lose the outcome, and no sweep takes it before its time.
#[test]
fn call_that_is_killed_leaves_an_outcome_for_whoever_asks() {
    let folder = Folder::new();
    let calling = Running::start(folder.command("producer call DROP --type t --data", &["1"]));
    let job = wait_until("the job is there", || folder.jobs("inbox").pop());
    calling.signal(Signal::KILL);
    assert_eq!(calling.end().code, None);
    folder.drain("printf late");
    folder.run("filedrop gc DROP", &[]).with(0);
    for _ in 0..2 {
        assert_eq!(folder.run("producer wait DROP", &[job.id.as_str()]).with(0).out, b"late");
    }
}

/// In a user namespace of their own, in which there are none.
#[test]
fn notifications_that_are_used_up_are_told_once_and_polling_goes_on() {
    let none = "echo 0 > /proc/sys/user/max_inotify_instances";
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script]);
        command
    };
    if !unshare(none).output().is_ok_and(|output| output.status.success()) {
        let why = "nobody may make a user namespace without notifications here";
        assert!(std::env::var_os("CI").is_none(), "{why}");
        writeln!(std::io::stderr(), "skipped: {why}").expect("stderr is open");
        return;
    }
    let folder = Folder::new();
    let id = folder.submit("1");
    let producer = env!("CARGO_BIN_EXE_producer");
    let drop = folder.path.display();
    let script = |watch: &str| {
        format!("{none}; exec {producer} wait {drop} --poll-interval 5ms --watch {watch} {id} not-yet")
    };
    let mut waiting = Running::start(unshare(&script("auto")));
    waiting.wait_for_words("this user may have no more watchers");
    // It waits in several steps.
    waiting.wait_for_words("waiting: not-yet");
    folder.drain("echo polled");
    assert_eq!(waiting.wait_for_lines(1), ["polled"]);
    waiting.signal(Signal::KILL);
    let said = waiting.end().err;
    assert_eq!(said.matches("no more watchers").count(), 1, "{said}");
    let refused = Running::start(unshare(&script("notify"))).end().with(78);
    assert!(refused.err.contains("this user may have no more watchers"), "{refused:?}");
}

#[test]
fn call_that_cannot_print_says_how_to_ask_again() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return; // Not Linux.
    }
    let folder = Folder::new();
    let consumer = Running::start(folder.command("consumer run DROP -- printf", &["late"]));
    let mut command = folder.command("producer call DROP --type t --data", &["1"]);
    let output = command.stdout(std::fs::File::options().write(true).open(full).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
    let said = String::from_utf8(output.stderr).unwrap();
    let (_, command) = said.trim_end().split_once("producer wait ").expect("a command");
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(folder.run("producer wait", &words).with(0).out, b"late");
}

/// Takes the command from the message, and it works.
fn ask_again(folder: &Folder, said: &str) {
    let id = folder.jobs("inbox").pop().expect("the job is there").id;
    let (_, command) = said.trim_end().split_once("producer wait ").expect("a command");
    assert_eq!(command, format!("{} {id}", folder.path.display()));
    folder.drain("printf late");
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(folder.run("producer wait", &words).with(0).out, b"late");
}
