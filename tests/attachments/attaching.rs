//! Files that travel with a job.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{AttachBy, Attachment, Store as _};
use filedrop::{Error, ErrorKind, Submission};
use tempfile::TempDir;

use crate::{Folder, job, sh};

/// A folder on another file system than the drop folder. None where there is no such.
fn elsewhere(folder: &Folder) -> Option<TempDir> {
    let place = tempfile::tempdir_in("/dev/shm").ok()?;
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    let other = device(place.path()) != device(folder.drop.path());
    assert!(other || std::env::var_os("CI").is_none(), "/dev/shm is where the drop folder is");
    other.then_some(place)
}

fn odd_names() -> [&'static OsStr; 6] {
    let odd: [&[u8]; 6] =
        [b"plain.txt", b"with space", b"-n", b"new\nline", b"\xff\xfe not text", "ünïcödé".as_bytes()];
    odd.map(OsStr::from_bytes)
}

/// P23: whatever the names and however they came, the handler finds the files, and nothing else.
#[test]
fn files_travel_under_their_own_names() {
    type How = fn(Submission, PathBuf) -> Submission;
    let ways: [How; 3] =
        [|job, path| job.attach(path), |job, path| job.move_in(path), |job, path| job.link(path)];
    for (way, how) in ways.into_iter().enumerate() {
        let folder = Folder::new();
        let mut asked = job();
        for name in odd_names() {
            asked = how(asked, folder.file(name, name.as_bytes()));
        }
        let id = folder.drop.submit(asked).unwrap();
        for path in folder.files(&id) {
            assert_eq!(fs::read(&path).unwrap(), path.file_name().unwrap().as_bytes());
        }
        for name in odd_names() {
            let (here, moved) = (folder.beside(name).exists(), way == 1);
            assert_eq!(here, !moved, "{name:?}");
        }
        // `find`, since `ls` would quote.
        folder.drain(sh(r#"cd "$FILEDROP_PAYLOAD" && find . -type f -print0 | LC_ALL=C sort -z"#));
        let seen = folder.drop.outcome(&id).unwrap().unwrap();
        let mut expected: Vec<_> = odd_names().map(|name| [b"./", name.as_bytes(), b"\0"].concat()).into();
        expected.sort();
        assert_eq!(seen.data(), expected.concat());
        assert_eq!(folder.payload().len(), 1, "they stay as long as the job is kept");
    }
}

#[test]
fn a_copy_is_a_copy_and_a_link_is_not() {
    let folder = Folder::new();
    let paths = ["copied", "linked"].map(|name| folder.file(name, "before"));
    let id = folder.drop.submit(job().attach(&paths[0]).link(&paths[1])).unwrap();
    for path in &paths {
        fs::write(path, "after, and longer").unwrap();
    }
    let content: Vec<_> = folder.files(&id).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(content, ["before", "after, and longer"]);
}

#[test]
fn a_move_on_one_file_system_copies_nothing() {
    let folder = Folder::new();
    let path = folder.file("large", "content");
    let inode = fs::metadata(&path).unwrap().ino();
    let id = folder.drop.submit(job().move_in(&path)).unwrap();
    assert_eq!(fs::metadata(&folder.files(&id)[0]).unwrap().ino(), inode);
    assert!(!path.exists());
}

#[test]
fn from_another_file_system_a_move_copies_and_a_link_is_refused() {
    let folder = Folder::new();
    let Some(place) = elsewhere(&folder) else { return };
    let path = place.path().join("far away");
    fs::write(&path, "content").unwrap();
    let e = folder.drop.submit(job().link(&path)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Invalid);
    assert!(e.to_string().contains("--attach"), "{e}");
    assert!(folder.payload().is_empty());
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let id = folder.drop.submit(job().move_in(&path)).unwrap();
    let there = folder.files(&id).remove(0);
    assert_eq!(fs::read(&there).unwrap(), b"content");
    assert_eq!(fs::metadata(&there).unwrap().modified().unwrap(), time);
    assert!(!path.exists());
}

/// The name goes only if it is still that of what was moved.
#[test]
fn what_was_changed_meanwhile_stays() {
    let folder = Folder::new();
    let Some(place) = elsewhere(&folder) else { return };
    let root = folder.drop.path();
    let store = LocalStore::open(OsFs::at(root).unwrap(), OsHost, root).unwrap();
    let (far, near) = (place.path().join("far"), folder.beside("near"));
    let files = [&far, &near].map(|path| Attachment { path: path.clone(), how: AttachBy::Move });
    let attach = |id: &str| {
        fs::write(&far, "content").unwrap();
        fs::write(&near, "content").unwrap();
        store.attach(&id.parse().unwrap(), &files, &mut |_| ()).unwrap()
    };
    let check = attach("same");
    assert_eq!(store.finish_move(&check, &files), Vec::<PathBuf>::new());
    assert!(!far.exists() && !near.exists());
    assert_eq!(store.finish_move(&check, &files), Vec::<PathBuf>::new(), "it may be repeated");

    let check = attach("changed");
    fs::OpenOptions::new().append(true).open(&far).unwrap().set_len(3).unwrap();
    // To write to a file that was linked changes what was moved; to replace it does not. A quick disk gives both the same time.
    fs::write(folder.beside("new"), "content").unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
    fs::File::options().append(true).open(folder.beside("new")).unwrap().set_modified(later).unwrap();
    fs::rename(folder.beside("new"), &near).unwrap();
    assert_eq!(
        store.finish_move(&check, &files),
        [far.clone(), near.clone()].into_iter().collect::<Vec<_>>()
    );
    assert!(far.exists() && near.exists());
}

fn refused(folder: &Folder, asked: Submission, kind: ErrorKind) -> Error {
    let e = folder.drop.submit(asked).unwrap_err();
    assert_eq!(e.kind(), kind, "{e}");
    assert!(folder.payload().is_empty(), "{e}");
    assert_eq!(folder.drop.census().unwrap().rooms.inbox, 0);
    e
}

#[test]
fn what_cannot_travel_is_refused_and_nothing_is_left() {
    let folder = Folder::new();
    let good = folder.file("good", "x");
    let missing = folder.beside("missing");
    let pipe = folder.beside("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let inner = folder.beside("inner");
    fs::create_dir(&inner).unwrap();
    let twin = inner.join("good");
    fs::write(&twin, "y").unwrap();
    let link = folder.beside("link");
    symlink(&good, &link).unwrap();
    let dangling = folder.beside("dangling");
    symlink("nowhere", &dangling).unwrap();

    use ErrorKind::{Invalid, NotFound};
    let first = || job().move_in(&good);
    let e = refused(&folder, first().attach(&twin), Invalid);
    assert!(e.to_string().contains("two files of one name") && e.path() == Some(&twin), "{e}");
    refused(&folder, first().attach(&missing), NotFound);
    refused(&folder, first().move_in(&missing), NotFound);
    refused(&folder, first().link(&missing), NotFound);
    refused(&folder, first().attach(&dangling), NotFound);
    refused(&folder, first().attach(&inner), Invalid);
    refused(&folder, first().attach("/"), Invalid);
    refused(&folder, first().attach(".."), Invalid);
    // Nobody writes to it, so whoever opened it as it is would wait for ever.
    refused(&folder, first().attach(&pipe), Invalid);
    refused(&folder, first().move_in(&pipe), Invalid);
    refused(&folder, first().attach("/dev/zero"), Invalid);
    refused(&folder, first().link(&link), Invalid);
    refused(&folder, first().move_in(&link), Invalid);
    assert!([&good, &twin, &pipe, &link].iter().all(|path| fs::symlink_metadata(path).is_ok()), "all stay");
}

#[test]
fn a_link_that_is_named_is_followed_to_be_copied() {
    let folder = Folder::new();
    let target = folder.file("target", "content");
    let link = folder.beside("link");
    symlink(&target, &link).unwrap();
    let id = folder.drop.submit(job().attach(&link)).unwrap();
    let there = folder.files(&id).remove(0);
    assert_eq!(there.file_name(), link.file_name());
    assert!(fs::symlink_metadata(&there).unwrap().is_file());
    assert_eq!(fs::read(&there).unwrap(), b"content");
}

/// P23: nothing travels with a job that is not there.
#[test]
fn a_job_that_cannot_be_published_leaves_nothing() {
    let folder = Folder::new();
    let path = folder.file("file", "content");
    let inbox = folder.drop.path().join("inbox");
    fs::remove_dir(&inbox).unwrap();
    fs::write(&inbox, "").unwrap();
    let e = folder.drop.submit(job().move_in(&path)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io, "{e}");
    assert!(folder.payload().is_empty());
    assert_eq!(fs::read(&path).unwrap(), b"content");
    // One that does not fit an envelope is refused before anything is copied.
    let large = Submission::new("large").data(vec![b'x'; filedrop::MAX_FILE_BYTES]).move_in(&path);
    assert_eq!(folder.drop.submit(large).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(path.exists() && folder.payload().is_empty());
}

/// The first submitter may have died before it could look whether they are still there.
#[test]
fn a_job_that_lost_its_files_is_not_called_submitted() {
    for delay in [None, Some(Duration::from_secs(3600))] {
        let folder = Folder::new();
        let asked = || {
            let job = job().id("order-1".parse().unwrap()).move_in(folder.beside("a"));
            delay.into_iter().fold(job, Submission::delay)
        };
        folder.file("a", b"x");
        folder.drop.submit(asked()).unwrap();
        folder.file("a", b"x");
        assert_eq!(folder.drop.submit(asked()).unwrap().as_str(), "order-1");
        for payload in folder.payload() {
            fs::remove_dir_all(folder.drop.path().join("payload").join(payload)).unwrap();
        }
        folder.file("a", b"x");
        assert_eq!(folder.drop.submit(asked()).unwrap_err().kind(), ErrorKind::Uncertain, "{delay:?}");
        assert!(folder.beside("a").exists(), "what was to be moved stays");
    }
}

#[test]
fn progress_tells_of_every_byte() {
    let folder = Folder::new();
    let (copied, linked) = (folder.file("copied", vec![1; 3 << 20]), folder.file("linked", "12345"));
    let mut told = 0;
    let asked = job().attach(copied).link(linked);
    folder.drop.submit_with_progress(vec![asked], &mut |bytes| told += bytes).unwrap();
    assert_eq!(told, (3 << 20) + 5);
}
