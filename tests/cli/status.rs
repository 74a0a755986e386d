//! `filedrop init` and `status`.

use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Running, golden, wait_until};

fn status(folder: &Folder) -> Value {
    serde_json::from_str(&folder.run("filedrop status DROP --json", &[]).with(0).line()).expect("JSON")
}

/// Things in the inbox that are no jobs, though two have the names of jobs. To open the FIFO would block for ever.
fn strangers(folder: &Folder) -> [String; 4] {
    let inbox = folder.path.join("inbox");
    let names =
        ["README.tmp", "pipe", "5.1700000000000.a-fifo.1.job.json", "5.1700000000000.a-link.1.job.json"];
    std::fs::write(inbox.join(names[0]), "read me").expect("a file");
    for fifo in &names[1..3] {
        let made = std::process::Command::new("mkfifo").arg(inbox.join(fifo)).status().expect("mkfifo");
        assert!(made.success());
    }
    symlink("/etc/passwd", inbox.join(names[3])).expect("a link");
    names.map(str::to_owned)
}

#[test]
fn to_init_again_is_harmless() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let ended = folder.run("filedrop init DROP", &[]).with(0);
    assert!(ended.out.is_empty() && ended.err.ends_with("drop is a drop folder\n"), "{ended:?}");
    assert_eq!(folder.run("filedrop init -q DROP", &[]).with(0).err, "");
    assert_eq!(folder.job(&id).data(), b"1");
    folder.run("filedrop init a/b/c", &[]).with(0);
    folder.run("filedrop status a/b/c", &[]).with(0);
}

#[test]
fn an_empty_folder() {
    let folder = Folder::new();
    let rooms = json!({"inbox": 0, "delayed": 0, "claimed": 0, "outcomes": 0, "done": 0, "dead": 0, "invalid": 0,
        "tmp": 0});
    let empty = json!({"rooms": rooms, "oldest_ready_seconds": null, "next_due_seconds": null,
        "settled_last_minute": 0, "consumers": [],
        "arriving": 0, "unrecognised": 0});
    assert_eq!(status(&folder), empty);
    golden("status-empty.txt", folder.run("filedrop status DROP", &[]).with(0).text());
}

#[test]
fn what_is_no_job_is_counted_and_left_alone() {
    let folder = Folder::new();
    folder.submit("1");
    let names = strangers(&folder);
    let seen = status(&folder);
    assert_eq!((&seen["rooms"]["inbox"], &seen["unrecognised"]), (&json!(1), &json!(4)));
    assert!(seen["oldest_ready_seconds"].as_f64().unwrap() < 3600.0, "{seen}");

    folder.drain("cat");
    let mut there = folder.names("inbox");
    let mut left = names.to_vec();
    there.sort();
    left.sort();
    assert_eq!(there, left);
    let seen = status(&folder);
    let rooms = &seen["rooms"];
    assert_eq!(seen["unrecognised_names"], json!(left));
    assert_eq!([&rooms["inbox"], &rooms["done"], &rooms["outcomes"]], [0, 1, 1].map(Value::from).each_ref());
    assert_eq!((&seen["unrecognised"], &seen["oldest_ready_seconds"]), (&json!(4), &Value::Null));
    for n in 0..3 {
        std::fs::write(folder.path.join(format!("inbox/odd\n{n}.tmp")), "").expect("a file");
    }
    golden("status-strangers.txt", folder.run("filedrop status DROP", &[]).with(0).text());
}

#[test]
fn consumers_and_their_claims() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2")];
    let script = "touch started; until [ -e go ]; do sleep 0.01; done; exit 65";
    let consumer = Running::start(folder.command("consumer run DROP --lease 400ms -- sh -c", &[script]));
    wait_until("a handler runs", || folder.beside("started").exists().then_some(()));
    let seen = status(&folder);
    assert_eq!((&seen["rooms"]["inbox"], &seen["rooms"]["claimed"]), (&json!(1), &json!(1)));
    let consumers = seen["consumers"].as_array().unwrap();
    assert_eq!(consumers.len(), 1);
    assert_eq!((&consumers[0]["present"], &consumers[0]["claimed"]), (&json!(true), &json!(1)));
    let name = consumers[0]["name"].as_str().unwrap();
    let table = folder.run("filedrop status DROP", &[]).with(0);
    let row = table.text().lines().find(|line| line.starts_with(name)).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), [name, "yes", "1", "0"]);

    let shown = folder.run("filedrop show DROP", &[&ids[0]]).with(0);
    assert!(shown.text().contains(&format!("claimed by {name}, attempt 1\n")), "{shown:?}");
    folder.file("go", "");
    wait_until("both are settled", || (status(&folder)["rooms"]["dead"] == 2).then_some(()));
    wait_until("a beat tells", || (status(&folder)["settled_last_minute"] == 2).then_some(()));
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
    assert_eq!(status(&folder)["consumers"], json!([]));
}

#[test]
fn when_the_next_delayed_job_is_due() {
    let folder = Folder::new();
    for delay in ["3h", "2h"] {
        folder.run("producer submit DROP --type t --delay", &[delay]).with(0);
    }
    let seen = status(&folder);
    assert_eq!(seen["rooms"]["delayed"], 2);
    let next = seen["next_due_seconds"].as_f64().unwrap();
    assert!((3600.0..=7200.0).contains(&next), "{next}");
    let table = folder.run("filedrop status DROP", &[]).with(0);
    let row = table.text().lines().find(|line| line.starts_with("delayed")).unwrap();
    assert!(row.contains("2  the next in 1h 59m"), "{row}");

    folder.run("producer submit DROP --type t --delay", &["1ms"]).with(0);
    wait_until("it is due", || (status(&folder)["next_due_seconds"] == 0.0).then_some(()));
    let table = folder.run("filedrop status DROP", &[]).with(0);
    assert!(table.text().contains("3  the next is due\n"), "{table:?}");
}

#[test]
fn files_that_become_jobs_are_counted_apart() {
    let folder = Folder::new();
    let open = std::fs::File::create(folder.path.join("inbox/orders.csv")).expect("a file");
    std::fs::write(folder.path.join("inbox/orders.csv.part"), "").expect("a file");
    let seen = status(&folder);
    assert_eq!((&seen["arriving"], &seen["unrecognised"]), (&json!(1), &json!(1)));
    let table = folder.run("filedrop status DROP", &[]).with(0);
    assert!(table.text().contains("\n1 file becomes a job when it is complete (see"), "{table:?}");
    drop(open);
    folder.run("consumer run DROP --drain --quiet-period 0s -q -- cat", &[]).with(0);
    let seen = status(&folder);
    assert_eq!(
        (&seen["arriving"], &seen["unrecognised"], &seen["rooms"]["done"]),
        (&json!(0), &json!(1), &json!(1))
    );
}
