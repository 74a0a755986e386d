//! Files that travel between two users with a umask of 077.

use crate::users::{ANN, BOB, Place};

/// P23, P24: what one attaches or moves in the other's handler reads; what that leaves, also what is too large for an envelope,
/// the first one fetches. `assert_shared` sees to it that none keeps its own modes.
#[test]
fn files_of_one_user_are_read_by_the_other() {
    let Some(place) = Place::shared() else { return };
    place.run(ANN, "echo copied > copied; echo moved > moved; chmod 700 moved; mkdir mine");
    let id = place.run(ANN, "producer submit drop --type t --attach copied --move moved");
    let id = id.trim();
    place.assert_shared();
    let handler = r#"'cd "$FILEDROP_RESULT_DIR" && mkdir -p deep/er && cat "$FILEDROP_PAYLOAD"/* > deep/er/both \
        && cp /bin/true program && head -c 3000000 /dev/zero'"#;
    place.run(BOB, &format!("consumer run drop --drain --max-attempts 1 -- sh -c {handler}"));
    place.assert_shared();
    let size = place.run(ANN, &format!("producer wait drop {id} --files mine | wc -c"));
    assert_eq!(size.trim(), "3000000");
    assert_eq!(place.run(ANN, &format!("cat mine/{id}/deep/er/both")), "copied\nmoved\n");
    assert!(!place.work.join("moved").exists());
}

/// P24: what Bob's attempts left is gone when they failed; what Ann's handler left of another job is not.
#[test]
fn each_user_removes_its_own() {
    let Some(place) = Place::shared() else { return };
    let leave = r#"'echo x > "$FILEDROP_RESULT_DIR/x"; mkdir -m 500 "$FILEDROP_RESULT_DIR/closed"; [ $FILEDROP_TYPE = good ]'"#;
    for (user, kind) in [(ANN, "good"), (BOB, "bad"), (ANN, "bad"), (BOB, "good")] {
        place.run(user, &format!("producer submit drop --type {kind}"));
        place.run(user, &format!("consumer run drop --drain --max-attempts 1 -- sh -c {leave}"));
    }
    assert_eq!(place.names("payload").len(), 2);
    place.assert_shared();
}

/// A folder that its handler has closed to itself is removed all the same.
#[test]
fn a_closed_folder_is_no_obstacle() {
    let Some(place) = Place::shared() else { return };
    place.run(BOB, "filedrop init own; producer submit own --type t");
    let leave = r#"'cd "$FILEDROP_RESULT_DIR" && mkdir -p a/b && echo x > a/b/x && chmod 500 a/b && chmod 0 a; exit 1'"#;
    place.run(BOB, &format!("consumer run own --drain --max-attempts 1 -- sh -c {leave}"));
    assert_eq!(place.run(BOB, "ls own/payload"), "");
}

/// P31: what Ann's intake has brought to its room when it is killed, Bob's consumer makes a job of: the one that she meant.
#[test]
fn what_one_users_intake_leaves_is_a_job_to_the_other() {
    let Some(place) = Place::shared() else { return };
    place.run(ANN, "mkdir in");
    let intake = "producer intake drop --from in --once --quiet-period 0s --type bill";
    let (mut rounds, mut without) = (0, 0);
    for nth in 1.. {
        rounds += 1;
        place.run(ANN, &format!("echo {nth} > in/{nth}.csv"));
        let killed = format!(
            "strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=SIGKILL:when={nth} {intake}"
        );
        let is_killed = !place.shell(ANN, &killed).output().expect("a shell").status.success();
        let handler = r#"sh -c 'echo "$FILEDROP_TYPE $(cat)" >> got'"#;
        place.run(BOB, &format!("touch got; consumer run drop --drain --max-attempts 1 -- {handler}"));
        without += usize::from(place.run(BOB, "cat got").lines().any(|got| got == format!("bill {nth}")));
        place.run(ANN, intake);
        place.run(BOB, &format!("consumer run drop --drain --max-attempts 1 -- {handler}"));
        if !is_killed {
            break;
        }
    }
    assert!(without > 2, "{without} of {rounds}");
    let mut got: Vec<_> = place.run(BOB, "cat got").lines().map(str::to_owned).collect();
    got.sort();
    let mut expected: Vec<_> = (1..=rounds).map(|nth| format!("bill {nth}")).collect();
    expected.sort();
    assert_eq!(got, expected);
}
