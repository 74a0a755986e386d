//! Return Addresses, as an operator sees them: what waits there, what is said of it, and what an address is not for.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Running, wait_until};

const COLLECT: &str = "producer collect DROP --as billing";

/// A job that wants its outcome at an address.
fn ask(folder: &Folder) -> String {
    folder.run("producer submit DROP --type order --reply-to billing --data 1", &[]).with(0).line()
}

fn status(folder: &Folder) -> Value {
    serde_json::from_str(&folder.run("filedrop status DROP --json", &[]).with(0).line()).expect("JSON")
}

fn address(folder: &Folder) -> String {
    folder.path.join("replies/billing").display().to_string()
}

/// Whoever collects is told the same.
#[test]
fn a_line_tells_that_a_result_is_gone() {
    let folder = Folder::new();
    let id = ask(&folder);
    folder.drain(r#"echo x > "$FILEDROP_RESULT_DIR/x""#);
    fs::remove_dir_all(folder.path.join("payload").join(&folder.names("payload")[0])).unwrap();
    let told: Value = serde_json::from_str(&folder.run(COLLECT, &[]).with(0).line()).unwrap();
    assert_eq!((&told["outcome"], &told["causationid"]), (&json!("failed"), &json!(id)));
    assert_eq!(told["data"]["type"], json!("urn:filedrop:problem:gone"));
    assert_eq!(told.get("filesref"), None);
}

/// Retention keeps what waits to be collected, with all that travels with it, however long that takes.
#[test]
fn what_is_not_collected_keeps_its_files() {
    let folder = Folder::new();
    let id = ask(&folder);
    folder.drain(r#"head -c 3000000 /dev/zero; echo hi > "$FILEDROP_RESULT_DIR/r.txt""#);
    let other = folder.submit("2");
    folder.drain("cat");
    let story = |id: &str| folder.run(&format!("filedrop show DROP {id}"), &[]).code;
    wait_until("the other is old enough", || {
        folder.run("filedrop gc DROP --keep 1ms", &[]).with(0);
        (story(&other) != Some(0)).then_some(())
    });
    assert_eq!(folder.names("payload").len(), 2, "data, and a folder of files");
    assert_eq!(story(&id), Some(0), "it can be looked at, too");
    let ended =
        folder.run(&format!("{COLLECT} -- sh -c"), &[r#"wc -c; cat "$FILEDROP_PAYLOAD/r.txt""#]).with(0);
    assert_eq!(ended.text().split_whitespace().collect::<Vec<_>>(), ["3000000", "hi"]);
    wait_until("it was collected, and is over", || {
        folder.run("filedrop gc DROP --keep 1ms", &[]).with(0);
        (story(&id) != Some(0)).then_some(())
    });
    assert_eq!(folder.names("payload"), [""; 0]);
}

/// From the submission to the collection, and what a dead collector had in hand.
#[test]
fn show_and_status_tell_where_an_outcome_is() {
    let folder = Folder::new();
    let id = ask(&folder);
    let reply = || folder.story(&id)["reply"].clone();
    let shown = |words: &str| {
        let shown = folder.run("filedrop show DROP", &[&id]).with(0);
        assert!(shown.text().contains(&format!("reply to   billing: {words}\n")), "{}", shown.text());
    };
    assert_eq!(reply(), json!({"state": "undecided"}));
    shown("its outcome is to be delivered there");
    folder.drain("cat");
    assert_eq!(
        (reply(), folder.story(&id)["replyto"].clone()),
        (json!({"state": "waiting"}), json!("billing"))
    );
    shown("its outcome waits there to be collected");

    let script = "echo begun; exec sleep 3600";
    let mut collector = Running::start(folder.command(&format!("{COLLECT} -- sh -c"), &[script]));
    collector.wait_for_lines(1);
    assert_eq!(reply()["state"], "in hand");
    let billing = status(&folder)["replies"]["billing"].clone();
    assert_eq!((&billing["waiting"], &billing["consumers"]), (&json!(1), &json!(1)));
    collector.signal(Signal::KILL);
    drop(collector);
    let billing = status(&folder)["replies"]["billing"].clone();
    assert_eq!((&billing["waiting"], &billing["consumers"]), (&json!(1), &json!(0)), "it is in a dead hand");
    assert!(billing["oldest_seconds"].is_number());
    let table = folder.run("filedrop status DROP", &[]).with(0);
    let row = table.text().lines().find(|line| line.starts_with("billing")).unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((row[1], row.last()), ("1", Some(&"0")), "{row:?}");

    folder.run(COLLECT, &[]).with(0);
    assert_eq!(reply(), json!({"state": "collected"}));
    shown("its outcome was collected");
    assert_eq!(status(&folder)["replies"]["billing"]["waiting"], 0);
    fs::remove_dir_all(folder.path.join("replies/billing/done")).unwrap();
    assert_eq!(reply(), json!({"state": "not there"}));
}

/// An address is a drop folder whose jobs are elsewhere.
#[test]
fn an_address_is_explained() {
    let folder = Folder::new();
    let id = ask(&folder);
    folder.drain("cat");
    let address = address(&folder);
    let explained = folder.run("filedrop explain --json", &[&address]).with(0).line();
    let explained: Value = serde_json::from_str(&explained).unwrap();
    let next = format!("to take it: producer collect {} --as billing", folder.path.display());
    assert_eq!((&explained["reason"], &explained["next"]), (&json!("delivered"), &json!(next)));
    let name = folder.names("replies/billing/inbox").remove(0);
    let by_name = folder.run("filedrop explain", &[&address, &name]).with(0);
    assert!(by_name.text().contains("an outcome that waits to be collected"), "{}", by_name.text());
    folder.run("filedrop gc", &[&address]).with(0);
    folder.run(COLLECT, &[]).with(0);
    let by_id = folder.run("filedrop explain", &[&address, &id]).with(0);
    assert!(by_id.text().contains("billing: its outcome was collected"), "{}", by_id.text());
    let home = folder.run("filedrop show DROP", &[&id]).with(0);
    assert_eq!(folder.run("filedrop show", &[&address, &id]).with(0).text(), home.text());
}

#[test]
fn no_job_is_submitted_to_an_address() {
    let folder = Folder::new();
    ask(&folder);
    folder.drain("cat");
    let address = address(&folder);
    for words in
        ["producer submit --type t", "producer call --type t --timeout 1s", "producer publish --topic t"]
    {
        let refused = folder.run(words, &[&address]).with(65);
        assert!(refused.err.contains("this is a Return Address"), "{refused:?}");
        assert!(refused.err.contains(&format!("submit to {}", folder.path.display())), "{refused:?}");
    }
    assert_eq!(folder.names("replies/billing/inbox").len(), 1);
}

/// What looks like a group, or an address, and is none.
#[test]
fn no_folder_is_made_in_the_rooms_of_another() {
    let folder = Folder::new();
    for (path, way) in [("subscribers/audit", "filedrop topics"), ("replies/web", "producer collect")] {
        let path = folder.path.join(path).display().to_string();
        let refused = folder.run("filedrop init", &[&path]).with(73);
        let drop = folder.path.display();
        assert!(refused.err.contains(&format!("{way} {drop} ")), "{refused:?}");
        assert!(!std::path::Path::new(&path).exists());
        let none = folder.run("filedrop status", &[&path]).with(66);
        assert!(none.err.contains(&format!("{way} {drop} ")), "{none:?}");
    }
    folder.run("filedrop topics DROP add audit t", &[]).with(0);
    let there = folder.path.join("subscribers/audit").display().to_string();
    folder.run("filedrop init", &[&there]).with(0);
}

/// A mistyped address is told, and not made.
#[test]
fn nothing_was_ever_delivered_there() {
    let folder = Folder::new();
    let none = folder.run("producer collect DROP --as bilinlg", &[]).with(0);
    assert!(none.out.is_empty() && none.err.contains("nothing was ever delivered to bilinlg"), "{none:?}");
    ask(&folder);
    folder.drain("cat");
    let none = folder.run("producer collect DROP --as bilinlg -- cat", &[]).with(0);
    assert!(none.err.contains("there are: billing"), "{none:?}");
    assert_eq!(folder.run("producer collect -q DROP --as bilinlg", &[]).with(0).err, "");
    assert_eq!(folder.names("replies"), ["billing"]);
}
