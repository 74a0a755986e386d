//! `producer submit --batch FILE --envelopes`: each line is a whole event.

use serde_json::json;

use crate::harness::{Folder, golden};

const BATCH: &str = "producer submit DROP --batch - --envelopes";

#[test]
fn what_is_in_an_event_is_kept_and_done() {
    let folder = Folder::new();
    let event = json!({
        "specversion": "1.0", "id": "order-7", "source": "https://shop.example/orders", "type": "order.created",
        "subject": "7", "time": "2001-02-03T04:05:06Z", "dataschema": "https://shop.example/order", "sequence": 12,
        "correlationid": "cart-3", "replyto": "billing", "priority": 1, "maxattempts": 2,
        "expirytime": "2100-01-01T00:00:00Z", "datacontenttype": "application/json", "data": {"n": [1, 2.50]},
    });
    let ended = folder.fed(BATCH, format!("{event}\n").as_bytes()).with(0);
    assert_eq!((ended.line(), &ended.err[..]), ("order-7".to_owned(), ""));
    let job = folder.job("order-7");
    for attribute in [
        "id",
        "source",
        "type",
        "subject",
        "dataschema",
        "sequence",
        "correlationid",
        "replyto",
        "priority",
        "maxattempts",
    ] {
        assert_eq!(job.envelope.attribute(attribute), Some(&event[attribute]), "{attribute}");
    }
    assert_eq!(job.data(), br#"{"n":[1,2.5]}"#);
    assert_eq!(job.expires().map(|expires| expires.rfc3339()), Some("2100-01-01T00:00:00.000Z".to_owned()));
    let story = folder.story("order-7");
    assert_eq!(
        (&story["priority"], &story["submitted"]),
        (&json!(1), job.envelope.attribute("time").unwrap())
    );
    assert_ne!(job.envelope.text("time"), Some("2001-02-03T04:05:06Z"), "it is that of the submission");

    folder.drain("cat");
    let delivered = folder.names("replies/billing/inbox");
    assert!(delivered.len() == 1 && delivered[0].contains(".order-7."), "{delivered:?}");
}

#[test]
fn bytes_and_text_and_no_data_at_all() {
    let folder = Folder::new();
    let event = |id: &str, more: &str| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"t"{more}}}"#)
    };
    let lines = [
        event("bytes", r#","data_base64":"AP8=","datacontenttype":"image/x""#),
        event("text", r#","data":"hello","datacontenttype":"text/plain""#),
        event("none", ""),
    ];
    folder.fed(BATCH, lines.join("\n").as_bytes()).with(0);
    folder.drain("cat");
    for (id, data) in [("bytes", &b"\0\xff"[..]), ("text", b"hello"), ("none", b"")] {
        assert_eq!(folder.run("producer wait DROP", &[id]).with(0).out, data);
    }
}

#[test]
fn an_event_without_an_id_gets_one() {
    let folder = Folder::new();
    let line = r#"{"specversion":"1.0","source":"/s","type":"t","notbefore":"2100-01-01T00:00:00Z"}"#;
    let ended = folder.fed(BATCH, format!("{line}\n{line}\n").as_bytes()).with(0);
    let ids: Vec<&str> = ended.text().lines().collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    assert_eq!(folder.names("delayed").len(), 2);
    assert_eq!(folder.names("ids"), [""; 0], "nobody gave an id");
}

#[test]
fn an_id_that_is_there_is_printed_and_counted() {
    let folder = Folder::new();
    let event = |n: u8| format!(r#"{{"specversion":"1.0","id":"order-{n}","source":"/s","type":"t"}}"#);
    folder.fed(BATCH, event(1).as_bytes()).with(0);
    let lines = [event(1), event(2), event(2)].join("\n");
    let ended = folder.fed(BATCH, lines.as_bytes()).with(0);
    assert_eq!(ended.text(), "order-1\norder-2\norder-2\n");
    assert_eq!(ended.err, "producer: 2 already submitted; of each id the first one counts\n");
    assert_eq!(folder.jobs("inbox").len(), 2);
}

#[test]
fn bad_events_are_bad_lines() {
    let folder = Folder::new();
    let with = |more: &str| format!(r#"{{"specversion":"1.0","source":"/s","type":"t"{more}}}"#);
    let lines = [
        with(r#","data":1"#),
        "[]".to_owned(),
        "oops".to_owned(),
        r#"{"source":"/s","type":"t"}"#.to_owned(),
        r#"{"specversion":"0.3","source":"/s","type":"t"}"#.to_owned(),
        r#"{"specversion":"1.0","source":"/s"}"#.to_owned(),
        with(r#","id":"A 1""#),
        with(r#","id":"""#),
        with(r#","id":7"#),
        with(r#","priority":10"#),
        with(r#","priority":"high""#),
        with(r#","maxattempts":0"#),
        with(r#","replyto":"a/b""#),
        with(r#","notbefore":"tomorrow""#),
        with(r#","expirytime":1700000000"#),
        with(r#","expirytime":"2020-01-01T00:00:00Z""#),
        with(r#","notbefore":"2100-01-01T00:00:00Z","expirytime":"2099-01-01T00:00:00Z""#),
        with(r#","filesref":"payload/x.0123456789abcdef/""#),
        with(r#","data":1,"data_base64":"""#),
        with(r#","type":"twice""#),
        with(r#","data":2"#),
    ];
    let ended = folder.fed(BATCH, lines.join("\n").as_bytes()).with(65);
    golden("envelopes-bad-lines.txt", &folder.normal(&ended.err, &[]));
    let data: Vec<Vec<u8>> = ended.text().lines().map(|id| folder.job(id).data().to_vec()).collect();
    assert_eq!(data, [b"1", b"2"]);
}
