//! Files that are fetched out of the folder.

use std::fs;

use filedrop::ErrorKind;

use crate::{Folder, names};

#[test]
fn nothing_is_ever_replaced() {
    let folder = Folder::new();
    let outcome = folder.run(r#"cd "$FILEDROP_RESULT_DIR"; echo new > a; echo new > b"#);
    let into = folder.beside("into");
    fs::create_dir(&into).unwrap();
    fs::write(into.join("b"), "old").unwrap();
    let e = folder.drop.fetch_files(&outcome, &into).unwrap_err();
    assert_eq!((e.kind(), e.path()), (ErrorKind::Io, Some(&*into.join("b"))));
    assert!(e.to_string().contains("not replaced"), "{e}");
    assert_eq!(fs::read(into.join("b")).unwrap(), b"old");
    assert_eq!(names(&into), ["b"], "and nothing else is fetched");
}

#[test]
fn an_outcome_without_files_makes_no_folder() {
    let folder = Folder::new();
    let outcome = folder.run("true");
    let into = folder.beside("into");
    assert!(folder.drop.fetch_files(&outcome, &into).unwrap().is_empty());
    assert!(!into.exists());
}

#[test]
fn what_was_removed_is_said_to_be_gone() {
    let folder = Folder::new();
    let outcome = folder.run(r#"echo x > "$FILEDROP_RESULT_DIR/x"; head -c 2000000 /dev/zero"#);
    let payload = folder.drop.path().join("payload");
    fs::remove_file(payload.join(outcome.data_ref().unwrap().name())).unwrap();
    fs::remove_dir_all(payload.join(outcome.files_ref().unwrap().name())).unwrap();
    let e = folder.drop.fetch_files(&outcome, &folder.beside("into")).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound);
    assert_eq!(folder.drop.read(&outcome).err().unwrap().kind(), ErrorKind::NotFound);
}
