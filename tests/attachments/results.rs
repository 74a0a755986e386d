//! Files that a handler leaves.

use std::fs;
use std::time::Duration;

use filedrop::{Disposition, Problem, Submission};

use crate::{Folder, job, names, sh, until};

/// P24: regular files, also in folders, travel with the outcome.
#[test]
fn what_a_handler_leaves_travels_with_the_outcome() {
    let folder = Folder::new();
    let outcome = folder.run(
        r#"cd "$FILEDROP_RESULT_DIR" && mkdir -p deep/er && echo 1 > one && echo 2 > "deep/er/t w o" && echo done"#,
    );
    assert_eq!(outcome.data(), b"done\n");
    let check = outcome.files_ref().unwrap();
    assert_eq!(check.stamp.id, outcome.job_id());
    let files = folder.drop.files(&check).unwrap();
    let root = folder.drop.path().join("payload").join(check.name());
    assert_eq!(files, [(root.join("deep/er/t w o"), 2), (root.join("one"), 2)]);
    folder.assert_payload_is(&[&outcome]);
    // It is what the slot says, not only what we were told.
    let slot = folder.drop.outcome(&outcome.job_id()).unwrap().unwrap();
    assert_eq!(slot.files_ref(), Some(check));
}

#[test]
fn nothing_left_is_nothing_told() {
    let folder = Folder::new();
    let mut outcomes = Vec::new();
    for script in ["true", r#"rmdir "$FILEDROP_RESULT_DIR""#, r#"mkdir -p "$FILEDROP_RESULT_DIR/a/b""#] {
        let outcome = folder.run(script);
        assert_eq!((outcome.disposition, outcome.files_ref()), (Disposition::Succeeded, None), "{script}");
        outcomes.push(outcome);
    }
    assert!(folder.payload().is_empty());
}

