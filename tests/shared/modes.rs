//! What the file system of a shared folder gives to files and folders. Anyone can share with the group that they are in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use filedrop::adapters::fs::OsFs;
use filedrop::ports::Fs;

use crate::users::skip;

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

/// A folder with this mode, with a `tmp/`.
fn folder(mode: u32) -> (tempfile::TempDir, PathBuf, OsFs) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("drop");
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, PermissionsExt::from_mode(mode)).unwrap();
    fs::create_dir(root.join("tmp")).unwrap();
    let fs = OsFs::at(&root).unwrap();
    (place, root, fs)
}

/// Modes that no usual umask leaves to new files.
#[test]
fn what_is_made_has_the_modes_of_the_folder() {
    for (of_folder, of_files) in [(0o2770, 0o660), (0o2777, 0o666), (0o2730, 0o620)] {
        let (_place, root, fs) = folder(of_folder);
        let (file, unnamed, dir) = (root.join("file"), root.join("unnamed"), root.join("dir"));
        fs.create(&file).unwrap();
        assert_eq!(mode(&file), of_files);
        if let Ok(draft) = fs.create_unnamed(&root) {
            fs.link_unnamed(&draft, &unnamed).unwrap();
            assert_eq!(mode(&unnamed), of_files);
        }
        fs.make_dir(&dir).unwrap();
        assert_eq!(mode(&dir), of_folder);
        fs.make_dir(&dir).unwrap_err();
        fs.make_dir(&root.join("nowhere/dir")).unwrap_err();
        assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 0, "no litter");
    }
}

/// Who dies between making a folder and giving it its mode must not leave one that others can neither use nor clear.
#[test]
fn a_folder_never_shows_with_another_mode() {
    let (_place, root, fs) = folder(0o2770);
    let next = AtomicUsize::new(0);
    let path = |nth| root.join(format!("dir-{nth}"));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = 0;
            loop {
                let nth = next.load(Ordering::Relaxed);
                if nth == usize::MAX {
                    return seen;
                }
                if let Ok(meta) = path(nth).metadata() {
                    assert_eq!(meta.mode() & 0o7777, 0o2770);
                    seen += 1;
                }
            }
        });
        for nth in 0..1000 {
            next.store(nth, Ordering::Relaxed);
            fs.make_dir(&path(nth)).unwrap();
        }
        next.store(usize::MAX, Ordering::Relaxed);
        assert!(watcher.join().unwrap() > 0, "some were seen");
    });
}

#[test]
fn a_folder_that_is_not_shared_leaves_all_to_the_umask() {
    let usual = tempfile::tempdir().unwrap();
    fs::write(usual.path().join("file"), "").unwrap();
    fs::create_dir(usual.path().join("dir")).unwrap();
    for not_shared in [0o770, 0o777, 0o2755] {
        let (_place, root, fs) = folder(not_shared);
        let (file, dir) = (root.join("file"), root.join("dir"));
        fs.create(&file).unwrap();
        fs.make_dir(&dir).unwrap();
        assert_eq!(mode(&file), mode(&usual.path().join("file")));
        assert_eq!(mode(&dir) & 0o777, mode(&usual.path().join("dir")));
        fs::set_permissions(&file, PermissionsExt::from_mode(0o700)).unwrap();
        fs.admit(&file).unwrap();
        assert_eq!(mode(&file), 0o700);
    }
}

#[test]
fn what_others_made_is_admitted() {
    let (place, root, fs) = folder(0o2770);
    let (file, dir, link) = (root.join("file"), root.join("dir"), root.join("link"));
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o4711)).unwrap();
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("below"), "").unwrap();
    fs::set_permissions(dir.join("below"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
    let outside = place.path().join("outside");
    fs::write(&outside, "").unwrap();
    fs::set_permissions(&outside, PermissionsExt::from_mode(0o600)).unwrap();
    symlink(&outside, &link).unwrap();
    for path in [&file, &dir, &link] {
        fs.admit(path).unwrap();
    }
    assert_eq!((mode(&file), mode(&dir)), (0o660, 0o2770));
    assert_eq!((mode(&dir.join("below")), mode(&outside)), (0o600, 0o600), "neither below nor behind");
    assert_eq!(fs.admit(&root.join("nothing")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

/// A file that was moved in has the group of where it was made.
#[test]
fn what_was_moved_in_gets_the_group() {
    let (_place, root, fs) = folder(0o2770);
    let ours = rustix::process::getgroups().unwrap().into_iter().chain([rustix::process::getegid()]);
    let shared = root.metadata().unwrap().gid();
    let Some(other) = (match rustix::process::geteuid().is_root() {
        true => Some(13000),
        false => ours.map(|gid| gid.as_raw()).find(|gid| *gid != shared),
    }) else {
        return skip("this process is in one group only");
    };
    let file = root.join("file");
    fs::write(&file, "").unwrap();
    std::os::unix::fs::chown(&file, None, Some(other)).unwrap();
    fs.admit(&file).unwrap();
    assert_eq!((file.metadata().unwrap().gid(), mode(&file)), (shared, 0o660));
}
