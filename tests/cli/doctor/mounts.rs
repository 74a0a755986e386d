//! File systems of their own, to be had by who may mount.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system; gone after the test.
pub(crate) struct Mounted {
    pub(crate) at: PathBuf,
}

impl Mounted {
    pub(crate) fn tmpfs(at: PathBuf) -> Option<Self> {
        Self::by(at, "mount (that takes root)", |at| {
            says_yes(Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(at))
        })
    }

    /// With or without a journal.
    pub(crate) fn ext4(at: PathBuf, journal: bool) -> Option<Self> {
        let feature = if journal { "has_journal" } else { "^has_journal" };
        Self::by(at, "mount (that takes root) and mkfs.ext4 (package e2fsprogs)", |at| {
            let image = image_beside(at);
            says_yes(Command::new("mkfs.ext4").args(["-q", "-O", feature]).arg(&image))
                && says_yes(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(at))
        })
    }

    /// Without hard links, and by a program.
    pub(crate) fn exfat(at: PathBuf) -> Option<Self> {
        Self::by(
            at,
            "mkfs.exfat (package exfatprogs), mount.exfat-fuse (package exfat-fuse), /dev/fuse and root",
            |at| {
                // It takes devices only.
                let attach =
                    Command::new("losetup").args(["--find", "--show"]).arg(image_beside(at)).output();
                let Ok(attached) = attach else { return false };
                let device = String::from_utf8(attached.stdout).expect("a path").trim().to_owned();
                let mounted = says_yes(Command::new("mkfs.exfat").arg(&device))
                    && says_yes(Command::new("mount.exfat-fuse").arg(&device).arg(at));
                // It goes as soon as nothing is mounted from it any more.
                says_yes(Command::new("losetup").args(["--detach", &device]));
                mounted
            },
        )
    }

    /// Shows another folder, by a program: what is done there is not told here.
    pub(crate) fn mirror(of: &Path, at: PathBuf) -> Option<Self> {
        Self::by(at, "bindfs (package bindfs) and /dev/fuse", |at| {
            says_yes(Command::new("bindfs").arg(of).arg(at))
        })
    }

    fn by(at: PathBuf, needs: &str, mount: impl FnOnce(&Path) -> bool) -> Option<Self> {
        fs::create_dir(&at).expect("a folder");
        if !mount(&at) {
            let why = format!("this needs {needs}");
            assert!(std::env::var_os("CI").is_none(), "CI skips nothing: {why}");
            // Past the test harness, which keeps what tests that pass say.
            writeln!(std::io::stderr(), "skipped: {why}").expect("stderr is open");
            return None;
        }
        Some(Self { at })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        says_yes(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

fn image_beside(at: &Path) -> PathBuf {
    let image = at.with_extension("image");
    File::create(&image).and_then(|file| file.set_len(64 << 20)).expect("an image");
    image
}

fn says_yes(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
