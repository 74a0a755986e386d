//! Dead letters with files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::Store as _;
use filedrop::{ErrorKind, InboxName};

use crate::{Folder, job, sh};

fn letter(folder: &Folder) -> InboxName {
    let names = crate::names(&folder.drop.path().join("dead"));
    InboxName::parse_archived(names.iter().find(|name| name.ends_with(".job.json")).unwrap()).unwrap()
}

fn store(folder: &Folder) -> LocalStore<OsFs, OsHost> {
    let root = folder.drop.path();
    LocalStore::open(OsFs::at(root).unwrap(), OsHost, root).unwrap()
}

/// P21: what travelled with the dead letter travels with the job that it becomes; nothing is copied.
#[test]
fn files_go_with_the_new_job() {
    let folder = Folder::new();
    let path = folder.file("a b", "content");
    let old = folder.drop.submit(job().attach(path)).unwrap();
    let before = folder.files(&old).remove(0);
    folder.drain(sh("exit 3"));
    let new = store(&folder).redrive(&letter(&folder)).unwrap();
    assert_ne!(new, old);
    let after = folder.files(&new).remove(0);
    assert_eq!(after.file_name(), before.file_name());
    let inode = |path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&after), inode(&before));
    // Retention removes the old job's: the new one's stay.
    fs::remove_dir_all(before.parent().unwrap()).unwrap();
    folder.drain(sh(r#"cat "$FILEDROP_PAYLOAD/a b""#));
    assert_eq!(folder.drop.outcome(&new).unwrap().unwrap().data(), b"content");
}

#[test]
fn nested_folders_and_data_too() {
    let folder = Folder::new();
    let payload = folder.drop.path().join("payload");
    fs::create_dir_all(payload.join("old.0123456789abcdef/deep/er")).unwrap();
    fs::write(payload.join("old.0123456789abcdef/deep/er/file"), "file").unwrap();
    fs::write(payload.join("old.fedcba9876543210.data"), "data").unwrap();
    let envelope = r#"{"specversion":"1.0","id":"old","source":"/t","type":"t","datacontenttype":"text/csv",
        "filesref":"payload/old.0123456789abcdef/","dataref":"payload/old.fedcba9876543210.data"}"#;
    fs::write(folder.drop.path().join("inbox/5.1700000000000.old.1.job.json"), envelope).unwrap();
    folder.drain(sh("exit 3"));
    let new = store(&folder).redrive(&letter(&folder)).unwrap();
    let job = folder.job(&new);
    assert_eq!(job.envelope.text("datacontenttype"), Some("text/csv"));
    assert_eq!(
        [job.files_ref(), job.data_ref()].map(|check| check.unwrap().stamp.id),
        [new.clone(), new.clone()]
    );
    folder.drain(sh(r#"cat - "$FILEDROP_PAYLOAD/deep/er/file""#));
    assert_eq!(folder.drop.outcome(&new).unwrap().unwrap().data(), b"datafile");
}

/// Two redrive it at once, or one again: one job, and what only the loser made is gone.
#[test]
fn redriven_twice_is_one_job_with_its_files() {
    let folder = Folder::new();
    let old = folder.drop.submit(job().attach(folder.file("a", "content"))).unwrap();
    folder.drain(sh("exit 3"));
    let name = letter(&folder);
    let bytes = fs::read(folder.drop.path().join("dead").join(name.archived())).unwrap();
    let first = store(&folder).redrive(&name).unwrap();
    let payload = folder.payload();
    // As another sees it, who was slower.
    fs::write(folder.drop.path().join("dead").join(name.archived()), bytes).unwrap();
    let second = store(&folder).redrive(&name);
    assert_eq!(second.ok(), Some(first.clone()));
    assert_eq!((folder.payload(), payload.len()), (payload, 2));
    assert_eq!(folder.files(&first).len(), 1);
    assert_eq!(folder.drop.locate(&old).unwrap().last().unwrap().room, "done");
}

#[test]
fn without_its_files_it_stays_dead() {
    let folder = Folder::new();
    let id = folder.drop.submit(job().attach(folder.file("a", "content"))).unwrap();
    let check = folder.job(&id).files_ref().unwrap();
    folder.drain(sh("exit 3"));
    fs::remove_dir_all(folder.drop.path().join("payload").join(check.name())).unwrap();
    let e = store(&folder).redrive(&letter(&folder)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound, "{e}");
    assert!(folder.payload().is_empty());
    assert_eq!(folder.drop.census().unwrap().rooms.dead, 1);
}
