//! `filedrop explain`: why what lies in the inbox is not taken yet.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Running, golden, wait_until};

fn drop_file(folder: &Folder, name: &str, bytes: &str) {
    fs::write(folder.path.join("inbox").join(name), bytes).expect("a file");
}

fn explain(folder: &Folder, file: &str) -> Value {
    serde_json::from_str(&folder.run("filedrop explain DROP --json", &[file]).with(0).line()).expect("JSON")
}

/// The reasons for all that is there, by name.
fn reasons(folder: &Folder) -> Vec<(String, String)> {
    let text = folder.run("filedrop explain DROP --json", &[]).with(0);
    let mut reasons: Vec<_> = text
        .text()
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            let text = |member: &str| value[member].as_str().expect("text").to_owned();
            (text("name"), text("reason"))
        })
        .collect();
    reasons.sort();
    reasons
}

/// A consumer whose habits can be read.
fn consumer(folder: &Folder, options: &str, consumers: usize) -> Running {
    let running = Running::start(folder.command(&format!("consumer run DROP {options} -- cat"), &[]));
    wait_until("it says what it takes", || {
        let status = folder.run("filedrop status DROP --json", &[]).with(0).line();
        let status: Value = serde_json::from_str(&status).expect("JSON");
        let said = status["consumers"]
            .as_array()
            .expect("consumers")
            .iter()
            .filter(|consumer| consumer["takes"].is_object());
        (said.count() == consumers).then_some(())
    });
    running
}

fn stop(consumer: Running) {
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
}

