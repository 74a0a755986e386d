//! `filedrop init`: how long jobs are kept.

use std::time::Duration;

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::{DropFolder, ErrorKind, InitOptions};

use crate::harness::{Folder, golden};

const DAY: Duration = Duration::from_secs(86_400);

fn keep(folder: &Folder, name: &str) -> Duration {
    let path = folder.beside(name);
    LocalStore::open(OsFs::at(&path).expect("a folder"), OsHost, &path).expect("a drop folder").keep()
}

fn marker(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.beside(name).join("filedrop.json")).expect("a marker")
}

#[test]
fn how_long_jobs_are_kept_is_in_the_folder() {
    let folder = Folder::new();
    assert_eq!((marker(&folder, "drop").as_str(), keep(&folder, "drop")), (r#"{"protocol":0}"#, 7 * DAY));
    folder.run("filedrop init long --keep 30d", &[]).with(0);
    assert_eq!(marker(&folder, "long"), r#"{"protocol":0,"keep_seconds":2592000}"#);
    assert_eq!(keep(&folder, "long"), 30 * DAY);
    folder.run("filedrop init long --keep 720h", &[]).with(0);
    folder.run("filedrop init long", &[]).with(0);
    folder.run("filedrop init drop --keep 7d", &[]).with(0);
    assert_eq!(keep(&folder, "long"), 30 * DAY);

    std::fs::write(folder.beside("long/filedrop.json"), r#"{"keep_seconds":1,"protocol":0,"other":{}}"#)
        .unwrap();
    assert_eq!(keep(&folder, "long"), Duration::from_secs(1));
    std::fs::write(folder.beside("long/filedrop.json"), r#"{"keep_seconds":null,"protocol":0}"#).unwrap();
    assert_eq!(keep(&folder, "long"), 7 * DAY);
}

/// The drop folder of a Return Address keeps what it has as long as the one that it is in.
#[test]
fn a_return_address_has_it_from_its_folder() {
    let folder = Folder::new();
    folder.run("filedrop init long --keep 30d", &[]).with(0);
    let job = r#"{"specversion":"1.0","id":"a","source":"/s","type":"t","replyto":"billing"}"#;
    std::fs::write(folder.beside("long/inbox/5.1700000000000.a.1.job.json"), job).unwrap();
    folder.run("consumer run long --drain -- cat", &[]).with(0);
    assert_eq!(keep(&folder, "long/replies/billing"), 30 * DAY);
}

#[test]
fn what_is_no_time_to_keep_jobs() {
    let folder = Folder::new();
    let mut transcript = String::new();
    let mut note = |words: &str, code| {
        let ended = folder.run(words, &[]).with(code);
        transcript += &format!("$ {words}\n{}", folder.normal(&ended.err, &[]));
    };
    note("filedrop init new --keep 0s", 2);
    note("filedrop init new --keep 1500ms", 2);
    note("filedrop init drop --keep 30d", 73);
    for bad in ["0", "-1", "1.5", "\"7d\""] {
        std::fs::write(
            folder.beside("drop/filedrop.json"),
            format!(r#"{{"protocol":0,"keep_seconds":{bad}}}"#),
        )
        .unwrap();
        note("filedrop status drop", 78);
    }
    note("filedrop init drop", 78);
    golden("init-keep.txt", &transcript);
    assert!(!folder.beside("new").exists());

    let half = InitOptions::new().keep(Duration::from_millis(500));
    let refused = DropFolder::init_with(folder.beside("new"), &half).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
}
