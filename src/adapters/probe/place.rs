//! What a folder lies on: the file system, how it is mounted, and how much room is left.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

use crate::adapters::fs::{Nature, kind};

/// What a folder lies on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Surroundings {
    /// The file system, as it is mounted, or by its magic number; `unknown` if neither tells.
    pub file_system: String,
    /// Who is on its other side.
    pub nature: Nature,
    /// Where it is mounted.
    pub mounted_at: Option<PathBuf>,
    /// What is mounted there: a device, a server's folder.
    pub source: Option<String>,
    /// With which options.
    pub options: Vec<String>,
    /// Whether it has a journal; `None` if nobody tells.
    pub journal: Option<bool>,
    /// Whether nothing can be changed there.
    pub read_only: bool,
    /// How many bytes this user may still write there.
    pub free_bytes: u64,
    /// How many files may still be made there, where that is limited.
    pub free_files: Option<u64>,
}

/// # Errors
/// If there is nothing, or the kernel does not tell.
pub(crate) fn look(path: &Path) -> io::Result<Surroundings> {
    let kind = kind(path)?;
    let room = rustix::fs::statvfs(path)?;
    let mount = mount_of(&mounts(), path).unwrap_or_default();
    let file_system = match (&mount.file_system[..], kind.name) {
        ("", "") => "unknown",
        // Of what lies behind an automount only the magic number tells.
        ("" | "autofs", name) => name,
        (name, _) => name,
    };
    Ok(Surroundings {
        journal: journal(file_system, mount.source.as_deref()),
        file_system: file_system.to_owned(),
        nature: kind.nature,
        mounted_at: mount.at,
        source: mount.source,
        options: mount.options,
        read_only: room.f_flag.contains(StatVfsMountFlags::RDONLY),
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        free_files: (room.f_files > 0).then_some(room.f_favail),
    })
}

/// All mounts, as the kernel tells them; nothing if it does not.
pub(super) fn mounts() -> Vec<u8> {
    std::fs::read("/proc/self/mountinfo").unwrap_or_default()
}

/// Where what a path lies on is mounted, if that was told.
pub(super) fn mounted_at(mounts: &[u8], path: &Path) -> Option<PathBuf> {
    mount_of(mounts, path)?.at
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Mount {
    at: Option<PathBuf>,
    file_system: String,
    source: Option<String>,
    options: Vec<String>,
}

/// The mount that a path lies on: the last one of those that lead deepest (`proc_pid_mountinfo(5)`).
fn mount_of(mounts: &[u8], path: &Path) -> Option<Mount> {
    let path = path.canonicalize().ok()?;
    let mut found: Option<Mount> = None;
    for line in mounts.split(|byte| *byte == b'\n') {
        let Some(mount) = parse(line) else { continue };
        let depth = |mount: &Mount| mount.at.as_ref().map_or(0, |at| at.components().count());
        let leads_here = mount.at.as_ref().is_some_and(|at| path.starts_with(at));
        if leads_here && found.as_ref().is_none_or(|found| depth(found) <= depth(&mount)) {
            found = Some(mount);
        }
    }
    found
}

/// `36 35 98:0 /root /mnt rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue`
fn parse(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let end = fields.iter().position(|field| *field == b"-")?;
    let at = OsString::from_vec(plain(fields.get(4)?));
    let text = |field: &[u8]| String::from_utf8_lossy(&plain(field)).into_owned();
    let mut options: Vec<String> = Vec::new();
    for list in [fields.get(5)?, fields.get(end + 3)?] {
        options.extend(text(list).split(',').map(str::to_owned));
    }
    let mut seen = std::collections::BTreeSet::new();
    options.retain(|option| seen.insert(option.clone()));
    Some(Mount {
        at: Some(at.into()),
        file_system: text(fields.get(end + 1)?),
        source: Some(text(fields.get(end + 2)?)),
        options,
    })
}

/// Without the escapes of blanks: `\040`.
fn plain(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal =
            after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

/// Of ext3 and ext4 the kernel shows the journals that it writes; ext2 has none; xfs cannot be without.
fn journal(file_system: &str, source: Option<&str>) -> Option<bool> {
    match file_system {
        "ext2" => Some(false),
        "xfs" | "btrfs" | "jfs" | "zfs" => Some(true),
        "ext3" | "ext4" => {
            let device = Path::new(source?).canonicalize().ok()?;
            let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
            journal_among(&name(&device)?, &names("/proc/fs/ext4"), &names("/proc/fs/jbd2"))
        }
        _ => None,
    }
}

fn names(dir: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A journal in the file system itself is called `<device>-<inode>`, one on a device of its own as that is.
fn journal_among(device: &str, shown: &[String], journals: &[String]) -> Option<bool> {
    let owner = |journal: &str| {
        let (device, inode) = journal.rsplit_once('-')?;
        let is_shown = shown.iter().any(|shown| shown == device);
        (is_shown && inode.bytes().all(|b| b.is_ascii_digit())).then(|| device.to_owned())
    };
    if !shown.iter().any(|shown| shown == device) {
        return None;
    }
    let owners: Vec<_> = journals.iter().map(|journal| owner(journal)).collect();
    if owners.iter().flatten().any(|owner| owner == device) {
        return Some(true);
    }
    // One of nobody's may be on a device of its own, and this one's.
    owners.iter().all(Option::is_some).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_latest_mount_counts() {
        let mounts = b"21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n\
            22 21 0:5 / /proc rw,nosuid shared:13 - proc none rw\n\
            23 22 0:6 / /proc/self rw - tmpfs a\\040b rw,size=4k\n\
            24 21 0:7 / /pro rw - tmpfs no rw\nnonsense\n\n";
        let mount = mount_of(mounts, Path::new("/proc/sys")).unwrap();
        assert_eq!(
            (&mount.file_system[..], mount.options),
            ("proc", vec!["rw".to_owned(), "nosuid".to_owned()])
        );
        assert_eq!(mount_of(mounts, Path::new("/usr")).unwrap().source.as_deref(), Some("/dev/sda1"));
        assert_eq!(
            parse(mounts.split(|b| *b == b'\n').nth(2).unwrap()).unwrap().source.as_deref(),
            Some("a b")
        );
        assert_eq!(mount_of(mounts, Path::new("/none/such")), None);
    }

    #[test]
    fn journals_are_told_from_none() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let shown = names(&["vda", "loop0", "dm-1"]);
        let among = |device, journals: &[&str]| journal_among(device, &shown, &names(journals));
        assert_eq!(among("loop0", &["loop0-8"]), Some(true));
        assert_eq!(among("vda", &["loop0-8", "dm-1-8"]), Some(false));
        assert_eq!(among("vda", &[]), Some(false));
        assert_eq!(among("vda", &["loop0-8", "dm-0"]), None, "it may be on another device");
        assert_eq!(among("dm", &["dm-1"]), None, "the kernel does not show this one");
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(plain(br"a\040b\134c\9"), br"a b\c\9");
    }
}
