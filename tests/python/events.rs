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

/// P33, P34: a group asks for more and more, here and there.
#[test]
fn python_has_a_group_subscribe() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let asks = |topics: &[&str]| {
        let topics: Vec<&str> = ["python"].iter().chain(topics).copied().collect();
        assert!(place.python("subscribe", &topics).status().unwrap().success());
    };
    asks(&["orders.*"]);
    asks(&["users.>", "orders.*"]);
    place.run("filedrop topics DROP add", &["python", "a"]);
    asks(&["b"]);
    let asked = std::fs::read(place.drop.join("subscribers/python/subscription.json")).unwrap();
    let asked: Value = serde_json::from_slice(&asked).unwrap();
    assert_eq!(asked, json!({"topics": ["a", "b", "orders.*", "users.>"]}));
    place.run("producer publish -q DROP --topic users.a.b --data 1", &[]);
    assert_eq!(handled(&place, "python").len(), 1);
    assert_eq!(got(&place, "python"), [""; 0], "ours can be of that group, too");
    let wrong = [
        json!({"group": "A", "topics": ["a"]}),
        json!({"group": "a", "topics": []}),
        json!({"group": "a", "topics": ["a*"]}),
    ];
    for (ask, told) in wrong.iter().zip(place.says_to("refuse", &wrong)) {
        assert!(told["refused"].is_string(), "{ask} was not refused");
    }
}

/// P33: who died in between is finished by whoever does it again.
#[test]
fn a_subscriber_that_dies_before_each_of_its_calls() {
    if no_python() {
        return;
    }
    let subscribe = |place: &Place| place.python("subscribe", &["audit", "orders.>"]);
    at_each_call(
        subscribe,
        |_| (),
        |place, nth| {
            if nth % 2 == 0 {
                assert!(place.python("subscribe", &["audit", "orders.>"]).status().unwrap().success());
            } else {
                place.run("filedrop topics DROP add", &["audit", "orders.>"]);
            }
            place.run("producer publish -q DROP --topic orders.created --data 1", &[]);
            assert_eq!(got(place, "audit"), ["orders.created 1"], "call {nth}: {:?}", place.files());
        },
    );
}

/// Nobody waits for ever for what has no outcome of its own.
#[test]
fn python_does_not_wait_for_an_event() {
    if no_python() {
        return;
    }
    let place = Place::new();
    place.run("producer publish -q DROP --topic orders.created --data 1 --id happened", &[]);
    let told = place.says("wait_for_event", &["happened"]);
    assert!(told[0]["refused"].as_str().is_some_and(|told| told.contains("is an event")), "{told:?}");
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
    let wrong: Vec<Value> = wrong.into_iter().chain([json!({"topic": "a", "reply_to": "billing"})]).collect();
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
