//! `filedrop dead list`, `show` and `purge`.

use serde_json::Value;

use crate::harness::{Folder, golden};
use crate::terminal::at_terminal;

/// What can become of a job in the end, one job each; their ids are of one length.
pub(crate) fn graves() -> Folder {
    let folder = Folder::new();
    for (id, options) in [
        ("handler", "--type order --subject 4711"),
        ("rejected", "--type order"),
        ("expired", "--type invoice --expires 1ms"),
        ("timeout", "--type resize"),
    ] {
        folder.run(&format!("producer submit DROP {options} --id {id} --data"), &["{\"n\":1}"]).with(0);
    }
    std::fs::write(folder.path.join("inbox/5.4102444800000.invalid.1.job.json"), "{").expect("a file");
    let script = "case $FILEDROP_ID in rejected) exit 65;; timeout) exec sleep 100;; *) exit 3;; esac";
    let words = "consumer run DROP --drain --max-attempts 2 --backoff 0s --handler-timeout 300ms -- sh -c";
    // Once for each attempt, should one come due when the drain has just ended.
    for _ in 0..2 {
        folder.run(words, &[script]).with(0);
    }
    assert_eq!((folder.names("dead").len(), folder.names("invalid").len()), (8, 2));
    folder
}

fn listed(folder: &Folder, options: &str) -> Vec<String> {
    let ended = folder.run(&format!("filedrop dead list DROP --json {options}"), &[]).with(0);
    let id = |line: &str| {
        let letter: Value = serde_json::from_str(line).expect("JSON");
        letter["id"].as_str().expect("an id").to_owned()
    };
    ended.text().lines().map(id).collect()
}

#[test]
fn a_list_for_people() {
    let folder = Folder::new();
    let none = folder.run("filedrop dead list DROP", &[]).with(0);
    assert!(none.out.is_empty() && none.err.is_empty(), "{none:?}");
    let folder = graves();
    let ended = folder.run("filedrop dead list DROP", &[]).with(0);
    assert_eq!(ended.err, "");
    golden("dead-list.txt", &folder.normal(ended.text(), &[]));
}

