//! P22: what lies in the inbox, is no job, and cannot be moved to where it belongs.

use std::fs;
use std::sync::Arc;

use crate::{Diary, LONG, folder, job, sh, until};

#[test]
fn a_dead_letter_that_cannot_be_moved_back_is_told_of_once() {
    let (_place, drop) = folder();
    let name = "5.1700000000000.odd.job.json";
    let (misplaced, taken) = (drop.path().join("inbox").join(name), drop.path().join("invalid").join(name));
    fs::write(&taken, "somebody's").unwrap();
    fs::write(&misplaced, "edited").unwrap();
    let diary = Arc::new(Diary::default());
    let told = || diary.0.lock().unwrap().iter().filter(|event| event.starts_with("Stuck")).count();
    let consumer = drop.consumer().observer(diary.clone());
    let stopper = consumer.stopper();
    let running = std::thread::spawn(move || consumer.run_command(sh("cat")));
    until("the first telling", || (told() == 1).then_some(()));
    // Each is found by another scan.
    for _ in 0..3 {
        let id = drop.submit(job("x")).unwrap();
        drop.wait_each(&[id], LONG, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    }
    assert_eq!(told(), 1);
    assert_eq!(fs::read(&taken).unwrap(), b"somebody's", "nothing is replaced");
    fs::remove_file(&taken).unwrap();
    drop.submit(job("x")).unwrap();
    until("its place", || diary.has("PutBack").then_some(()));
    assert_eq!(fs::read(&taken).unwrap(), b"edited");
    // Another one is another matter.
    fs::write(&misplaced, "edited again").unwrap();
    until("the second telling", || (told() == 2).then_some(()));
    stopper.stop();
    running.join().unwrap().unwrap();
    assert!(misplaced.exists());
}
