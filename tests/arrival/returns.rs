//! P28: files that were taken, and go back. That they come by a rename, by ours, is no evidence; and no marker suffers from it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::{LocalRoom, LocalStore};
use filedrop::ports::{Arrivals, Arrived, Fetched, Fs as _, Store};
use filedrop::words::{Customs, Evidence, Pending, Version};

const HOUR: Duration = Duration::from_secs(3600);

type Local = LocalStore<OsFs, OsHost>;

struct Bench {
    _place: tempfile::TempDir,
    fs: OsFs,
    root: PathBuf,
    store: Local,
    room: <Local as Store>::Room,
}

fn bench() -> Bench {
    let place = tempfile::tempdir().unwrap();
    let (root, fs) = (place.path().join("drop"), OsFs::at(place.path()).unwrap());
    let store = LocalStore::init(fs.clone(), OsHost, &root).unwrap();
    let room: LocalRoom<File> = store.register(&"c".parse().unwrap(), HOUR).unwrap();
    Bench { _place: place, fs, root, store, room }
}

impl Bench {
    fn inbox(&self, name: &str) -> PathBuf {
        self.root.join("inbox").join(name)
    }

    fn append(&self, name: &str) {
        OpenOptions::new().append(true).open(self.inbox(name)).unwrap().write_all(b"more").unwrap();
    }

    /// As it is at this moment.
    fn version(&self, name: &str) -> Version {
        self.fs.stat(&self.inbox(name)).unwrap().version()
    }

    /// What another process, which knows of nothing, makes of x.csv.
    fn look(&self, quiet: Duration, markers: &[&str], renamed: Option<Version>) -> Result<Arrived, Pending> {
        let markers: Vec<String> = markers.iter().map(|suffix| (*suffix).to_owned()).collect();
        let mut arrivals = Arrivals::new(Customs::new(&[], &markers).unwrap(), quiet);
        if let Some(renamed) = renamed {
            arrivals.renamed("x.csv".into(), renamed);
        }
        self.look_with(&mut arrivals)
    }

    fn look_with(&self, arrivals: &mut Arrivals) -> Result<Arrived, Pending> {
        let mut pending = None;
        let mut tell = |name: &OsStr, finding: Result<&Evidence, &Pending>| {
            if name == "x.csv" {
                pending = finding.err().cloned();
            }
        };
        let looked = self.store.arrivals(None, arrivals, &mut tell).unwrap();
        pending.map_or_else(|| Ok(looked.ready.into_iter().find(|file| file.name == "x.csv").unwrap()), Err)
    }

    /// Takes it, and puts it back, until that shows in its times: the clock of a file system is coarse.
    fn take_and_put_back(&self, file: &Arrived) {
        let before = fs::metadata(self.inbox("x.csv")).unwrap();
        let changed = |meta: &fs::Metadata| (meta.ctime(), meta.ctime_nsec());
        while changed(&fs::metadata(self.inbox("x.csv")).unwrap()) == changed(&before) {
            let taken = self.store.take_files(&self.room, std::slice::from_ref(file)).unwrap();
            if let Fetched::Here(stamp) = &taken[0] {
                self.store.untake(&self.room, stamp).unwrap();
            }
        }
    }
}

#[test]
fn a_rename_is_evidence_of_the_file_that_it_brought() {
    let bench = bench();
    fs::write(bench.inbox("x.csv"), "1;2").unwrap();
    let brought = bench.version("x.csv");
    let evidence = |renamed| bench.look(HOUR, &[], Some(renamed)).map(|file| file.evidence);
    assert_eq!(evidence(brought), Ok(Evidence::Renamed));
    bench.append("x.csv");
    assert!(matches!(evidence(brought), Err(Pending::Quiet(_))), "it is written to since");
    let another = Version { ino: brought.ino + 1, ..bench.version("x.csv") };
    assert!(matches!(evidence(another), Err(Pending::Quiet(_))), "it is another file");
}

