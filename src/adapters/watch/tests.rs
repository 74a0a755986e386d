//! What holds of every watch that hears.

use std::fs::{self, File};
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use super::*;
use crate::words::Error;

const SOON: Duration = Duration::from_secs(30);

type Watched = (tempfile::TempDir, Bell, Box<dyn Watch>);

/// All rings that are on their way have come.
fn settle(bell: &Bell) {
    while bell.wait(Duration::from_millis(100)) {}
}

/// Tries with each watch that there is on this system: with a watched folder, and a place beside it on the same file system.
fn with_each(case: impl Fn(Watched)) {
    let place = || {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("watched")).unwrap();
        (place, Bell::default())
    };
    let armed = |(place, bell): (tempfile::TempDir, Bell), mut watch: Box<dyn Watch>| {
        watch.arm(&place.path().join("watched")).unwrap();
        (place, bell, watch)
    };
    let (own, portable) = (place(), place());
    let watch = Box::new(NotifyWatch::new(own.1.clone()).unwrap());
    case(armed(own, watch));
    let watch = Box::new(super::notify::NotifyWatch::new(portable.1.clone()).unwrap());
    case(armed(portable, watch));
}

#[test]
fn what_appears_rings() {
    with_each(|(place, bell, mut watch)| {
        let beside = place.path().join("beside");
        let dir = place.path().join("watched");
        fs::write(&beside, "x").unwrap();
        assert!(!bell.wait(Duration::from_millis(50)), "only what is watched rings");
        fs::hard_link(&beside, dir.join("linked")).unwrap();
        assert!(bell.wait(SOON), "a link");
        settle(&bell);
        fs::rename(&beside, dir.join("renamed")).unwrap();
        assert!(bell.wait(SOON), "a rename into it");
        settle(&bell);
        let renamed: Vec<_> = watch.renamed().into_iter().map(|(path, _)| path).collect();
        assert_eq!(renamed, [dir.join("renamed")]);
        fs::create_dir(dir.join("folder")).unwrap();
        assert!(bell.wait(SOON), "a folder");
        settle(&bell);
        // Made again under the same name, and armed again.
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(watch.arm(&dir).unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir(&dir).unwrap();
        watch.arm(&dir).unwrap();
        settle(&bell);
        fs::write(dir.join("file"), "x").unwrap();
        assert!(bell.wait(SOON), "a file in the folder that was made again");
    });
}

#[test]
fn the_closing_of_a_presence_rings_and_its_beats_do_not() {
    with_each(|(place, bell, _watch)| {
        let beside = place.path().join("beside");
        let presence = place.path().join("watched/presence");
        let mut file = File::create_new(&beside).unwrap();
        fs::rename(&beside, &presence).unwrap();
        settle(&bell);
        file.write_all(b"a beat").unwrap();
        fs::read(&presence).unwrap();
        fs::read_dir(place.path().join("watched")).unwrap().for_each(drop);
        assert!(!bell.wait(Duration::from_millis(100)), "a beat, or our own look, must not ring");
        drop(file);
        assert!(bell.wait(SOON), "its owner is gone");
    });
}

#[test]
fn what_goes_away_does_not_ring() {
    with_each(|(place, bell, _watch)| {
        let file = place.path().join("watched/file");
        fs::write(&file, "x").unwrap();
        settle(&bell);
        fs::rename(&file, place.path().join("beside")).unwrap();
        assert!(!bell.wait(Duration::from_millis(100)), "a claim must not wake all others");
    });
}

/// A worker, a stop: whoever waits for notifications is woken by others, too, and after the watch as before.
#[test]
fn others_ring_too() {
    with_each(|(_place, bell, watch)| {
        let ring_soon = || {
            let bell = bell.clone();
            thread::spawn(move || bell.ring())
        };
        for _ in 0..100 {
            let ringer = ring_soon();
            assert!(bell.wait(SOON));
            ringer.join().unwrap();
            assert!(!bell.wait(Duration::ZERO), "once");
        }
        let waiting = thread::spawn({
            let bell = bell.clone();
            move || bell.wait(SOON)
        });
        drop(watch);
        ring_soon().join().unwrap();
        assert!(waiting.join().unwrap());
        ring_soon().join().unwrap();
        assert!(bell.wait(SOON));
    });
}

/// What came while nobody waited is heard by who waits then, however short.
#[test]
fn what_came_before_is_heard() {
    let place = tempfile::tempdir().unwrap();
    let bell = Bell::default();
    let mut watch = NotifyWatch::new(bell.clone()).unwrap();
    watch.arm(place.path()).unwrap();
    for nth in 0..1000 {
        fs::write(place.path().join(format!("a-name-that-is-not-short-{nth}")), "x").unwrap();
    }
    let mut rang = 0;
    while bell.wait(Duration::ZERO) {
        rang += 1;
    }
    assert!((1..=2000).contains(&rang), "{rang}");
}

fn chosen(hears: Result<bool>) -> Chosen {
    try_out(PatientWatch::new(Bell::default()), |_| hears).1
}

#[test]
fn what_was_heard_decides() {
    assert_eq!(chosen(Ok(true)).mode, WatchMode::Notify);
    assert_eq!(chosen(Ok(false)).mode, WatchMode::Poll);
    let no_more = Error::new(ErrorKind::Unsupported, "no more");
    let why = "no more; until there are some".to_owned();
    assert_eq!(chosen(Err(no_more)), Chosen { mode: WatchMode::Poll, why });
    let read_only = Error::new(ErrorKind::Io, "read-only");
    assert_eq!(chosen(Err(read_only)).mode, WatchMode::Notify, "what cannot be tried says nothing");
}

/// The probe leaves nothing, rings for nobody, and the watch that it tried watches what it is told then.
#[test]
fn a_local_folder_is_tried_and_watched() {
    let place = tempfile::tempdir().unwrap();
    let (tmp, inbox) = (place.path().join("tmp"), place.path().join("inbox"));
    fs::create_dir(&tmp).unwrap();
    fs::create_dir(&inbox).unwrap();
    let (os, bell) = (OsFs::at(place.path()).unwrap(), Bell::default());
    let (mut watch, chosen) = watch(WatchMode::Auto, &os, &tmp, &bell).unwrap();
    assert_eq!(chosen.mode, WatchMode::Notify);
    assert!(chosen.why.ends_with("to try it"), "{chosen:?}");
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
    assert!(!bell.wait(Duration::from_millis(100)), "of the probe nobody is told");
    watch.arm(&inbox).unwrap();
    fs::write(inbox.join("x"), "x").unwrap();
    assert!(bell.wait(Duration::from_secs(30)));
    // Without a place to try it, what is known of the file system has to do.
    let (_, chosen) = super::watch(WatchMode::Auto, &os, &place.path().join("none"), &bell).unwrap();
    assert_eq!((chosen.mode, &chosen.why[..]), (WatchMode::Notify, "the file system is local"));
    let (_, chosen) = super::watch(WatchMode::Auto, &OsFs::shared(), &tmp, &bell).unwrap();
    assert_eq!(chosen.mode, WatchMode::Poll);
}
