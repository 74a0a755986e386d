//! `filedrop show`: the story of a job, wherever it is.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Folder, Running, golden, wait_until};

#[test]
fn show_tells_where_a_job_is_and_what_became_of_it() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2"), folder.submit("3")];
    folder.run(
        "consumer run DROP --drain --max-attempts 1 -- sh -c",
        &["[ $(cat) = 1 ] && printf 12345 && exit; printf 'no such order\\n' >&2; exit 3"],
    );
    let ready = folder.submit("4");
    let invalid = "5.1700000000000.not-json.1.job.json";
    std::fs::write(folder.path.join("inbox").join(invalid), "{").unwrap();
    let mut transcript = String::new();
    let ids: Vec<&str> = ids.iter().map(String::as_str).chain([&ready[..], "not-json"]).collect();
    for id in [ids[0], ids[1], ids[3], ids[4]] {
        let ended = folder.run("filedrop show DROP", &[id]).with(0);
        assert!(!ended.text().contains('\u{1b}'), "{ended:?}");
        transcript += &format!("$ filedrop show DROP {id}\n{}\n", ended.text());
    }
    folder.drain("cat");
    transcript += folder.run("filedrop show DROP", &["not-json"]).with(0).text();
    golden("show.txt", &folder.normal(&transcript, &ids[..4]));
}

#[test]
fn show_as_json() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let show = || -> Value {
        serde_json::from_str(&folder.run("filedrop show DROP --json", &[&id]).with(0).line()).unwrap()
    };
    let ready = show();
    assert_eq!((&ready["id"], &ready["outcome"]), (&json!(id), &Value::Null));
    assert_eq!((&ready["places"][0]["room"], &ready["places"][0]["attempt"]), (&json!("inbox"), &json!(1)));
    folder.drain("printf '{\"a\":1}'");
    let done = show();
    assert_eq!(
        (&done["outcome"]["outcome"], &done["outcome"]["data"]),
        (&json!("succeeded"), &json!({"a": 1}))
    );
    let rooms: Vec<&Value> = done["places"].as_array().unwrap().iter().map(|place| &place["room"]).collect();
    assert_eq!(rooms, ["outcomes", "done"]);
}

/// The one job that is delayed.
fn make_due(folder: &Folder) {
    let delayed = folder.names("delayed").remove(0);
    let (_, name) = delayed.split_once('.').expect("a delayed name");
    let [from, to] = [folder.path.join("delayed").join(&delayed), folder.path.join("inbox").join(name)];
    std::fs::rename(from, to).expect("it moves");
}

#[test]
fn show_tells_all_that_happened_to_a_job() {
    let folder = Folder::new();
    let options = "--subject big --priority 3 --expires 1h --max-attempts 2 --delay 1ms";
    let id =
        folder.run(&format!("producer submit DROP --type order {options} --data"), &["1"]).with(0).line();
    let show = |id: &str| folder.run("filedrop show DROP", &[id]).with(0).text().to_owned();
    let mut transcript = show(&id);
    let consumer = Running::start(folder.command("consumer run DROP --backoff 1h -- sh -c", &["exit 3"]));
    wait_until("an attempt has failed", || {
        let story = folder.story(&id);
        (story["places"][0]["room"] == "delayed" && story["places"][0]["attempt"] == 2).then_some(())
    });
    consumer.signal(Signal::TERM);
    consumer.end().with(0);
    transcript += &format!("\n{}", show(&id));

    // Nobody waits for an hour: the second attempt is made due now.
    make_due(&folder);
    let script = "echo started > started; until [ -e go ]; do sleep 0.01; done; exit 4";
    let consumer = Running::start(folder.command("consumer run DROP --drain -- sh -c", &[script]));
    wait_until("a handler runs", || folder.beside("started").exists().then_some(()));
    let claimed = show(&id);
    assert!(claimed.contains("claimed by ") && claimed.contains(", attempt 2\n"), "{claimed}");
    folder.file("go", "");
    consumer.end().with(0);
    transcript += &format!("\n{}", show(&id));

    let redriven = folder.run("filedrop dead redrive DROP", &[&id]).with(0).line();
    let new = redriven.split_once(' ').unwrap().1;
    transcript += &format!("\n{}\n{}", show(&id), show(new));
    golden("show-story.txt", &folder.normal(&transcript, &[&id, new]));

    let (old, new) = (folder.story(&id), folder.story(new));
    assert_eq!((&old["redriven_as"], &old["redriven_from"]), (&new["id"], &Value::Null));
    assert_eq!((&new["redriven_as"], &new["redriven_from"]), (&Value::Null, &old["id"]));
    assert_eq!(old["attempts"].as_array().unwrap().len(), 2);
}

