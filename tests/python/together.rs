//! Both sides at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{Place, Running, no_python};
use crate::talking::ids;

/// P6 to P12: two workers of ours and two in Python share 200 jobs; half of their outcomes are to be delivered, and two
/// collectors, one of each kind, share those.
#[test]
fn mixed_workers_settle_each_job_once() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let lines: Vec<Value> = (0..100).map(|n| json!({"data": n, "reply_to": "billing"})).collect();
    let mut expected: BTreeSet<String> = ids(&place.says_to("submit", &lines)).into_iter().collect();
    let delivered = expected.clone();
    let batch = place.beside("batch.ndjson");
    std::fs::write(&batch, (0..100).map(|n| format!("{n}\n")).collect::<String>()).unwrap();
    let ours = place.run("producer submit -q DROP --type test --batch", &[batch.to_str().unwrap()]);
    expected.extend(ours.lines().map(str::to_owned));
    assert_eq!(expected.len(), 200);

    let log =
        "echo \"{\\\"handling\\\":\\\"$FILEDROP_ID\\\",\\\"attempt\\\":$FILEDROP_ATTEMPT}\" >> log; cat";
    let consumers: Vec<Running> =
        (0..2).map(|_| Running::start(place.ours("consumer run DROP --drain -q -- sh -c", &[log]))).collect();
    let workers: Vec<Running> = (0..2).map(|_| Running::start(place.python("work", &[]))).collect();
    let mut handled = std::collections::BTreeMap::<String, u32>::new();
    let mut said = String::new();
    for worker in workers {
        said += &worker.rest();
    }
    let by_python = said.lines().filter(|line| line.contains("handling")).count();
    consumers.into_iter().for_each(|consumer| drop(consumer.rest()));
    said += &std::fs::read_to_string(place.beside("log")).unwrap_or_default();
    for line in said.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(id) = line["handling"].as_str() {
            *handled.entry(id.to_owned()).or_default() += 1;
            assert_eq!(line["attempt"], 1, "nobody died");
        }
    }
    assert_eq!(handled.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(handled.values().all(|times| *times == 1), "a job was handled twice");
    assert!(by_python > 0, "Python had a share in it");
    assert_eq!((place.in_room("outcomes").len(), place.in_room("done").len()), (200, 200));
    place.is_at_rest();

    std::fs::create_dir(place.beside("out")).unwrap();
    let words = "producer collect -q DROP --as billing --to out --name {id}";
    let theirs = Running::start(place.python("collect", &["billing"]));
    let ours = Running::start(place.ours(words, &[]));
    let mut taken: Vec<String> = theirs
        .rest()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    taken.extend(ours.rest().lines().map(|path| path.rsplit('/').next().unwrap().to_owned()));
    taken.sort();
    assert_eq!(taken, delivered.into_iter().collect::<Vec<_>>(), "each was taken by exactly one");
}

/// P20: ids that are given by both sides at once, again and again, make one job each.
#[test]
fn ids_given_from_both_sides_make_one_job() {
    if no_python() {
        return;
    }
    let place = Place::new();
    let minted = "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee";
    let given: Vec<String> =
        (0..25).map(|n| format!("order-{n}")).chain(["x", "1", "5", minted].map(str::to_owned)).collect();
    let envelope = |id: &String| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"ours","priority":3}}"#)
    };
    let batch = place.beside("given.ndjson");
    std::fs::write(&batch, given.iter().map(|id| envelope(id) + "\n").collect::<String>()).unwrap();
    let lines: Vec<Value> = given.iter().map(|id| json!({"id": id, "type": "theirs"})).collect();
    std::thread::scope(|scope| {
        let submits: Vec<_> = (0..4)
            .map(|nth| {
                let (place, lines, batch) = (&place, &lines, &batch);
                scope.spawn(move || match nth % 2 {
                    0 => ids(&place.says_to("submit", lines)).len(),
                    _ => {
                        let words = "producer submit -q DROP --envelopes --batch";
                        place.run(words, &[batch.to_str().unwrap()]).lines().count()
                    }
                })
            })
            .collect();
        for submit in submits {
            assert_eq!(submit.join().unwrap(), given.len());
        }
    });
    let jobs = place.in_room("inbox");
    assert_eq!(jobs.len(), given.len(), "{jobs:?}");
    assert_eq!(place.in_room("ids").len(), given.len(), "one entry each, and no draft");
    place.says("work", &[]);
    // Also when they are done.
    place.says_to("submit", &lines);
    place.run("producer submit -q DROP --envelopes --batch", &[batch.to_str().unwrap()]);
    place.is_at_rest();
    assert_eq!(place.in_room("done").len(), given.len());
}