/// Links could lead anywhere: none is followed, and none travels.
#[test]
fn a_handler_cannot_make_others_read_what_it_may_not() {
    let folder = Folder::new();
    let secret = folder.file("secret", "secret");
    let vault = folder.beside("vault");
    fs::create_dir(&vault).unwrap();
    fs::write(vault.join("gold"), "gold").unwrap();
    std::os::unix::fs::symlink("nowhere", vault.join("sign")).unwrap();
    let (secret, vault) = (secret.display(), vault.display());
    let outcome = folder.run(&format!(
        r#"cd "$FILEDROP_RESULT_DIR" && ln -s '{secret}' link && ln -s '{vault}' folder && mkfifo pipe && mkdir in \
            && ln -s '{secret}' in/link && ln -s /etc/passwd in/passwd && echo fine > in/file"#
    ));
    let into = folder.beside("fetched");
    let fetched = folder.drop.fetch_files(&outcome, &into).unwrap();
    assert_eq!(fetched, [into.join("in/file")]);
    assert_eq!((names(&into), names(&into.join("in"))), (vec!["in".to_owned()], vec!["file".to_owned()]));

    // The folder itself is no better.
    for target in [format!("'{vault}'"), "/etc".to_owned()] {
        let replace = format!(r#"rmdir "$FILEDROP_RESULT_DIR" && ln -s {target} "$FILEDROP_RESULT_DIR""#);
        assert_eq!(folder.run(&replace).files_ref(), None);
        assert_eq!(folder.run(&format!("{replace}; exit 1")).disposition, Disposition::Failed);
    }
    let file = folder.run(r#"rmdir "$FILEDROP_RESULT_DIR" && echo x > "$FILEDROP_RESULT_DIR""#);
    assert_eq!(file.files_ref(), None);
    assert_eq!(names(&folder.beside("vault")), ["gold", "sign"], "nothing was removed there");
    folder.assert_payload_is(&[&outcome]);
}

/// Who finds links there all the same, because somebody else put them there, follows none.
#[test]
fn links_that_are_put_there_later_are_not_fetched() {
    let folder = Folder::new();
    let outcome = folder.run(r#"echo fine > "$FILEDROP_RESULT_DIR/file""#);
    let root = folder.drop.path().join("payload").join(outcome.files_ref().unwrap().name());
    std::os::unix::fs::symlink("/etc/passwd", root.join("passwd")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
    let into = folder.beside("fetched");
    assert_eq!(folder.drop.fetch_files(&outcome, &into).unwrap(), [into.join("file")]);
}

/// P24: of an attempt that did not succeed nothing is left, however it ended.
#[test]
fn the_files_of_a_failed_attempt_are_gone() {
    let folder = Folder::new();
    let leave = r#"mkdir "$FILEDROP_RESULT_DIR/a"; echo x > "$FILEDROP_RESULT_DIR/a/file"; head -c 3000000 /dev/zero"#;
    for end in ["exit 3", "exit 65", "kill -9 $$"] {
        assert_eq!(folder.run(&format!("{leave}; {end}")).disposition, Disposition::Failed);
        assert!(folder.payload().is_empty(), "{end}");
    }
    let id = folder.drop.submit(job()).unwrap();
    let impatient = folder.drop.consumer().max_attempts(1).drain(true);
    let impatient = impatient.handler_timeout(Some(Duration::from_millis(500)));
    impatient.run_command(sh(&format!("{leave}; sleep 600"))).unwrap();
    let outcome = folder.drop.outcome(&id).unwrap().unwrap();
    assert_eq!(outcome.problem().unwrap().kind, Problem::TIMEOUT);
    assert!(folder.payload().is_empty());

    // Nor of one that is to be repeated.
    let id = folder.drop.submit(job()).unwrap();
    let script = format!("{leave}; [ $FILEDROP_ATTEMPT = 3 ]");
    until("the third attempt", || {
        let again = folder.drop.consumer().drain(true).backoff(Duration::from_millis(1));
        again.run_command(sh(&script)).unwrap();
        folder.drop.outcome(&id).unwrap()
    });
    let outcome = folder.drop.outcome(&id).unwrap().unwrap();
    assert_eq!((outcome.disposition, outcome.attempt()), (Disposition::Succeeded, 3));
    folder.assert_payload_is(&[&outcome]);
}

#[test]
fn a_job_that_is_handed_back_leaves_nothing() {
    let folder = Folder::new();
    let begun = folder.beside("begun");
    let id = folder.drop.submit(job()).unwrap();
    let consumer = folder.drop.consumer();
    let stopper = consumer.stopper();
    let script = format!(r#"echo > "$FILEDROP_RESULT_DIR/file"; echo > '{}'; sleep 600"#, begun.display());
    let running = std::thread::spawn(move || consumer.run_command(sh(&script)));
    until("the handler", || begun.exists().then_some(()));
    assert_eq!(folder.payload().len(), 1);
    stopper.stop_now();
    assert_eq!(running.join().unwrap().unwrap().handed_back, 1);
    assert_eq!(folder.drop.locate(&id).unwrap()[0].room, "inbox");
    assert!(folder.payload().is_empty());
}

/// P24: two handle one job, as after a lease that ran out; what travels is what the outcome that counts refers to.
#[test]
fn files_of_an_outcome_that_does_not_count_are_gone() {
    let folder = Folder::new();
    let id = folder.drop.submit(job()).unwrap();
    // The other's outcome comes while the first one is still at work.
    let other =
        r#"{"specversion":"1.0","id":"o","source":"/t","type":"filedrop.outcome","outcome":"succeeded"}"#;
    let other = other.replace("\"outcome\"", &format!("\"causationid\":\"{id}\",\"outcome\""));
    let day = folder.drop.path().join("outcomes").join(id.minted_at().unwrap().day());
    fs::create_dir_all(&day).unwrap();
    let slot = day.join(format!("{id}.outcome.json"));
    let script = format!(
        r#"echo > "$FILEDROP_RESULT_DIR/file"; head -c 2000000 /dev/zero; printf %s '{other}' > '{}'"#,
        slot.display()
    );
    let summary = folder.drop.consumer().drain(true).run_command(sh(&script)).unwrap();
    assert_eq!((summary.superseded, summary.succeeded), (1, 0));
    assert!(folder.payload().is_empty());
    assert_eq!(folder.drop.outcome(&id).unwrap().unwrap().files_ref(), None);
}

/// Environment: what is not this job's is not there, though the consumer may have it from the one that it is a handler of.
#[test]
fn a_handler_is_told_of_its_own_files_only() {
    let folder = Folder::new();
    let script = r#"printf '%s ' "${FILEDROP_PAYLOAD-unset}"; [ -d "$FILEDROP_RESULT_DIR" ] && echo "$FILEDROP_RESULT_DIR""#;
    let outcome = folder.run(script);
    let said = String::from_utf8(outcome.data().to_vec()).unwrap();
    let expected = format!("unset {}/{}.", folder.drop.path().join("payload").display(), outcome.job_id());
    assert!(said.starts_with(&expected), "{said}");
    let id = folder.drop.submit(job().attach(folder.file("a", ""))).unwrap();
    let check = folder.job(&id).files_ref().unwrap();
    folder.drain(sh("printf %s $FILEDROP_PAYLOAD"));
    let said = String::from_utf8(folder.drop.outcome(&id).unwrap().unwrap().data().to_vec()).unwrap();
    assert_eq!(said, folder.drop.path().join("payload").join(check.name()).display().to_string());
}

/// A reference that leads elsewhere makes a job invalid: no handler is ever told of it.
#[test]
fn a_job_cannot_refer_to_what_is_elsewhere() {
    let folder = Folder::new();
    for (nth, reference) in
        ["../../etc/", "/etc/", "payload/../../x/", "payload/x.data"].into_iter().enumerate()
    {
        let envelope = format!(
            r#"{{"specversion":"1.0","id":"bad-{nth}","source":"/t","type":"t","filesref":"{reference}"}}"#
        );
        let name = format!("inbox/5.1700000000000.bad-{nth}.1.job.json");
        fs::write(folder.drop.path().join(name), envelope).unwrap();
    }
    folder.drain(sh("echo ran > \"$FILEDROP_DROP/ran\""));
    assert_eq!(folder.drop.census().unwrap().rooms.invalid, 4);
    assert!(!folder.drop.path().join("ran").exists());
}

/// `dataref`: data of a job that travels beside it is what its handler reads.
#[test]
fn data_beside_a_job_is_on_stdin() {
    let folder = Folder::new();
    let large = vec![b'x'; 20 << 20];
    let payload = folder.drop.path().join("payload");
    fs::write(payload.join("big.0123456789abcdef.data"), &large).unwrap();
    let envelope = |id: &str, data: &str| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"/t","type":"t","dataref":"payload/{data}"}}"#)
    };
    for (id, data) in [("big", "big.0123456789abcdef.data"), ("gone", "gone.0123456789abcdef.data")] {
        let name = format!("inbox/5.1700000000000.{id}.1.job.json");
        fs::write(folder.drop.path().join(name), envelope(id, data)).unwrap();
    }
    folder.drain(sh("wc -c"));
    let outcome = |id: &str| folder.drop.outcome(&id.parse().unwrap()).unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(outcome("big").data()).trim(), large.len().to_string());
    assert!(outcome("gone").problem().unwrap().detail.contains("travels beside it"));
}

/// What a handler was asked to leave is no job's data.
#[test]
fn a_file_beside_the_results_is_not_the_data() {
    let folder = Folder::new();
    let outcome = folder.run(r#"echo fake > "$FILEDROP_RESULT_DIR.data"; echo real"#);
    assert_eq!((outcome.data(), outcome.data_ref()), (&b"real\n"[..], None));
    let outcome = folder.run(r#"head -c 2000000 /dev/zero; rm "$FILEDROP_RESULT_DIR.data"; sleep 0.1"#);
    assert_eq!(outcome.problem().map(|problem| problem.kind), Some(Problem::HANDLER.to_owned()));
    assert!(folder.payload().is_empty());
    assert!(folder.drop.submit(Submission::new("still")).is_ok());
}