#[test]
fn show_tells_of_attempts_whose_consumers_vanished() {
    let folder = Folder::new();
    let id = folder.submit("1");
    let show = |id: &str| folder.run("filedrop show DROP", &[id]).with(0).text().to_owned();
    let gone = "its consumer vanished (killed, or silent for its lease): there is no record of it";
    for attempt in 1..=2 {
        let script = "[ $FILEDROP_ATTEMPT = 2 ] && exit 3; echo > started; exec sleep 1000";
        let consumer = Running::start(folder.command("consumer run DROP --backoff 1h -- sh -c", &[script]));
        if attempt == 1 {
            wait_until("a handler runs", || folder.beside("started").exists().then_some(()));
            assert_eq!(folder.story(&id)["vanished"], json!([]), "it is in hand");
        } else {
            wait_until("it failed", || (folder.story(&id)["attempts"] != json!([])).then_some(()));
        }
        assert!(!show(&id).contains("consumer   "), "of one that lives nothing is said");
        consumer.signal(Signal::KILL);
        consumer.end();
        if attempt == 1 {
            let shown = show(&id);
            assert!(shown.contains("consumer   its consumer is gone, and no other is there\n"), "{shown}");
            let next =
                "next       the next consumer takes it over, as another attempt; start one: consumer run ";
            assert!(shown.contains(next), "{shown}");
        }
    }
    let story = folder.story(&id);
    assert_eq!((&story["vanished"], &story["attempts"][0]["attempt"]), (&json!([1]), &json!(2)));
    let shown = show(&id);
    let (first, second) = (shown.find(&format!("attempt 1  {gone}\n")), shown.find("attempt 2  "));
    assert!(first.is_some() && first < second, "{shown}");
    make_due(&folder);
    // Only now: a consumer that is killed must not have it in hand.
    let expired = folder.run("producer submit DROP --type t --expires 1ms --delay 0s", &[]).with(0).line();
    folder.run("consumer run DROP --drain -- cat", &[]).with(0);
    let story = folder.story(&id);
    assert_eq!((&story["outcome"]["attempt"], &story["vanished"]), (&json!(3), &json!([1])));

    let shown = show(&expired);
    assert!(shown.contains(", before any attempt\n") && !shown.contains("attempt 1"), "{shown}");
    let listed = folder.run("filedrop dead list DROP --json", &[]).with(0).line();
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()["attempt"], 0);
}

#[test]
fn a_job_that_follows_from_a_failed_one_is_not_its_redrive() {
    let folder = Folder::new();
    let failed = folder.submit("1");
    folder.drain("exit 1");
    let event =
        json!({"specversion": "1.0", "id": "follows", "source": "/s", "type": "t", "causationid": failed});
    folder.fed("producer submit DROP --batch - --envelopes", event.to_string().as_bytes()).with(0);
    assert_eq!(folder.story("follows")["redriven_from"], Value::Null);
    folder.run("filedrop dead redrive DROP", &[&failed]).with(0);
    assert_eq!(folder.story("follows")["redriven_from"], Value::Null);
}

#[test]
fn what_is_in_a_job_does_not_reach_the_terminal() {
    let folder = Folder::new();
    let job = "{\"specversion\":\"1.0\",\"id\":\"odd\",\"source\":\"/s\",\"type\":\"\\u001b[2J\",\"subject\":\"a\\nb\"}";
    std::fs::write(folder.path.join("inbox/5.1700000000000.odd.1.job.json"), job).unwrap();
    let shown = folder.run("filedrop show DROP odd", &[]).with(0);
    assert!(shown.text().contains("type       \\u{1b}[2J\nsubject    a\n           b\n"), "{shown:?}");
    folder.drain("printf '\\033[2J' >&2; exit 1");
    let listed = folder.run("filedrop dead list DROP", &[]).with(0);
    assert!(!listed.text().contains('\u{1b}'), "{listed:?}");
}
