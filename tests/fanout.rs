//! Groups with overlapping patterns, and publishers and subscribers that are killed again and again: each group gets exactly what its
//! patterns match, and each event once. `FILEDROP_EVENTS=20x2000` is the full campaign: groups, and events.
//!
//! No clock says when to kill. Publishers are killed after so many ids as they printed, subscribers after so many events as they began.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use filedrop::words::{InboxName, Job, Outcome};
use filedrop::{DropFolder, Id, Subscription, Topic, TopicPattern};

/// Nothing takes so long, however slow the machine.
const DEADLINE: Duration = Duration::from_secs(300);
/// What events are about.
const TOPICS: [&str; 6] =
    ["orders.created", "orders.paid", "orders.paid.late", "users.created", "users.left.eu", "stock"];
/// What groups ask for; each further group takes two of them.
const PATTERNS: [&str; 8] =
    ["orders.*", ">", "*.created", "users.>", "orders.paid", "stock", "*.*.*", "orders.>"];
/// A publisher is killed when it has told of so many.
const KILL_PUBLISHER_AFTER: usize = 7;
const PUBLISHERS: usize = 3;

struct Group {
    name: Id,
    subscription: Subscription,
    consumer: Option<Child>,
}

fn how_many() -> (usize, usize) {
    let text = std::env::var("FILEDROP_EVENTS").unwrap_or_else(|_| "4x120".to_owned());
    let (groups, events) = text.split_once('x').expect("FILEDROP_EVENTS is as 20x2000");
    (groups.parse().expect("a number"), events.parse().expect("a number"))
}

fn binary(name: &str) -> Command {
    Command::new(match name {
        "producer" => env!("CARGO_BIN_EXE_producer"),
        _ => env!("CARGO_BIN_EXE_consumer"),
    })
}

fn subscription(nth: usize) -> Subscription {
    let patterns =
        [PATTERNS[nth % PATTERNS.len()], PATTERNS[(nth * 3 + nth / PATTERNS.len()) % PATTERNS.len()]];
    let patterns = patterns.map(|pattern| pattern.parse::<TopicPattern>().expect("a pattern"));
    Subscription::new(patterns).expect("two patterns at most")
}

#[test]
fn each_group_gets_what_it_asked_for_once_however_often_all_are_killed() {
    let (groups, events) = how_many();
    let place = tempfile::tempdir().expect("a folder");
    let drop = DropFolder::init(place.path().join("drop")).expect("a drop folder");
    let mut groups: Vec<Group> = (0..groups).map(|nth| new_group(&drop, nth)).collect();
    // The last one is down until all is published.
    let up = groups.len() - 1;
    let mut kills = 0;
    let published = publish_all(&drop, events, &mut |turn| {
        let group = &mut groups[turn % up];
        kills += usize::from(restart(group, drop.path()));
    });
    let publisher_kills = published.kills;
    for group in &mut groups[..up] {
        kills += usize::from(stop(group));
    }
    for group in &groups {
        drain(group, drop.path());
        check(&drop, group, &published.events, &published.unsure);
    }
    assert_eq!(
        std::fs::read_dir(drop.path().join("outbox/inbox")).expect("an outbox").count(),
        unpublished(&drop)
    );
    assert!(publisher_kills > 0 && kills > 0, "{publisher_kills} and {kills} kills");
    let line = format!(
        "fan-out: {} groups, {events} events; {publisher_kills} publishers and {kills} subscribers were killed\n",
        groups.len()
    );
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
}

fn new_group(drop: &DropFolder, nth: usize) -> Group {
    let name: Id = format!("group-{nth}").parse().expect("a name");
    let subscription = subscription(nth);
    drop.subscribe(&name, &subscription).expect("a subscription");
    Group { name, subscription, consumer: None }
}

