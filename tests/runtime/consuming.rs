//! Jobs, their order, and what becomes of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use filedrop::{Disposition, Id, Job, Payload, Priority, Problem, Submission};

use crate::{LONG, assert_tidy, folder, job, names};

#[tokio::test]
async fn a_job_is_handled_and_its_outcome_found() {
    let (_place, drop) = folder();
    let id = drop.submit(Submission::new("sum").data("[1, 2]").correlation_id("flow-7")).unwrap();
    let sum = async |job: Job| -> Result<String, serde_json::Error> {
        Ok(serde_json::from_slice::<Vec<i64>>(job.data())?.iter().sum::<i64>().to_string())
    };
    let summary = drop.consumer().max_attempts(1).drain(true).run(sum).await.unwrap();
    assert_eq!((summary.succeeded, summary.failed), (1, 0));
    let outcome = drop.wait(&id, LONG).await.unwrap();
    assert_eq!((outcome.data(), outcome.disposition), (&b"3"[..], Disposition::Succeeded));
    assert_eq!((outcome.job_id(), outcome.attempt()), (id.clone(), 1));
    assert_eq!(outcome.envelope.text("correlationid"), Some("flow-7"));
    let rooms: Vec<_> = drop.locate(&id).unwrap().into_iter().map(|place| place.room).collect();
    assert_eq!(rooms, ["outcomes", "done"]);
    assert_tidy(&drop);
}

#[tokio::test]
async fn jobs_are_handled_in_their_order() {
    let (_place, drop) = folder();
    let mut jobs: Vec<_> = (0..100).map(|nth| job(&nth.to_string())).collect();
    jobs.push(job("first").priority(Priority::new(0).unwrap()));
    let ids = drop.submit_all(jobs).unwrap();
    assert_eq!(ids.len(), 101);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let note = move |job: Job| {
        sees.lock().unwrap().push(String::from_utf8(job.data().to_vec()).unwrap());
        async { Ok::<_, String>(()) }
    };
    drop.consumer().max_attempts(1).drain(true).run(note).await.unwrap();
    let expected: Vec<_> =
        std::iter::once("first".to_owned()).chain((0..100).map(|n| n.to_string())).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn as_many_at_a_time_as_allowed() {
    const AT_A_TIME: usize = 4;
    let (_place, drop) = folder();
    drop.submit_all((0..AT_A_TIME * 3).map(|_| job("")).collect()).unwrap();
    // Each waits for three others: with fewer at a time it would never end, with more the count would tell.
    let barrier = Arc::new(tokio::sync::Barrier::new(AT_A_TIME));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let top = most.clone();
    let meet = move |_: Job| {
        let (barrier, running, most) = (barrier.clone(), running.clone(), most.clone());
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            barrier.wait().await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, String>(())
        }
    };
    let summary = drop.consumer().concurrency(AT_A_TIME).drain(true).run(meet).await.unwrap();
    assert_eq!(summary.succeeded, 3 * AT_A_TIME as u64);
    assert_eq!(top.load(Ordering::SeqCst), AT_A_TIME);
}

#[tokio::test]
async fn more_jobs_than_a_window_holds() {
    let (_place, drop) = folder();
    drop.submit_all((0..700).map(|_| job("")).collect()).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counts = count.clone();
    let work = move |_: Job| {
        counts.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, String>(()) }
    };
    let summary = drop.consumer().concurrency(3).drain(true).run(work).await.unwrap();
    assert_eq!((summary.succeeded, count.load(Ordering::SeqCst)), (700, 700));
}

#[tokio::test]
async fn consumers_compete_and_each_job_is_handled_once() {
    let (_place, drop) = folder();
    let ids = drop.submit_all((0..300).map(|_| job("")).collect()).unwrap();
    let seen = Arc::new(Mutex::new(BTreeMap::<Id, usize>::new()));
    let consumers: Vec<_> = (0..3)
        .map(|_| {
            let seen = seen.clone();
            let work = move |job: Job| {
                *seen.lock().unwrap().entry(job.id).or_default() += 1;
                async { Ok::<_, String>(()) }
            };
            tokio::spawn(drop.consumer().concurrency(2).drain(true).run(work))
        })
        .collect();
    let mut succeeded = 0;
    for consumer in consumers {
        succeeded += consumer.await.unwrap().unwrap().succeeded;
    }
    assert_eq!(succeeded, 300);
    let seen = seen.lock().unwrap();
    assert!(ids.iter().all(|id| seen.get(id) == Some(&1)));
    assert_tidy(&drop);
}

