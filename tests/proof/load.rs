//! Hours of work with many jobs, in simulated time: what bad deployments and bad jobs do to the others.

use std::time::{Duration, Instant};

use filedrop::actors::consumer::{Doubt, HoldBack, Taken, Terms, conclude, finish, take};
use filedrop::adapters::fs::sim::{Model, SimFs, World};
use filedrop::ports::{Host, NewJob, Store, Vigil};
use filedrop::words::{DEFAULT_LEASE, Id, Payload, Problem, Retry, Turns};

use crate::programs::{self, Kind, open};

const JOBS: usize = 1000;
const WORKERS: usize = 8;

fn consumer() -> Id {
    "sim".parse().expect("a name")
}

/// The handler was removed after the consumer had started: whatever its eight workers claim is handed back, and the
/// consumer waits longer and longer. An hour later no attempt is counted, and when the handler is there again everything succeeds.
#[test]
fn an_inbox_survives_an_hour_of_a_broken_deployment() {
    let world = World::new(Model::B, 1);
    programs::init(&world);
    let store = open(SimFs::unscheduled(&world, 1)).expect("a drop folder");
    let jobs: Vec<NewJob> = (0..JOBS).map(|_| programs::new_job(store.host(), Kind::Plain)).collect();
    store.submit(&jobs).expect("submit");
    let room = store.register(&consumer(), DEFAULT_LEASE).expect("a room");
    let retry = Retry::default();
    let name = consumer();
    let terms = Terms { consumer: &name, source: "/sim", retry: &retry, max_bytes: usize::MAX };
    // The consumer's own decision, by a clock that is moved by hand.
    let mut hold = HoldBack::default();
    let epoch = Instant::now();
    let clock = || epoch + store.host().monotonic();
    let end = clock() + Duration::from_secs(3600);
    let mut at_once = Vec::new();
    while clock() < end {
        let mut window = Turns::default();
        window.renew(store.scan(WORKERS).expect("scan").names);
        let mut taken = Vec::new();
        while hold.may_begin(clock()) && taken.len() < WORKERS {
            let name = window.next().expect("they are all still there");
            hold.began(clock());
            match take(&store, &room, &name, store.host(), terms).expect("take") {
                Taken::Job(claim, _) => taken.push(claim),
                other => panic!("it is to be handled: {other:?}"),
            }
        }
        at_once.push(taken.len());
        for claim in &taken {
            hold.hitch(Doubt::Start, clock());
            store.release(&room, claim).expect("hand back");
        }
        let pause = hold.until(clock()).expect("nobody goes on at once") - clock();
        world.advance(pause.as_millis() as u64);
    }
    let (first, later) = at_once.split_first().expect("it tried");
    assert_eq!(*first, WORKERS, "at first nobody knows");
    assert!(later.iter().all(|taken| *taken == 1), "later one finds out for all: {later:?}");
    assert!((100..200).contains(&later.len()), "it backs off, and goes on trying: {}", later.len());
    let ready = store.scan(2 * JOBS).expect("scan").names;
    assert_eq!(ready.len(), JOBS);
    assert!(ready.iter().all(|name| name.attempt == 1), "no attempt was counted");
    for (nth, name) in ready.iter().enumerate() {
        assert!(hold.may_begin(clock()), "nobody waits for job {nth}");
        hold.began(clock());
        let Taken::Job(claim, job) = take(&store, &room, name, store.host(), terms).expect("take") else {
            panic!("it is to be handled")
        };
        hold.started();
        let now = store.host().now();
        let done = conclude(&store, &claim, &job, Ok(Payload::detect("1")), now, store.host(), terms);
        assert_eq!(finish(&store, &room, &claim, &done).expect("settle"), Some(true));
    }
    let rooms = store.census().expect("census").rooms;
    assert_eq!((rooms.done, rooms.inbox + rooms.delayed + rooms.claimed + rooms.dead), (JOBS, 0));
}

/// A thousand that always fail among a thousand good ones, all submitted at once, one worker, 100 ms a job. The failing ones
/// have five attempts each, older than most of what is ready; they may take every other turn and no more. So the last good job
/// is done when every job could have been attempted twice.
#[test]
fn jobs_that_always_fail_delay_the_others_by_no_more_than_their_share() {
    let world = World::new(Model::B, 2);
    programs::init(&world);
    let store = open(SimFs::unscheduled(&world, 1)).expect("a drop folder");
    for nth in 0..2 * JOBS {
        let kind = if nth % 2 == 0 { Kind::Flailing } else { Kind::Plain };
        store.submit(&[programs::new_job(store.host(), kind)]).expect("submit");
        world.advance(1);
    }
    let name = consumer();
    let retry = Retry::default();
    let terms = Terms { consumer: &name, source: "/sim", retry: &retry, max_bytes: usize::MAX };
    let room = store.register(&name, DEFAULT_LEASE).expect("a room");
    let began = store.host().monotonic();
    let (mut good, mut failures, mut last_good) = (0, 0, began);
    let mut window = Turns::default();
    loop {
        let promotion = store.promote(1000).expect("promote");
        if promotion.moved > 0 || window.is_empty() {
            window.renew(store.scan(256).expect("scan").names);
        }
        let Some(next) = window.next() else {
            let Some(due) = promotion.next else { break };
            world.advance(due.since(store.host().now()).as_millis() as u64);
            continue;
        };
        let Taken::Job(claim, job) = take(&store, &room, &next, store.host(), terms).expect("take") else {
            panic!("it is to be handled")
        };
        let began_at = store.host().now();
        world.advance(100);
        let result = match job.envelope.text("subject") {
            Some(_) => Err(Problem::handler("as asked")),
            None => Ok(Payload::detect("1")),
        };
        match &result {
            Ok(_) => (good, last_good) = (good + 1, store.host().monotonic()),
            Err(_) => failures += 1,
        }
        let done = conclude(&store, &claim, &job, result, began_at, store.host(), terms);
        finish(&store, &room, &claim, &done).expect("settle");
    }
    let rooms = store.census().expect("census").rooms;
    assert_eq!((rooms.done, rooms.dead, rooms.inbox + rooms.delayed), (JOBS, JOBS, 0));
    assert_eq!((good, failures), (JOBS, 5 * JOBS), "every attempt was made");
    let took = last_good - began;
    let twice = Duration::from_millis(100) * (2 * 2 * JOBS) as u32;
    assert!(took <= twice, "the last good job was done after {took:?}, and {twice:?} are allowed");
    let takeover = store.recover(&room, &mut Vigil::default()).expect("recover");
    assert_eq!(takeover.returned, 0);
    store.retire(room).expect("retire");
}
