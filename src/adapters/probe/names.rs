//! Names: whether a rename replaces at once, whether a link replaces nothing, and what else may be had.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Ability, Site, expect};
use crate::adapters::fs::rename_no_replace;
use crate::ports::Fs as _;

/// What the names of a folder can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Names {
    /// A rename replaces what has the name at once: whoever looks finds the one or the other, whole, and who reads the former
    /// reads on.
    pub rename_replaces: Ability,
    /// How that was tried.
    pub replaced: Replaced,
    /// A file may have several names.
    pub hard_links: Ability,
    /// Of two who link to one name, one is told that it was taken.
    pub link_replaces_nothing: Ability,
    /// There is a rename that replaces nothing.
    pub rename_replaces_nothing: Ability,
    /// A file may be without a name, and get one later (`O_TMPFILE`).
    pub unnamed_files: Ability,
    /// Names that differ only in case are one.
    pub folds_case: bool,
}

/// How often a name was replaced while somebody looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// How often it was replaced.
    pub times: u32,
    /// How often somebody looked meanwhile.
    pub looks: u32,
    /// How often there was no such name then.
    pub missing: u32,
    /// How often it was not one of the files, whole.
    pub torn: u32,
}

/// So often a name is replaced, and looked at, at least.
const TIMES: u32 = 200;
/// Unless that takes longer.
const LONGEST: Duration = Duration::from_secs(2);
/// As large as a small envelope: a copy in its place would be seen half-way.
const SIZE: usize = 4096;
/// For so many names two race.
const RACES: u32 = 100;

pub(crate) fn measure(site: &Site<'_>) -> Names {
    let mut replaced = Replaced::default();
    Names {
        rename_replaces: Ability::of(replace(site, &mut replaced)),
        replaced,
        hard_links: Ability::of(link(site)),
        link_replaces_nothing: Ability::of(race(site)),
        rename_replaces_nothing: Ability::of(rename_new(site)),
        unnamed_files: Ability::of(unnamed(site)),
        folds_case: folds_case(site),
    }
}

fn replace(site: &Site<'_>, counts: &mut Replaced) -> io::Result<()> {
    let path = site.file("replaced", &[b'a'; SIZE])?;
    let mut former = File::open(&path)?;
    let (over, looks) = (AtomicBool::new(false), AtomicU32::new(0));
    let (replaced, seen) = thread::scope(|scope| {
        let looker = scope.spawn(|| {
            let mut seen = Replaced::default();
            while !over.load(Ordering::Relaxed) {
                look(&path, &mut seen)?;
                looks.store(seen.looks, Ordering::Relaxed);
                if seen.looks >= TIMES {
                    thread::yield_now();
                }
            }
            io::Result::Ok(seen)
        });
        let replaced = replace_again_and_again(site, &path, &looks);
        over.store(true, Ordering::Relaxed);
        (replaced, looker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    *counts = Replaced { times: replaced?, ..seen? };
    expect(counts.missing == 0, "for moments there was no file of that name")?;
    expect(counts.torn == 0, "for moments the file was not whole")?;
    let mut content = Vec::new();
    former.rewind()?;
    former.read_to_end(&mut content)?;
    expect(content == [b'a'; SIZE], "who had the former file open could not read it to its end")
}

/// Also on a busy machine, where nobody may get to look for a while: what nobody looked at shows nothing.
fn replace_again_and_again(site: &Site<'_>, path: &Path, looks: &AtomicU32) -> io::Result<u32> {
    let start = Instant::now();
    for times in 1.. {
        let content = [b'a' + (times % 26) as u8; SIZE];
        let draft = site.file("replacing", &content)?;
        site.fs.rename(&draft, path)?;
        let enough = times >= TIMES && looks.load(Ordering::Relaxed) >= TIMES;
        if enough || start.elapsed() > LONGEST {
            return Ok(times);
        }
    }
    Ok(0)
}

fn look(path: &Path, seen: &mut Replaced) -> io::Result<()> {
    seen.looks += 1;
    match fs::read(path) {
        Ok(content) => {
            let whole = content.len() == SIZE && content.iter().all(|byte| *byte == content[0]);
            seen.torn += u32::from(!whole);
        }
        Err(e) if e.kind() == ErrorKind::NotFound => seen.missing += 1,
        Err(e) => return Err(e),
    }
    Ok(())
}

fn link(site: &Site<'_>) -> io::Result<()> {
    let from = site.file("linked", b"x")?;
    let to = site.at("second");
    site.fs.link(&from, &to)?;
    let (from, to) = (site.fs.stat(&from)?, site.fs.stat(&to)?);
    expect(from.id == to.id && to.links == 2, "the second name is not one of the same file")
}

/// Two link to the same names, as quickly as they can.
fn race(site: &Site<'_>) -> io::Result<()> {
    let files = [site.file("racer-0", b"0")?, site.file("racer-1", b"1")?];
    let run = |file: &Path| -> io::Result<Vec<bool>> {
        let link = |nth| match site.fs.link(file, &site.at(&format!("race-{nth}"))) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(e),
        };
        (0..RACES).map(link).collect()
    };
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(|| run(&files[1]));
        let first = run(&files[0]);
        (first, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let one_each = first?.iter().zip(second?).all(|(first, second)| *first != second);
    expect(one_each, "a name was given to two files, or to none")
}

fn rename_new(site: &Site<'_>) -> io::Result<()> {
    let (first, second) = (site.file("new-1", b"1")?, site.file("new-2", b"2")?);
    let to = site.at("new");
    rename_no_replace(&first, &to)?;
    match rename_no_replace(&second, &to) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        answer => answer.and(expect(false, "it replaces all the same")),
    }
}

fn unnamed(site: &Site<'_>) -> io::Result<()> {
    let file = site.fs.create_unnamed(site.path())?;
    site.fs.write(&file, b"x")?;
    let to = site.at("named");
    site.fs.link_unnamed(&file, &to)?;
    expect(site.fs.stat(&to)?.id == site.fs.stat_open(&file)?.id, "its name is another file's")
}

fn folds_case(site: &Site<'_>) -> bool {
    site.file("folded", b"x").is_ok() && site.at("FOLDED").exists()
}
