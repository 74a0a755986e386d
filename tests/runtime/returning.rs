//! P28: what one consumer puts back is seen to come by all the others.

use std::fs;
use std::time::Duration;

use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Arrivals, Fetched, Store};
use filedrop::words::Customs;
use filedrop::{Stopper, WatchMode};

use crate::{folder, names, sh, until};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_another_puts_back_is_not_taken_for_a_file_that_was_renamed_into_place() {
    let (place, drop) = folder();
    let drop = drop.with_watch(WatchMode::Notify, Duration::from_secs(1));
    let inbox = drop.path().join("inbox");
    let consumer = drop.consumer().quiet_period(HOUR);
    let stopper: Stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(sh("cat > /dev/null")));
    // It watches: what is renamed into place is a job at once.
    let rename = |name: &str| {
        fs::write(place.path().join("beside"), name).unwrap();
        fs::rename(place.path().join("beside"), inbox.join(name)).unwrap();
    };
    let is_done = || {
        let done = fs::read_dir(drop.path().join("done")).unwrap().map(|day| day.unwrap().path());
        (done.map(|day| names(&day).len()).sum::<usize>() > 0).then_some(())
    };
    let mut nth = 0;
    until("the consumer to watch", || {
        nth += 1;
        rename(&format!("first-{nth}"));
        is_done()
    });

    let other = LocalStore::open(OsFs::at(drop.path()).unwrap(), OsHost, drop.path()).unwrap();
    let room = other.register(&"other".parse().unwrap(), HOUR).unwrap();
    fs::write(inbox.join("half.csv"), "1;2").unwrap();
    let mut arrivals = Arrivals::new(Customs::new(&["first*".to_owned()], &[]).unwrap(), Duration::ZERO);
    let looked = other.arrivals(None, &mut arrivals, &mut |_, _| ()).unwrap();
    let stamps = other.take_files(&room, &looked.ready).unwrap();
    let Fetched::Here(stamp) = &stamps[0] else { panic!("{stamps:?}") };
    other.untake(&room, stamp).unwrap();
    assert!(inbox.join("half.csv").exists());

    rename("last.csv");
    until("the one that came after it", || (!inbox.join("last.csv").exists()).then_some(()));
    assert!(inbox.join("half.csv").exists(), "it is told of before the last one, and has to be quiet still");
    stopper.stop();
    running.join().unwrap().unwrap();
    assert!(inbox.join("half.csv").exists());
}