#[test]
fn everything_is_explained() {
    let folder = Folder::new();
    let inbox = folder.path.join("inbox");
    fs::create_dir(inbox.join("a-folder")).unwrap();
    symlink("/etc/passwd", inbox.join("a-link")).unwrap();
    assert!(Command::new("mkfifo").arg(inbox.join("a-pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(inbox.join("a-socket")).unwrap();
    for name in ["b.csv.part", "c.csv.part", ".hidden", "gone.csv.done", "order.job.json", "list.jobs.ndjson"]
    {
        drop_file(&folder, name, "");
    }
    drop_file(&folder, "5.1700000000000.a b.1.job.json", "");
    drop_file(&folder, "5.1700000000000.old.job.json", "");
    drop_file(&folder, "wrong.csv", "1;2");
    drop_file(&folder, "wrong.csv.sha256", &format!("{}  wrong.csv\n", "0".repeat(64)));
    drop_file(&folder, "right.csv", "1;2");
    let right = "cbf6d3a344b6cdc05893f974cbab31c42bdafe2bf0acee2aa8f02f834e53a160";
    drop_file(&folder, "right.csv.sha256", &format!("{right}  right.csv\n"));
    drop_file(&folder, "odd\nname\u{1b}", "");
    let id = folder.submit("1");
    wait_until("the quiet period of one is over", || {
        (explain(&folder, "odd\nname\u{1b}")["reason"] == "complete").then_some(())
    });
    let all = folder.run("filedrop explain DROP", &[]).with(0);
    golden("explain.txt", &folder.normal(all.text(), &[&id]));
    assert_eq!(all.err, "");
    let name = folder.names("inbox").into_iter().find(|name| name.contains(&id)).unwrap();
    let told: Vec<_> = reasons(&folder).into_iter().filter(|(other, _)| *other != name).collect();
    let expected = [
        (".hidden", "temporary"),
        ("5.1700000000000.a b.1.job.json", "misnamed"),
        ("5.1700000000000.old.job.json", "archived"),
        ("a-folder", "folder"),
        ("a-link", "symbolic-link"),
        ("a-pipe", "pipe"),
        ("a-socket", "socket"),
        ("b.csv.part", "temporary"),
        ("c.csv.part", "temporary"),
        ("gone.csv.done", "marker"),
        ("list.jobs.ndjson", "misnamed"),
        ("odd%0Aname%1B", "complete"),
        ("order.job.json", "misnamed"),
        ("right.csv", "complete"),
        ("right.csv.sha256", "marker"),
        ("wrong.csv", "wrong-checksum"),
        ("wrong.csv.sha256", "marker"),
    ];
    assert_eq!(told, expected.map(|(name, reason)| (name.to_owned(), reason.to_owned())));
}

/// What is printed can be pasted back, and means the one file that it was printed for.
#[test]
fn names_with_control_characters_are_taken_as_they_are_printed() {
    let folder = Folder::new();
    let printed =
        |folder: &Folder| -> Vec<String> { reasons(folder).into_iter().map(|(name, _)| name).collect() };
    drop_file(&folder, "new\nline.csv", "1");
    assert_eq!(printed(&folder), ["new%0Aline.csv"]);
    for file in ["new%0Aline.csv", "new\nline.csv", "drop/inbox/new%0Aline.csv"] {
        assert_eq!(explain(&folder, file)["name"], "new%0Aline.csv", "{file:?}");
    }
    drop_file(&folder, "new%0Aline.csv", "22");
    assert_eq!(printed(&folder), ["new%0Aline.csv", "new%250Aline.csv"]);
    for (file, size) in [("new%0Aline.csv", 1), ("new%250Aline.csv", 2)] {
        assert_eq!(
            (&explain(&folder, file)["name"], &explain(&folder, file)["size"]),
            (&json!(file), &json!(size))
        );
    }
    let script = "printf '%s %s\\n' \"$FILEDROP_SUBJECT\" \"$(cat)\" >> handled";
    folder.run("consumer run DROP --drain --quiet-period 0s -q -- sh -c", &[script]).with(0);
    let handled = fs::read_to_string(folder.beside("handled")).unwrap();
    let mut handled: Vec<&str> = handled.lines().collect();
    handled.sort_unstable();
    assert_eq!(handled, ["new%0Aline.csv 1", "new%250Aline.csv 22"]);
    for file in ["new%0Aline.csv", "new%250Aline.csv"] {
        assert_eq!(explain(&folder, file)["subject"], file);
    }
}

#[test]
fn an_empty_inbox() {
    let folder = Folder::new();
    golden("explain-empty.txt", folder.run("filedrop explain DROP", &[]).with(0).text());
    assert_eq!(folder.run("filedrop explain DROP --json", &[]).with(0).text(), "");
}

#[test]
fn who_has_a_file_open_is_told() {
    let folder = Folder::new();
    let path = folder.path.join("inbox/big.csv");
    let mut file = File::create(&path).unwrap();
    let told = explain(&folder, "big.csv");
    let us = json!(std::process::id());
    assert_eq!((&told["reason"], &told["open_in"][0]["pid"]), (&json!("open"), &us), "{told}");
    thread::scope(|scope| {
        let (done, over) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while over
                .recv_timeout(Duration::from_millis(5))
                .is_err_and(|e| e.to_string().contains("timed out"))
            {
                file.write_all(b"12345678").unwrap();
            }
        });
        let told = explain(&folder, "big.csv");
        assert_eq!((&told["reason"], &told["open_in"][0]["pid"]), (&json!("changing"), &us), "{told}");
        assert!(told["why"].as_str().unwrap().contains(" more than 500ms before"), "{told}");
        drop(done);
    });
    wait_until("it is left alone", || (explain(&folder, "big.csv")["reason"] == "complete").then_some(()));
}

#[test]
fn the_settings_of_the_consumers_that_are_there_count() {
    let folder = Folder::new();
    for name in ["a.csv", "b.xyz"] {
        drop_file(&folder, name, "1");
    }
    let patient = consumer(&folder, "--quiet-period 1h --ignore *.xyz", 1);
    assert_eq!(
        (&explain(&folder, "a.csv")["reason"], &explain(&folder, "b.xyz")["reason"]),
        (&json!("recent"), &json!("ignored"))
    );
    let told = folder.run("filedrop explain DROP a.csv", &[]).with(0);
    assert!(told.text().contains(": files that are left alone for 1h; ignores *.xyz\n"), "{told:?}");

    let marked = consumer(&folder, "--marker .ok", 2);
    let told = explain(&folder, "b.xyz");
    let mut each: Vec<&str> =
        told["takers"].as_array().unwrap().iter().map(|taker| taker["reason"].as_str().unwrap()).collect();
    each.sort_unstable();
    assert_eq!(each, ["ignored", "no-marker"]);
    assert_eq!(told["reason"], "no-marker", "what would make it go soonest");
    let told = folder.run("filedrop explain DROP", &[]).with(0);
    assert!(told.text().contains("ends in .ok\n  b.xyz  (but "), "{told:?}");
    stop(patient);

    // A marker that is older than the file counts for nothing. Where both times are the same, it counts.
    drop_file(&folder, "stale.csv.ok", "");
    let changed = |path: std::path::PathBuf| {
        let meta = fs::metadata(path).unwrap();
        (meta.ctime(), meta.ctime_nsec())
    };
    let then = changed(folder.path.join("inbox/stale.csv.ok"));
    wait_until("the file system's clock moves on", || (changed(folder.file("now", "")) > then).then_some(()));
    drop_file(&folder, "stale.csv", "2");
    let stale = explain(&folder, "stale.csv");
    assert_eq!(stale["reason"], "stale-marker");
    assert!(stale["next"].as_str().unwrap().ends_with("touch stale.csv.ok"), "{stale}");
    stop(marked);
}

#[test]
fn who_says_nothing_of_files_or_nonsense_is_named_apart() {
    let folder = Folder::new();
    for (nth, takes) in
        ["", ",\"takes\":{\"quiet_ms\":\"soon\"}", ",\"takes\":{\"quiet_ms\":1,\"ignore\":[\"[\"]}"]
            .iter()
            .enumerate()
    {
        let room = folder.path.join(format!("claimed/c{nth}-00000000000000{nth}0"));
        fs::create_dir(&room).unwrap();
        let said =
            format!("{{\"host\":\"h\",\"pid\":1,\"lease_ms\":30000,\"lock\":false,\"beat\":1{takes}}}");
        fs::write(room.with_extension("presence"), said).unwrap();
    }
    let told = folder.run("filedrop explain DROP", &[]).with(0);
    let silent = |n| format!("c{n} (whether it lives is not known, 0 claimed)");
    let others =
        format!("{}, {}, {}: jobs; whether bare files, too, is not told\n", silent(0), silent(1), silent(2));
    assert!(told.text().contains(&others), "{told:?}");
}

#[test]
fn what_its_consumer_may_not_read() {
    let folder = Folder::new();
    drop_file(&folder, "secret.csv", "1");
    let path = folder.path.join("inbox/secret.csv");
    let running = match rustix::process::geteuid().is_root() {
        // A presence says by its owner who its consumer is. This one does not take the file while it is looked at.
        true => {
            let running = consumer(&folder, "--quiet-period 1h", 1);
            let presence =
                folder.names("claimed").into_iter().find(|name| name.ends_with(".presence")).unwrap();
            chown(folder.path.join("claimed").join(presence), Some(12345), None).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            Some(running)
        }
        false => {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
            None
        }
    };
    let told = wait_until("it is looked at", || {
        Some(explain(&folder, "secret.csv")).filter(|told| told["reason"] == "unreadable")
    });
    assert!(told["next"].as_str().unwrap().contains("init "), "{told}");
    if let Some(running) = running {
        assert!(
            told["why"]
                .as_str()
                .unwrap()
                .contains("runs as user 12345; it belongs to user 0, with mode 0600")
        );
        stop(running);
    }
}

#[test]
fn jobs_are_explained_wherever_they_are() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2")];
    let first = explain(&folder, &ids[0]);
    assert_eq!((&first["reason"], &first["room"]), (&json!("ready"), &json!("inbox")));
    let mut transcript = String::new();
    let mut see = |file: &str| {
        transcript += &format!("$ filedrop explain DROP {file}\n");
        transcript += folder.run("filedrop explain DROP", &[file]).with(0).text();
    };
    see(&ids[1]);
    let delayed = folder.run("producer submit DROP --type t --delay 1h", &[]).with(0).line();
    see(&delayed);
    let script = "touch started; until [ -e go ]; do sleep 0.01; done; exit 65";
    let handling = Running::start(folder.command("consumer run DROP --drain -- sh -c", &[script]));
    wait_until("a handler runs", || folder.beside("started").exists().then_some(()));
    let claimed = explain(&folder, &ids[0]);
    assert_eq!((&claimed["reason"], &claimed["room"]), (&json!("claimed"), &json!("claimed")));
    assert!(claimed["why"].as_str().unwrap().starts_with("claimed at 20"), "{claimed}");
    let name = folder.names("inbox").remove(0);
    assert_eq!(explain(&folder, &format!("{}/inbox/{name}", folder.path.display()))["job"], ids[1].as_str());
    folder.file("go", "");
    handling.end().with(0);
    see(&ids[0]);

    drop_file(&folder, "orders.csv", "1;2");
    folder.run("consumer run DROP --drain --quiet-period 0s -q -- cat", &[]).with(0);
    let taken = explain(&folder, "orders.csv");
    assert_eq!((&taken["reason"], &taken["subject"]), (&json!("succeeded"), &json!("orders.csv")));
    let job = taken["job"].as_str().unwrap().to_owned();
    see("orders.csv");
    golden("explain-jobs.txt", &folder.normal(&transcript, &[&ids[0], &ids[1], &delayed, &job]));
}

