//! Files of strangers that cannot be taken, admitted or put back: each waits by itself, and none is lost.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use filedrop::actors::consumer::ConsumerOptions;
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::ports::{Admitted, Arrivals, Fetched, Marker, Store as _};
use filedrop::words::{Customs, Evidence, id_of_file};
use filedrop::{DropFolder, Id, StampedId};
use sha2::{Digest as _, Sha256};

use crate::stubborn::{Store, consume, stubborn};
use crate::{Diary, folder, names, sh};

fn drain() -> ConsumerOptions {
    ConsumerOptions { drain: true, quiet_period: Duration::ZERO, ..ConsumerOptions::new(&OsHost) }
}

fn plain<'a>(
    drop: &DropFolder,
    fault: impl Fn(&str, &Path) -> io::Result<()> + Send + Sync + 'a,
) -> Store<'a> {
    stubborn(drop, OsFs::at(drop.path()).unwrap(), fault)
}

fn put(drop: &DropFolder, name: &str, content: &str) -> PathBuf {
    let path = drop.path().join("inbox").join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The contents of all that travels with jobs.
fn cargo(drop: &DropFolder) -> BTreeSet<String> {
    let payload = drop.path().join("payload");
    let folders = names(&payload).into_iter().map(|name| payload.join(name));
    let files = folders.flat_map(|folder| {
        let inside: Vec<_> = names(&folder).into_iter().map(|name| folder.join(name)).collect();
        inside
    });
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// How many jobs succeeded.
fn done(drop: &DropFolder) -> usize {
    let done = drop.path().join("done");
    names(&done).iter().map(|day| names(&done.join(day)).len()).sum()
}

fn denied() -> io::Error {
    ErrorKind::PermissionDenied.into()
}

#[test]
fn a_file_that_cannot_be_moved_keeps_nobody_from_the_others() {
    let (_place, drop) = folder();
    // More than one look gives out, before it and after it.
    let others: Vec<String> = (0..300).flat_map(|n| [format!("a{n}.csv"), format!("z{n}.csv")]).collect();
    for name in others.iter().map(String::as_str).chain(["m.csv"]) {
        put(&drop, name, name);
    }
    let store = plain(&drop, |call, path| match call {
        "rename" if path.ends_with("inbox/m.csv") => Err(denied()),
        _ => Ok(()),
    });
    let e = consume(&store, &drain(), &Diary::default()).unwrap_err();
    assert!(e.to_string().contains("inbox/m.csv"), "a drain says in the end what it left: {e}");
    assert_eq!(names(&drop.path().join("inbox")), ["m.csv"]);
    assert_eq!(cargo(&drop), others.into_iter().collect());
    assert_eq!(done(&drop), 600);
    assert_eq!(names(&drop.path().join("claimed")), [""; 0]);
}

#[test]
fn many_files_that_cannot_be_moved_keep_nobody_from_the_others() {
    let (_place, drop) = folder();
    for n in 0..600 {
        put(&drop, &format!("a{n}.csv"), "stuck");
    }
    put(&drop, "z.csv", "z");
    let store = plain(&drop, |call, path| {
        // Not ours in `tmp/`, whose names are digits of chance.
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let stuck = name.starts_with(b"a") && name.ends_with(b".csv");
        if call == "rename" && stuck { Err(denied()) } else { Ok(()) }
    });
    let e = consume(&store, &drain(), &Diary::default()).unwrap_err();
    assert_eq!(names(&drop.path().join("inbox")).len(), 600, "{e}");
    assert_eq!(cargo(&drop), BTreeSet::from(["z".to_owned()]));
}

#[test]
fn when_no_further_folder_can_be_made_the_files_before_are_jobs() {
    let (_place, drop) = folder();
    for n in 0..20 {
        put(&drop, &format!("{n:02}.csv"), &n.to_string());
    }
    let made = AtomicU32::new(0);
    let store = plain(&drop, |call, path| {
        let full = || made.fetch_add(1, Ordering::Relaxed) % 8 == 7;
        if call == "make_dir" && path.to_string_lossy().ends_with(".bare") && full() {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    consume(&store, &drain(), &Diary::default()).unwrap();
    assert_eq!((done(&drop), cargo(&drop).len()), (20, 20));
    assert_eq!(names(&drop.path().join("claimed")), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_admitted_keeps_nobody_from_the_others() {
    let (_place, drop) = folder();
    for name in ["a.csv", "m.csv", "z.csv"] {
        put(&drop, name, name);
    }
    // Neither is it put back.
    let store = plain(&drop, |call, path| match call {
        "open" | "rename_new" if path.ends_with("m.csv") && path.iter().any(|part| part == "claimed") => {
            Err(denied())
        }
        _ => Ok(()),
    });
    consume(&store, &drain(), &Diary::default()).unwrap_err();
    assert_eq!(cargo(&drop), BTreeSet::from(["a.csv".to_owned(), "z.csv".to_owned()]));
    // It is where the next one finds it.
    drop.consumer().drain(true).run_command(sh("true")).unwrap();
    assert_eq!((done(&drop), cargo(&drop).len()), (3, 3));
}

#[test]
fn what_cannot_be_put_back_because_another_file_has_its_name_waits_for_that() {
    let (_place, drop) = folder();
    put(&drop, "x.csv", "first");
    put(&drop, "y.csv", "y");
    let inbox = drop.path().join("inbox/x.csv");
    let once = AtomicBool::new(true);
    let store = plain(&drop, |call, path| {
        let taken = path.iter().any(|part| part == "claimed") && path.ends_with("x.csv");
        // It is written again after it was judged, and so is the next one of its name.
        if call == "writer" && taken && once.swap(false, Ordering::Relaxed) {
            fs::write(&inbox, "second")?;
            return Err(denied());
        }
        Ok(())
    });
    consume(&store, &drain(), &Diary::default()).unwrap();
    assert_eq!(cargo(&drop), ["first", "second", "y"].map(str::to_owned).into());
    assert_eq!(done(&drop), 3);
}

#[test]
fn the_marker_of_a_file_that_went_back_stays() {
    let (_place, drop) = folder();
    put(&drop, "x.csv", "x");
    let hex: String = Sha256::digest("x").iter().map(|byte| format!("{byte:02x}")).collect();
    let marker = put(&drop, "x.csv.sha256", &hex);
    let (payload, inbox) = (AtomicBool::new(true), AtomicBool::new(true));
    let store = plain(&drop, |call, path| {
        let first = |fault: &AtomicBool| fault.swap(false, Ordering::Relaxed);
        // It is not admitted, then it is put back, but whether that is durable is not known.
        let refused = match call {
            "flush_dir" if path.ends_with("payload") => first(&payload),
            "remove_dir" if path.to_string_lossy().ends_with(".bare") => first(&inbox),
            _ => false,
        };
        if refused { Err(denied()) } else { Ok(()) }
    });
    let customs = Customs::new(&[], &[".sha256".to_owned()]).unwrap();
    consume(&store, &ConsumerOptions { customs, ..drain() }, &Diary::default()).unwrap();
    let happened = |fault: &AtomicBool| !fault.load(Ordering::Relaxed);
    assert!(happened(&payload) && happened(&inbox));
    assert_eq!((done(&drop), marker.exists()), (1, false));
}

#[test]
fn a_marker_that_was_made_anew_is_that_of_the_next_file() {
    let (_place, drop) = folder();
    let path = put(&drop, "x.csv.done", "");
    let meta = fs::metadata(&path).unwrap();
    let changed_ns = meta.ctime() as u64 * 1_000_000_000 + meta.ctime_nsec() as u64;
    let marker = Marker { name: "x.csv.done".into(), changed_ns };
    let store = plain(&drop, |call, path| {
        if call == "rename" && path.ends_with("x.csv.done") {
            fs::File::open(path)?.set_modified(SystemTime::UNIX_EPOCH)?;
        }
        Ok(())
    });
    store.finish_arrival(&marker).unwrap();
    assert_eq!(names(&drop.path().join("inbox")), ["x.csv.done"]);
    let store = plain(&drop, |_, _| Ok(()));
    store.finish_arrival(&marker).unwrap();
    assert_eq!(names(&drop.path().join("inbox")), ["x.csv.done"], "and stays so");
}

/// Drops a file, and lets its job fail. Returns where the file is then.
fn dead(drop: &DropFolder) -> PathBuf {
    put(drop, "x.csv", "precious");
    let consumer = drop.consumer().max_attempts(1).quiet_period(Duration::ZERO).drain(true);
    consumer.run_command(sh("exit 1")).unwrap();
    assert_eq!(names(&drop.path().join("dead")).len(), 2, "with its reason");
    let payload = drop.path().join("payload");
    let folder = payload.join(&names(&payload)[0]);
    folder.join("x.csv")
}

#[test]
fn a_file_that_is_moved_back_from_a_dead_letter_is_another_job() {
    let (_place, drop) = folder();
    let there = dead(&drop);
    fs::rename(&there, drop.path().join("inbox/x.csv")).unwrap();
    let consumer = drop.consumer().quiet_period(Duration::ZERO).drain(true);
    let summary = consumer.run_command(sh("test \"$(cat \"$FILEDROP_PAYLOAD\")\" = precious")).unwrap();
    assert_eq!(summary.succeeded, 1);
    assert_eq!(cargo(&drop), BTreeSet::from(["precious".to_owned()]));
    assert_eq!(names(&drop.path().join("inbox")), [""; 0]);
    // And again.
    let payload = drop.path().join("payload");
    let full =
        names(&payload).into_iter().map(|name| payload.join(name).join("x.csv")).find(|file| file.exists());
    fs::rename(full.unwrap(), drop.path().join("inbox/x.csv")).unwrap();
    let consumer = drop.consumer().quiet_period(Duration::ZERO).drain(true);
    assert_eq!(consumer.run_command(sh("true")).unwrap().succeeded, 1);
}

#[test]
fn a_second_name_of_a_file_that_its_job_has_is_no_job() {
    let (_place, drop) = folder();
    let there = dead(&drop);
    fs::hard_link(&there, drop.path().join("inbox/x.csv")).unwrap();
    let consumer = drop.consumer().quiet_period(Duration::ZERO).drain(true);
    assert_eq!(consumer.run_command(sh("true")).unwrap().succeeded, 0);
    assert_eq!(names(&drop.path().join("payload")).len(), 1);
    assert_eq!(fs::read_to_string(there).unwrap(), "precious");
}

#[test]
fn what_was_linked_back_is_not_admitted_too() {
    let (_place, drop) = folder();
    let path = put(&drop, "x.csv", "half");
    let store = plain(&drop, |_, _| Ok(()));
    let mut arrivals = Arrivals::new(Customs::default(), Duration::ZERO);
    let looked = store.arrivals(None, &mut arrivals, &mut |_, _| {}).unwrap();
    let id = id_of_file(&looked.ready[0].version).unwrap();
    // A consumer died between the link and the removal of its own name.
    let stamp = StampedId { id, nonce: 7 };
    let room = store.register(&"one".parse::<Id>().unwrap(), Duration::from_secs(60)).unwrap();
    let claimed = drop.path().join("claimed");
    let here = names(&claimed).into_iter().find(|name| !name.ends_with(".presence")).unwrap();
    let taken = claimed.join(here).join(stamp.taken());
    fs::create_dir(&taken).unwrap();
    fs::hard_link(&path, taken.join("x.csv")).unwrap();
    // As long as nobody has gone on with that, nobody takes it.
    let answers = store.take_files(&room, &looked.ready).unwrap();
    assert!(matches!(&answers[..], [Fetched::Failed(_, e)] if e.to_string().contains("is putting back")));
    let answers = store.admit(&room, std::slice::from_ref(&stamp)).unwrap();
    assert!(matches!(answers[..], [Ok(Admitted::Nothing)]), "{answers:?}");
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
    assert_eq!(names(&drop.path().join("inbox")), ["x.csv"]);
    assert!(matches!(store.take_files(&room, &looked.ready).unwrap()[..], [Fetched::Here(_)]));
}

#[test]
fn where_machines_share_the_folder_a_further_name_is_no_evidence() {
    let (place, drop) = folder();
    let path = put(&drop, "x.csv", "half");
    fs::hard_link(&path, place.path().join("elsewhere")).unwrap();
    for (os, expected) in [(OsFs::shared(), None), (OsFs::at(drop.path()).unwrap(), Some(Evidence::Linked))] {
        let store = stubborn(&drop, os, |_, _| Ok(()));
        let mut arrivals = Arrivals::new(Customs::default(), Duration::from_secs(3600));
        let looked = store.arrivals(None, &mut arrivals, &mut |_, _| {}).unwrap();
        assert_eq!(looked.ready.into_iter().map(|file| file.evidence).next(), expected);
    }
}
