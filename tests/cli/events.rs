//! Events: `producer publish`, `consumer subscribe`, `filedrop topics`.

use serde_json::Value;

use crate::harness::{Folder, Running, golden, wait_until};

/// What each handler of a group was given, in order.
fn handled(folder: &Folder, group: &str) -> Vec<String> {
    let script = format!("cat >> {group}.log; echo >> {group}.log");
    folder.run(&format!("consumer subscribe DROP --as {group} --drain -- sh -c"), &[&script]).with(0);
    let log = std::fs::read_to_string(folder.beside(&format!("{group}.log"))).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

/// The folder of a group.
fn of(folder: &Folder, group: &str) -> String {
    folder.path.join("subscribers").join(group).display().to_string()
}

fn add(folder: &Folder, group: &str, patterns: &[&str]) {
    folder.run(&format!("filedrop topics DROP add {group}"), patterns).with(0);
}

fn publish(folder: &Folder, topic: &str, data: &str) -> String {
    folder.run("producer publish DROP --topic", &[topic, "--data", data]).with(0).line()
}

#[test]
fn each_group_gets_what_it_asked_for_once() {
    let folder = Folder::new();
    publish(&folder, "orders.created", "0");
    add(&folder, "billing", &["orders.*"]);
    add(&folder, "audit", &[">"]);
    add(&folder, "mail", &["orders.created", "users.>", "orders.created"]);
    for (topic, data) in [
        ("orders.created", "1"),
        ("orders.created.late", "2"),
        ("users.a.b", "3"),
        ("users", "4"),
        ("orders.paid", "5"),
    ] {
        publish(&folder, topic, data);
    }
    assert_eq!(handled(&folder, "billing"), ["1", "5"]);
    assert_eq!(handled(&folder, "audit"), ["1", "2", "3", "4", "5"], "from its subscription on");
    assert_eq!(handled(&folder, "mail"), ["1", "3"], "two patterns that match are one event");
    assert_eq!(handled(&folder, "audit").len(), 5, "once");
    assert!(folder.names("outbox/inbox").is_empty());
    let id = publish(&folder, "orders.paid", "6");
    assert_eq!(handled(&folder, "billing"), ["1", "5", "6"]);
    let show = folder.run("filedrop show DROP", &[&id]).with(0);
    golden("show-event.txt", &folder.normal(show.text(), &[&id]));
    assert_eq!(folder.story(&id)["groups"][1], serde_json::json!({"group": "billing", "state": "succeeded"}));
    let explain = folder.run("filedrop explain DROP", &[&id]).with(0);
    assert!(explain.text().contains("2 groups got it"), "{}", explain.text());
}

/// Published is not delivered, and delivered is not kept for ever.
#[test]
fn what_is_said_of_an_event_is_true_at_every_time() {
    let folder = Folder::new();
    let id = publish(&folder, "orders.paid", "1");
    let explain = || -> Value {
        serde_json::from_str(&folder.run("filedrop explain DROP --json", &[&id]).with(0).line()).unwrap()
    };
    assert_eq!(explain()["reason"], "published");
    assert_eq!(explain()["why"], "it is an event; no group got it, or has it any more");
    // As a publisher leaves it that dies once it is published.
    let day = folder.names("outbox/done").remove(0);
    let archived = folder.names(&format!("outbox/done/{day}")).remove(0);
    let event = archived.replace(".job.json", ".0123456789abcdef.event");
    let outbox = folder.path.join("outbox");
    std::fs::create_dir(outbox.join("inbox").join(&event)).unwrap();
    let published = outbox.join("inbox").join(&event).join("event.json");
    std::fs::rename(outbox.join("done").join(day).join(archived), published).unwrap();
    assert_eq!(explain()["reason"], "published");
    assert_eq!(explain()["why"], "it is an event: published, and on its way to its groups");
}

#[test]
fn one_file_many_links() {
    let folder = Folder::new();
    for group in ["a", "b", "c"] {
        add(&folder, group, &["t"]);
    }
    let scan = folder.file("scan.tif", "a picture");
    let id = folder
        .run("producer publish DROP --topic t --data 1 --attach", &[scan.to_str().unwrap()])
        .with(0)
        .line();
    let mut inodes = std::collections::BTreeSet::new();
    for group in ["a", "b", "c"] {
        use std::os::unix::fs::MetadataExt as _;
        let inbox = folder.path.join(format!("subscribers/{group}/inbox"));
        let event = std::fs::read_dir(inbox).unwrap().next().unwrap().unwrap();
        inodes.insert(event.metadata().unwrap().ino());
        let script = r#"printf '%s %s %s %s ' "$FILEDROP_ID" "$FILEDROP_TYPE" "$FILEDROP_TOPIC" "$FILEDROP_DROP"; cat "$FILEDROP_PAYLOAD/scan.tif""#;
        folder.run(&format!("consumer subscribe DROP --as {group} --drain -- sh -c"), &[script]).with(0);
        let drop = folder.path.display();
        let answer = folder.run("producer wait", &[&of(&folder, group), &id]).with(0);
        assert_eq!(answer.text(), format!("{id} t t {drop} a picture"));
    }
    assert_eq!(inodes.len(), 1);
}

/// Its failures are its own: dead letters, redriven like any.
#[test]
fn a_group_that_fails_keeps_nobody_from_anything() {
    let folder = Folder::new();
    add(&folder, "good", &["t"]);
    add(&folder, "bad", &["t"]);
    publish(&folder, "t", "1");
    let failing =
        folder.run("consumer subscribe DROP --as bad --drain --max-attempts 1 -- sh -c", &["exit 1"]);
    failing.with(0);
    assert_eq!(handled(&folder, "good"), ["1"]);
    assert_eq!(folder.names("subscribers/bad/dead").len(), 2, "the event, and its reason");
    folder.run("filedrop dead redrive --all", &[&of(&folder, "bad")]).with(0);
    assert_eq!(handled(&folder, "bad"), ["1"]);
    assert_eq!(handled(&folder, "good"), ["1"], "a redrive is the group's own");
}

#[test]
fn an_id_that_is_given_again_is_one_event() {
    let folder = Folder::new();
    add(&folder, "a", &["t"]);
    for _ in 0..2 {
        let again = folder.run("producer publish DROP --topic t --id event-1 --data 1", &[]).with(0);
        assert_eq!(again.line(), "event-1");
    }
    assert_eq!(handled(&folder, "a"), ["1"]);
    folder.run("producer publish DROP --topic t --id event-1 --data 1", &[]).with(0);
    assert_eq!(handled(&folder, "a"), ["1"], "also when all have handled it");
}

#[test]
fn a_delayed_event_comes_later_and_an_expired_one_not_at_all() {
    let folder = Folder::new();
    add(&folder, "a", &["t"]);
    folder.run("producer publish DROP --topic t --data 1 --delay 1h", &[]).with(0);
    folder.run("producer publish DROP --topic t --data 2 --priority 1", &[]).with(0);
    assert_eq!(handled(&folder, "a"), ["2"]);
    assert_eq!(folder.names("subscribers/a/delayed").len(), 1);
}

#[test]
fn a_batch_is_published_line_by_line() {
    let folder = Folder::new();
    add(&folder, "a", &["t"]);
    let ended =
        folder.fed("producer publish DROP --topic t --batch -", b"{\"n\":1}\nno json\n[2]\n").with(65);
    assert_eq!(ended.text().lines().count(), 2);
    assert_eq!(handled(&folder, "a"), ["{\"n\":1}", "[2]"]);
}

#[test]
fn a_subscriber_that_is_up_gets_events_as_they_come() {
    let folder = Folder::new();
    let mut consumer = Running::start(
        folder.command("consumer subscribe DROP --as a --topic t.* -- sh -c", &["cat >> log; echo >> log"]),
    );
    consumer.wait_for_words("watching");
    wait_until("the group is there", || {
        folder.path.join("subscribers/a/subscription.json").exists().then_some(())
    });
    publish(&folder, "t.x", "1");
    publish(&folder, "t.y", "2");
    let log = folder.beside("log");
    wait_until("both are handled", || {
        (std::fs::read_to_string(&log).unwrap_or_default().lines().count() == 2).then_some(())
    });
    consumer.signal(rustix::process::Signal::TERM);
    consumer.end().with(0);
}

/// Whoever comes by delivers what a publisher that died has left: here, what it would have done after the commit.
#[test]
fn what_a_dead_publisher_left_is_delivered() {
    let folder = Folder::new();
    add(&folder, "a", &["t"]);
    let event = folder.path.join("outbox/inbox/5.1700000000000.left-1.0123456789abcdef.event");
    std::fs::create_dir(&event).unwrap();
    let envelope = r#"{"specversion":"1.0","id":"left-1","source":"/x","type":"t","topic":"t","data":7}"#;
    std::fs::write(event.join("event.json"), envelope).unwrap();
    std::fs::hard_link(event.join("event.json"), event.join("a.job.json")).unwrap();
    let unpublished = folder.path.join("outbox/inbox/5.1700000000000.left-2.0123456789abcdef.event");
    std::fs::create_dir(&unpublished).unwrap();
    std::fs::write(unpublished.join("a.job.json"), envelope.replace("left-1", "left-2")).unwrap();
    assert_eq!(handled(&folder, "a"), ["7"]);
    assert!(!event.exists() && unpublished.exists());
}

#[test]
fn subscriptions_change_only_when_told_to() {
    let folder = Folder::new();
    let subscribe = |more: &[&str]| folder.run("consumer -q subscribe DROP --as a --drain", more);
    let nobody = subscribe(&["--", "cat"]).with(66);
    subscribe(&["--topic", "t", "--", "cat"]).with(0);
    subscribe(&["--topic", "t", "--", "cat"]).with(0);
    let other = subscribe(&["--topic", "u.*", "--topic", "t", "--", "cat"]).with(65);
    subscribe(&["--", "cat"]).with(0);
    let update = subscribe(&["--topic", "u.*", "--topic", "t", "--update", "--", "cat"]).with(0);
    let mistyped = subscribe(&["--topic", "x", "--update", "--", "no-such-program"]).with(69);
    add(&folder, "a", &["v"]);
    publish(&folder, "u.x", "1");
    let list = folder.run("filedrop topics DROP", &[]).with(0);
    let line = list.text().lines().nth(1).unwrap_or_default();
    assert!(line.starts_with("a             1  ") && line.ends_with("  t, u.*, v"), "{line}");
    let json: Value =
        serde_json::from_str(folder.run("filedrop topics DROP list --json", &[]).with(0).text()).unwrap();
    assert_eq!(json["topics"], serde_json::json!(["t", "u.*", "v"]));
    assert_eq!((&json["group"], &json["waiting"]), (&Value::from("a"), &Value::from(1)));
    let strange = folder.run("filedrop topics DROP remove a w", &[]).with(66);
    folder.run("filedrop topics DROP remove a t", &[]).with(0);
    let gone = folder.run("filedrop topics DROP remove a", &[]).with(0);
    folder.run("filedrop topics DROP remove a", &[]).with(66);
    publish(&folder, "u.x", "2");
    let rest = ["--drain", "--", "sh", "-c", "cat >> log"];
    folder.run("consumer run", &[&[of(&folder, "a").as_str()], &rest[..]].concat()).with(0);
    assert_eq!(std::fs::read_to_string(folder.beside("log")).unwrap(), "1", "what it got stays");
    let said = [nobody, other, update, mistyped, strange, gone].map(|ended| ended.err);
    golden("topics.txt", &folder.normal(&said.concat(), &[]));
}

#[test]
fn bad_input_is_refused() {
    let folder = Folder::new();
    let long = "a.".repeat(127) + "aa";
    let mut said = String::new();
    for topic in ["", &long, "a/b", "a..b", ".a", "orders.*", "orders.>", "a b", "ü"] {
        said += &folder.run("producer publish DROP --topic", &[topic]).with(2).err;
    }
    for pattern in ["", "a.>.b", "a/*", "*a", ">a"] {
        said += &folder.run("filedrop topics DROP add a", &[pattern]).with(2).err;
    }
    for group in ["A", "a/b", "..", ""] {
        folder.run("filedrop topics DROP add", &[group, "t"]).with(2);
    }
    folder.run("producer publish DROP --topic t --expires 2001-01-01T00:00:00Z", &[]).with(65);
    assert!(folder.names("subscribers").is_empty() && folder.names("outbox").is_empty());
    // What nobody can read is no reason to lose events.
    add(&folder, "a", &["t"]);
    std::fs::write(folder.path.join("subscribers/a/subscription.json"), "{}").unwrap();
    said += &folder.run("producer publish DROP --topic t", &[]).with(65).err;
    assert!(folder.names("outbox/inbox").is_empty());
    golden("topics-refused.txt", &folder.normal(&said.replace(&long, "LONG"), &[]));
}

#[test]
fn what_is_kept_long_enough_goes_in_the_outbox_and_in_groups_too() {
    let folder = Folder::new();
    add(&folder, "a", &["t"]);
    publish(&folder, "t", "1");
    folder.run("producer publish DROP --topic t --id event-1 --data 2", &[]).with(0);
    assert_eq!(handled(&folder, "a"), ["1", "2"]);
    let left = |room: &str| {
        let all = walk(&folder.path.join(room));
        all.into_iter()
            .filter(|path| !path.ends_with("filedrop.json") && !path.ends_with("subscription.json"))
            .count()
    };
    wait_until("it is a millisecond old", || {
        folder.run("filedrop gc DROP --keep 1ms", &[]).with(0);
        (left("outbox") == 0 && left("subscribers/a") == 0 && left("ids") == 0).then_some(())
    });
}

/// None of them undoes what another does.
#[test]
fn several_change_one_subscription_at_once() {
    let folder = Folder::new();
    let (old, new): (Vec<_>, Vec<_>) = (0..8).map(|n| (format!("old.{n}"), format!("new.{n}"))).unzip();
    add(&folder, "a", &old.iter().map(String::as_str).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for (old, new) in old.iter().zip(&new) {
            scope.spawn(|| folder.run("filedrop topics DROP remove a", &[old]).with(0));
            scope.spawn(|| add(&folder, "a", &[new]));
        }
    });
    let line: Value =
        serde_json::from_str(folder.run("filedrop topics DROP list --json", &[]).with(0).text()).unwrap();
    assert_eq!(line["topics"], serde_json::json!(new));
}

