//! Who has a file open for writing, as far as this process may know.

use std::collections::HashMap;

use crate::ports::FileId;

/// A process that has a file open for writing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// The name of its command, as the system tells it.
    pub command: String,
}

/// Who has each of these files open for writing. Processes that this one may not look into are passed over.
#[cfg(target_os = "linux")]
pub(crate) fn holders(mut files: HashMap<FileId, Vec<Holder>>) -> HashMap<FileId, Vec<Holder>> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return files };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(open) = std::fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in open.flatten() {
            // What it stands for, also if that has no name any more. To look does not open it.
            let Ok(meta) = std::fs::metadata(descriptor.path()) else { continue };
            let id = FileId {
                dev: std::os::unix::fs::MetadataExt::dev(&meta),
                ino: std::os::unix::fs::MetadataExt::ino(&meta),
            };
            let Some(found) = files.get_mut(&id) else { continue };
            let told = process.path().join("fdinfo").join(descriptor.file_name());
            if !std::fs::read_to_string(told).is_ok_and(|told| writes(&told)) {
                continue;
            }
            let command = std::fs::read(process.path().join("comm")).unwrap_or_default();
            let holder = Holder { pid, command: String::from_utf8_lossy(&command).trim_end().to_owned() };
            if !found.contains(&holder) {
                found.push(holder);
            }
        }
    }
    files.values_mut().for_each(|found| found.sort());
    files
}

/// No other system tells in this way.
#[cfg(not(target_os = "linux"))]
pub(crate) fn holders(files: HashMap<FileId, Vec<Holder>>) -> HashMap<FileId, Vec<Holder>> {
    files
}

/// Whether a descriptor was opened for writing, by what `/proc/<pid>/fdinfo/<fd>` says: the flags of `open(2)`, in octal.
#[cfg(target_os = "linux")]
fn writes(told: &str) -> bool {
    let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    // O_WRONLY is 1, O_RDWR is 2.
    flags.is_some_and(|flags| flags & 3 != 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn writers_are_named_and_readers_are_not() {
        let place = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let file = File::create(place.path().join(name)).unwrap();
            let meta = file.metadata().unwrap();
            (file, FileId { dev: meta.dev(), ino: meta.ino() })
        };
        let ((writer, written), (closed, read)) = (open("a"), open("b"));
        drop(closed);
        let _reader = File::open(place.path().join("b")).unwrap();
        let found = holders([written, read].map(|id| (id, Vec::new())).into());
        assert_eq!(found[&written].iter().map(|holder| holder.pid).collect::<Vec<_>>(), [std::process::id()]);
        assert!(!found[&written][0].command.is_empty());
        assert!(found[&read].is_empty());
        drop(writer);
    }
}
