//! Events: one side publishes, groups of both get what their topics match.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::crashes::at_each_call;
use crate::harness::{Place, no_python};
use crate::talking::ids;

/// What a group of ours gets: a line each, the topic and then the data.
fn got(place: &Place, group: &str) -> Vec<String> {
    let script =
        r#"echo "$FILEDROP_TYPE $(cat) $(cat "${FILEDROP_PAYLOAD-/dev/null}"/* 2> /dev/null)" >> "$GROUP""#;
    let mut command =
        place.ours("consumer subscribe DROP --drain -q --as", &[group, "--", "sh", "-c", script]);
    assert!(command.env("GROUP", group).status().unwrap().success());
    let log = std::fs::read_to_string(place.beside(group)).unwrap_or_default();
    let mut lines: Vec<String> = log.lines().map(|line| line.trim().to_owned()).collect();
    lines.sort();
    lines
}

/// What Python says that it handled, as a worker of this group.
fn handled(place: &Place, group: &str) -> Vec<Value> {
    let mut told = place.says_in(&place.drop.join("subscribers").join(group), "work");
    told.pop();
    told
}

/// P35, P36, P37: what Python publishes each group gets once, by its topics, with its files; delayed, if that is asked for.
#[test]
fn python_publishes() {
    if no_python() {
        return;
    }
    let place = Place::new();
    for (group, topics) in
        [("audit", "orders.>"), ("billing", "*.paid"), ("none", "users.*"), ("python", ">")]
    {
        place.run("filedrop topics DROP add", &[group, topics]);
    }
    std::fs::write(place.beside("page.txt"), "a page").unwrap();
    let events = [
        json!({"topic": "orders.created", "data": 1}),
        json!({"topic": "orders.paid", "data": 2, "attach": ["page.txt"]}),
        json!({"topic": "orders", "data": 3}),
        json!({"topic": "orders.x.paid", "data": 4, "id": "given"}),
        json!({"topic": "orders.x.paid", "data": 4, "id": "given"}),
        json!({"topic": "orders.late", "data": 5, "delay": 3600}),
    ];
    assert_eq!(ids(&place.says_to("publish", &events)).len(), 6);
    place.run("producer publish -q DROP --topic orders.x.paid --id given", &[]);
    assert_eq!(got(&place, "audit"), ["orders.created 1", "orders.paid 2 a page", "orders.x.paid 4"]);
    assert_eq!(got(&place, "billing"), ["orders.paid 2 a page"]);
    assert_eq!(got(&place, "none"), [""; 0]);
    let data: Vec<Value> = handled(&place, "python").iter().map(|told| told["data"].clone()).collect();
    assert_eq!(data, ["1", "2", "3", "4"]);
    assert_eq!(place.in_room("outbox/inbox"), [""; 0], "all is delivered");
    assert_eq!(place.in_room("subscribers/audit/delayed").len(), 1);
    place.is_at_rest();
}

/// What ours publishes a worker in Python gets, also if its publisher did not live to deliver it.
#[test]
fn python_subscribes() {
    if no_python() {
        return;
    }
    let place = Place::new();
    place.run("filedrop topics DROP add", &["python", "orders.*"]);
    place.run("producer publish -q DROP --topic orders.created --data 1", &[]);
    let told = handled(&place, "python");
    assert_eq!((told.len(), &told[0]["data"]), (1, &json!("1")));
    // As far as P35 came.
    let event =
        r#"{"specversion":"1.0","id":"left","source":"/s","type":"t","topic":"orders.left","data":2}"#;
    let folder = place.drop.join("outbox/inbox/5.1764000000000.left.0123456789abcdef.event");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("event.json"), event).unwrap();
    std::fs::hard_link(folder.join("event.json"), folder.join("python.job.json")).unwrap();
    let told = handled(&place, "python");
    assert_eq!((told.len(), &told[0]["handling"]), (1, &json!("left")));
    assert!(!folder.exists());
    assert!(got(&place, "python").is_empty(), "it is handled");
}

#[test]
fn python_refuses_what_is_no_topic() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let long = "x".repeat(256);
    let wrong: Vec<Value> = ["", "a/b", "a..b", ".a", "a.", "a.*", ">", "ä", long.as_str()]
        .map(|topic| json!({"topic": topic}))
        .into();
    for (event, told) in wrong.iter().zip(place.says_to("refuse", &wrong)) {
        assert!(told["refused"].is_string(), "{event} was not refused");
    }
    assert_eq!(place.files(), ["filedrop.json"]);
}

/// P35, P20: a publisher that dies before each of its calls, and publishes again. Each group gets it once, also after it has
/// handled it.
#[test]
fn a_publisher_that_dies_before_each_of_its_calls() {
    if no_python() {
        return;
    }
    let groups = ["audit", "billing"];
    let prepare = |place: &Place| {
        for group in groups {
            place.run("filedrop topics DROP add", &[group, "orders.>"]);
        }
    };
    let event = json!({"topic": "orders.created", "data": 1, "id": "given"});
    let publish = |place: &Place| {
        std::fs::write(place.beside("line"), format!("{event}\n")).unwrap();
        let mut command = place.python("publish", &[]);
        command.stdin(std::fs::File::open(place.beside("line")).unwrap());
        command
    };
    at_each_call(publish, prepare, |place, nth| {
        let early: BTreeSet<String> = got(place, "audit").into_iter().collect();
        assert!(early.len() <= 1);
        if nth % 2 == 0 {
            place.says_to("publish", std::slice::from_ref(&event));
        } else {
            place.run("producer publish -q DROP --topic orders.created --data 1 --id given", &[]);
        }
        for group in groups {
            assert_eq!(got(place, group), ["orders.created 1"], "call {nth}, {group}: {:?}", place.files());
        }
    });
    // Without an id of its own it is published by whoever got through, and by nobody else.
    let event = json!({"topic": "orders.created", "data": 1});
    let publish = |place: &Place| {
        std::fs::write(place.beside("line"), format!("{event}\n")).unwrap();
        let mut command = place.python("publish", &[]);
        command.stdin(std::fs::File::open(place.beside("line")).unwrap());
        command
    };
    at_each_call(publish, prepare, |place, nth| {
        let counts = groups.map(|group| got(place, group).len());
        assert!(counts == [0, 0] || counts == [1, 1], "call {nth}: {counts:?} {:?}", place.files());
    });
}
