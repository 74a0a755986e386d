//! A folder that takes nothing from handlers: no job is to blame, and none is lost.

use std::sync::atomic::{AtomicU32, Ordering};

use filedrop::actors::consumer::ConsumerOptions;
use filedrop::adapters::host::OsHost;
use filedrop::{DropFolder, Error, ErrorKind, Id, Problem, Result, Retry, Stopper};

use crate::faulty::{Faulty, Verb, broken};
use crate::{Diary, assert_tidy, folder, job, names, sh, until};

fn options(drain: bool) -> ConsumerOptions {
    let retry = Retry { max_attempts: 1, ..Retry::default() };
    ConsumerOptions { drain, retry, ..ConsumerOptions::new(&OsHost) }
}

fn payload(drop: &DropFolder) -> Vec<String> {
    names(&drop.path().join("payload"))
}

/// Consumes until the job has its outcome. `fault` is asked each time something is to be made or kept.
fn consume_one(drop: &DropFolder, id: &Id, fault: impl Fn(&Verb<'_>) -> Result<()> + Send + Sync) -> Diary {
    let store = Faulty::new(drop, fault);
    let (diary, stopper) = (Diary::default(), Stopper::default());
    let runs = drop.path().join("runs");
    let script = format!(
        "echo ran >> '{}'; echo kept > \"$FILEDROP_RESULT_DIR/file\"; head -c 2000000 /dev/zero",
        runs.display()
    );
    std::thread::scope(|scope| {
        let command = sh(&script);
        let (store, diary, given) = (&store, &diary, stopper.clone());
        let running = scope.spawn(move || store.consume_with(&command, &options(false), diary, &given));
        until("the outcome", || drop.outcome(id).unwrap());
        stopper.stop();
        running.join().unwrap().unwrap();
    });
    diary
}

fn runs(drop: &DropFolder) -> usize {
    std::fs::read_to_string(drop.path().join("runs")).unwrap_or_default().lines().count()
}

#[test]
fn a_workspace_that_cannot_be_made_is_nobodys_fault() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let tries = AtomicU32::new(0);
    let diary = consume_one(&drop, &id, |verb| match verb {
        Verb::Workspace if tries.fetch_add(1, Ordering::Relaxed) < 3 => Err(broken()),
        _ => Ok(()),
    });
    let outcome = drop.outcome(&id).unwrap().unwrap();
    assert_eq!((outcome.attempt(), outcome.problem(), runs(&drop)), (1, None, 1));
    assert!(diary.has("make a workspace") && diary.has("HandedBack"));
    assert_tidy(&drop);
}

/// What could not be flushed is written anew: a second flush would say that all is well, and lie.
#[test]
fn what_could_not_be_kept_is_made_again() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let tries = AtomicU32::new(0);
    let diary = consume_one(&drop, &id, |verb| match verb {
        Verb::Harvest if tries.fetch_add(1, Ordering::Relaxed) < 2 => Err(broken()),
        _ => Ok(()),
    });
    let outcome = drop.outcome(&id).unwrap().unwrap();
    assert_eq!((outcome.attempt(), outcome.problem(), runs(&drop)), (1, None, 3));
    assert!(diary.has("keep what a handler left") && !diary.has("Failed"));
    let mut referred = [outcome.files_ref().unwrap().name(), outcome.data_ref().unwrap().name()];
    referred.sort();
    assert_eq!(payload(&drop), referred);
    assert_tidy(&drop);
}

#[test]
fn a_drain_for_which_nothing_is_kept_ends_with_the_error() {
    for broken_verb in ["make", "keep"] {
        let (_place, drop) = folder();
        let id = drop.submit(job("x")).unwrap();
        let store = Faulty::new(&drop, |verb| match verb {
            Verb::Workspace if broken_verb == "make" => Err(broken()),
            Verb::Harvest if broken_verb == "keep" => Err(broken()),
            _ => Ok(()),
        });
        let leaves = sh("echo > \"$FILEDROP_RESULT_DIR/file\"");
        let e = store.consume_with(&leaves, &options(true), &(), &Stopper::default()).unwrap_err();
        assert!(e.to_string().contains("as asked for"), "{e}");
        let place = drop.locate(&id).unwrap().remove(0);
        assert_eq!((place.room, place.attempt), ("inbox", Some(1)), "no attempt was counted");
        assert!(payload(&drop).is_empty());
        assert_tidy(&drop);
    }
}

/// What the handler itself is to blame for is a failed attempt: else it would be handled for ever.
#[test]
fn what_nobody_can_read_is_the_handlers_fault() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Harvest => Err(Error::new(ErrorKind::Invalid, "cannot open what the handler left")),
        _ => Ok(()),
    });
    store.consume_with(&sh("true"), &options(true), &(), &Stopper::default()).unwrap();
    let problem = drop.outcome(&id).unwrap().unwrap().problem().unwrap();
    assert_eq!(
        (problem.kind.as_str(), problem.detail.as_str()),
        (Problem::HANDLER, "cannot open what the handler left")
    );
    assert!(payload(&drop).is_empty());
}

#[test]
fn a_closure_has_no_workspace() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let store = Faulty::new(&drop, |verb| match verb {
        Verb::Workspace | Verb::Harvest => Err(broken()),
        _ => Ok(()),
    });
    store.consume(&options(true), &(), &Stopper::default()).unwrap();
    assert!(drop.outcome(&id).unwrap().unwrap().problem().is_none());
}
