//! What stays, however old it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use filedrop::InboxName;
use filedrop::ports::{Claimed, Host as _, Store as _};
use filedrop::words::{Attempt, DEFAULT_LEASE, Millis, Problem};

use crate::past::{DAY, LONG_AGO, Past, Store, age, attach, handle, submit, submit_given, sweep};

const VERY_LONG_AGO: Duration = Duration::from_secs(400 * 24 * 60 * 60);

fn fail(store: &Store, name: &InboxName) {
    handle(store, name, Err(Problem::rejected("as asked")));
}

/// P26: jobs that are not over, in every room where such may lie, with all that belongs to them.
#[test]
fn what_is_not_over() {
    let past = Past::new();
    let names = past.then(VERY_LONG_AGO, |store| {
        let names: Vec<InboxName> = (0..6).map(|nth| submit_given(store, &format!("job-{nth}"))).collect();
        let [_ready, delayed, claimed, dead, invalid, postponed] = &names[..] else { panic!("six") };
        let room = store.register(&"test".parse().unwrap(), DEFAULT_LEASE).unwrap();
        let due = store.layout().delayed(&delayed.delayed(store.host().now()));
        fs::rename(store.layout().ready(delayed), due).unwrap();
        fs::rename(store.layout().ready(claimed), store.layout().claim(room.name(), claimed)).unwrap();
        fail(store, dead);
        handle(store, invalid, Err(Problem::invalid("as asked")));
        let Claimed::Taken(claim) = store.claim(&room, postponed).unwrap() else { panic!("it is ready") };
        let attempt = Attempt {
            attempt: 1,
            consumer: "test".to_owned(),
            began: String::new(),
            ended: String::new(),
            problem: Problem::handler("once"),
            next: None,
        };
        store.postpone(&room, &claim, Millis::MAX, &attempt).unwrap();
        for name in &names {
            attach(&past, &name.id);
        }
        // Its consumer is dead; nobody has recovered what it had.
        drop(room);
        names
    });
    let before = past.tree();
    assert!(past.of(&names[5].id).iter().any(|path| path.ends_with(".1.attempt.json")));
    assert_eq!(sweep(&past.now()).0.total(), 0);
    assert_eq!(past.tree(), before);
}

/// P26: a power cut may leave a job where it was, beside its outcome and its archive; P7 ends that, and needs the outcome.
#[test]
fn what_came_back() {
    let past = Past::new();
    for room in ["inbox", "delayed", "claimed"] {
        let name = past.done(LONG_AGO);
        let store = past.now();
        let registered = store.register(&"test".parse().unwrap(), DEFAULT_LEASE).unwrap();
        let back = match room {
            "inbox" => store.layout().ready(&name.next_attempt()),
            "delayed" => store.layout().delayed(&name.delayed(Millis::MAX)),
            _ => store.layout().claim(registered.name(), &name),
        };
        fs::hard_link(store.layout().archived(&name), &back).unwrap();
        assert_eq!(sweep(&store).0.total(), 0, "{room}");
        fs::remove_file(&back).unwrap();
        assert_eq!(sweep(&store).0.total(), 2, "{room}");
        store.retire(registered).unwrap();
    }
}

/// P21, P26: dead letters are people's. Once redriven they are archived, and go by the age of their outcome.
#[test]
fn dead_letters() {
    let past = Past::new();
    let name = past.then(VERY_LONG_AGO, |store| {
        let name = submit(store, |_| {});
        fail(store, &name);
        name
    });
    assert_eq!(sweep(&past.now()).0.total(), 0);
    let new = past.now().redrive(&name).unwrap();
    assert_eq!(sweep(&past.now()).0.total(), 2);
    assert!(past.of(&name.id).is_empty());
    assert_eq!(past.of(&new).len(), 2, "ready, and its entry");
}

/// P21, P26: a redrive that was interrupted has published its new job. To finish it must find that job, or would begin another.
#[test]
fn what_a_dead_letter_became_while_it_is_there() {
    let past = Past::new();
    let (name, new) = past.then(LONG_AGO, |store| {
        let name = submit(store, |_| {});
        fail(store, &name);
        let dead = store.layout().room("dead").join(name.archived());
        let bytes = fs::read(&dead).unwrap();
        let new = store.redrive(&name).unwrap();
        fs::write(dead, bytes).unwrap();
        let ready = store.scan(10).unwrap().names.remove(0);
        assert_eq!(ready.id, new);
        handle(store, &ready, Ok("1"));
        (name, new)
    });
    let before = past.of(&new);
    assert_eq!(before.len(), 3, "archive, slot and entry");
    assert_eq!(sweep(&past.now()).0.total(), 0);
    assert_eq!(past.now().redrive(&name).unwrap(), new);
    assert!(past.now().scan(10).unwrap().names.is_empty(), "it is done, not begun again");
    let left = || past.of(&new).len() + past.of(&name.id).len();
    sweep(&past.now());
    sweep(&past.now());
    assert_eq!(left(), 0);
}

