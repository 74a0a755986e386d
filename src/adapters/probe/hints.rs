//! Notifications: whether a watch is told of what happens in a folder, and how soon.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Site;
use super::site::fresh;
use crate::adapters::fs::OsFs;
use crate::adapters::watch::NotifyWatch;
use crate::ports::{Bell, Fs as _};
use crate::words::{Error, Result};

/// How long it took until a watch of our own was told, in microseconds. `None` if it was not, in 2 s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Delays {
    /// Of a new name.
    pub create_us: Option<u64>,
    /// Of a name that came by a rename.
    pub rename_us: Option<u64>,
    /// Of the end of a writer.
    pub close_us: Option<u64>,
}

/// Where notifications work it takes far less, also on a busy machine; where they do not, it is what a program loses at its start.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Does something to a name in a folder, and waits until a watch tells of it.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) if the folder cannot be watched; else if it cannot be tried.
fn delay(
    watch: &mut NotifyWatch,
    dir: &Path,
    name: &str,
    act: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<Option<Duration>> {
    let path = dir.join(name);
    let bell = watch.hear_apart(dir, name)?;
    let begin = Instant::now();
    let done = act(&path).map_err(|e| Error::io("try notifications", &path, e));
    let told = done.map(|()| bell.wait(PATIENCE).then(|| begin.elapsed()));
    watch.disarm(dir);
    told
}

/// Whether a watch is told of a file that is made in a `tmp/`: two calls that change something, since every start does it.
///
/// # Errors
/// As above.
pub(crate) fn hears(watch: &mut NotifyWatch, fs: &OsFs, tmp: &Path) -> Result<bool> {
    let name = fresh();
    let told = delay(watch, tmp, &name, |path| fs.create(path).map(drop));
    // What stays is an empty file in tmp/, until it is swept (P16).
    let _ = fs.unlink(&tmp.join(&name));
    Ok(told?.is_some())
}

/// # Errors
/// If there are no notifications to be had, or they cannot be tried.
pub(crate) fn measure(site: &Site<'_>) -> Result<Delays> {
    let failed = |e| Error::io("try notifications", site.path(), e);
    let folder = |name| site.folder(name).map_err(failed);
    let mut watch = NotifyWatch::new(Bell::default())?;
    let mut us = |dir: &Path, act: &dyn Fn(&Path) -> io::Result<()>| -> Result<Option<u64>> {
        Ok(delay(&mut watch, dir, "file", act)?.map(|delay| delay.as_micros() as u64))
    };
    let create_us = us(&folder("told-of-names")?, &|path| site.fs.create(path).map(drop))?;
    let moved = site.file("to-be-moved", b"x").map_err(failed)?;
    let rename_us = us(&folder("told-of-renames")?, &|path| site.fs.rename(&moved, path))?;
    let writers = folder("told-of-writers")?;
    site.file("told-of-writers/file", b"x").map_err(failed)?;
    let close_us = us(&writers, &|path| OpenOptions::new().write(true).open(path).map(drop))?;
    Ok(Delays { create_us, rename_us, close_us })
}