#[test]
fn a_file_that_a_consumer_died_over_is_found() {
    let folder = Folder::new();
    let taken = folder.path.join("claimed/gone-0000000000000001/f0123.0000000000000002.bare");
    fs::create_dir_all(&taken).unwrap();
    fs::write(taken.join("orders.csv"), "1").unwrap();
    let told = explain(&folder, "orders.csv");
    assert_eq!((&told["reason"], &told["job"]), (&json!("taken"), &json!("f0123")));
    let told = folder.run("filedrop explain DROP orders.csv", &[]).with(0);
    assert!(told.text().starts_with("job        f0123\nwhy        a consumer has taken"), "{told:?}");
}

#[test]
fn what_is_not_there_is_no_input() {
    let folder = Folder::new();
    // What travels with a job lies in a folder, and so does `..`.
    folder.run("producer submit DROP --type t --attach", &["/etc/passwd"]).with(0);
    let mut transcript = String::new();
    for file in ["no-such.csv", "no-such-id", "/etc/passwd", "inbox/no-such.csv", ".."] {
        let ended = folder.run("filedrop explain DROP", &[file]).with(66);
        assert!(ended.out.is_empty(), "{ended:?}");
        transcript += &ended.err;
    }
    golden("explain-unknown.txt", &folder.normal(&transcript, &[]));
}

#[test]
fn many_files_make_few_lines() {
    let folder = Folder::new();
    for n in 0..3000 {
        drop_file(&folder, &format!("{n}.part"), "");
    }
    let told = folder.run("filedrop explain DROP", &[]).with(0);
    assert!(told.text().starts_with("3000: ") && told.text().contains("  and 2995 more\n"), "{told:?}");
    assert!(told.text().lines().count() < 15, "{told:?}");
    assert_eq!(folder.run("filedrop explain DROP --json", &[]).with(0).text().lines().count(), 3000);
}
