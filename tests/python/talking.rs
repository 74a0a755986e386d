//! One side asks, the other answers, and the other way round.

use serde_json::{Value, json};

use crate::harness::{Place, no_python};

/// P3, P14: text, JSON, bytes and nothing come to the handler as they are, and back.
#[test]
fn python_asks_and_a_consumer_of_ours_answers() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let jobs = [
        json!({"data": {"n": [1, 2.5, "ä"]}}),
        json!({"text": "two\nlines"}),
        json!({"text": "{\"looks\": \"like JSON\"}"}),
        json!({"hex": "00ff0a"}),
        json!({"hex": "7b2261223a20317d0a"}),
        json!({}),
    ];
    let ids = ids(&place.says_to("submit", &jobs));
    place.run("consumer run DROP --drain -q -- cat", &[]);
    let told = place.says("wait", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let data: Vec<&str> = told.iter().map(|told| told["data"].as_str().unwrap()).collect();
    let json = "{\"n\": [1, 2.5, \"\u{c3}\u{a4}\"]}"; // bytes, as Latin-1 shows them
    let looks = "{\"looks\": \"like JSON\"}";
    assert_eq!(data, [json, "two\nlines", looks, "\u{0}\u{ff}\n", "{\"a\": 1}\n", ""]);
    let outcomes: Vec<&Value> = told.iter().map(|told| &told["outcome"]).collect();
    assert_eq!(outcomes, ["succeeded"; 6]);
    place.is_at_rest();
    place.run("filedrop status DROP", &[]);
}

/// P23, P18: files that travel, priorities, delays and flows, as Python asks for them.
#[test]
fn python_asks_for_policies() {
    if no_python() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.beside("page.txt"), "a page").unwrap();
    let jobs = [
        json!({"text": "late", "delay": 3600}),
        json!({"text": "last", "priority": 9, "correlation_id": "flow", "causation_id": "cause"}),
        json!({"text": "first", "priority": 0, "attach": ["page.txt"]}),
        json!({"text": "often", "max_attempts": 1, "expires": 3600, "subject": "s", "attributes": {"tenant": "a"}}),
    ];
    let ids = ids(&place.says_to("submit", &jobs));
    let order = "tee -a order | cat; test -z \"${FILEDROP_PAYLOAD-}\" || cat \"$FILEDROP_PAYLOAD/page.txt\"";
    place.run("consumer run DROP --drain -q -- sh -c", &[order]);
    assert_eq!(std::fs::read_to_string(place.beside("order")).unwrap(), "firstoftenlast");
    assert_eq!(place.run("producer wait DROP", &[&ids[2]]), "firsta page");
    assert_eq!(place.in_room("delayed").len(), 1, "it is not due");
    let told = place.says("wait", &[&ids[1]]);
    assert_eq!(told[0]["flow"], "flow");
    assert_eq!(place.says("late", &[&ids[0]]), [json!({"late": ids[0]})]);
}

/// P6, P10, P11, P12: a worker in Python, asked by `producer`; and `producer collect` of what it delivers.
#[test]
fn ours_asks_and_python_answers() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let plain = place.submit("abc");
    std::fs::write(place.beside("page.txt"), "a page").unwrap();
    let page = place.run("producer submit -q DROP --type test --attach", &["page.txt"]).trim().to_owned();
    let asked = r#"{"specversion":"1.0","id":"asked","source":"/s","type":"test","subject":"answer.txt","replyto":"acme","data":"x"}"#;
    place.submit_envelopes(&[asked.to_owned()]);
    let told = place.says("work", &[]);
    let of = |id: &str| told.iter().find(|told| told["handling"] == id).unwrap();
    assert_eq!(of(&page)["files"], json!({"page.txt": "a page"}));
    assert_eq!(told.last().unwrap()["succeeded"], 3);
    assert_eq!(place.run("producer wait DROP", &[&plain]), "ABC");
    std::fs::create_dir(place.beside("out")).unwrap();
    place.run("producer collect -q DROP --as acme --to out", &[]);
    assert_eq!(std::fs::read_to_string(place.beside("out/answer.txt")).unwrap(), "\"X\"");
    place.is_at_rest();
}

