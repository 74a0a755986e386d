//! `filedrop gc`: what it says, what it removes, and what it only says that it would.

use std::path::Path;

use serde_json::Value;

use crate::harness::{Folder, wait_until};

/// Two jobs that are done, and one that waits.
fn furnished() -> Folder {
    let folder = Folder::new();
    folder.submit("1");
    folder.submit("2");
    folder.drain("cat");
    folder.submit("3");
    folder
}

#[test]
fn a_dry_run_lists_and_removes_nothing() {
    let folder = furnished();
    let words = "filedrop gc DROP --dry-run --keep 1ms";
    let ended = wait_until("they are old enough", || {
        let ended = folder.run(words, &[]).with(0);
        (ended.text().lines().count() == 4).then_some(ended)
    });
    for path in ended.text().lines() {
        assert!(folder.path.join(path).exists() || Path::new(path).exists(), "{path} is still there");
    }
    assert!(ended.text().contains(".outcome.json") && ended.text().contains(".job.json"), "{ended:?}");
    assert!(!ended.err.is_empty(), "what it comes to is on stderr");
}

#[test]
fn what_was_kept_long_enough_goes() {
    let folder = furnished();
    let young = folder.run("filedrop gc DROP --json", &[]).with(0);
    let young: Value = serde_json::from_slice(&young.out).expect("one object");
    assert_eq!((&young["jobs"], &young["outcomes"]), (&0.into(), &0.into()), "a week is not over");
    wait_until("they are gone", || {
        folder.run("filedrop gc DROP --keep 1ms", &[]).with(0);
        (folder.names("done").is_empty() && folder.names("outcomes").is_empty()).then_some(())
    });
    assert_eq!(folder.names("inbox").len(), 1, "what waits stays");
    let quiet = folder.run("filedrop gc -q DROP", &[]).with(0);
    assert!(quiet.out.is_empty() && quiet.err.is_empty(), "cron mails what it prints: {quiet:?}");
    folder.drain("cat");
}
