//! `producer collect`, to stdout and to a command: any instance of a service takes an outcome, each is settled once (P15).

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use filedrop::{Id, InboxName};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Ended, Folder, Running, program, wait_until};

const COLLECT: &str = "producer collect DROP --as billing";

/// A drop folder, and jobs that want their outcomes at an address.
struct Service(Folder);

impl Service {
    fn new() -> Self {
        Self(Folder::new())
    }

    /// Each by a process that is gone then.
    fn ask(&self, data: &[&str]) -> Vec<String> {
        let submit = "producer submit DROP --type order --reply-to billing --data";
        data.iter().map(|data| self.0.run(submit, &[data]).with(0).line()).collect()
    }

    /// So many answers that are there already.
    fn answered(&self, jobs: usize) -> BTreeSet<String> {
        let data: String = (0..jobs).map(|nth| format!("{nth}\n")).collect();
        let submit = "producer submit DROP --type order --reply-to billing --batch -";
        let ids = self.0.fed(submit, data.as_bytes()).with(0);
        self.0.drain("cat");
        ids.text().lines().map(str::to_owned).collect()
    }

    /// Hands what is there to a shell script.
    fn hand(&self, options: &str, script: &str) -> Ended {
        Running::start(self.handing(options, script)).end()
    }

    fn handing(&self, options: &str, script: &str) -> std::process::Command {
        self.0.command(&format!("{COLLECT} {options} -- sh -c"), &[script])
    }

    /// The collections of what lies in a room of the address.
    fn collections(&self, room: &str) -> Vec<u32> {
        let names = self.0.names(&format!("replies/billing/{room}"));
        names.iter().filter_map(|name| name.parse::<InboxName>().ok()).map(|name| name.attempt).collect()
    }

    fn settled(&self) -> BTreeSet<String> {
        let days = self.0.names("replies/billing/done");
        let names = days.iter().flat_map(|day| self.0.names(&format!("replies/billing/done/{day}")));
        let ids: Vec<Id> = names.map(|name| InboxName::parse_archived(&name).expect("archived").id).collect();
        let once: BTreeSet<String> = ids.iter().map(Id::to_string).collect();
        assert_eq!(once.len(), ids.len(), "each once");
        once
    }

    #[track_caller]
    fn is_all_settled(&self, ids: &BTreeSet<String>) {
        assert_eq!(&self.settled(), ids);
        for room in ["inbox", "claimed", "delayed"] {
            assert_eq!(self.0.names(&format!("replies/billing/{room}")), [""; 0], "{room}");
        }
    }
}

fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}

fn causes(text: &str) -> Vec<String> {
    let cause =
        |line| serde_json::from_str::<Value>(line).expect("JSON")["causationid"].as_str().map(str::to_owned);
    text.lines().map(|line| cause(line).expect("a cause")).collect()
}

/// Who submitted is gone. To wait is to look without taking; what was printed is taken.
#[test]
fn outcomes_are_printed_as_wait_prints_them() {
    let service = Service::new();
    let ids = service.ask(&["1", "2", "3"]);
    service.0.drain(r#"case $(cat) in 1) printf '{"paid":true}' ;; 2) echo no >&2; exit 65 ;; *) head -c 2000000 /dev/zero ;; esac"#);
    let waited = service.0.run("producer wait DROP --json", &[&ids[0], &ids[1], &ids[2]]).with(1);
    let collected = service.0.run(COLLECT, &[]).with(0);
    let lines = |ended: &Ended| ended.text().lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(lines(&collected), lines(&waited));
    assert_eq!(collected.text().lines().count(), 3);
    assert_eq!(collected.err, "", "a job that failed is news for whoever reads");
    service.is_all_settled(&set(&ids));
    assert_eq!(service.0.run(COLLECT, &[]).with(0).out, b"", "nothing is taken twice");
    assert_eq!(service.0.run("producer wait DROP", &[&ids[0]]).with(0).text(), "{\"paid\":true}");
}

#[test]
fn a_closed_pipe_settles_nothing_that_was_not_written() {
    let service = Service::new();
    let ids = service.answered(3);
    for (follow, expected) in [(&["--follow"][..], [1, 1, 2]), (&[], [1, 1, 3])] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        drop(reader);
        let mut command = service.0.command(COLLECT, follow);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), &ended.stderr[..]), (Some(141), &b""[..]));
        let mut collections = service.collections("inbox");
        collections.sort_unstable();
        // The one that it had in hand may have been written in part; what was handed over before goes first.
        assert_eq!(collections, expected);
        assert!(service.settled().is_empty() && service.0.names("replies/billing/claimed").is_empty());
    }
    assert_eq!(set(&causes(service.0.run(COLLECT, &[]).with(0).text())), ids);
    service.is_all_settled(&ids);
}