/// What one side calls invalid the other does; and of what is valid their handlers get the same bytes.
#[test]
fn both_sides_read_envelopes_alike() {
    if no_python() {
        return;
    }
    let (ours, theirs) = (Place::new(), Place::new());
    let jobs: Vec<Vec<u8>> = envelopes();
    for place in [&ours, &theirs] {
        for (nth, job) in jobs.iter().enumerate() {
            let name = format!("5.1764000000000.j{nth:03}.1.job.json");
            std::fs::write(place.drop.join("inbox").join(name), job).unwrap();
        }
    }
    let script = "mkdir -p got; cat > got/$FILEDROP_ID";
    ours.run("consumer run DROP --drain -q -- sh -c", &[script]);
    let told = theirs.says("work", &[]);
    let theirs_got: BTreeMap<String, Vec<u8>> = told
        .iter()
        .filter_map(|told| {
            let latin: Vec<u8> = told["data"].as_str()?.chars().map(|c| c as u32 as u8).collect();
            Some((told["handling"].as_str()?.to_owned(), latin))
        })
        .collect();
    for (nth, job) in jobs.iter().enumerate() {
        let id = format!("j{nth:03}");
        let ours_got = std::fs::read(ours.beside("got").join(&id)).ok();
        let shown = String::from_utf8_lossy(&job[..job.len().min(200)]).into_owned();
        assert_eq!(theirs_got.get(&id), ours_got.as_ref(), "{shown}");
    }
    let rooms = |place: &Place| (place.in_room("invalid"), place.in_room("dead"), place.in_room("done"));
    assert_eq!(rooms(&ours), rooms(&theirs));
    assert!(!ours.in_room("invalid").is_empty() && !ours.in_room("done").is_empty());
}

