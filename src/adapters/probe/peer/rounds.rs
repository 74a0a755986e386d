//! What a pair measures, one thing after the other, each in both directions.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::letters::Letters;
use super::meeting::{Met, boot};
use super::{Given, Peer, race};
use crate::adapters::probe::Site;
use crate::adapters::probe::flush::median_us;
use crate::adapters::watch::NotifyWatch;
use crate::ports::{Bell, Fs as _, Watch as _};
use crate::words::{Error, Result};

/// So often something goes there and back.
const ROUNDS: usize = 9;
/// A name that is there already, and of which nobody has told so long, is not told any more.
const LATE: Duration = Duration::from_secs(2);

pub(super) fn measure(site: &Site<'_>, given: &Given<'_>, met: &Met) -> Result<Peer> {
    let letters = Letters::with(site, given, met)?;
    let clocks = in_turn(met, || ask_the_time(&letters), || tell_the_time(&letters))?;
    let told = in_turn(met, || listen(site, met, &letters), || move_a_file(site, &letters))?;
    let lock = in_turn(met, || look_at_lock(site, met, &letters), || hold_lock(site, &letters))?;
    let (links, renames) = race::run(site, met, &letters)?;
    part(site, met, given, &letters)?;
    Ok(Peer {
        host: met.hello.host.clone(),
        pid: met.hello.pid,
        same_machine: !met.hello.boot.is_empty() && met.hello.boot == boot(),
        trusts_locks: met.hello.trusts_locks,
        appears_us: clocks.there_and_back_us / 2,
        clock_ahead_us: clocks.ahead_us,
        clock_error_us: clocks.error_us,
        told,
        lock_seen: lock.0,
        lock_freed: lock.1,
        links,
        renames,
    })
}

/// First the one looks and the other does, then the other way round.
fn in_turn<T>(met: &Met, look: impl FnOnce() -> Result<T>, act: impl FnOnce() -> Result<()>) -> Result<T> {
    if met.begins {
        let seen = look()?;
        act()?;
        Ok(seen)
    } else {
        act()?;
        look()
    }
}

struct Clocks {
    there_and_back_us: u64,
    ahead_us: i64,
    error_us: u64,
}

fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// The quickest answer tells most of the clock: it was written between the question and now.
fn ask_the_time(letters: &Letters<'_>) -> Result<Clocks> {
    let mut took = Vec::new();
    let mut best = (Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let (asked, begin) = (now_us(), Instant::now());
        let theirs: i64 = letters.swap(&())?;
        let there_and_back = begin.elapsed();
        took.push(there_and_back);
        if there_and_back < best.0 {
            let middle = asked.saturating_add((there_and_back / 2).as_micros() as i64);
            best = (there_and_back, theirs.saturating_sub(middle));
        }
    }
    let error_us = (best.0 / 2).as_micros() as u64 + 1;
    Ok(Clocks { there_and_back_us: median_us(&mut took).unwrap_or_default(), ahead_us: best.1, error_us })
}

fn tell_the_time(letters: &Letters<'_>) -> Result<()> {
    for _ in 0..ROUNDS {
        letters.hear::<()>()?;
        letters.say(&now_us())?;
    }
    Ok(())
}

fn listen(site: &Site<'_>, met: &Met, letters: &Letters<'_>) -> Result<Option<bool>> {
    // The folder is there.
    letters.hear::<()>()?;
    let bell = Bell::default();
    let watch = NotifyWatch::new(bell.clone()).and_then(|mut watch| {
        watch.arm(&met.site.join("moved"))?;
        Ok(watch)
    });
    if let Err(e) = &watch {
        tracing::debug!(error = %e, path = %site.path().display(), "no notifications");
    }
    // It has moved the file, and we have seen what it wrote after that.
    letters.swap::<()>(&())?;
    let told = watch.is_ok().then(|| bell.wait(LATE));
    letters.say(&())?;
    Ok(told)
}

fn move_a_file(site: &Site<'_>, letters: &Letters<'_>) -> Result<()> {
    let failed = |e| Error::io("move a file", site.path(), e);
    let folder = site.folder("moved").map_err(failed)?;
    let file = site.file("moving", b"x").map_err(failed)?;
    letters.say(&())?;
    letters.hear::<()>()?;
    site.fs.rename(&file, &folder.join("file")).map_err(failed)?;
    letters.say(&())?;
    letters.hear()
}

/// Whether the other's lock is seen, and whether its end is.
fn look_at_lock(site: &Site<'_>, met: &Met, letters: &Letters<'_>) -> Result<(bool, bool)> {
    let path = met.site.join("locked-for-you");
    let get = || -> io::Result<bool> { site.fs.try_lock(&site.fs.open(&path)?) };
    let failed = |e| Error::io("lock a file", &path, e);
    letters.hear::<()>()?;
    let seen = !get().map_err(failed)?;
    // It lets go, and says so.
    letters.swap::<()>(&())?;
    let freed = get().map_err(failed)?;
    letters.say(&())?;
    Ok((seen, freed))
}

fn hold_lock(site: &Site<'_>, letters: &Letters<'_>) -> Result<()> {
    let path = site.at("locked-for-you");
    let failed = |e| Error::io("lock a file", &path, e);
    let file = site.fs.create(&path).map_err(failed)?;
    site.fs.try_lock(&file).map_err(failed)?;
    letters.say(&())?;
    letters.hear::<()>()?;
    drop(file);
    letters.say(&())?;
    letters.hear()
}

/// Neither removes its site before the other has read the last letter in it: who began goes first, and the other sees it go.
fn part(site: &Site<'_>, met: &Met, given: &Given<'_>, letters: &Letters<'_>) -> Result<()> {
    if met.begins {
        return letters.line_up();
    }
    letters.hear::<()>()?;
    letters.say(&())?;
    let begin = Instant::now();
    let there = || site.fs.stat(&met.site).is_ok();
    while there() && begin.elapsed() < given.patience && !(given.stopping)() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