/// Starts its consumer, and kills the one before. Whether there was one.
fn restart(group: &mut Group, drop: &Path) -> bool {
    let killed = stop(group);
    let mut command = binary("consumer");
    command.args(["-q", "subscribe"]).arg(drop).args(["--as", group.name.as_str(), "--concurrency", "2"]);
    command.args(["--", "cat"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    group.consumer = Some(command.spawn().expect("a consumer"));
    killed
}

fn stop(group: &mut Group) -> bool {
    let Some(mut consumer) = group.consumer.take() else { return false };
    consumer.kill().expect("it is ours");
    consumer.wait().expect("it is ours");
    true
}

fn drain(group: &Group, drop: &Path) {
    let mut command = binary("consumer");
    command.args(["-q", "subscribe"]).arg(drop).args([
        "--as",
        group.name.as_str(),
        "--drain",
        "--concurrency",
        "4",
    ]);
    let status = command.args(["--", "cat"]).stdin(Stdio::null()).status().expect("a consumer");
    assert!(status.success(), "{status}");
}

#[derive(Default)]
struct Published {
    /// Those whose ids were printed.
    events: BTreeMap<Id, Topic>,
    /// Data of those that were given to publishers that were killed: each may be published or not.
    unsure: BTreeSet<String>,
    kills: usize,
}

/// Several publishers, each killed after a few ids, until all events are published. `each` is called now and then.
fn publish_all(drop: &DropFolder, events: usize, each: &mut dyn FnMut(usize)) -> Published {
    let start = Instant::now();
    let mut published = Published::default();
    let mut todo: Vec<usize> = (0..events).rev().collect();
    let mut turn = 0;
    while !todo.is_empty() {
        assert!(start.elapsed() < DEADLINE * 4, "{} events are not published", todo.len());
        let topic: Topic = TOPICS[turn % TOPICS.len()].parse().expect("a topic");
        let mut publishers: Vec<(Child, Vec<usize>)> = Vec::new();
        for _ in 0..PUBLISHERS {
            let from = todo.len().saturating_sub(3 * KILL_PUBLISHER_AFTER);
            let mine = todo.split_off(from);
            if mine.is_empty() {
                break;
            }
            publishers.push((publisher(drop.path(), &topic, &mine), mine));
        }
        each(turn);
        for (nth, (mut child, mine)) in publishers.into_iter().enumerate() {
            // Each other one is killed half-way.
            let limit = if (turn + nth).is_multiple_of(2) { KILL_PUBLISHER_AFTER } else { usize::MAX };
            let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
            let ids: Vec<Id> =
                lines.take(limit).map(|line| line.expect("a line").parse().expect("an id")).collect();
            if limit != usize::MAX {
                child.kill().expect("it is ours");
                published.kills += 1;
            }
            child.wait().expect("it is ours");
            for data in &mine[ids.len().min(mine.len())..] {
                published.unsure.insert(data.to_string());
            }
            published.events.extend(ids.into_iter().map(|id| (id, topic.clone())));
        }
        turn += 1;
    }
    published
}

/// One that gets its lines one by one, so that it can be killed between them.
fn publisher(drop: &Path, topic: &Topic, data: &[usize]) -> Child {
    let mut command = binary("producer");
    command.arg("publish").arg(drop).args(["--topic", topic.as_str(), "--batch", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a publisher");
    let mut input = child.stdin.take().expect("a pipe");
    let data: Vec<String> = data.iter().map(|n| format!("{n}\n")).collect();
    std::thread::spawn(move || {
        for line in data {
            // It may be dead by now.
            if input.write_all(line.as_bytes()).is_err() {
                break;
            }
        }
    });
    child
}

/// What it has handled is what it asked for, once, and nothing else; and all of it is settled.
fn check(drop: &DropFolder, group: &Group, events: &BTreeMap<Id, Topic>, unsure: &BTreeSet<String>) {
    let folder = drop.path().join("subscribers").join(group.name.as_str());
    let mut done: BTreeMap<Id, usize> = BTreeMap::new();
    for path in files(&folder.join("done")) {
        let name = InboxName::parse_archived(path.file_name().and_then(|n| n.to_str()).expect("text"))
            .expect("an event");
        let bytes = std::fs::read(&path).expect("an event");
        let event = Job::decode(&name.id, 1, &bytes).expect("an event");
        if !events.contains_key(&name.id) {
            let data = String::from_utf8_lossy(event.data()).into_owned();
            assert!(unsure.contains(&data), "{} got an event that nobody published: {data}", group.name);
        }
        let topic: Topic = event.envelope.text("topic").expect("a topic").parse().expect("a topic");
        assert!(group.subscription.matches(&topic), "{} got {topic}", group.name);
        *done.entry(name.id).or_default() += 1;
    }
    assert!(done.values().all(|times| *times == 1), "{} has an event twice", group.name);
    for (id, _) in events.iter().filter(|(_, topic)| group.subscription.matches(topic)) {
        assert!(done.contains_key(id), "{} never got {id}", group.name);
    }
    let outcomes = files(&folder.join("outcomes"));
    let slots: BTreeSet<Id> =
        outcomes.iter().filter_map(|path| InboxName::parse_slot(path.file_name()?.to_str()?)).collect();
    assert_eq!(slots, done.into_keys().collect(), "{}: one outcome each", group.name);
    for path in outcomes.iter().filter(|path| path.to_string_lossy().ends_with(".outcome.json")) {
        Outcome::decode(&std::fs::read(path).expect("an outcome")).expect("an outcome");
    }
    for room in ["inbox", "claimed", "delayed", "dead", "invalid"] {
        assert_eq!(files(&folder.join(room)), Vec::<PathBuf>::new(), "{} has something left", group.name);
    }
}

/// Folders of publishers that were killed before they published.
fn unpublished(drop: &DropFolder) -> usize {
    let inbox = drop.path().join("outbox/inbox");
    let folders = std::fs::read_dir(inbox).expect("an outbox").map(|entry| entry.expect("an entry").path());
    folders.filter(|folder| !folder.join("event.json").exists()).count()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}