#[tokio::test]
async fn a_failure_is_an_outcome_with_its_reason() {
    let (_place, drop) = folder();
    let id = drop.submit(job("x")).unwrap();
    let fail = async |_: Job| Err::<(), _>("no paper in the printer");
    let summary = drop.consumer().max_attempts(1).drain(true).run(fail).await.unwrap();
    assert_eq!(summary.failed, 1);
    let outcome = drop.wait(&id, LONG).await.unwrap();
    let problem = outcome.problem().unwrap();
    assert_eq!((problem.reason(), &*problem.detail), ("handler", "no paper in the printer"));
    let [attempt] = &problem.attempts[..] else { panic!("one attempt: {problem:?}") };
    assert_eq!((attempt.attempt, &attempt.problem), (1, &Problem::handler("no paper in the printer")));
    assert!(attempt.began <= attempt.ended && attempt.next.is_none(), "{attempt:?}");
    let dead = names(&drop.path().join("dead"));
    assert_eq!(dead.len(), 2);
    assert!(dead[0].ends_with(".job.json") && dead[1].ends_with(".reason.json"), "{dead:?}");
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_job_alone() {
    let (_place, drop) = folder();
    let ids = drop.submit_all(vec![job("panic"), job("fine")]).unwrap();
    let work = async |job: Job| {
        assert_ne!(job.data(), b"panic", "as asked for");
        Ok::<_, String>(())
    };
    let summary = drop.consumer().max_attempts(1).drain(true).run(work).await.unwrap();
    assert_eq!((summary.succeeded, summary.failed), (1, 1));
    let problem = drop.wait(&ids[0], LONG).await.unwrap().problem().unwrap();
    assert!(problem.detail.starts_with("the handler panicked"), "{problem:?}");
}

#[tokio::test]
async fn what_nobody_can_read_blocks_nobody() {
    let (_place, drop) = folder();
    let unreadable = "0.1700000000000.broken.1.job.json";
    std::fs::write(drop.path().join("inbox").join(unreadable), "{\"specversion\":").unwrap();
    let strange = drop.path().join("inbox/not a job of ours.tmp");
    std::fs::write(&strange, "").unwrap();
    let id = drop.submit(job("x")).unwrap();
    let summary =
        drop.consumer().max_attempts(1).drain(true).run(async |_: Job| Ok::<_, String>(())).await.unwrap();
    assert_eq!((summary.succeeded, summary.invalid), (1, 1));
    drop.wait(&id, LONG).await.unwrap();
    let outcome = drop.outcome(&"broken".parse().unwrap()).unwrap().unwrap();
    assert_eq!(outcome.problem().unwrap().kind, Problem::INVALID);
    let expected = ["0.1700000000000.broken.job.json", "0.1700000000000.broken.reason.json"];
    assert_eq!(names(&drop.path().join("invalid")), expected);
    assert!(strange.exists());
}

/// The outcome of a job that is answered with control characters: as base64 these are a third longer.
async fn answer(drop: &filedrop::DropFolder, mebibytes: usize) -> filedrop::Outcome {
    let id = drop.submit(job("x")).unwrap();
    let much =
        move |_: Job| async move { Ok::<_, String>(Payload::typed(vec![1; mebibytes << 20], "text/plain")) };
    drop.consumer().max_attempts(1).drain(true).run(much).await.unwrap();
    drop.wait(&id, LONG).await.unwrap()
}

#[tokio::test]
async fn too_large_an_answer_is_a_failure() {
    let (_place, drop) = folder();
    assert_eq!(answer(&drop, 13).await.problem().unwrap().kind, Problem::OUTPUT);
    assert_eq!(answer(&drop, 11).await.data(), vec![1; 11 << 20]);
}

/// Who has a minted id knows the day of its slot: the name's milliseconds are the id's, also in a batch, whose ids are in order.
#[test]
fn a_minted_id_tells_when_its_job_was_submitted() {
    let (_place, drop) = folder();
    let ids = drop.submit_all((0..200).map(|n| job(&n.to_string())).collect()).unwrap();
    assert!(ids.is_sorted(), "in the order of the input");
    let inbox = std::fs::read_dir(drop.path().join("inbox")).unwrap();
    let names = inbox.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<filedrop::words::InboxName> = names.map(|name| name.parse().unwrap()).collect();
    assert_eq!(names.len(), ids.len());
    for name in names {
        assert_eq!(name.id.minted_at(), Some(name.submitted), "{name}");
    }
}