/// Else what another consumer was quicker to take would wait for the next file of its name and inode, for ever.
#[test]
fn a_rename_is_evidence_for_the_next_look_only() {
    let bench = bench();
    fs::write(bench.inbox("x.csv"), "1;2").unwrap();
    let mut arrivals = Arrivals::new(Customs::new(&["x.*".to_owned()], &[]).unwrap(), HOUR);
    arrivals.renamed("x.csv".into(), bench.version("x.csv"));
    bench.store.arrivals(None, &mut arrivals, &mut |_, _| panic!("it is ignored")).unwrap();
    arrivals.customs = Customs::default();
    assert!(matches!(bench.look_with(&mut arrivals), Err(Pending::Quiet(_))));
}

#[test]
fn who_keeps_a_file_open_over_its_rename_is_waited_for() {
    let bench = bench();
    let beside = bench.root.join("beside");
    let mut writer = File::create(&beside).unwrap();
    writer.write_all(b"1;2").unwrap();
    fs::rename(&beside, bench.inbox("x.csv")).unwrap();
    let look = || bench.look(HOUR, &[], Some(bench.version("x.csv"))).map(|file| file.evidence);
    assert_eq!(look(), Err(Pending::Written));
    drop(writer);
    assert_eq!(look(), Ok(Evidence::Renamed));
}

#[test]
fn that_we_put_it_back_is_no_evidence() {
    let bench = bench();
    fs::write(bench.inbox("x.csv"), "1;2").unwrap();
    let file = bench.look(Duration::ZERO, &[], None).unwrap();
    // Because it could not be admitted, and because it was written to.
    let changed = Arrived { version: Version { size: 1, ..file.version }, ..file.clone() };
    for file in [file, changed] {
        bench.take_and_put_back(&file);
        let back = bench.look(HOUR, &[], Some(bench.version("x.csv")));
        assert!(matches!(back, Err(Pending::Quiet(_))), "{back:?}");
    }
    bench.append("x.csv");
    let back = bench.look(HOUR, &[], Some(bench.version("x.csv")));
    assert!(matches!(back, Err(Pending::Quiet(_))), "nor when it has changed since: {back:?}");
    // Another file is another matter.
    fs::write(bench.root.join("beside"), "3;4").unwrap();
    fs::rename(bench.root.join("beside"), bench.inbox("x.csv")).unwrap();
    assert_eq!(
        bench.look(HOUR, &[], Some(bench.version("x.csv"))).map(|file| file.evidence),
        Ok(Evidence::Renamed)
    );
}

#[test]
fn what_goes_back_fits_its_marker_still() {
    let bench = bench();
    fs::write(bench.inbox("x.csv"), "1;2").unwrap();
    fs::write(bench.inbox("x.csv.done"), "").unwrap();
    let look = || bench.look(HOUR, &[".done"], None);
    let file = look().unwrap();
    for _ in 0..3 {
        bench.take_and_put_back(&file);
        assert_eq!(look().map(|file| file.evidence), Ok(Evidence::Marker(".done".to_owned())));
    }
    // Who opens it is about to write to it.
    let writer = OpenOptions::new().append(true).open(bench.inbox("x.csv")).unwrap();
    assert_eq!(look(), Err(Pending::StaleMarker(".done".to_owned())));
    drop(writer);
    assert!(look().is_ok());
    bench.append("x.csv");
    assert_eq!(look(), Err(Pending::StaleMarker(".done".to_owned())), "it has changed since");
}

#[test]
fn what_was_changed_before_it_went_back_has_no_marker() {
    let bench = bench();
    fs::write(bench.inbox("x.csv"), "1;2").unwrap();
    fs::write(bench.inbox("x.csv.done"), "").unwrap();
    let file = bench.look(HOUR, &[".done"], None).unwrap();
    bench.append("x.csv");
    bench.take_and_put_back(&file);
    let look = bench.look(HOUR, &[".done"], None);
    assert_eq!(look, Err(Pending::StaleMarker(".done".to_owned())));
}
