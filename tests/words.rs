//! Names and envelopes: what goes in comes out, and what is no word of ours is refused.

#![allow(clippy::unwrap_used)]

use filedrop::words::{
    DeliveryKind, Envelope, ErrorKind, Id, InboxName, Job, MAX_FILE_BYTES, Millis, Outcome, Payload,
    Priority, Problem, RoomName, StagedName,
};
use proptest::prelude::*;

fn id() -> impl Strategy<Value = Id> {
    "[a-z0-9_-]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn inbox_name() -> impl Strategy<Value = InboxName> {
    let kind = prop_oneof![Just(DeliveryKind::Job), Just(DeliveryKind::Outcome)];
    (0..=9_u8, 0..10_000_000_000_000_u64, id(), 1..=u32::MAX, kind).prop_map(
        |(priority, millis, id, attempt, kind)| InboxName {
            priority: Priority::new(priority).unwrap(),
            submitted: Millis::new(millis).unwrap(),
            id,
            attempt,
            kind,
        },
    )
}

/// JSON as people write it: any spacing, any form of number.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\u00e9\ud83d\ude00\/""#.to_owned()),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        let space = "[ \t]{0,2}";
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..5), space)
                .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},")))),
            (prop::collection::vec(inner, 0..5), space).prop_map(|(items, space)| {
                let members: Vec<_> =
                    items.iter().enumerate().map(|(n, v)| format!("\"k{}\"{space}:{v}", n % 3)).collect();
                format!("{{{space}{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn names_print_as_they_parse(name in inbox_name(), nonce in any::<u64>(), consumer in id()) {
        let text = name.to_string();
        prop_assert_eq!(text.parse::<InboxName>().unwrap().to_string(), text);
        let archived = InboxName::parse_archived(&name.archived()).unwrap();
        prop_assert_eq!(archived.archived(), name.archived());
        let job = InboxName { kind: DeliveryKind::Job, ..name };
        let staged = job.staged(nonce);
        prop_assert_eq!(staged.to_string().parse::<StagedName>().unwrap(), staged.clone());
        prop_assert!(staged.to_string().parse::<InboxName>().is_err(), "a staged outcome is no claim");
        prop_assert!(job.to_string().parse::<StagedName>().is_err(), "nor the other way round");
        let room = RoomName { consumer, nonce };
        prop_assert_eq!(room.to_string().parse::<RoomName>().unwrap(), room);
    }

    #[test]
    fn whatever_parses_prints_the_same(text in "[0-9]\\.[0-9]{12,14}\\.[a-zA-Z0-9_.-]{0,70}\\.[0+-]?[0-9]{0,11}\\.(job|outcome)\\.json") {
        if let Ok(name) = text.parse::<InboxName>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn names_of_ours_fit_a_file_system(name in inbox_name(), nonce in any::<u64>()) {
        let job = InboxName { kind: DeliveryKind::Job, ..name };
        prop_assert!(job.staged(nonce).to_string().len() <= 255);
    }

    #[test]
    fn names_order_as_jobs_are_taken(one in inbox_name(), two in inbox_name()) {
        let key = |name: &InboxName| (name.priority, name.submitted);
        if key(&one) != key(&two) {
            prop_assert_eq!(one < two, one.to_string() < two.to_string(), "also for `ls`");
        }
    }

    #[test]
    fn a_minted_id_tells_its_millisecond(millis in 0..10_000_000_000_000_u64, entropy in any::<u128>()) {
        let millis = Millis::new(millis).unwrap();
        let id = Id::mint(millis, entropy);
        prop_assert_eq!(id.minted_at(), Some(millis));
        prop_assert_eq!(id.as_str().parse::<Id>().unwrap(), id);
    }

    #[test]
    fn bytes_come_back_as_they_went_in(bytes in any::<Vec<u8>>()) {
        round_trip(&bytes);
    }

    #[test]
    fn text_comes_back_as_it_went_in(text in any::<String>(), end in "(\n|\r\n)?") {
        round_trip(format!("{text}{end}").as_bytes());
    }

    #[test]
    fn json_comes_back_as_it_went_in(json in json_text(), before in "[ \n]?", after in "[ \n]?") {
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok() || json.contains('e') || json.contains('E'));
        round_trip(format!("{before}{json}{after}").as_bytes());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>()) {
        let _ = Envelope::decode(&bytes);
        let _ = Outcome::decode(&bytes);
    }
}

fn envelope(bytes: &[u8]) -> Envelope {
    let id = Id::mint(Millis::new(1_700_000_000_000).unwrap(), 7);
    let mut envelope = Job::envelope(&id, "/test", "test", Millis::new(1).unwrap());
    envelope.payload = Some(Payload::detect(bytes));
    envelope
}

fn round_trip(bytes: &[u8]) -> String {
    let written = envelope(bytes).encode().unwrap();
    assert!(!written.contains(&b'\n'), "an envelope is one line");
    let read = Envelope::decode(&written).unwrap();
    assert_eq!(read.data(), bytes, "{}", String::from_utf8_lossy(&written));
    assert_eq!(read.encode().unwrap(), written, "and again");
    String::from_utf8(written).unwrap()
}

#[test]
fn data_stands_as_it_is_only_if_that_is_safe() {
    assert!(round_trip(br#"{"a" : 1.50,"b":[ ] }"#).contains(r#""data":{"a" : 1.50,"b":[ ] }"#));
    assert!(round_trip(b"1e999").contains(r#""data":1e999"#));
    assert!(round_trip(b"{\n}").contains(r#""datacontenttype":"application/json","data_base64":"#));
    assert!(round_trip(b" 1").contains("data_base64"), "space around it");
    assert!(
        round_trip(b"hello\n").contains(r#""datacontenttype":"text/plain; charset=utf-8","data":"hello\n""#)
    );
    assert!(round_trip(b"").contains(r#""data":"""#));
    assert!(
        round_trip(b"\xff").contains(r#""datacontenttype":"application/octet-stream","data_base64":"/w==""#)
    );
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(round_trip(&nested(128)).contains(r#""data":[[["#));
    assert!(round_trip(&nested(129)).contains("data_base64"));
    assert!(round_trip(&nested(100_000)).contains("data_base64"));
    assert!(round_trip(br#""[[[\"[[""#).contains(r#""data":"[[[\"[[""#), "brackets in strings are no depth");
}

#[test]
fn envelopes_that_are_none_are_refused() {
    let good = r#"{"specversion":"1.0","id":"a","source":"/","type":"t"}"#;
    assert!(Envelope::decode(good.as_bytes()).is_ok());
    for (why, bad) in [
        ("not JSON", "{".to_owned()),
        ("no object", "[]".to_owned()),
        ("something after it", format!("{good}x")),
        ("a member twice", good.replace("{", r#"{"id":"b","#)),
        ("no id", good.replace(r#""id":"a","#, "")),
        ("an empty type", good.replace(r#""t""#, r#""""#)),
        ("another version", good.replace("1.0", "2.0")),
        ("a nested attribute", good.replace("{", r#"{"x":{},"#)),
        ("both kinds of data", good.replace("{", r#"{"data":1,"data_base64":"","#)),
        ("no base64", good.replace("{", r#"{"data_base64":"?","#)),
        ("base64 that is no string", good.replace("{", r#"{"data_base64":1,"#)),
    ] {
        let refused = Envelope::decode(bad.as_bytes()).map(drop).map_err(|e| e.kind());
        assert_eq!(refused, Err(ErrorKind::Invalid), "{why}: {bad}");
    }
    let id = "a".parse().unwrap();
    assert!(Job::decode(&id, 1, good.as_bytes()).is_ok());
    assert!(Job::decode(&"b".parse().unwrap(), 1, good.as_bytes()).is_err(), "another id than in the name");
    for address in [r#""../x""#, r#""""#, "1", r#""A""#] {
        let bad = good.replace('{', &format!(r#"{{"replyto":{address},"#));
        assert!(Job::decode(&id, 1, bad.as_bytes()).is_err(), "{address} is no address");
    }
}

#[test]
fn ids_that_climb_or_shout_are_refused() {
    for bad in ["", ".", "..", "a/b", "A", "é", "a.b", "a b", "a\n", &"a".repeat(65)] {
        assert!(bad.parse::<Id>().is_err(), "{bad:?}");
    }
}

#[test]
fn days_are_those_of_the_name_in_utc() {
    for (millis, day) in
        [(0, "1970-01-01"), (1_700_000_000_000, "2023-11-14"), (9_999_999_999_999, "2286-11-20")]
    {
        assert_eq!(Millis::new(millis).unwrap().day(), day);
    }
    assert_eq!(Millis::new(10_000_000_000_000), None);
    assert_eq!(Millis::new(1_700_000_000_000).unwrap().rfc3339(), "2023-11-14T22:13:20.000Z");
}

/// What others add to an envelope is kept; an outcome says what it answers.
#[test]
fn attributes_of_others_are_kept() {
    let text = r#"{"specversion":"1.0","id":"a","source":"/","type":"t","subject":"s","traceparent":"00-1","partner":7,"flag":true,"data":1}"#;
    let job = Job::decode(&"a".parse().unwrap(), 3, text.as_bytes()).unwrap();
    let again = Envelope::decode(&job.envelope.encode().unwrap()).unwrap();
    assert_eq!((again.attribute("partner"), again.attribute("flag")), (Some(&7.into()), Some(&true.into())));
    let id = Id::mint(Millis::new(5).unwrap(), 5);
    let outcome =
        Outcome::of(&job, &id, "/c", Millis::new(6).unwrap(), Err(Problem::handler("exit status 3")));
    let read = Outcome::decode(&outcome.envelope.encode().unwrap()).unwrap();
    assert_eq!((read.job_id().as_str(), read.attempt()), ("a", 3));
    assert_eq!(read.problem(), Some(Problem::handler("exit status 3")));
    assert_eq!(read.envelope.text("correlationid"), Some("a"), "by default the job's own id");
    assert_eq!(read.envelope.text("traceparent"), Some("00-1"));
}

#[test]
fn an_envelope_has_a_size() {
    let envelope = envelope(&vec![b'x'; MAX_FILE_BYTES]);
    assert_eq!(envelope.encode().map(drop).map_err(|e| e.kind()), Err(ErrorKind::TooLarge));
}

/// 12 MiB of any bytes fit: text that would grow much by being escaped goes as base64.
#[test]
fn no_bytes_grow_by_more_than_a_third() {
    for bytes in [&b"\0"[..], b"\n", b"\"", b"\\", b"\x1f", b"\x7f", b"\xff", "\u{2028}".as_bytes()] {
        let mebibyte = bytes.repeat((1 << 20) / bytes.len());
        let grown = round_trip(&mebibyte).len() - mebibyte.len();
        assert!(grown <= (1 << 20) / 3 + 500, "{bytes:?} by {grown}");
    }
    assert!(round_trip(b"\n").contains(r#""data":"\n""#), "what is short can be read");
    assert!(
        round_trip(b"a \"word\"\n\tand\n\tlines\n").contains(r#""data":"a "#),
        "what is mostly text, too"
    );
    assert!(
        round_trip(&[0; 8]).contains(r#""datacontenttype":"text/plain; charset=utf-8","data_base64":"AAAA"#)
    );
}

proptest! {
    /// What is chosen is the shorter one.
    #[test]
    fn text_is_escaped_only_while_that_is_shorter(text in r#"[ab\x00-\x1f"\\\u{7f}é]{0,40}"#) {
        let data = Payload::typed(text.clone(), "text/plain");
        let mut envelope = envelope(b"");
        envelope.payload = Some(data);
        let written = String::from_utf8(envelope.encode().unwrap()).unwrap();
        let escaped = format!("\"data\":{}", serde_json::to_string(&text).unwrap());
        let base64 = format!("\"data_base64\":\"{}\"", "x".repeat(text.len().div_ceil(3) * 4));
        prop_assert_eq!(written.contains(&escaped), escaped.len() <= base64.len(), "{}", written);
        let read = Envelope::decode(written.as_bytes()).unwrap();
        prop_assert_eq!(read.data(), text.as_bytes());
    }
}
