//! `filedrop doctor` in a folder that a group shares: two of its users try it together, and each is told whose it is.

use std::fs;

use serde_json::Value;

use crate::users::{ANN, BOB, GROUP, OUTSIDER, Place};

#[test]
fn two_users_try_a_shared_folder() {
    let Some(place) = Place::shared() else { return };
    // 1: where the tests run there may be no journal.
    let line = |name| format!("sh -c 'filedrop doctor drop --json --peer > {name}.json || test $? -eq 1'");
    let (mut ann, mut bob) = (place.start(ANN, &line("ann")), place.start(BOB, &line("bob")));
    ann.end("Ann's doctor");
    bob.end("Bob's doctor");
    for (name, user) in [("ann", ANN), ("bob", BOB)] {
        let found = fs::read_to_string(place.work.join(format!("{name}.json"))).unwrap();
        let found: Value = serde_json::from_str(&found).unwrap();
        let access = &found["access"];
        assert_eq!((&access["user"], &access["group"]), (&user.id.into(), &GROUP.into()), "{found}");
        assert_eq!((&access["shared"], &access["made_for_group"]), (&true.into(), &true.into()), "{found}");
        // The folders above it are open to everybody.
        assert_eq!(
            (&access["closed_above"], &found["peer"]["lock_seen"]),
            (&Value::Null, &true.into()),
            "{found}"
        );
        for race in ["links", "renames"] {
            let race = &found["peer"][race];
            assert_eq!((&race["both"], &race["nobody"]), (&0.into(), &0.into()), "{found}");
        }
    }
    place.assert_shared();
    assert_eq!(place.names("tmp"), [""; 0]);
    let said = place.refused(OUTSIDER, "filedrop doctor drop", 74);
    assert!(said.contains("which you are not in"), "{said}");
}

/// Who made a folder for a group where the group cannot come is told so; and so is who alone can use it.
#[test]
fn what_keeps_others_out_is_told() {
    let Some(place) = Place::new() else { return };
    place.run(ANN, "mkdir closed; filedrop init closed/drop --shared 13000; filedrop init own");
    let found = place.run(ANN, "filedrop doctor closed/drop || test $? -eq 1");
    assert!(found.contains("group 13000 cannot pass") && found.contains("work/closed"), "{found}");
    let found = place.run(ANN, "filedrop doctor own || test $? -eq 1");
    assert!(found.contains("for this user only (12001)"), "{found}");
    let said = place.refused(BOB, "filedrop doctor own", 74);
    assert!(said.contains("--shared GROUP"), "{said}");
}

/// A room that is closed to a user is told of, with whose it is: whoever consumes there waits for it.
#[test]
fn a_room_that_is_closed_to_this_user_is_told() {
    let Some(place) = Place::shared() else { return };
    place.run(ANN, "chmod 700 drop/outcomes");
    let found = place.run(ANN, "filedrop doctor drop || test $? -eq 1");
    assert!(!found.contains("may not read and write"), "{found}");
    let found = place.run(BOB, "filedrop doctor drop --json || test $? -eq 1");
    let found: Value = serde_json::from_str(&found).unwrap();
    let outcomes = place.work.join("drop/outcomes");
    let (unusable, risk) = (&found["unusable"][0], &found["risks"][0]);
    assert_eq!(
        (&unusable["path"], &unusable["flaw"]),
        (&outcomes.to_str().unwrap().into(), &"closed".into())
    );
    let told = format!("user {} may not read and write {} (user {},", BOB.id, outcomes.display(), ANN.id);
    assert!(risk["says"].as_str().unwrap().starts_with(&told), "{found}");
    // Whoever is refused there is told the same.
    place.run(ANN, "filedrop init drop --shared 13000; chmod 700 drop/inbox");
    let said = place.refused(BOB, "producer submit drop --type t", 74);
    assert!(
        said.contains("belongs to user 12001, group 13000, with mode") && said.contains("--shared 13000"),
        "{said}"
    );
    place.run(ANN, "filedrop init drop --shared 13000");
    let found = place.run(BOB, "filedrop doctor drop --json || test $? -eq 1");
    assert!(found.contains("\"unusable\":[]"), "{found}");
}
