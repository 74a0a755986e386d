//! Events among users: who publishes, who subscribes and who helps are others.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::users::{ANN, BOB, OUTSIDER, Place};

#[test]
fn what_one_publishes_the_other_handles() {
    let Some(place) = Place::shared() else { return };
    place.run(ANN, "filedrop topics drop add billing 'orders.*'");
    place.run(BOB, "filedrop topics drop add audit '>'");
    place.run(BOB, "echo beside > scan.txt; chmod 600 scan.txt");
    let id = place.run(BOB, "producer publish drop --topic orders.created --data 1 --attach scan.txt");
    place.run(ANN, "producer publish drop --topic orders.created --data 2 --id given-1");
    place.run(BOB, "producer publish drop --topic orders.created --data 2 --id given-1");
    for user in [ANN, BOB] {
        let group = if user == ANN { "billing" } else { "audit" };
        let handler = "'cat; [ -z \"$FILEDROP_PAYLOAD\" ] || cat \"$FILEDROP_PAYLOAD/scan.txt\"'";
        place.run(user, &format!("consumer subscribe drop --as {group} --drain -- sh -c {handler}"));
        let said = place.run(ANN, &format!("producer wait drop/subscribers/{group} {id}"));
        assert_eq!(said, "1beside\n");
        assert_eq!(place.run(BOB, &format!("producer wait drop/subscribers/{group} given-1")), "2");
    }
    place.assert_shared();
    place.refused(OUTSIDER, "producer publish drop --topic t", 74);
}

/// P36: of a publisher that died, another user's consumer delivers.
#[test]
fn what_the_dead_publisher_of_another_left_is_delivered() {
    let Some(place) = Place::shared() else { return };
    place.run(ANN, "filedrop topics drop add billing '>'");
    let event = "drop/outbox/inbox/5.1700000000000.left-1.0123456789abcdef.event";
    let envelope = r#"{"specversion":"1.0","id":"left-1","source":"/x","type":"t","topic":"t","data":7}"#;
    place.run(BOB, &format!("umask 007; mkdir {event}; echo '{envelope}' > {event}/event.json; ln {event}/event.json {event}/billing.job.json"));
    place.run(ANN, "consumer subscribe drop --as billing --drain -- cat");
    assert_eq!(place.run(BOB, "producer wait drop/subscribers/billing left-1"), "7");
    assert!(!place.work.join(event).exists());
    place.assert_shared();
}

/// `init --shared` on a folder that has events already gives the group those, too.
#[test]
fn a_folder_with_events_can_be_shared_later() {
    let Some(place) = Place::new() else { return };
    place.run(ANN, "filedrop init drop && filedrop topics drop add billing t && producer publish drop --topic t --data 1");
    place.run(ANN, "filedrop init drop --shared 13000");
    for path in [
        "outbox",
        "outbox/done",
        "subscribers/billing",
        "subscribers/billing/inbox",
        "subscribers/billing/ids",
    ] {
        let mode = fs::metadata(place.drop.join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o2770, "{path}");
    }
    place.run(BOB, "consumer subscribe drop --as billing --drain -- cat");
    place.assert_shared();
}
