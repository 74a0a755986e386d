//! `filedrop init --shared`: who can, and what becomes of what was there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use crate::users::{ANN, ANN_BEFORE, BOB, GROUP, OUTSIDER, Place};

fn mode(path: impl AsRef<std::path::Path>) -> u32 {
    path.as_ref().metadata().unwrap().mode() & 0o7777
}

#[test]
fn to_init_again_changes_nothing() {
    let Some(place) = Place::shared() else { return };
    place.assert_shared();
    fs::remove_dir(place.drop.join("outbox")).unwrap();
    for line in ["filedrop init drop", "filedrop init drop --shared 13000"] {
        place.run(BOB, line);
        place.run(ANN, line);
    }
    assert_eq!(fs::metadata(place.drop.join("outbox")).unwrap().uid(), BOB.id, "he completed it");
    place.assert_shared();
}

/// A folder of one user, with jobs in all places, becomes the group's. Nothing outside it is touched.
#[test]
fn a_folder_that_was_not_shared_becomes_so() {
    let Some(place) = Place::new() else { return };
    let alone =
        |line: &str| assert!(place.shell_with(ANN, "022", line).output().unwrap().status.success(), "{line}");
    alone("filedrop init drop; producer submit drop --type t --data 1; consumer run drop --drain -- cat");
    alone("producer submit drop --type t --data 1; consumer run drop --drain --max-attempts 1 -- false");
    alone(
        "producer submit drop --type t --data 1; echo private > private; mkdir below; chmod 755 drop/payload",
    );
    alone(
        "mkdir drop/payload/a.0123456789abcdef; cd drop/payload/a.0123456789abcdef; cp /bin/sh executable; chmod 755 *",
    );
    assert_eq!((mode(&place.drop), mode(place.drop.join("inbox"))), (0o755, 0o755));
    for (target, link) in [("../../private", "to-file"), ("../../below", "to-folder")] {
        symlink(target, place.drop.join("payload").join(link)).unwrap();
    }
    let said = place.refused(BOB, "producer submit drop --type t --data 2", 74);
    assert!(said.contains("ermission denied"), "{said}");

    place.run(ANN, "filedrop init drop --shared 13000");
    for link in ["to-file", "to-folder"] {
        fs::remove_file(place.drop.join("payload").join(link)).unwrap();
    }
    place.assert_shared();
    assert_eq!((mode(place.work.join("private")), mode(place.work.join("below"))), (0o644, 0o755));
    place.run(BOB, "producer submit drop --type t --data 2; consumer run drop --drain -- cat");
    assert_eq!(place.status(ANN)["rooms"]["done"], 3);
    place.assert_shared();
}

/// A file that is ours has as many names as we find; what is another's, or also elsewhere, stays as it is and is named.
#[test]
fn what_is_not_the_folders_own_stays_as_it_is() {
    let Some(place) = Place::new() else { return };
    let alone =
        |line: &str| assert!(place.shell_with(ANN, "022", line).output().unwrap().status.success(), "{line}");
    alone(
        "filedrop init drop; echo hers > hers; echo its > its; echo notes > drop/notes; mkdir drop/inbox/own",
    );
    alone("echo 1 > drop/inbox/own/file; chmod 700 drop/inbox/own; chmod 600 drop/notes drop/inbox/own/file");
    alone(
        "producer submit drop --type t --id linked --link hers; producer submit drop --type t --id moved --move its",
    );
    alone("producer submit drop --type u --id dead --priority 9; producer submit drop --type u --delay 1h");
    let said = place.shell(ANN, "filedrop init drop --shared 13000").output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("2 left as they are, since their names are none of a drop folder's:"), "{said}");
    assert!(said.contains("1 left as they are, since each is a hard link to a file elsewhere"), "{said}");
    let mut named: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    named.sort_unstable();
    assert_eq!(named[..2], ["inbox/own", "notes"], "{said}");
    assert!(
        named.len() == 3 && named[2].starts_with("payload/linked.") && named[2].ends_with("/hers"),
        "{said}"
    );

    for (path, expected) in
        [("hers", 0o644), ("drop/notes", 0o600), ("drop/inbox/own", 0o700), ("drop/inbox/own/file", 0o600)]
    {
        let meta = place.work.join(path).metadata().unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.gid()), (expected, ANN.id), "{path}");
    }
    // Each of these jobs has an entry in ids/, too.
    for name in place.names("inbox").iter().filter(|name| name.ends_with(".json")) {
        let meta = place.drop.join("inbox").join(name).metadata().unwrap();
        assert_eq!((meta.nlink(), meta.mode() & 0o777, meta.gid()), (2, 0o660, GROUP), "{name}");
    }
    fs::remove_file(place.work.join("hers")).unwrap();
    fs::remove_file(place.drop.join("notes")).unwrap();
    fs::remove_dir_all(place.drop.join("inbox/own")).unwrap();
    let said = place.shell(ANN, "filedrop init drop --shared 13000").output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.ends_with("filedrop: given to group 13000: 1 changed\n"), "{said}");
    place.assert_shared();
    place.run(BOB, "consumer run drop --drain -- cat");
    assert_eq!(place.status(BOB)["rooms"]["done"], 3);
}