/// A publisher may sleep for a day between bringing the files and publishing; and nobody need be there to deliver.
#[test]
fn what_travels_with_an_event_on_its_way_stays() {
    let folder = Folder::new();
    add(&folder, "a", &["t"]);
    // An earlier sweep took them for nobody's, and died before it looked again.
    let payload = |id: &str| {
        let files = folder.path.join(format!("subscribers/a/payload/{id}.0123456789abcdef"));
        let aside = folder.path.join(format!("{}.00000000000000cc.orphan", files.display()));
        std::fs::create_dir(&aside).unwrap();
        std::fs::write(aside.join("scan.tif"), "a picture").unwrap();
        (files, aside)
    };
    let ((kept, _), (orphan, aside)) = (payload("slow-1"), payload("gone-1"));
    let event = folder.path.join("outbox/inbox/5.1700000000000.slow-1.0123456789abcdef.event");
    std::fs::create_dir(&event).unwrap();
    folder.run("filedrop gc DROP", &[]).with(0);
    assert!(kept.join("scan.tif").exists() && !orphan.exists() && !aside.exists());
    folder.run("filedrop gc", &[&of(&folder, "a")]).with(0);
    assert!(kept.join("scan.tif").exists(), "also when only the group is swept");
}

#[test]
fn a_given_id_counts_as_long_as_a_group_has_its_event() {
    let folder = Folder::new();
    add(&folder, "a", &["t"]);
    let give = || folder.run("producer publish DROP --topic t --id event-1 --data 1", &[]).with(0).line();
    give();
    folder.run("consumer subscribe DROP --as a --drain --max-attempts 1 --", &["false"]).with(0);
    // Another event, which nothing keeps, shows when that was long enough ago.
    publish(&folder, "u", "2");
    wait_until("gc finds what is a millisecond old", || {
        folder.run("filedrop gc DROP --keep 1ms", &[]).with(0);
        (walk(&folder.path.join("outbox/done")).len() == 1).then_some(())
    });
    assert_eq!(folder.names("subscribers/a/dead").len(), 2);
    assert_eq!(give(), "event-1", "it is known still");
    folder.run("filedrop dead purge --all", &[&of(&folder, "a")]).with(0);
    wait_until("all of it is gone", || {
        folder.run("filedrop gc DROP --keep 1ms", &[]).with(0);
        (walk(&folder.path.join("outbox/done")).is_empty() && walk(&folder.path.join("ids")).is_empty())
            .then_some(())
    });
    give();
    assert_eq!(handled(&folder, "a"), ["1"], "and then it is another event");
}

/// Where nobody else is at work, who subscribes sweeps the outbox, too.
#[test]
fn subscribers_sweep_what_they_came_from() {
    let folder = Folder::new();
    std::fs::remove_dir_all(&folder.path).unwrap();
    folder.run("filedrop init DROP --keep 1s", &[]).with(0);
    add(&folder, "a", &["t"]);
    folder.run("producer publish DROP --topic t --id event-1 --data 1", &[]).with(0);
    wait_until("all of it is gone", || {
        folder.run("consumer -q subscribe DROP --as a --drain -- cat", &[]).with(0);
        let left = ["outbox/done", "ids", "subscribers/a/done", "subscribers/a/outcomes"];
        left.iter().all(|room| walk(&folder.path.join(room)).is_empty()).then_some(())
    });
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
