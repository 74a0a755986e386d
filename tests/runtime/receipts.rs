//! An intake that has many outcomes to tell: what each of its looks costs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use filedrop::actors::intake::{self, IntakeOptions, Setup};
use filedrop::adapters::fs::{OsFs, hold_root};
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::{ForeignFolder, Premises};
use filedrop::ports::{Chosen, Clerk};
use filedrop::words::Consignment;
use filedrop::{Error, ErrorKind, Id, Job, Outcome, Result, Stopper, WatchMode};

use crate::faulty::Deaf;
use crate::stubborn::{Stubborn, stubborn};
use crate::{Diary, folder, job};

/// Has told the outcomes of some jobs, and is asked for the others at each look.
struct Books<'a> {
    open: BTreeSet<Id>,
    /// It cannot tell of this one.
    refused: Option<Id>,
    looks: RefCell<usize>,
    /// After so many looks all is to end.
    most: usize,
    stopper: &'a Stopper,
}

impl Clerk for Books<'_> {
    fn record(&mut self, _: &[&Consignment]) -> Result<()> {
        Ok(())
    }
    fn accepted(&mut self, _: &[&Consignment]) -> Vec<Result<()>> {
        Vec::new()
    }
    fn record_rejected(&mut self, _: &Path, _: &str) -> Result<()> {
        Ok(())
    }
    fn rejected(&mut self, _: &Path, _: &str) -> Result<()> {
        Ok(())
    }
    fn open(&self) -> Result<Vec<Id>> {
        *self.looks.borrow_mut() += 1;
        if *self.looks.borrow() == self.most {
            self.stopper.stop();
        }
        Ok(self.open.iter().cloned().collect())
    }
    fn decided(&mut self, outcome: &Outcome) -> Result<()> {
        let id = outcome.job_id();
        if self.refused.as_ref() == Some(&id) {
            return Err(Error::new(ErrorKind::Io, "as asked"));
        }
        assert!(self.open.remove(&id), "{id} is told twice");
        Ok(())
    }
}

/// Which calls an intake made that looked so often for the outcomes of these jobs, and what it could not tell.
fn calls(
    drop: &filedrop::DropFolder,
    dir: &Path,
    ids: &[Id],
    looks: usize,
) -> (Vec<(String, PathBuf)>, BTreeSet<Id>) {
    let seen = Mutex::new(Vec::new());
    let store = stubborn(drop, OsFs::at(drop.path()).unwrap(), |call, path| {
        seen.lock().unwrap().push((call.to_owned(), path.to_owned()));
        Ok(())
    });
    let home = dir.join(".filedrop");
    fs::create_dir_all(&home).unwrap();
    let premises =
        Premises { dir: dir.to_owned(), root: hold_root(dir).unwrap(), home: hold_root(&home).unwrap() };
    let foreign = ForeignFolder::open(
        &store,
        Stubborn::new(OsFs::at(dir).unwrap(), |_, _| Ok(())),
        OsHost,
        premises,
        false,
    )
    .unwrap();
    let options = IntakeOptions { poll_interval: Duration::from_millis(1), ..IntakeOptions::new(&OsHost) };
    let (stopper, diary) = (Stopper::default(), Diary::default());
    let mut books = Books {
        open: ids.iter().cloned().collect(),
        refused: ids.first().cloned(),
        looks: RefCell::new(0),
        most: looks,
        stopper: &stopper,
    };
    intake::run(Setup {
        store: &store,
        foreign: &foreign,
        dir: dir.to_owned(),
        host: &OsHost,
        watch: Box::new(Deaf),
        chosen: Chosen { mode: WatchMode::Poll, why: "for the test".to_owned() },
        options: &options,
        clerk: &mut books,
        observer: &diary,
        stopper: &stopper,
    })
    .unwrap();
    let open = books.open;
    (std::mem::take(&mut *seen.lock().unwrap()), open)
}

#[tokio::test]
async fn a_look_for_many_outcomes_is_one_look() {
    const JOBS: usize = 40;
    const LOOKS: usize = 20;
    let (place, drop) = folder();
    let dir = place.path().join("in");
    fs::create_dir(&dir).unwrap();
    let given = |nth: usize| job("x").id(format!("order-{nth}").parse().unwrap());
    let ids = drop.submit_all((0..JOBS).map(given).collect()).unwrap();
    let outcomes = drop.path().join("outcomes");

    let (made, open) = calls(&drop, &dir, &ids, LOOKS);
    let count = |made: &[(String, PathBuf)], what: &str, is: &dyn Fn(&Path) -> bool| {
        made.iter().filter(|(call, path)| call == what && is(path)).count()
    };
    assert_eq!(open.len(), JOBS);
    // In all days: at the first look, and at a safety rescan of a slow machine.
    let lists = count(&made, "list_until", &|path| path == outcomes);
    assert!((1..LOOKS / 2).contains(&lists), "{lists} times");
    let entries = count(&made, "open", &|path| path.starts_with(drop.path().join("ids")));
    assert!(entries < LOOKS / 2 * JOBS, "{entries} entries were read");

    drop.consumer().drain(true).run(async |_: Job| Ok::<_, String>(())).await.unwrap();
    let (made, open) = calls(&drop, &dir, &ids, 2);
    assert_eq!(open, BTreeSet::from([ids[0].clone()]), "what cannot be told of one holds up no other");
    let flushes = count(&made, "flush_dir", &|path| path.starts_with(&outcomes));
    assert!(flushes <= 2, "{flushes} for one folder");
}
