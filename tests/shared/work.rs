//! Two users with a umask of 077, at work in one folder.

use std::os::unix::fs::PermissionsExt;
use std::{fs, iter};

use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::Layout;
use filedrop::ports::Host;
use filedrop::words::{Envelope, InboxName, Job, Outcome, Payload, RoomName};
use serde_json::{Value, json};

use crate::users::{ANN, BOB, GROUP, OUTSIDER, Place, User, below, until};

fn submit(place: &Place, user: User, jobs: usize) -> Vec<String> {
    let line = format!("seq {jobs} > batch-{0}; producer submit drop --type t --batch batch-{0}", user.id);
    place.run(user, &line).lines().map(str::to_owned).collect()
}

/// The outcomes that a user waits for.
fn outcomes(place: &Place, user: User, ids: &[String]) -> Vec<Value> {
    let line = format!("producer wait drop --json --timeout 60s {}", ids.join(" "));
    place.run(user, &line).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// P13: the dead consumer of one user is judged by its lock, and recovered, by the other's.
#[test]
fn one_user_takes_over_what_the_killed_consumer_of_another_had() {
    let Some(place) = Place::shared() else { return };
    let ids = submit(&place, ANN, 3);
    let mut killed = place.start(ANN, "consumer run drop --lease 1h --concurrency 3 -- sleep 3600");
    until("all are claimed", || (place.status(BOB)["rooms"]["claimed"] == 3).then_some(()));
    assert_eq!(place.status(BOB)["consumers"][0]["present"], true, "Bob sees Ann's lock");
    killed.kill();
    assert_eq!(place.status(BOB)["consumers"][0]["present"], false, "and that it is free");
    place.assert_shared();

    place.run(BOB, "consumer run drop --drain -- cat");
    let outcomes = outcomes(&place, ANN, &ids);
    let attempts: Vec<_> = outcomes.iter().map(|outcome| &outcome["attempt"]).collect();
    assert_eq!(attempts, [2, 2, 2]);
    assert_eq!(place.run(ANN, &format!("producer wait drop {}", ids[0])), "1");
    assert_eq!(place.status(ANN)["consumers"], json!([]));
    place.assert_shared();
}

/// P3–P11 and P17 of both at once, and what failed goes to `delayed/` and back. Neither can take all: each handler waits until the
/// other's has begun.
#[test]
fn consumers_of_both_users_compete() {
    let Some(place) = Place::shared() else { return };
    let ids: Vec<String> = [ANN, BOB].into_iter().flat_map(|user| submit(&place, user, 20)).collect();
    let handler = "'> began-$(id -u); until [ -e began-12001 -a -e began-12002 ]; do sleep 0.01; done; \
                   [ $FILEDROP_ATTEMPT = 2 ] && echo by $(id -u)'";
    let consume = format!("consumer run drop --drain --concurrency 2 --backoff 1ms -- sh -c {handler}");
    let mut consumers = [ANN, BOB].map(|user| place.start(user, &consume));
    for consumer in &mut consumers {
        consumer.end("a consumer drains");
    }
    let outcomes = outcomes(&place, BOB, &ids);
    let by =
        |user: User| outcomes.iter().filter(|outcome| outcome["data"] == format!("by {}\n", user.id)).count();
    assert!(
        by(ANN) > 0 && by(BOB) > 0 && by(ANN) + by(BOB) == 40,
        "{} and {}: {outcomes:?}",
        by(ANN),
        by(BOB)
    );
    let status = place.status(ANN);
    assert_eq!((&status["rooms"]["done"], &status["consumers"]), (&json!(40), &json!([])));
    place.assert_shared();
}

/// P10, P11: what one user's job failed of lies beside it, for the other to read.
#[test]
fn failed_and_invalid_jobs_of_one_user_are_buried_by_the_other() {
    let Some(place) = Place::shared() else { return };
    let id = place.run(ANN, "producer submit drop --type t --data 1");
    place.run(ANN, "umask 007; echo '{' > drop/inbox/5.1700000000000.invalid.1.job.json");
    place.run(BOB, "consumer run drop --drain --max-attempts 1 -- sh -c 'exit 3'");
    let said = place.refused(ANN, &format!("producer wait drop {id}"), 1);
    assert!(said.contains("exit status 3"), "{said}");
    assert!(place.run(ANN, "cat drop/dead/*.reason.json").contains("exit status 3"));
    assert!(place.run(ANN, "cat drop/invalid/*.reason.json").contains("problem:invalid"));
    place.assert_shared();

    // P7: what a power cut can bring back, with a slot that is another's: the reason is a link to Bob's file, made by Ann.
    let archived = place.names("dead").into_iter().find(|name| name.ends_with(".job.json")).unwrap();
    let ready = archived.replace(".job.json", ".1.job.json");
    place.run(ANN, &format!("rm drop/dead/*.reason.json; mv drop/dead/{archived} drop/inbox/{ready}"));
    place.run(ANN, "consumer run drop --drain -- true");
    assert_eq!(place.names("dead").len(), 2, "{:?}", place.names("dead"));
    let slot_and_reason = below(&place.drop).into_iter().filter(|path| {
        use std::os::unix::fs::MetadataExt;
        let meta = path.metadata().unwrap();
        meta.is_file() && meta.nlink() == 2 && meta.uid() == BOB.id
    });
    assert_eq!(slot_and_reason.count(), 4, "of the failed job and of the invalid one");
    place.assert_shared();
}

fn with_address(id: &filedrop::Id) -> Envelope {
    let mut envelope = Job::envelope(id, "/by-hand", "t", OsHost.now());
    envelope.set("replyto", "billing");
    envelope.payload = Some(Payload::detect("1"));
    envelope
}

/// P9, P12, P15: a Return Address that one user's consumer made is delivered to, and collected from, by the other.
#[test]
fn a_return_address_is_used_by_both() {
    let Some(place) = Place::shared() else { return };
    for (writer, handler) in [(ANN, BOB), (BOB, ANN)] {
        let (id, now) = OsHost.mint();
        let text = String::from_utf8(with_address(&id).encode().unwrap()).unwrap();
        // As PROTOCOL.md has it for strangers: a umask that leaves the group its rights.
        let line = format!(
            "umask 007; printf %s '{text}' > drop/tmp/{id}; mv drop/tmp/{id} drop/inbox/5.{now}.{id}.1.job.json"
        );
        place.run(writer, &line);
        place.run(handler, "consumer run drop --drain -- cat");
        let delivered = place.run(writer, "cat drop/replies/billing/inbox/*.outcome.json");
        assert!(delivered.contains(&format!(r#""causationid":"{id}""#)), "{delivered}");
    }
    assert_eq!(place.status(BOB)["replies"]["billing"]["waiting"], 2);
    place.assert_shared();
}

/// P13: an outcome that a dead consumer of one user staged is decided and delivered by the other: a link to another's file,
/// which the kernel allows only to those who can read and write it.
#[test]
fn what_one_user_staged_is_helped_on_by_the_other() {
    let Some(place) = Place::shared() else { return };
    let (id, now) = OsHost.mint();
    let name = InboxName::job(id.clone(), now, Default::default());
    let bytes = with_address(&id).encode().unwrap();
    let job = Job::decode(&id, 1, &bytes).unwrap();
    let outcome = Outcome::of(&job, &OsHost.mint().0, "/by-hand", now, Ok(Payload::detect("by Ann")));

    let layout = Layout::new(&place.drop);
    let room = RoomName { consumer: "ann".parse().unwrap(), nonce: OsHost.nonce() };
    fs::create_dir(layout.claims(&room)).unwrap();
    fs::set_permissions(layout.claims(&room), PermissionsExt::from_mode(0o2770)).unwrap();
    let presence = br#"{"host":"here","pid":1,"lease_ms":3600000,"lock":true,"beat":1}"#;
    fs::write(layout.presence(&room), presence).unwrap();
    fs::write(layout.claim(&room, &name), bytes).unwrap();
    fs::write(layout.staged(&room, &name.staged(OsHost.nonce())), outcome.envelope.encode().unwrap())
        .unwrap();
    let files = below(&layout.claims(&room)).into_iter().skip(1);
    for file in files.chain(iter::once(layout.presence(&room))) {
        fs::set_permissions(&file, PermissionsExt::from_mode(0o660)).unwrap();
    }
    for path in below(&layout.room("claimed")).into_iter().skip(1) {
        std::os::unix::fs::chown(path, Some(ANN.id), Some(GROUP)).unwrap();
    }

    place.run(BOB, "consumer run drop --drain --max-attempts 1 -- false");
    assert_eq!(place.run(BOB, &format!("producer wait drop {id}")), "by Ann");
    assert_eq!(place.status(BOB)["replies"]["billing"]["waiting"], 1);
    assert_eq!(place.names("claimed"), [""; 0]);
    place.assert_shared();
}

#[test]
fn who_is_not_in_the_group_is_told_so() {
    let Some(place) = Place::shared() else { return };
    place.run(ANN, "producer submit drop --type t --data 1");
    for line in [
        "producer submit drop --type t --data 1",
        "producer wait drop some-id --timeout 1s",
        "consumer run drop --drain -- cat",
        "filedrop status drop",
    ] {
        let said = place.refused(OUTSIDER, line, 74);
        assert!(
            said.contains("no permission: this drop folder belongs to group 13000, which you are not in"),
            "{said}"
        );
    }
    assert_eq!(place.names("inbox").len(), 1);
    place.assert_shared();
}

#[test]
fn status_names_what_one_may_not_read() {
    let Some(place) = Place::shared() else { return };
    submit(&place, ANN, 2);
    place.run(ANN, "consumer run drop --drain --max-attempts 1 -- false");
    assert_eq!(place.status(BOB).get("unreadable"), None);
    let shut = |dir: &str, mode| {
        fs::set_permissions(place.drop.join(dir), PermissionsExt::from_mode(mode)).unwrap();
    };
    let day = format!("outcomes/{}", place.names("outcomes")[0]);
    shut("dead", 0o700);
    shut(&day, 0o700);
    shut("claimed", 0o700);
    let status = place.status(BOB);
    assert_eq!(status["unreadable"], json!(["claimed", day, "dead"]));
    assert_eq!((&status["rooms"]["dead"], &status["rooms"]["outcomes"]), (&json!(0), &json!(0)));
    assert_eq!(place.status(ANN)["rooms"]["dead"], 2, "it is hers");
    let table = place.run(BOB, "filedrop status drop");
    let end = format!("\n\nNot counted, since you may not read it:\n  claimed/\n  {day}/\n  dead/\n");
    assert!(table.ends_with(&end), "{table}");
}
