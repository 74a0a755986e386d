//! Which file system a folder lies on, and whether one kernel has that to itself.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::Serialize;

/// Who is on the other side of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// A disk that this kernel has to itself.
    Local,
    /// The memory of this machine: a restart or a power cut takes all of it.
    Memory,
    /// Other machines.
    Network,
    /// A program (FUSE): whatever that has on its other side.
    Program,
    /// Nobody knows.
    Unknown,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// What it is called; empty if it is none that we know.
    pub name: &'static str,
    /// Who is on its other side.
    pub nature: Nature,
}

impl Kind {
    /// Whether one kernel has it to itself. Elsewhere another machine, or a program, may be on its other side, which passes on
    /// neither locks nor notifications.
    pub fn is_local(self) -> bool {
        matches!(self.nature, Nature::Local | Nature::Memory)
    }

    /// Whether a file that is flushed before it has a name is whole after a power cut, once it has one and its folder was flushed:
    /// where that was tried (`tests/powercut`). On btrfs (Linux 6.1) it is empty then.
    pub fn keeps_unnamed(self) -> bool {
        matches!(self.name, "ext4" | "xfs") || self.nature == Nature::Memory
    }

    /// Whether a flush of a folder may return while what it is to make durable is still being written for somebody else.
    pub(crate) fn relies_on_flushes_of_others(self) -> bool {
        self.name == "btrfs"
    }
}

/// The magic numbers of `statfs(2)` and `linux/magic.h`.
#[cfg(target_os = "linux")]
const KINDS: [(u32, &str, Nature); 29] = [
    (0xEF53, "ext4", Nature::Local), // ext2 and ext3, too
    (0x5846_5342, "xfs", Nature::Local),
    (0x9123_683E, "btrfs", Nature::Local),
    (0xCA45_1A4E, "bcachefs", Nature::Local),
    (0x2FC1_2FC1, "zfs", Nature::Local),
    (0xF2F5_2010, "f2fs", Nature::Local),
    (0x794C_7630, "overlay", Nature::Local),
    (0x3153_464A, "jfs", Nature::Local),
    (0x5265_4973, "reiserfs", Nature::Local),
    (0x3434, "nilfs2", Nature::Local),
    (0x0102_1994, "tmpfs", Nature::Memory),
    (0x8584_58F6, "ramfs", Nature::Memory),
    (0x6969, "nfs", Nature::Network),
    (0x517B, "smb", Nature::Network),
    (0xFF53_4D42, "cifs", Nature::Network),
    (0xFE53_4D42, "smb2", Nature::Network),
    (0x0102_1997, "9p", Nature::Network),
    (0x00C3_6400, "ceph", Nature::Network),
    (0x5346_414F, "afs", Nature::Network),
    (0x7375_7245, "coda", Nature::Network),
    (0x0116_1970, "gfs2", Nature::Network),
    (0x7461_636F, "ocfs2", Nature::Network),
    (0x0BD0_0BD0, "lustre", Nature::Network),
    (0x786F_4256, "vboxsf", Nature::Network),
    (0x6573_5546, "fuse", Nature::Program),
    (0x4D44, "vfat", Nature::Unknown),
    (0x2011_BAB0, "exfat", Nature::Unknown),
    (0x7366_746E, "ntfs3", Nature::Unknown),
    (0xF15F, "ecryptfs", Nature::Unknown),
];

/// The file system that `path` lies on.
///
/// # Errors
/// If there is nothing, or the kernel does not tell.
#[cfg(target_os = "linux")]
pub fn kind(path: &Path) -> io::Result<Kind> {
    Ok(named(rustix::fs::statfs(path)?))
}

/// The file system that an open file, or folder, lies on.
///
/// # Errors
/// If the kernel does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn kind_of(file: &File) -> io::Result<Kind> {
    Ok(named(rustix::fs::fstatfs(file)?))
}

#[cfg(target_os = "linux")]
fn named(told: rustix::fs::StatFs) -> Kind {
    let magic = told.f_type as u32;
    let known = KINDS.iter().find(|(known, ..)| *known == magic);
    known.map_or(UNKNOWN, |&(_, name, nature)| Kind { name, nature })
}

/// Nothing is known of other systems' file systems: locks are not trusted there.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn kind(_: &Path) -> io::Result<Kind> {
    Ok(UNKNOWN)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn kind_of(_: &File) -> io::Result<Kind> {
    Ok(UNKNOWN)
}

const UNKNOWN: Kind = Kind { name: "", nature: Nature::Unknown };
