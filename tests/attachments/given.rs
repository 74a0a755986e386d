//! A given id, and files.

use std::fs;

use filedrop::{Id, Receipt, Submission};

use crate::{Folder, job, sh};

fn asked(id: &str) -> Submission {
    job().id(id.parse().unwrap())
}

fn submit(folder: &Folder, asked: Submission) -> Receipt {
    folder.drop.submit_with_receipts(vec![asked]).unwrap().remove(0)
}

/// P20, P23: the first one counts, with its files; those of the second go, or stay where they were.
#[test]
fn the_files_of_the_first_one_count() {
    let folder = Folder::new();
    let first = folder.file("first", "1");
    let receipt = submit(&folder, asked("invoice").move_in(&first));
    assert!(!receipt.before && receipt.stayed.is_empty() && !first.exists());
    let id: Id = "invoice".parse().unwrap();
    let (job, payload) = (folder.job(&id), folder.payload());
    let second = folder.file("second", "2");
    for _ in 0..2 {
        let receipt = submit(&folder, asked("invoice").attach(folder.file("other", "3")).move_in(&second));
        assert!(receipt.before);
        assert_eq!(receipt.stayed, std::slice::from_ref(&second));
        assert_eq!((folder.job(&id), folder.payload()), (job.clone(), payload.clone()));
    }
    folder.drain(sh(r#"cat "$FILEDROP_PAYLOAD"/*"#));
    let outcome = folder.drop.outcome(&id).unwrap().unwrap();
    assert_eq!(outcome.data(), b"1");
    assert!(submit(&folder, asked("invoice").move_in(&second)).before);
    assert_eq!(fs::read(&second).unwrap(), b"2");
    assert_eq!(folder.payload(), payload);
}

/// Whoever wins, exactly the winner's files travel with the job.
#[test]
fn of_many_at_once_one_is_there_with_its_own_files() {
    let folder = Folder::new();
    let many: Vec<_> = (0..8).map(|n| folder.file(format!("file-{n}"), format!("{n}"))).collect();
    let receipts: Vec<Receipt> = std::thread::scope(|scope| {
        let submitters: Vec<_> = many
            .iter()
            .map(|path| {
                let drop = filedrop::DropFolder::open(folder.drop.path()).unwrap();
                scope.spawn(move || {
                    let asked = asked("one").move_in(path);
                    drop.submit_with_receipts(vec![asked]).unwrap().remove(0)
                })
            })
            .collect();
        submitters.into_iter().map(|submitter| submitter.join().unwrap()).collect()
    });
    let winners: Vec<_> = (0..8).filter(|n| !many[*n].exists()).collect();
    assert_eq!(winners.len(), 1, "{receipts:?}");
    assert!(!receipts[winners[0]].before);
    let files = folder.files(&"one".parse().unwrap());
    assert_eq!(files.len(), 1);
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), winners[0].to_string());
    assert_eq!(folder.payload().len(), 1);
}
