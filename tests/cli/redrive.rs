//! `filedrop dead redrive`: a dead letter becomes one new job.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::dead::graves;
use crate::harness::{Running, wait_until};
use crate::terminal::at_terminal;

/// Old and new id.
fn pair(line: &str) -> (&str, &str) {
    line.split_once(' ').expect("two ids")
}

#[test]
fn a_new_job_of_the_same_data_and_flow() {
    let folder = graves();
    let line = folder.run("filedrop dead redrive DROP handler", &[]).with(0).line();
    let (old, new) = pair(&line);
    assert_eq!(old, "handler");
    let job = folder.job(new);
    assert_eq!((job.kind(), job.data(), job.attempt), ("order", &br#"{"n":1}"#[..], 1));
    let [cause, flow, subject] =
        ["causationid", "correlationid", "subject"].map(|name| job.envelope.text(name));
    assert_eq!((cause, flow, subject), (Some("handler"), Some("handler"), Some("4711")));
    assert!(!folder.names("dead").iter().any(|name| name.contains("handler")));
    folder.drain("echo better");
    assert_eq!(folder.run("producer wait DROP", &[new]).with(0).line(), "better");
    folder.run("producer wait DROP handler", &[]).with(1);
}

#[test]
fn to_redrive_twice_makes_one_job() {
    let folder = graves();
    let first = folder.run("filedrop dead redrive DROP handler", &[]).with(0).line();
    let second = folder.run("filedrop dead redrive DROP handler", &[]).with(0);
    assert_eq!(second.line(), first);
    assert_eq!(second.err, "filedrop: handler: was redriven before\n");
    assert_eq!(folder.jobs("inbox").len(), 1);
    folder.drain("exit 1");
    let third = folder.run("filedrop dead redrive -q DROP handler", &[]).with(0);
    assert_eq!((third.line(), &third.err[..]), (first.clone(), ""));
    assert!(folder.jobs("inbox").is_empty());
    // The one that it has become is a dead letter of its own.
    let next = folder.run("filedrop dead redrive DROP", &[pair(&first).1]).with(0).line();
    assert_eq!(folder.job(pair(&next).1).envelope.text("correlationid"), Some("handler"));
}

#[test]
fn many_at_once_make_one_job_each() {
    let folder = graves();
    let start = || Running::start(folder.command("filedrop dead redrive DROP handler rejected timeout", &[]));
    let all: Vec<Running> = (0..8).map(|_| start()).collect();
    let printed: std::collections::BTreeSet<String> = all
        .into_iter()
        .flat_map(|one| {
            let ended = one.end().with(0);
            ended.text().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!((printed.len(), folder.jobs("inbox").len()), (3, 3), "{printed:?}");
}

#[test]
fn an_expired_job_does_not_expire_again() {
    let folder = graves();
    let line = folder.run("filedrop dead redrive DROP expired", &[]).with(0).line();
    let (_, new) = pair(&line);
    assert_eq!(folder.job(new).expires(), None);
    folder.drain("cat");
    assert_eq!(folder.run("producer wait DROP", &[new]).with(0).out, b"{\"n\":1}");
}

#[test]
fn what_cannot_be_redriven_is_named_and_the_others_go_on() {
    let folder = graves();
    let spoilt = folder.names("dead").into_iter().find(|name| name.contains(".handler.job")).unwrap();
    std::fs::write(folder.path.join("dead").join(spoilt), "no envelope").unwrap();
    let before = folder.tree();
    for dry in [true, false] {
        let words = format!("filedrop dead redrive DROP --all {}", if dry { "--dry-run" } else { "" });
        let ended = folder.run(&words, &[]).with(1);
        let olds: Vec<&str> = ended.text().lines().map(|line| pair(line).0).collect();
        assert_eq!(olds, ["rejected", "expired", "timeout"]);
        assert!(ended.err.contains("filedrop: handler: "), "{ended:?}");
        assert!(ended.err.contains("filedrop: invalid: nobody could read it: mend it"), "{ended:?}");
        let end = match dry {
            true => "filedrop: a dry run: nothing was redriven; 3 could be, 2 could not\n",
            false => "filedrop: 2 not redriven; 3 redriven\n",
        };
        assert!(ended.err.ends_with(end), "{ended:?}");
        assert_eq!(folder.tree() == before, dry, "a dry run changes nothing, another does");
    }
    assert_eq!(folder.jobs("inbox").len(), 3);
    let ended = folder.run("filedrop dead redrive DROP nobody", &[]).with(1);
    assert!(ended.err.starts_with("filedrop: nobody: no dead letter has this id\n"), "{ended:?}");
}

#[test]
fn a_dry_run_knows_the_new_ids() {
    let folder = graves();
    let words = "filedrop dead redrive DROP --json --reason handler,expired";
    let planned = folder.run(&format!("{words} --dry-run"), &[]).with(0);
    let done = folder.run(words, &[]).with(0);
    assert_eq!(planned.text(), done.text());
    let first: Value = serde_json::from_str(done.text().lines().next().unwrap()).unwrap();
    assert_eq!(first["id"], "handler");
    assert_eq!(folder.job(first["redriven_as"].as_str().unwrap()).kind(), "order");
    assert_eq!(folder.jobs("inbox").len(), 2);
}

#[test]
fn a_rate_is_kept() {
    let folder = graves();
    let began = Instant::now();
    let ended = folder.run("filedrop dead redrive DROP --rate 10/s handler rejected timeout", &[]).with(0);
    assert_eq!(ended.text().lines().count(), 3);
    assert!(began.elapsed() >= Duration::from_millis(200), "two pauses of 100 ms");
}

#[test]
fn on_a_terminal_there_is_a_progress_bar() {
    let folder = graves();
    let words = "filedrop dead redrive DROP --rate 10/s handler rejected timeout";
    let ended = at_terminal(folder.command(words, &[]), 24, 80).end().with(0);
    assert!(ended.text().contains("2/3"), "{ended:?}");
    assert_eq!(ended.text().matches("handler ").count(), 1, "ids are whole lines beside it: {ended:?}");
    let quiet =
        at_terminal(folder.command("filedrop dead redrive -q DROP expired", &[]), 24, 80).end().with(0);
    assert!(!quiet.text().contains("1/1"), "{quiet:?}");
}

#[test]
fn a_signal_ends_it_between_two() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = graves();
        let mut redriving =
            Running::start(folder.command("filedrop dead redrive DROP --all --rate 1/m", &[]));
        let first = redriving.wait_for_lines(1).remove(0);
        redriving.signal(signal);
        let ended = redriving.end().with(code);
        let name = if signal == Signal::INT { "SIGINT" } else { "SIGTERM" };
        let said =
            format!("filedrop: stopped by {name}; 1 redriven before, rejected and those after it are not\n");
        assert_eq!(ended.err, said);
        assert_eq!(folder.job(pair(&first).1).kind(), "order");
        assert_eq!(folder.jobs("inbox").len(), 1);
    }
}

/// P22: to move a dead letter to the inbox does not run it again.
#[test]
fn a_dead_letter_that_is_moved_to_the_inbox_is_moved_back() {
    let folder = graves();
    let name = folder.names("dead").into_iter().find(|name| name.contains(".handler.job")).unwrap();
    std::fs::rename(folder.path.join("dead").join(&name), folder.path.join("inbox").join(&name)).unwrap();
    let shown = folder.run("filedrop show DROP handler", &[]).with(0);
    assert!(
        shown.text().contains("in the inbox, where it is no job any more: the next consumer puts it back"),
        "{shown:?}"
    );

    let mut consumer = Running::start(folder.command("consumer run DROP -- touch handled", &[]));
    consumer.wait_for_words("moved a dead letter back");
    wait_until("it is back", || folder.path.join("dead").join(&name).exists().then_some(()));
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
    assert!(!folder.beside("handled").exists());
    let shown = folder.run("filedrop show DROP handler", &[]).with(0);
    let hint = format!("filedrop dead redrive {} handler", folder.path.display());
    assert!(shown.text().contains(&hint) && shown.text().contains("inbox/ does not work"), "{shown:?}");
    let places = &folder.story("handler")["places"];
    assert_eq!(
        places.as_array().unwrap().iter().map(|place| &place["room"]).collect::<Vec<_>>(),
        [&json!("outcomes"), &json!("dead")]
    );
}

/// Under the name of a job it is claimed, and put away unhandled: its outcome stands.
#[test]
fn a_dead_letter_that_is_renamed_to_a_job_is_not_said_to_be_ready() {
    let folder = graves();
    let name = folder.names("dead").into_iter().find(|name| name.contains(".handler.job")).unwrap();
    let job = name.replace(".handler.job", ".handler.1.job");
    std::fs::rename(folder.path.join("dead").join(&name), folder.path.join("inbox").join(&job)).unwrap();
    let shown = folder.run("filedrop show DROP handler", &[]).with(0);
    let told = [
        "in inbox/, but its outcome stands: no consumer handles it",
        "once it is put away: filedrop dead redrive",
    ];
    assert!(told.iter().all(|words| shown.text().contains(words)), "{shown:?}");
    assert!(!shown.text().contains("ready in the inbox"), "{shown:?}");
    folder.drain("touch handled");
    assert!(!folder.beside("handled").exists());
    assert!(folder.names("dead").contains(&name));
}

#[test]
fn a_letter_that_was_redriven_is_shown_with_its_new_id() {
    let folder = graves();
    let line = folder.run("filedrop dead redrive DROP handler", &[]).with(0).line();
    let shown = folder.run("filedrop dead show DROP handler", &[]).with(0);
    assert!(shown.text().ends_with(&format!("redriven   as {}\n", pair(&line).1)), "{shown:?}");
    folder.drain("true");
    // What never was a dead letter is none.
    folder.run("filedrop dead show DROP", &[pair(&line).1]).with(1);
}
