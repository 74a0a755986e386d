//! Ids that are given: to submit one again is to submit one job.

use rustix::process::Signal;

use crate::harness::{Folder, Running, wait_until};

/// What is said of an id that was given before.
fn again(state: &str) -> String {
    format!(
        "producer: already submitted; the first one counts: invoice-1; it {state}; all about it: filedrop show DROP invoice-1\n"
    )
}

fn give(folder: &Folder, data: &str) -> (String, String) {
    let ended = folder.run("producer submit DROP --type t --id invoice-1 --data", &[data]).with(0);
    (ended.line(), folder.normal(&ended.err, &[]))
}

#[test]
fn the_first_one_counts_wherever_it_is() {
    let folder = Folder::new();
    assert_eq!(give(&folder, "1"), ("invoice-1".to_owned(), String::new()));
    let give_again = |state| assert_eq!(give(&folder, "2"), ("invoice-1".to_owned(), again(state)));
    give_again("is ready");
    assert_eq!(folder.job("invoice-1").data(), b"1");
    assert_eq!(folder.jobs("inbox").len(), 1);

    let script = "touch started; until [ -e go ]; do sleep 0.01; done; cat";
    let consumer = Running::start(folder.command("consumer run DROP --drain -- sh -c", &[script]));
    wait_until("it is claimed", || folder.beside("started").exists().then_some(()));
    give_again("is being handled");
    folder.file("go", "");
    consumer.end().with(0);
    give_again("is done");
    assert!(folder.jobs("inbox").is_empty());
    assert_eq!(folder.run("producer wait DROP", &["invoice-1"]).with(0).out, b"1");
}

#[test]
fn also_when_it_is_delayed_or_has_failed() {
    let folder = Folder::new();
    folder.run("producer submit DROP --type t --id invoice-1 --delay 1h --data", &["1"]).with(0);
    assert_eq!(give(&folder, "2").1, again("is delayed until TIME"));
    assert!(folder.jobs("inbox").is_empty());

    let folder = Folder::new();
    give(&folder, "1");
    folder.drain("exit 1");
    assert_eq!(give(&folder, "2").1, again("has failed, and is a dead letter"));
    assert!(folder.jobs("inbox").is_empty());
    folder.run("producer wait DROP", &["invoice-1"]).with(1);
}

#[test]
fn it_is_said_what_has_become_of_the_first() {
    let folder = Folder::new();
    give(&folder, "1");
    folder.drain("exit 1");
    let redriven = folder.run("filedrop dead redrive DROP invoice-1", &[]).with(0).line();
    let new = redriven.split(' ').next_back().unwrap();
    assert_eq!(give(&folder, "2").1, again(&format!("has failed, and was redriven as {new}")));

    let folder = Folder::new();
    give(&folder, "1");
    folder.drain("exit 1");
    folder.run("filedrop dead purge DROP invoice-1", &[]).with(0);
    assert_eq!(give(&folder, "2").1, again("has failed, and was purged"));

    let folder = Folder::new();
    folder.run("producer submit DROP --type t --expires 1ms --id", &["invoice-1"]).with(0);
    wait_until("it is past its time", || {
        folder.drain("cat");
        folder.jobs("inbox").is_empty().then_some(())
    });
    assert_eq!(give(&folder, "2").1, again("has expired, and is a dead letter"));

    let folder = Folder::new();
    give(&folder, "1");
    let job = folder.path.join("inbox").join(&folder.names("inbox")[0]);
    std::fs::remove_file(&job).unwrap();
    std::fs::write(&job, "no envelope").unwrap();
    folder.drain("cat");
    assert_eq!(give(&folder, "2").1, again("is invalid: nobody could read it"));
    assert!(folder.jobs("inbox").is_empty());
}

#[test]
fn a_minted_id_can_be_given_again() {
    let folder = Folder::new();
    let id = folder.submit("1");
    for _ in 0..2 {
        let ended = folder.run("producer submit DROP --type t --data 2 --id", &[&id]).with(0);
        assert!(ended.err.contains("already submitted"), "{ended:?}");
        assert_eq!(ended.line(), id);
    }
    assert_eq!((folder.jobs("inbox").len(), folder.job(&id).data()), (1, &b"1"[..]));
}

#[test]
fn call_tells_the_outcome_of_the_first() {
    let folder = Folder::new();
    give(&folder, "1");
    folder.drain("cat");
    let ended = folder.run("producer call DROP --type t --id invoice-1 --data", &["2"]).with(0);
    assert_eq!((&ended.out[..], folder.normal(&ended.err, &[])), (&b"1"[..], again("is done")));
    let quiet = folder.run("producer call -q DROP --type t --id invoice-1 --data", &["2"]).with(0);
    assert_eq!((&quiet.out[..], &quiet.err[..]), (&b"1"[..], ""));
}

#[test]
fn twenty_at_once_make_one_job() {
    let folder = Folder::new();
    for round in 0..5 {
        let id = format!("at-once-{round}");
        let words = format!("producer submit DROP --type t --id {id} --data");
        let all: Vec<Running> =
            (0..20).map(|n| Running::start(folder.command(&words, &[&n.to_string()]))).collect();
        let mut new = 0;
        for one in all {
            let ended = one.end().with(0);
            assert_eq!(ended.line(), id);
            new += usize::from(ended.err.is_empty());
        }
        assert!(new <= 1, "{new} were told that theirs is the job");
        assert_eq!(folder.jobs("inbox").len(), round + 1);
    }
    folder.drain("cat > /dev/null");
    assert_eq!(folder.jobs("inbox").len(), 0);
}

#[test]
fn an_uncertain_submission_says_how_to_repeat_it() {
    let folder = Folder::new();
    // The last two characters of the id.
    std::fs::create_dir(folder.path.join("ids/-1")).unwrap();
    let entry = folder.path.join("ids/-1/invoice-1");
    std::fs::write(&entry, "no envelope").unwrap();
    for command in ["submit", "call"] {
        let words = format!("producer {command} DROP --type t --id invoice-1 --data");
        let ended = folder.run(&words, &["1"]).with(75);
        assert!(ended.out.is_empty(), "{ended:?}");
        let said = "its id: invoice-1; run the same command again with --id invoice-1, and it is one job\n";
        assert!(
            ended.err.contains("may or may not have been submitted") && ended.err.ends_with(said),
            "{ended:?}"
        );
    }
    let batch = folder.fed(
        "producer submit DROP --batch - --envelopes",
        br#"{"specversion":"1.0","id":"invoice-1","source":"/s","type":"t"}"#,
    );
    assert!(batch.err.contains("lines 1 to 1 may or may not be submitted"), "{batch:?}");
    batch.with(75);
    std::fs::remove_file(entry).unwrap();
    assert_eq!(give(&folder, "1").1, "");
    assert_eq!(folder.jobs("inbox").len(), 1);
}

#[test]
fn a_call_that_is_interrupted_can_be_repeated() {
    let folder = Folder::new();
    let words = "producer call DROP --type t --id invoice-1 --data";
    let calling = Running::start(folder.command(words, &["1"]));
    wait_until("the job is there", || folder.jobs("inbox").pop());
    calling.signal(Signal::INT);
    calling.end().with(130);
    let mut again = Running::start(folder.command(words, &["1"]));
    again.wait_for_words("already submitted");
    folder.drain("printf once; echo >> handled");
    assert_eq!(again.end().with(0).out, b"once");
    assert_eq!(std::fs::read(folder.beside("handled")).unwrap(), b"\n");
}