/// P15: Python collects what our consumers deliver. One that is left is given to the next collector, who is told.
#[test]
fn python_collects() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let jobs: Vec<Value> = (0..3).map(|n| json!({"data": n, "reply_to": "billing"})).collect();
    let ids = ids(&place.says_to("submit", &jobs));
    place.run("consumer run DROP --drain -q -- cat", &[]);
    let first = place.says("collect", &["billing", "break"]);
    assert_eq!((&first[0]["id"], &first[0]["again"]), (&json!(ids[0]), &json!(false)));
    let with_handler = place.says("collect", &["billing", "handler"]);
    // The one that was left comes back, now as its second collection; the handler's first call fails.
    assert!(with_handler.last().unwrap()["left"].as_str().unwrap().contains("not now"), "{with_handler:?}");
    assert_eq!(with_handler.len(), 3, "two of three, and why not all");
    let rest = place.says("collect", &["billing"]);
    assert_eq!((rest.len(), &rest[0]["again"]), (1, &json!(true)));
    assert_eq!(place.says("collect", &["billing"]), [json!(null); 0]);
    assert_eq!(place.in_room("replies").len(), 4, "the marker and three in the archive: {:?}", place.files());
    place.is_at_rest();
}

/// P18, P25, P27: attempts that fail, their records, and the end.
#[test]
fn python_tries_again_and_gives_up() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let fails = place.submit("x");
    let first = place.says("work", &["handler=fail", "max_attempts=2", "backoff=0"]);
    assert_eq!(first.last().unwrap()["postponed"], 1, "{first:?}");
    // A drain does not wait for what is due later; with no pause it is due at once.
    let told = [first, place.says("work", &["handler=fail", "max_attempts=2", "backoff=0"])].concat();
    let attempts: Vec<&Value> =
        told.iter().filter(|told| told["handling"] == fails).map(|told| &told["attempt"]).collect();
    assert_eq!(attempts, [1, 2]);
    let waited = place.ours("producer wait DROP --json", &[&fails]).output().unwrap();
    let outcome: Value = serde_json::from_slice(&waited.stdout).unwrap();
    let problem = &outcome["data"];
    assert_eq!(problem["type"], "urn:filedrop:problem:handler");
    assert_eq!(problem["detail"], "RuntimeError: not today");
    let tried = problem["attempts"].as_array().unwrap();
    assert_eq!(tried.iter().map(|tried| &tried["attempt"]).collect::<Vec<_>>(), [1, 2]);
    let shown = place.run("filedrop dead show DROP", &[&fails]);
    assert!(shown.contains("RuntimeError"), "{shown}");

    place.submit("x");
    let told = place.says("work", &["handler=reject"]);
    assert_eq!((&told[1]["failed"], &told[1]["postponed"]), (&json!(1), &json!(0)), "{told:?}");
    assert_eq!(place.in_room("dead").len(), 4, "two jobs with their reasons");

    let gone = r#"{"specversion":"1.0","id":"gone","source":"/s","type":"test","expirytime":"2020-01-01T00:00:00Z"}"#;
    std::fs::write(place.drop.join("inbox/5.1764000000000.gone.1.job.json"), gone).unwrap();
    let tired = r#"{"specversion":"1.0","id":"tired","source":"/s","type":"test","maxattempts":2}"#;
    std::fs::write(place.drop.join("inbox/5.1764000000000.tired.3.job.json"), tired).unwrap();
    let told = place.says("work", &[]);
    assert_eq!((&told[0]["expired"], &told[0]["failed"]), (&json!(1), &json!(1)), "{told:?}");
    assert!(place.run("filedrop dead list DROP", &[]).contains("abandoned"));
    place.is_at_rest();
}

/// What a handler submits belongs to the flow of its job.
#[test]
fn python_carries_on_a_flow() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let root = place.submit("x");
    let told = place.says("work", &["handler=submit"]);
    assert_eq!((&told[0]["flow"], &told[1]["flow"]), (&json!(root), &json!(root)), "{told:?}");
    // A command that our consumer runs is told by its environment.
    let of_command = place.submit("x");
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/client.py");
    let handler = format!(
        "test \"$FILEDROP_TYPE\" = child || echo '{{\"type\":\"child\"}}' | python3 {client} submit \"$FILEDROP_DROP\""
    );
    place.run("consumer run DROP --drain -q -- sh -c", &[&handler]);
    let answer: Value = serde_json::from_str(&place.run("producer wait DROP", &[&of_command])).unwrap();
    let child = place.says("wait", &[answer["id"].as_str().unwrap()]);
    assert_eq!(child[0]["flow"], of_command.as_str());
}

