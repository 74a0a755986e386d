//! The file system goes away under programs that run: unmounted, read-only, failed, one that tells of nothing. To mount one takes root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::place::{NOTE, NOTE_LATER, Place, Running, says_yes, skip, until};

fn mount(arguments: &[&str], at: &Path) -> bool {
    says_yes(Command::new("mount").args(arguments).arg(at))
}

/// A small disk at the drop folder's path. What is mounted there goes with it.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// With a drop folder on it.
    fn with(place: &Place) -> Option<Self> {
        let disk = Self { image: place.beside("image"), at: place.drop.clone() };
        fs::create_dir(&disk.at).unwrap();
        File::create_new(&disk.image).unwrap().set_len(16 << 20).unwrap();
        let made = says_yes(Command::new("mkfs.ext4").arg("-q").arg(&disk.image));
        if !made || !disk.mounts() {
            skip("a small disk cannot be mounted here (that takes root, and mkfs.ext4)");
            return None;
        }
        place.hand_over(&disk.at);
        place.run("filedrop init DROP");
        Some(disk)
    }

    fn mounts(&self) -> bool {
        mount(&["-o", "loop", self.image.to_str().unwrap()], &self.at)
    }

    fn unmount_lazily(&self) {
        assert!(says_yes(Command::new("umount").arg("--lazy").arg(&self.at)));
    }

    /// Nobody holds anything that is on it.
    fn is_let_go(&self) -> bool {
        let output = Command::new("losetup").arg("-j").arg(&self.image).output().unwrap();
        output.status.success() && output.stdout.is_empty()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        while says_yes(Command::new("umount").arg("--lazy").arg(&self.at)) {}
    }
}

/// Unmounted with a job in hand: it is settled when the disk is there again, in the attempt that it was.
#[test]
fn a_disk_that_is_unmounted_is_waited_for() {
    let place = Place::without();
    let Some(disk) = Disk::with(&place) else { return };
    let consumer = place.consumer("", NOTE_LATER);
    let id = place.submit("1");
    until("a handler", || place.beside("begun").exists().then_some(()));
    disk.unmount_lazily();
    consumer.tries(4);
    fs::write(place.beside("go"), "").unwrap();
    consumer.says(1, &["cannot settle a job"]);
    assert!(disk.mounts());
    place.succeeds(&id);
    place.succeeds(&place.submit("2"));
    consumer.says(1, &["INFO can ", " again, after"]);
    consumer.is_calm(5);
    consumer.stop();
    assert_eq!(place.notes(), ["1 1", "2 1"]);
    place.run("consumer run DROP --drain -- false");
    place.is_tidy();
}

/// A consumer that has nothing in hand there lets go of a disk that somebody unmounts, also one that failed.
#[test]
fn a_disk_that_failed_is_let_go_and_used_again() {
    let place = Place::without();
    let Some(disk) = Disk::with(&place) else { return };
    let consumer = place.consumer("", NOTE);
    place.succeeds(&place.submit("1"));
    assert!(mount(&["-o", "remount,errors=remount-ro"], &disk.at));
    let source = Command::new("findmnt").args(["-no", "SOURCE"]).arg(&disk.at).output().unwrap().stdout;
    let device = String::from_utf8(source).unwrap().trim().replace("/dev/", "");
    fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "1").unwrap();
    consumer.says(1, &["WARN cannot", "Read-only file system"]);
    consumer.tries(4);
    disk.unmount_lazily();
    until("nobody holds it", || disk.is_let_go().then_some(()));
    assert!(disk.mounts());
    place.succeeds(&place.submit("2"));
    consumer.is_calm(5);
    consumer.stop();
    assert_eq!(place.notes(), ["1 1", "2 1"]);
}

/// Mounted read-only over what a consumer has open.
#[test]
fn a_read_only_folder_is_waited_for() {
    let place = Place::without();
    let Some(disk) = Disk::with(&place) else { return };
    let consumer = place.consumer("", NOTE);
    place.succeeds(&place.submit("1"));
    consumer.signal(Signal::STOP);
    until("it is stopped", || consumer.is_stopped().then_some(()));
    let id = place.submit("2");
    assert!(mount(&["--bind", disk.at.to_str().unwrap()], &disk.at));
    assert!(mount(&["-o", "remount,bind,ro"], &disk.at));
    consumer.signal(Signal::CONT);
    consumer.says(1, &["WARN cannot", "Read-only file system"]);
    consumer.tries(4);
    consumer.is_calm(3);
    disk.unmount_lazily();
    place.succeeds(&id);
    consumer.says(1, &["INFO can ", " again, after"]);
    consumer.stop();
    assert_eq!(place.notes(), ["1 1", "2 1"]);
    place.is_tidy();
}

/// A mount by a program of its user's, whose other side changes without a notification.
struct Mirror {
    at: PathBuf,
    server: Running,
}

impl Mirror {
    fn of(source: &Path, at: &Path) -> Option<Self> {
        let mut bindfs = Command::new("bindfs");
        bindfs.args(["-f", "-o", "allow_other"]).arg(source).arg(at);
        if !says_yes(Command::new("bindfs").arg("--version")) || !Path::new("/dev/fuse").exists() {
            skip("there is no FUSE here (package bindfs)");
            return None;
        }
        let mirror = Self { at: at.to_owned(), server: Running::start(bindfs) };
        until("the mount", || at.join("filedrop.json").exists().then_some(()));
        Some(mirror)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        says_yes(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

/// Jobs come by the other side, untold; then its server dies, as with a share that is unmounted by force.
#[test]
fn a_mount_that_tells_of_nothing_is_looked_at() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root may mount what others use");
    }
    let place = Place::new();
    let other_side = Place::without();
    let at = other_side.drop.clone();
    fs::create_dir(&at).unwrap();
    let Some(mirror) = Mirror::of(&place.drop, &at) else { return };
    let consumer = other_side.consumer("--watch auto", NOTE);
    consumer.says(1, &["registered"]);
    place.succeeds(&place.submit("1"));
    mirror.server.signal(Signal::KILL);
    consumer.says(1, &["WARN cannot", "not connected"]);
    consumer.tries(4);
    consumer.is_calm(4);
    let id = place.submit("2");
    drop(mirror);
    let Some(mirror) = Mirror::of(&place.drop, &at) else { return };
    place.succeeds(&id);
    consumer.says(1, &["INFO can ", " again, after"]);
    consumer.is_calm(5);
    consumer.stop();
    drop(mirror);
    assert_eq!(other_side.notes(), ["1 1", "2 1"]);
}
