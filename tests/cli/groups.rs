//! Groups of subscribers, as an operator sees them.

use serde_json::{Value, json};

use crate::harness::{Folder, Running, wait_until};

fn publish(folder: &Folder, topic: &str) -> String {
    folder.run("producer publish DROP --data 1 --topic", &[topic]).with(0).line()
}

fn groups(folder: &Folder) -> Vec<Value> {
    let list = folder.run("filedrop topics DROP list --json", &[]).with(0);
    list.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// WAITING and OLDEST are of the same events: those to be tried again, too.
#[test]
fn what_waits_is_counted_everywhere_alike() {
    let folder = Folder::new();
    folder.run("filedrop topics DROP add a", &[">"]).with(0);
    folder.run("filedrop topics DROP add a-group-with-a-long-name", &["none"]).with(0);
    publish(&folder, "t");
    folder.run("consumer subscribe DROP --as a --drain --backoff 1h -- false", &[]).with(0);
    assert_eq!(folder.names("subscribers/a/delayed").len(), 1);
    let line = groups(&folder).remove(0);
    assert_eq!(line["waiting"], 1);
    assert!(line["oldest_seconds"].is_number(), "{line}");
    let status = folder.run("filedrop status DROP --json", &[]).with(0).line();
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["groups"]["a"]["waiting"], 1);
    let table = folder.run("filedrop status DROP", &[]).with(0);
    let row = table.text().lines().find(|line| line.starts_with("a ")).expect("a row");
    let listed = folder.run("filedrop topics DROP", &[]).with(0);
    let columns: Vec<usize> = listed.text().lines().map(|line| line.rfind("  ").expect("columns")).collect();
    assert!(columns.iter().all(|column| *column == columns[0]), "{}", listed.text());
    let cells = |row: &str| row.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(row), ["a", "1"]);
}

/// What a group got stays in sight when it is removed, and its consumers say that no more will come.
#[test]
fn a_removed_group_is_listed_until_it_is_empty() {
    let folder = Folder::new();
    folder.run("filedrop topics DROP add a t", &[]).with(0);
    publish(&folder, "t");
    let script = "until [ -e go ]; do sleep 0.01; done";
    let subscriber = "consumer subscribe DROP --as a --watch poll --poll-interval 20ms -- sh -c";
    let consumer = Running::start(folder.command(subscriber, &[script]));
    wait_until("it is there", || (groups(&folder)[0]["consumers"] == 1).then_some(()));
    let removed = folder.run("filedrop topics DROP remove a", &[]).with(0);
    let own = folder.path.join("subscribers/a").display().to_string();
    assert!(
        removed.err.contains(&format!("to handle them: consumer run {own} --drain -- CMD")),
        "{removed:?}"
    );
    let line = groups(&folder).remove(0);
    assert_eq!((&line["topics"], &line["waiting"]), (&json!([]), &json!(1)));
    let table = folder.run("filedrop topics DROP", &[]).with(0);
    assert!(table.text().contains("(unsubscribed)"), "{}", table.text());
    folder.file("go", "");
    wait_until("it is empty", || groups(&folder).is_empty().then_some(()));
    consumer.signal(rustix::process::Signal::TERM);
    let ended = consumer.end().with(0);
    assert_eq!(ended.err.matches("not subscribed any more").count(), 1, "{ended:?}");
}

/// An event has no outcome: nobody waits for one for ever.
#[test]
fn to_wait_for_an_event_is_an_error() {
    let folder = Folder::new();
    folder.run("filedrop topics DROP add a t", &[]).with(0);
    let id = publish(&folder, "t");
    for options in ["", "--timeout 10ms", "-q"] {
        let ended = folder.run(&format!("producer wait DROP {options}"), &[&id]).with(66);
        assert!(ended.out.is_empty() && ended.err.contains("is an event"), "{ended:?}");
    }
    folder.run("consumer subscribe DROP --as a --drain -- cat", &[]).with(0);
    let own = folder.path.join("subscribers/a").display().to_string();
    assert_eq!(folder.run("producer wait", &[&own, &id]).with(0).text(), "1");
}

#[test]
fn a_redriven_event_is_told() {
    let folder = Folder::new();
    folder.run("filedrop topics DROP add a t", &[]).with(0);
    let id = publish(&folder, "t");
    folder.run("consumer subscribe DROP --as a --drain --max-attempts 1 -- false", &[]).with(0);
    assert_eq!(folder.story(&id)["groups"], json!([{"group": "a", "state": "failed"}]));
    let own = folder.path.join("subscribers/a").display().to_string();
    let redriven = folder.run("filedrop dead redrive", &[&own, &id]).with(0).line();
    let new = redriven.split_whitespace().last().expect("two ids").to_owned();
    folder.run("consumer subscribe DROP --as a --drain -- cat", &[]).with(0);
    let told = json!({"group": "a", "state": "failed", "redriven_as": new, "redriven_state": "succeeded"});
    assert_eq!(folder.story(&id)["groups"], json!([told]));
    let shown = folder.run("filedrop show DROP", &[&id]).with(0);
    assert!(shown.text().contains(&format!("a: failed, redriven as {new}: succeeded\n")), "{}", shown.text());
}

/// Documented, and no error: but worth a word for who wonders.
#[test]
fn an_event_that_nobody_asked_for() {
    let folder = Folder::new();
    assert_eq!(folder.run("producer publish DROP --topic t", &[]).with(0).err, "");
    let told = folder.run("producer publish -v DROP --topic t", &[]).with(0);
    assert!(told.err.contains("no group asked for this topic"), "{told:?}");
    folder.run("filedrop topics DROP add a t", &[]).with(0);
    let told = folder.run("producer publish -v DROP --topic t", &[]).with(0);
    assert!(!told.err.contains("no group asked"), "{told:?}");
}