/// P8: what this Python cannot read, but others can, is handed back.
#[test]
fn python_leaves_to_others_what_is_nested_too_deep() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let data = ["[".repeat(200_000), "]".repeat(200_000)].concat();
    let deep = format!(r#"{{"specversion":"1.0","id":"deep","source":"/s","type":"test","data":{data}}}"#);
    std::fs::write(place.drop.join("inbox/5.1764000000000.deep.1.job.json"), deep).unwrap();
    assert_eq!(place.says("work", &[])[0]["succeeded"], 0);
    place.run("consumer run DROP --drain -q -- cat", &[]);
    assert_eq!(place.run("producer wait DROP", &["deep"]), data);
    place.is_at_rest();
}

/// A call, with a consumer of ours that stays.
#[test]
fn python_calls() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let consumer = crate::harness::Running::start(place.ours("consumer run DROP -q -- tr a-z A-Z", &[]));
    let told = place.says("call", &["and you?"]);
    assert_eq!(told[0]["data"], "AND YOU?");
    consumer.kill();
}

#[test]
fn python_refuses_what_cannot_be() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let wrong = [
        json!({"type": ""}),
        json!({"id": "UP"}),
        json!({"id": ""}),
        json!({"reply_to": "a/b"}),
        json!({"priority": 10}),
        json!({"priority": true}),
        json!({"delay": -1}),
        json!({"delay": 1e300}),
        json!({"delay": 60, "expires": 30}),
        json!({"expires": 0}),
        json!({"max_attempts": 0}),
        json!({"source": ""}),
        json!({"attributes": {"specversion": "2"}}),
        json!({"attributes": {"Upper": "x"}}),
        json!({"attributes": {"list": [1]}}),
        json!({"attributes": {"filesref": "payload/x"}}),
        json!({"timeout": "1s"}),
        json!({"delay": "1h"}),
        json!({"expires": true}),
        json!({"trace_parent": "00-1-2-3"}),
        json!({"trace_parent": format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))}),
        json!({"init": "subscribers/audit"}),
        json!({"init": "replies/billing"}),
        json!({"open": "subscribers/audit"}),
        json!({"subject": "\u{d7ff}", "attributes": {"big": 1e300, "data": 1}}),
    ];
    let told = place.says_to("refuse", &wrong);
    for (job, told) in wrong.iter().zip(&told) {
        assert!(told["refused"].is_string(), "{job} was not refused");
    }
    assert_eq!(place.files(), ["filedrop.json"]);
    let none = std::process::Command::new("python3")
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/client.py"), "wait", "/nowhere", "x"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&none.stderr).contains("NotADropFolder: /nowhere is not a drop folder"));
}

/// A path is one path, not as many as it has characters.
#[test]
fn python_attaches_one_path() {
    if no_python() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.beside("page.txt"), "a page").unwrap();
    place.says_to("submit", &[json!({"attach": "page.txt"})]);
    let told = place.says("work", &[]);
    assert_eq!(told[0]["files"], json!({"page.txt": "a page"}));
}

/// Nobody takes jobs from a Return Address.
#[test]
fn python_submits_nothing_to_an_address() {
    if no_python() {
        return;
    }
    let place = Place::new();
    place.run("producer submit DROP --type t --reply-to billing", &[]);
    place.run("consumer run -q DROP --drain -- cat", &[]);
    let told = place.says_to("refuse", &[json!({"at": "replies/billing"})]);
    assert!(told[0]["refused"].as_str().is_some_and(|told| told.contains("is a Return Address")), "{told:?}");
    assert_eq!(place.in_room("replies/billing/inbox").len(), 1);
}

/// What travels with an outcome is there when it is collected; if somebody removed it, that is told as our collectors tell it.
#[test]
fn python_tells_that_a_result_is_gone() {
    if no_python() {
        return;
    }
    let place = Place::new();
    place.run("producer submit DROP --type t --reply-to billing", &[]);
    place.run("consumer run -q DROP --drain -- sh -c", &[r#"echo x > "$FILEDROP_RESULT_DIR/x""#]);
    let file = place.drop.join(place.in_room("payload").remove(0));
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    let told = place.says("collect", &["billing"]);
    assert_eq!((&told[0]["outcome"], &told[0]["files"]), (&json!("failed"), &json!({})));
    let gone = filedrop::Problem::gone();
    assert_eq!(told[0]["problem"], json!({"type": gone.kind, "title": gone.title, "detail": gone.detail}));
}

pub(crate) fn ids(told: &[Value]) -> Vec<String> {
    told.iter().map(|told| told["id"].as_str().unwrap().to_owned()).collect()
}
