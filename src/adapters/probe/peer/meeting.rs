//! How two programs become a pair.
//!
//! Each has a site with a `hello` that it writes again and again, so that one that was killed is told from one that lives. Of two
//! the one whose site has the greater name comes to the other: it links a file to the other's `partner`, which only one can. Before
//! that it takes its own `partner`, so that meanwhile nobody comes to it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind as Io};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Given;
use crate::adapters::host::OsHost;
use crate::adapters::probe::{Site, is_site};
use crate::ports::{FileKind, Fs as _, Host as _};
use crate::words::{Error, ErrorKind, Result};

/// What each says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) host: String,
    pub(super) pid: u32,
    /// Which machine, and since when: two containers on one machine have it in common.
    pub(super) boot: String,
    pub(super) trusts_locks: bool,
    beat: u64,
}

/// The other one.
pub(super) struct Met {
    pub(super) hello: Hello,
    /// Its site.
    pub(super) site: PathBuf,
    /// Of the two, the one that was come to begins.
    pub(super) begins: bool,
}

const HELLO: &str = "hello";
const PARTNER: &str = "partner";
const LIMIT: usize = 4096;
/// A hello is written, and looked for, so often.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn boot() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot.trim().to_owned()
}

pub(super) fn meet(site: &Site<'_>, given: &Given<'_>) -> Result<Met> {
    let begin = Instant::now();
    let mut hello = Hello {
        host: OsHost.name(),
        pid: OsHost.pid(),
        boot: boot(),
        trusts_locks: site.fs.is_local(),
        beat: 0,
    };
    let mut known = HashMap::new();
    loop {
        hello.beat += 1;
        let step = say_hello(site, &hello).and_then(|()| find(site, given.below, &mut known));
        if let Some(met) =
            step.map_err(|e| Error::io("look for another `filedrop doctor --peer`", given.below, e))?
        {
            return Ok(met);
        }
        if (given.stopping)() {
            return Err(Error::new(ErrorKind::TimedOut, "stopped before another one came"));
        }
        if begin.elapsed() > given.patience {
            let why = "no other `filedrop doctor --peer` came; start one on the other machine while this one waits, or give both \
                       more time (--within)";
            return Err(Error::new(ErrorKind::TimedOut, why).at(given.below));
        }
        std::thread::sleep(PAUSE);
    }
}

fn say_hello(site: &Site<'_>, hello: &Hello) -> io::Result<()> {
    let draft = site.file("hello.draft", &serde_json::to_vec(hello).map_err(io::Error::other)?)?;
    site.fs.rename(&draft, &site.at(HELLO))
}

/// The other one, if there is one by now. `known` is what each said when it was first seen.
fn find(site: &Site<'_>, below: &Path, known: &mut HashMap<OsString, u64>) -> io::Result<Option<Met>> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
    let own = name(site.path());
    if let Some(guest) = read(site, &site.at(PARTNER))? {
        let path = below.join(String::from_utf8_lossy(&guest).into_owned());
        // Its names may take longer to come than its link.
        return Ok(hello_of(site, &path)?.map(|hello| Met { hello, site: path, begins: true }));
    }
    let mut others = Vec::new();
    site.fs.list(below, &mut |entry| {
        let is_other = entry.name.to_str().is_some_and(is_site) && entry.name != own;
        if entry.kind == FileKind::Dir && is_other {
            others.push(entry.name);
        }
    })?;
    others.sort_unstable();
    for other in others {
        let path = below.join(&other);
        let Some(hello) = hello_of(site, &path)? else { continue };
        let lives = *known.entry(other.clone()).or_insert(hello.beat) != hello.beat;
        if lives && other < own && come_to(site, &path)? {
            return Ok(Some(Met { hello, site: path, begins: false }));
        }
    }
    Ok(None)
}

/// Whether it was free, and so were we.
fn come_to(site: &Site<'_>, other: &Path) -> io::Result<bool> {
    if read(site, &other.join(PARTNER))?.is_some() {
        return Ok(false);
    }
    let own = site.path().file_name().unwrap_or_default().as_encoded_bytes();
    let ticket = match site.file("ticket", own) {
        Err(e) if e.kind() == Io::AlreadyExists => site.at("ticket"),
        made => made?,
    };
    // Nobody comes to us while we go there. What stands in it says so to us: our own name.
    if !link(site, &ticket, &site.at(PARTNER))? {
        return Ok(false);
    }
    match link(site, &ticket, &other.join(PARTNER)) {
        Ok(true) => Ok(true),
        taken => {
            site.fs.unlink(&site.at(PARTNER))?;
            match taken {
                // It is gone.
                Err(e) if e.kind() == Io::NotFound => Ok(false),
                taken => taken,
            }
        }
    }
}

fn link(site: &Site<'_>, from: &Path, to: &Path) -> io::Result<bool> {
    match site.fs.link(from, to) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == Io::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

fn hello_of(site: &Site<'_>, path: &Path) -> io::Result<Option<Hello>> {
    Ok(read(site, &path.join(HELLO))?.and_then(|hello| serde_json::from_slice(&hello).ok()))
}

/// `None` if it is not there.
pub(super) fn read(site: &Site<'_>, path: &Path) -> io::Result<Option<Vec<u8>>> {
    match site.fs.open(path).and_then(|file| site.fs.read(&file, LIMIT)) {
        Ok(content) => Ok(Some(content)),
        // On NFS a file that is replaced while it is read is stale.
        Err(e) if matches!(e.kind(), Io::NotFound | Io::StaleNetworkFileHandle) => Ok(None),
        Err(e) => Err(e),
    }
}