/// What bears a name of ours and is something else, and what bears another name: nobody knows what it is.
#[test]
fn what_is_strange() {
    let past = Past::new();
    let old = past.done(LONG_AGO);
    let other = past.done(LONG_AGO);
    let elsewhere = past.root.parent().unwrap().join("elsewhere");
    fs::create_dir_all(elsewhere.join("2020-01-01")).unwrap();
    let victim = elsewhere.join("2020-01-01/5.1577836800000.victim.job.json");
    fs::write(&victim, "precious").unwrap();
    age(&victim, VERY_LONG_AGO);
    let (done, outcomes) = (past.path("done"), past.path("outcomes"));
    symlink(elsewhere.join("2020-01-01"), done.join("2020-01-01")).unwrap();
    symlink(&elsewhere, past.path("replies/friend")).unwrap();
    symlink(&elsewhere, past.path("ids/zz")).unwrap();
    symlink(&elsewhere, past.path("payload/someone.00000000000000aa")).unwrap();
    symlink(&victim, past.path("tmp/link")).unwrap();
    let day = outcomes.join(old.day());
    // A link where a slot should be, a folder where another should: these jobs stay as they are.
    fs::remove_file(day.join(old.id.slot())).unwrap();
    symlink(&victim, day.join(old.id.slot())).unwrap();
    fs::remove_file(day.join(other.id.slot())).unwrap();
    fs::create_dir(day.join(other.id.slot())).unwrap();
    for path in [
        "done/notes.txt",
        "done/2020-13-01/5.1577836800000.a.job.json",
        "done/2020-1-1/5.1577836800000.a.job.json",
        "outcomes/2020-01-02/README",
        "outcomes/2020-01-02/a.0.attempt.json",
        "outcomes/2020-01-02/A.outcome.json",
        "done/2020-01-02/5.1577836800000.a.outcome.json",
        "done/2020-01-02/5.1577836800000.a.1.job.json",
        "ids/ab/README.txt",
        "ids/ab/cd",
        "ids/ab/ab",
        "ids/ab/ab.00000000000000aa.x",
        "payload/README",
        "payload/x.00000000000000aa",
        "payload/y.00000000000000aa.data/file",
        "replies/README",
        "claimed/README",
        "dead/README",
    ] {
        let path = past.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "strange").unwrap();
        age(&path, VERY_LONG_AGO);
    }
    let before = past.tree();
    assert_eq!(sweep(&past.now()).0.total(), 0);
    assert_eq!(past.tree(), before);
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

/// P26, R6: days that were removed are made again by whoever needs them, also by who has seen them before.
#[test]
fn days_that_are_gone_are_made_again() {
    let past = Past::new();
    let writer = past.ago(LONG_AGO);
    let [first, second, third, fourth] = [(); 4].map(|()| submit(&writer, |_| {}));
    let remove_days = || {
        past.age(LONG_AGO);
        let (swept, gone) = sweep(&past.now());
        assert!(swept.total() > 0, "{gone:?}");
        for room in ["done", "outcomes"] {
            assert!(!past.has(format!("{room}/{}", first.day())), "{room}");
        }
    };
    handle(&writer, &first, Ok("1"));
    remove_days();
    // A slot and an archive.
    handle(&writer, &second, Ok("1"));
    assert_eq!(past.of(&second.id).len(), 2);
    remove_days();
    // A record.
    let room = writer.register(&"test".parse().unwrap(), DEFAULT_LEASE).unwrap();
    let Claimed::Taken(claim) = writer.claim(&room, &third).unwrap() else { panic!("it is ready") };
    let attempt = Attempt {
        attempt: 1,
        consumer: "test".to_owned(),
        began: String::new(),
        ended: String::new(),
        problem: Problem::handler("once"),
        next: None,
    };
    writer.postpone(&room, &claim, Millis::MIN, &attempt).unwrap();
    assert_eq!(writer.attempts(&third).unwrap().len(), 1);
    // The archive of what is redriven, and of what was put back: without a slot that is not where it came from.
    fail(&writer, &fourth);
    fs::remove_dir_all(past.path("done")).unwrap();
    fs::create_dir(past.path("done")).unwrap();
    writer.redrive(&fourth).unwrap();
    assert!(past.has(format!("done/{}/{}", fourth.day(), fourth.archived())));
    let misplaced = past.path("inbox").join(fourth.archived());
    fs::rename(past.path("done").join(fourth.day()).join(fourth.archived()), misplaced).unwrap();
    fs::remove_dir(past.path("done").join(fourth.day())).unwrap();
    writer.put_back(&fourth).unwrap();
    assert!(past.has(format!("done/{}/{}", fourth.day(), fourth.archived())));
    writer.retire(room).unwrap();
    let _ = DAY;
}