/// So it is with a disk that is full: half a line may be there, and whatever follows it would be worth nothing.
#[test]
fn what_cannot_be_written_ends_it() {
    let service = Service::new();
    let ids = service.answered(2);
    let mut command = service.0.command(COLLECT, &["--follow"]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(74), "{said}");
    assert!(said.contains("cannot write to standard output"), "{said}");
    assert!(service.settled().is_empty());
    // To a file it is flushed as well.
    let mut command = service.0.command(COLLECT, &[]);
    let file = fs::File::create(service.0.beside("answers")).unwrap();
    assert!(command.stdout(file).status().unwrap().success());
    let written = fs::read_to_string(service.0.beside("answers")).unwrap();
    assert_eq!(set(&causes(&written)), ids);
    service.is_all_settled(&ids);
}

/// It stands still in the middle of a line, in a pipe that nobody reads.
#[test]
fn what_is_not_written_wholly_comes_again() {
    let service = Service::new();
    let long = format!("\"{}\"", "x".repeat(100_000));
    let ids = service.ask(&["1", &long, "3"]);
    service.0.drain("cat");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = service.0.command(COLLECT, &[]);
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    wait_until("the first is settled", || (service.settled().len() == 1).then_some(()));
    wait_until("the second is claimed", || (service.collections("inbox").len() == 1).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut seen = String::new();
    reader.read_to_string(&mut seen).unwrap();
    assert!(seen.len() < long.len(), "it is cut: {} bytes", seen.len());
    assert_eq!(causes(seen.lines().next().unwrap()), ids[..1]);
    let ended = service.0.run(COLLECT, &[]).with(0);
    assert_eq!(set(&causes(ended.text())), set(&ids[1..]));
    service.is_all_settled(&set(&ids));
}

#[test]
fn each_is_printed_by_one_of_two() {
    let service = Service::new();
    let mut collectors = [(); 2].map(|()| Running::start(service.0.command(COLLECT, &["--follow"])));
    let claimed = service.0.path.join("replies/billing/claimed");
    let rooms = || fs::read_dir(&claimed).map_or(0, Iterator::count);
    wait_until("both have a room", || (rooms() == 4).then_some(()));
    let ids = service.answered(200);
    wait_until("all are settled", || (service.settled().len() == 200).then_some(()));
    collectors.iter_mut().for_each(|collector| collector.signal(Signal::TERM));
    let printed: Vec<_> = collectors.into_iter().flat_map(|it| causes(it.end().with(0).text())).collect();
    assert_eq!((printed.len(), set(&printed)), (200, ids.clone()));
    service.is_all_settled(&ids);
}

#[test]
fn a_command_gets_what_a_handler_gets() {
    let service = Service::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let submit = "producer submit DROP --reply-to billing --type order --subject s --correlation-id flow";
    let id = service.0.run(submit, &["--trace-parent", trace]).with(0).line();
    let failing = service.0.run("producer submit DROP --reply-to billing --type bad", &[]).with(0).line();
    let late = "producer submit DROP --reply-to billing --type late --expires 1ms";
    let late = service.0.run(late, &[]).with(0).line();
    service.0.drain(
        r#"[ $FILEDROP_TYPE = order ] || exit 65; echo f > "$FILEDROP_RESULT_DIR/f"; head -c 1500000 /dev/zero"#,
    );
    let script = r#"
        printf '%s %s %s %s ' "$FILEDROP_ID" "$FILEDROP_OUTCOME" "$FILEDROP_ATTEMPT" "$FILEDROP_TYPE"
        case $FILEDROP_OUTCOME in
            succeeded) wc -c | tr -d ' \n'; cat "$FILEDROP_PAYLOAD/f" | tr f F ;;
            *) echo "${FILEDROP_PAYLOAD-none}"; cat > "$FILEDROP_OUTCOME" ;;
        esac
        [ $FILEDROP_OUTCOME = failed ] || echo "$FILEDROP_SUBJECT $FILEDROP_CORRELATION_ID $TRACEPARENT" > env-$FILEDROP_OUTCOME
        grep -q '"outcome":"'$FILEDROP_OUTCOME'"' "$FILEDROP_JOB" || exit 3
        echo "${FILEDROP_RESULT_DIR-no results} said $FILEDROP_OUTCOME in $(basename "$FILEDROP_DROP")" >&2"#;
    let ended = service.hand("", script).with(0);
    let lines: BTreeSet<&str> = ended.text().lines().collect();
    let expected = [
        format!("{id} succeeded 1 filedrop.outcome 1500000F"),
        format!("{failing} failed 1 filedrop.outcome none"),
        format!("{late} expired 1 filedrop.outcome none"),
    ];
    assert_eq!(lines, expected.iter().map(String::as_str).collect());
    let read = |name: &str| fs::read_to_string(service.0.beside(name)).unwrap();
    assert_eq!(read("env-succeeded"), format!("s flow {trace}\n"));
    assert_eq!(read("env-expired"), format!(" {late} \n"));
    let problem: Value = serde_json::from_str(&read("failed")).unwrap();
    assert_eq!(problem["detail"], json!("exit status 65"));
    assert!(ended.err.contains("no results said succeeded in drop"), "its stderr is told: {ended:?}");
    service.is_all_settled(&set(&[id, failing, late]));
}