#[test]
fn on_a_terminal_lines_are_cut_to_its_width() {
    let folder = graves();
    let ended = at_terminal(folder.command("filedrop dead list DROP", &[]), 24, 80).end().with(0);
    let lines: Vec<&str> = ended.text().lines().collect();
    assert_eq!(lines.len(), 6, "{ended:?}");
    let longest = lines.iter().find(|line| line.starts_with("expired")).expect("a row");
    assert!(
        longest.chars().count() == 80 && longest.contains("it was") && longest.ends_with('…'),
        "{longest}"
    );
    assert!(lines.iter().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_list_for_programs() {
    let folder = graves();
    let ended = folder.run("filedrop dead list DROP --json handler", &[]).with(0);
    let letter: Value = serde_json::from_str(&ended.line()).unwrap();
    for (member, expected) in [
        ("room", "dead"),
        ("type", "order"),
        ("subject", "4711"),
        ("reason", "handler"),
        ("detail", "exit status 3"),
    ] {
        assert_eq!(letter[member], expected, "{member}");
    }
    let attempts = letter["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[1]["attempt"]), (2, &Value::from(2)));
    let times = [&letter["submitted"], &attempts[0]["began"], &attempts[1]["ended"], &letter["died"]];
    assert!(times.map(|time| time.as_str().unwrap()).is_sorted(), "{letter}");
    assert_eq!((&letter["stderr"], letter["redrives_as"].is_string()), (&Value::from(""), true));
    let ended = folder.run("filedrop dead list DROP --json invalid", &[]).with(0);
    let letter: Value = serde_json::from_str(&ended.line()).unwrap();
    assert_eq!(
        (&letter["room"], &letter["type"], &letter["redrives_as"]),
        (&Value::from("invalid"), &Value::Null, &Value::Null)
    );
}

#[test]
fn a_list_of_some() {
    let folder = graves();
    assert_eq!(listed(&folder, ""), ["handler", "rejected", "expired", "timeout", "invalid"]);
    assert_eq!(listed(&folder, "--reason timeout,expired"), ["expired", "timeout"]);
    assert_eq!(listed(&folder, "--reason timeout --reason invalid"), ["timeout", "invalid"]);
    assert_eq!(listed(&folder, "--type order"), ["handler", "rejected"]);
    assert_eq!(listed(&folder, "--type order --reason rejected"), ["rejected"]);
    assert_eq!(listed(&folder, "--type order timeout handler"), ["handler"]);
    assert_eq!(listed(&folder, "--reason output"), [""; 0]);
    let ended = folder.run("filedrop dead list DROP handler nobody", &[]).with(1);
    assert!(ended.text().contains("handler"), "{ended:?}");
    assert_eq!(ended.err, "filedrop: no dead letter has this id: nobody\n");
}

/// Whatever the list says is a reason to select by.
#[test]
fn a_list_of_those_whose_file_changed() {
    let folder = Folder::new();
    std::fs::write(folder.path.join("inbox/x.csv"), "1").unwrap();
    let script = "echo more >> \"$FILEDROP_PAYLOAD\"";
    let words = "consumer run DROP --drain -q --quiet-period 0s --max-attempts 1 -- sh -c";
    folder.run(words, &[script]).with(0);
    let letter: Value =
        serde_json::from_str(&folder.run("filedrop dead list DROP --json", &[]).with(0).line()).unwrap();
    assert_eq!(letter["reason"], "changed", "{letter}");
    let id = [letter["id"].as_str().unwrap()];
    assert_eq!(listed(&folder, "--reason changed"), id);
    assert_eq!(listed(&folder, "--reason handler"), [""; 0]);
    folder.run("filedrop dead purge DROP --reason changed --dry-run", &[]).with(0);
    let redriven = folder.run("filedrop dead redrive DROP --reason changed", &[]).with(0);
    assert!(redriven.text().starts_with(id[0]), "{redriven:?}");
}

/// What a job can die of is in two places: in the words, and in what selects by them.
#[test]
fn every_kind_of_problem_is_a_reason() {
    let source = include_str!("../../src/words/problem.rs");
    let mut kinds: std::collections::BTreeSet<&str> =
        source.split("\"urn:filedrop:problem:").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(kinds.remove("gone"), "what a collector is told; no job dies of it");
    let kinds: Vec<&str> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
    let mut reasons = filedrop::Problem::REASONS;
    reasons.sort_unstable();
    assert_eq!(kinds, reasons);
}

#[test]
fn one_that_nobody_can_read_does_not_hide_the_others() {
    let folder = graves();
    let job = folder.names("dead").into_iter().find(|name| name.contains(".handler.job")).unwrap();
    std::fs::write(folder.path.join("dead").join(job), "no envelope").unwrap();
    let reason = folder.names("dead").into_iter().find(|name| name.contains(".rejected.reason")).unwrap();
    std::fs::write(folder.path.join("dead").join(reason), "no outcome").unwrap();
    let ended = folder.run("filedrop dead list DROP", &[]).with(0);
    assert_eq!(ended.text().lines().count(), 6);
    let row = |id: &str| {
        let line = ended.text().lines().find(|line| line.starts_with(id)).unwrap();
        line.split_whitespace().skip(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("handler")[..2], ["handler", "-"]);
    // A link to its slot: that is spoilt too.
    assert_eq!(row("rejected")[..2], ["unknown", "order"]);
}

#[test]
fn show_is_of_dead_letters_only() {
    let folder = graves();
    let ended = folder.run("filedrop dead show DROP handler", &[]).with(0);
    assert_eq!(ended.out, folder.run("filedrop show DROP handler", &[]).with(0).out);
    let json = folder.run("filedrop dead show --json DROP handler", &[]).with(0);
    assert_eq!(json.out, folder.run("filedrop show --json DROP handler", &[]).with(0).out);
    let ready = folder.submit("1");
    let ended = folder.run("filedrop dead show DROP", &[&ready]).with(1);
    assert!(ended.out.is_empty() && ended.err.starts_with("filedrop: no dead letter in "), "{ended:?}");
}

#[test]
fn purged_is_gone_and_the_outcome_stands() {
    let folder = graves();
    let before = folder.tree();
    let dry = folder.run("filedrop dead purge DROP --all --dry-run", &[]).with(0);
    assert_eq!(dry.text(), "handler\nrejected\nexpired\ntimeout\ninvalid\n");
    assert_eq!(dry.err, "filedrop: a dry run: nothing was purged; 5 could be\n");
    assert!(folder.tree() == before, "a dry run changes nothing");

    let ended =
        folder.run("filedrop dead purge DROP --json --type order expired nobody handler", &[]).with(1);
    assert_eq!(ended.text(), "{\"id\":\"handler\",\"room\":\"dead\"}\n");
    assert_eq!(ended.err, "filedrop: nobody: no dead letter has this id\nfiledrop: 1 not purged; 1 purged\n");
    assert_eq!(listed(&folder, ""), ["rejected", "expired", "timeout", "invalid"]);
    folder.run("producer wait DROP handler", &[]).with(1);

    let rest = folder.run("filedrop dead purge DROP --all", &[]).with(0);
    assert_eq!((rest.text(), &rest.err[..]), ("rejected\nexpired\ntimeout\ninvalid\n", ""));
    assert_eq!((folder.names("dead").len(), folder.names("invalid").len()), (0, 0));
    assert!(folder.run("filedrop dead purge DROP --all", &[]).with(0).out.is_empty());
}

#[test]
fn an_interrupted_purge_is_ended_by_the_next_one() {
    let folder = graves();
    let remove = |part: &str| {
        let name = folder.names("dead").into_iter().find(|name| name.contains(part)).unwrap();
        std::fs::remove_file(folder.path.join("dead").join(name)).unwrap();
    };
    remove(".handler.reason");
    remove(".timeout.job");
    let ended = folder.run("filedrop dead list DROP --reason handler,timeout", &[]).with(0);
    assert_eq!(ended.text().lines().count(), 3, "both are still told of: {ended:?}");
    folder.run("filedrop dead purge DROP handler timeout", &[]).with(0);
    assert!(!folder.names("dead").iter().any(|name| name.contains("handler") || name.contains("timeout")));
}