/// Whether they are not let in, or only may not write.
#[test]
fn who_is_refused_by_a_folder_of_one_user_is_told_how_to_share_it() {
    let Some(place) = Place::new() else { return };
    for umask in ["077", "022"] {
        let made = place.shell_with(ANN, umask, "rm -rf drop; filedrop init drop").status().unwrap();
        assert!(made.success());
        for line in ["producer submit drop --type t", "consumer run drop --drain -- true"] {
            let said = place.refused(BOB, line, 74);
            let advice = format!(
                "is not shared: its owner (user 12001) or root can give it to a group, with `filedrop init {} --shared GROUP`",
                place.drop.display()
            );
            assert_eq!(said.matches(&advice).count(), 1, "{said}");
        }
    }
    place.run(ANN, "filedrop init drop --shared 13000");
    place.run(BOB, "producer submit drop --type t");
    let said = place.refused(OUTSIDER, "producer submit drop --type t", 74);
    assert!(said.contains("which you are not in") && !said.contains("not shared"), "{said}");
}

/// What is another's is named, and the rest is done. Then the other does his.
#[test]
fn what_cannot_be_shared_is_named() {
    let Some(place) = Place::new() else { return };
    let folder = "payload/bob.0123456789abcdef";
    place.run(ANN, &format!("filedrop init drop; mkdir drop/{folder}; > drop/{folder}/of-ann"));
    let theirs =
        [folder, &format!("{folder}/1"), "payload/2.0123456789abcdef.data"].map(|name| place.drop.join(name));
    for path in &theirs {
        if !path.exists() {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
        }
        chown(path, Some(BOB.id), Some(BOB.id)).unwrap();
    }
    fs::set_permissions(&theirs[0], PermissionsExt::from_mode(0o755)).unwrap();
    let said = place.refused(ANN, "filedrop init drop --shared 13000", 73);
    assert!(said.contains("the folder is shared now, but not all that was in it"), "{said}");
    let named: Vec<_> = said.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(named.len(), 3, "{said}");
    for path in &theirs {
        let line = format!("  {}: Operation not permitted", path.display());
        assert!(named.iter().any(|named| named.starts_with(&line)), "{line} in {said}");
    }
    assert_eq!((mode(&place.drop), mode(theirs[0].join("of-ann"))), (0o2770, 0o660));
    let owner = format!("filedrop init {} --shared 13000", place.drop.display());
    assert!(said.contains(&owner), "{said}");
    place.run(BOB, &owner);
    place.assert_shared();
}

#[test]
fn who_cannot_share_a_folder_is_told_why() {
    let Some(place) = Place::new() else { return };
    let said = place.refused(ANN, "filedrop init drop --shared no-such-group", 2);
    assert!(said.contains("there is no such group"), "{said}");
    assert!(!place.drop.exists());

    let said = place.refused(ANN_BEFORE, "filedrop init drop --shared 13000", 73);
    assert!(said.contains("group 13000, which you are not in; ask to be made a member"), "{said}");

    place.run(ANN, "filedrop init drop");
    let said = place.refused(BOB, "filedrop init drop --shared 13000", 73);
    assert!(said.contains("ermission denied"), "{said}");
    place.run(ANN, "chmod 755 drop; chmod 644 drop/filedrop.json");
    let said = place.refused(BOB, "filedrop init drop --shared 13000", 73);
    assert!(said.contains("only its owner (user 12001) or root can share this folder"), "{said}");
    assert_eq!(mode(&place.drop), 0o755);
}

/// Where a group keeps all its work, a folder that is to be one user's own is that.
#[test]
fn a_folder_in_a_shared_one_is_not_shared() {
    let Some(place) = Place::new() else { return };
    place.run(ANN, "mkdir project; chgrp 13000 project; chmod 2775 project");
    place.run(ANN, "filedrop init project/above/drop; filedrop init project/ours --shared 13000");
    for own in ["above", "above/drop", "above/drop/inbox"] {
        assert_eq!(mode(place.work.join("project").join(own)), 0o2700, "{own}");
    }
    assert_eq!(mode(place.work.join("project/ours/inbox")), 0o2770);
}

/// The kernel takes the bit away without a word when the owner is not in the folder's group.
#[test]
fn a_bit_that_is_lost_is_noticed() {
    let Some(place) = Place::new() else { return };
    fs::create_dir(&place.drop).unwrap();
    chown(&place.drop, Some(ANN.id), Some(GROUP)).unwrap();
    let said = place.refused(ANN_BEFORE, "filedrop init drop --shared 13000", 73);
    assert!(said.contains("which you are not in") && said.contains("set-group-id bit"), "{said}");
    assert!(!place.drop.join("filedrop.json").exists());
    place.run(ANN, "filedrop init drop --shared 13000");
    place.assert_shared();
}