/// One that is refused keeps none of the others; it comes again the next time, with a higher number.
#[test]
fn what_a_command_refuses_comes_again() {
    let service = Service::new();
    let ids = service.ask(&["1", "2", "3"]);
    service.0.drain("cat");
    let ended = service.hand("", "[ $(cat) != 2 ] || { echo not today >&2; exit 7; }").with(1);
    assert!(ended.err.contains("exit status 7") && ended.err.contains("not today"), "{ended:?}");
    assert_eq!(service.collections("inbox"), [2]);
    assert_eq!(service.0.names("replies/billing/claimed"), [""; 0], "it waits for nobody's lease");
    assert_eq!(service.settled().len(), 2);
    let ended = service.hand("", r#"echo "$FILEDROP_ID $FILEDROP_ATTEMPT""#).with(0);
    assert_eq!(ended.line(), format!("{} 2", ids[1]));
    service.is_all_settled(&set(&ids));
}

#[test]
fn one_that_follows_hands_it_over_again() {
    let service = Service::new();
    let ids = service.ask(&["1", "2"]);
    let script =
        r#"[ $(cat) = 2 ] || [ $FILEDROP_ATTEMPT -ge 3 ] || exit 7; echo "$FILEDROP_ID $FILEDROP_ATTEMPT""#;
    let mut running = Running::start(service.handing("--follow", script));
    service.0.drain("cat");
    let lines = set(&running.wait_for_lines(2));
    assert_eq!(lines, set(&[format!("{} 1", ids[1]), format!("{} 3", ids[0])]));
    wait_until("all are settled", || (service.settled().len() == 2).then_some(()));
    running.signal(Signal::TERM);
    let ended = running.end().with(0);
    assert_eq!(ended.err.matches("trying again").count(), 2, "{ended:?}");
    service.is_all_settled(&set(&ids));
}

/// That says nothing of the outcomes: none is counted, and all wait.
#[test]
fn a_command_that_cannot_be_started() {
    let service = Service::new();
    let ids = service.answered(3);
    let ended = service.0.run(&format!("{COLLECT} -- no-such-command"), &[]).with(69);
    assert!(ended.err.contains("was not found in PATH"), "{ended:?}");
    // It goes while it is used.
    let script = "#!/bin/sh\nmv handler gone\necho \"$FILEDROP_ID $FILEDROP_ATTEMPT\"\n";
    let handler = service.0.file("handler", script);
    let set_executable =
        || fs::set_permissions(&handler, std::os::unix::fs::PermissionsExt::from_mode(0o755));
    set_executable().unwrap();
    let ended = service.0.run(&format!("{COLLECT} -- ./handler"), &[]).with(69);
    assert_eq!(ended.text().lines().count(), 1);
    assert!(ended.err.contains("cannot run the handler"), "{ended:?}");
    assert_eq!(service.collections("inbox"), [1, 1]);

    let mut command = service.0.command(&format!("{COLLECT} -v --follow -- ./handler"), &[]);
    fs::write(&handler, script).unwrap();
    set_executable().unwrap();
    let mut running = Running::start({
        command.stdin(Stdio::null());
        command
    });
    running.wait_for_lines(1);
    running.wait_for_words("cannot hand over outcomes; trying again");
    running.wait_for_words("cannot hand over outcomes; trying again");
    fs::rename(service.0.beside("gone"), &handler).unwrap();
    assert!(running.wait_for_lines(1)[0].ends_with(" 1"), "it was not counted");
    wait_until("all are settled", || (service.settled().len() == 3).then_some(()));
    running.signal(Signal::TERM);
    running.end().with(0);
    service.is_all_settled(&ids);
}

#[test]
fn a_stop_waits_for_the_command_and_a_second_one_does_not() {
    let service = Service::new();
    let ids = service.answered(2);
    let script = r#"echo $FILEDROP_ATTEMPT; until [ -e go ]; do sleep 0.01; done"#;
    let mut running = Running::start(service.handing("--follow -v --grace 1h", script));
    running.wait_for_lines(1);
    running.signal(Signal::TERM);
    running.wait_for_words("SIGTERM: stopping");
    fs::write(service.0.beside("go"), "").unwrap();
    running.end().with(0);
    assert_eq!((service.settled().len(), service.collections("inbox")), (1, vec![1]), "no other was begun");

    fs::remove_file(service.0.beside("go")).unwrap();
    for (options, signals) in [("--grace 1h", 2), ("--grace 1ms", 1)] {
        let mut running = Running::start(service.handing(&format!("--follow -v {options}"), script));
        running.wait_for_lines(1);
        for _ in 0..signals {
            running.signal(Signal::TERM);
            running.wait_for_words("SIGTERM: stopping");
        }
        let ended = running.end().with(0);
        assert!(ended.err.contains("the handler was ended, as the collector stops"), "{ended:?}");
    }
    assert_eq!(service.collections("inbox"), [3]);
    let ended = service.hand("--handler-timeout 50ms", script).with(1);
    assert!(ended.err.contains("the handler was ended after 50ms"), "{ended:?}");
    fs::write(service.0.beside("go"), "").unwrap();
    assert_eq!(service.hand("", script).with(0).line(), "4");
    service.is_all_settled(&ids);
}

/// Each handler waits until all have begun.
#[test]
fn several_at_a_time() {
    let service = Service::new();
    let ids = service.answered(6);
    let script = r#"
        : > "began.$FILEDROP_ID"; until [ $(ls began.* | wc -l) -ge 3 ]; do sleep 0.01; done
        [ "$FILEDROP_ATTEMPT" = 1 ] && exit 7; echo "$FILEDROP_ID""#;
    let mut running = Running::start(service.handing("--follow --concurrency 3", script));
    let taken = set(&running.wait_for_lines(6));
    assert_eq!(taken, ids);
    wait_until("all are settled", || (service.settled().len() == 6).then_some(()));
    running.signal(Signal::TERM);
    running.end().with(0);
    service.is_all_settled(&ids);

    let more = service.answered(6);
    let ended = service.hand("--concurrency 3", r#"exit 7"#).with(1);
    assert!(ended.err.contains("exit status 7"), "{ended:?}");
    assert_eq!(service.hand("--concurrency 64", r#"echo "$FILEDROP_ID""#).with(0).text().lines().count(), 6);
    service.is_all_settled(&ids.union(&more).cloned().collect());
}

/// Killed with an outcome in hand: its handler dies, too, and the next one takes it.
#[test]
fn a_collector_that_is_killed_leaves_it_to_the_next_one() {
    let service = Service::new();
    let ids = service.answered(1);
    let mut running = Running::start(service.handing("", "echo begun; exec sleep 3600"));
    running.wait_for_lines(1);
    running.signal(Signal::KILL);
    drop(running);
    let ended = service.hand("", r#"echo "$FILEDROP_ATTEMPT""#).with(0);
    assert_eq!(ended.line(), "2");
    service.is_all_settled(&ids);
}

/// Somebody removed what travels with an outcome.
#[test]
fn a_command_is_told_that_a_result_is_gone() {
    let service = Service::new();
    let ids = service.ask(&["1"]);
    service.0.drain(r#"echo x > "$FILEDROP_RESULT_DIR/x""#);
    fs::remove_dir_all(service.0.path.join("payload").join(&service.0.names("payload")[0])).unwrap();
    let ended = service.hand("", r#"echo "$FILEDROP_OUTCOME ${FILEDROP_PAYLOAD-none}"; cat"#).with(0);
    let told = ended.text().strip_prefix("failed none\n").expect("a failure");
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(told["type"], json!("urn:filedrop:problem:gone"));
    service.is_all_settled(&set(&ids));
}

/// What a command submits follows from the job whose outcome it has.
#[test]
fn the_flow_goes_on() {
    let service = Service::new();
    let ids = service.ask(&["1"]);
    service.0.drain("cat");
    let producer = program("producer").get_program().to_string_lossy().into_owned();
    let script = format!(r#""{producer}" submit "$FILEDROP_DROP" --type next"#);
    let next = service.hand("", &script).with(0).line();
    let story = service.0.story(&next);
    assert_eq!((&story["causationid"], &story["correlationid"]), (&json!(ids[0]), &json!(ids[0])));
}

#[test]
fn one_recipient_is_enough() {
    let service = Service::new();
    for wrong in ["--to . -- cat", "--name {id}", "--grace 1s", "--handler-timeout 1s", "--concurrency 2"] {
        service.0.run(&format!("{COLLECT} {wrong}"), &[]).with(2);
    }
}