/// Good ones and bad ones; `ID` stands for the id that the file's name has.
fn envelopes() -> Vec<Vec<u8>> {
    let with =
        |members: &str| format!(r#"{{"specversion":"1.0","id":"ID","source":"/s","type":"t"{members}}}"#);
    let mut all: Vec<Vec<u8>> = [
        "",
        r#","data":{"a" : [1,2 , "x"]}"#,
        r#","data":null"#,
        r#","data":"text""#,
        r#","data":"a","data":"a""#,
        r#","datacontenttype":"text/plain","data":"te\u0078t\n""#,
        r#","datacontenttype":"text/plain","data":{"a":1}"#,
        r#","datacontenttype":"application/vnd.x+JSON; charset=utf-8","data":"quoted""#,
        r#","datacontenttype":"text/plain","data":"\ud800""#,
        r#","datacontenttype":null,"data":"x""#,
        r#","datacontenttype":7,"data":"x""#,
        r#","data_base64":"AP8=""#,
        r#","data_base64":"AP8""#,
        r#","data_base64":"AP9=""#,
        r#","data_base64":"AP8=\n""#,
        r#","data_base64":null"#,
        r#","data_base64":7"#,
        r#","data_base64":"AP8=","data":1"#,
        r#","data_base64":"AP8=","data":null"#,
        r#","data_base64":"""#,
        r#","replyto":null"#,
        r#","replyto":"UP""#,
        r#","replyto":7"#,
        r#","replyto":"""#,
        r#","list":[1]"#,
        r#","object":{}"#,
        r#","flag":true,"number":-1.5e3"#,
        r#","big":1e999"#,
        r#","half":"\ud800""#,
        r#","\ud800":1"#,
        r#","data":1e999"#,
        r#","data":01"#,
        r#","data":NaN"#,
        r#","data":Infinity"#,
        r#","data":'x'"#,
        r#","data":123456789012345678901234567890"#,
        r#","data":[1,]"#,
        r#","data":"#,
        r#",""#,
        r#","data":tru"#,
        r#","notbefore":"2020-01-01T00:00:00Z""#,
        r#","notbefore":"soon""#,
        r#","notbefore":1"#,
        r#","expirytime":"2200-01-01T00:00:00.5+02:00""#,
        r#","expirytime":"2200-13-01T00:00:00Z""#,
        r#","expirytime":"""#,
        r#","expirytime":"2200-01-01t23:59:60z""#,
        r#","expirytime":"2020-01-01T00:00:00Z""#,
        r#","expirytime":"2300-01-01T00:00:00Z""#,
        r#","expirytime":"1960-01-01T00:00:00Z""#,
        r#","priority":"high","maxattempts":"many""#,
        r#","maxattempts":0"#,
        r#","maxattempts":1.5"#,
        r#","filesref":"../secret/""#,
        r#","filesref":"payload/a.0123456789abcdef""#,
        r#","filesref":7"#,
        r#","dataref":"payload/../../etc/passwd""#,
        r#","dataref":"payload/a.0123456789abcdef/""#,
        r#","filesref":"payload/a.0123456789abcdef/","dataref":"payload/a.0123456789abcdef/..""#,
        r#","filesref":"payload/a.0123456789abcdef/","dataref":"payload/a.0123456789abcdef/%2e%2e%2fx""#,
        r#","unknown":"kept","ünïcode":"x""#,
    ]
    .into_iter()
    .map(|members| with(members).into_bytes())
    .collect();
    for odd in [
        "",
        "{}",
        "[]",
        "7",
        "null",
        "{",
        "not JSON",
        r#"{"specversion":"1.0"}"#,
        "\u{feff}{}",
        r#"{"specversion":"0.3","id":"ID","source":"/s","type":"t"}"#,
        r#"{"specversion":1.0,"id":"ID","source":"/s","type":"t"}"#,
        r#"{"specversion":"1.0","id":"other","source":"/s","type":"t"}"#,
        r#"{"specversion":"1.0","id":"ID","source":"","type":"t"}"#,
        r#"{"specversion":"1.0","id":"ID","source":"/s","type":7}"#,
        r#"{"specversion":"1.0","id":null,"source":"/s","type":"t"}"#,
        r#" { "specversion" : "1.0" , "id" : "ID" , "source" : "/s" , "type" : "t" , "data" : [ ] } "#,
        r#"{"specversion":"1.0","id":"ID","source":"/s","type":"t"} x"#,
        r#"{"specversion":"1.0","id":"ID","source":"/s","type":"t",}"#,
        r#"{"specversion":"1.0","id":"ID","source":"/s","type":"t"}{}"#,
        r#"{,}"#,
        r#"{"a"}"#,
        r#"{"a":1 "b":2}"#,
    ] {
        all.push(odd.as_bytes().to_vec());
    }
    all.push(with(",\"data\":\"\u{1}\"").into_bytes());
    all.push([with("").as_bytes(), b"\xff"].concat());
    all.push(with(r#","data":"\xff""#).replace("\\x", "\\u00").into_bytes());
    all.push(with(&format!(",\"data\":{}1{}", "[".repeat(100), "]".repeat(100))).into_bytes());
    all.push(with(&format!(",\"data\":\"{}\"", "x".repeat(16 << 20))).into_bytes());
    let named = |(nth, job): (usize, Vec<u8>)| {
        let id = format!("j{nth:03}");
        if job.len() > 1 << 20 {
            return [&job[..29], id.as_bytes(), &job[31..]].concat();
        }
        match std::str::from_utf8(&job) {
            Ok(text) => text.replace("\"ID\"", &format!("\"{id}\"")).into_bytes(),
            Err(_) => job,
        }
    };
    all.into_iter().enumerate().map(named).collect()
}
