//! The programs that talk through the folder, as the simulator runs them.

use std::ops::ControlFlow;
use std::time::Duration;

use filedrop::actors::consumer::{Conclusion, Taken, Terms, conclude, finish_all, take};
use filedrop::adapters::fs::sim::{SimFs, SimHost, World};
use filedrop::adapters::store::local::{LocalRoom, LocalStore};
use filedrop::ports::{
    Beat, Broom, Claim, Claimed, Fs, Host, NewJob, Progress, Store, Submitted, Swept, Takeover, Vigil,
};
use filedrop::words::{
    DEFAULT_LEASE, ErrorKind, Id, InboxName, Job, Outcome, Payload, Priority, Problem, Result, Retry,
};

use crate::audit;
use crate::ledger::Ledger;
use crate::strangers;

pub(crate) const DROP: &str = "/drop";

pub(crate) type Program = Box<dyn FnOnce(SimFs<'_>)>;
pub(crate) type SimStore<'a> = LocalStore<SimFs<'a>, SimHost>;
pub(crate) type SimRoom<'a> = LocalRoom<<SimFs<'a> as Fs>::File>;

/// A fresh drop folder, and nothing pending.
pub(crate) fn init(world: &World) {
    let fs = SimFs::unscheduled(world, 0);
    let host = fs.host();
    LocalStore::init(fs, host, DROP).expect("init on a healthy disk");
    world.take_changes();
}

pub(crate) fn open(fs: SimFs<'_>) -> Option<SimStore<'_>> {
    let host = fs.host();
    LocalStore::open(fs, host, DROP).ok()
}

/// A sweep to its end.
pub(crate) fn sweep(store: &SimStore<'_>) -> Result<Swept> {
    store.sweep(&mut Broom { dry_run: false, keep: None, budget: Duration::MAX, each: &mut |_| {} })
}

/// What a job of the simulation looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No Return Address.
    Plain,
    /// Its outcome goes to `replies/asker/`.
    Reply,
    /// Its body is no envelope.
    Garbage,
    /// Its handler fails, and it has but one attempt.
    Failing,
    /// Its handler fails at the first attempt and succeeds at the second.
    Flaky,
    /// Its handler fails, as often as its consumer lets it.
    Flailing,
    /// Its handler fails at both of its attempts.
    Hopeless,
    /// It is due in a minute.
    Delayed,
    /// It expires in ten seconds.
    Expiring,
    /// Its id is given: by this submitter, which differs from others in the priority.
    Given(u8),
}

/// The id that is given.
pub(crate) const GIVEN: &str = "order-4711";

pub(crate) const ADDRESS: &str = "asker";

/// Submits a job of each kind, once more if it is told of an error.
pub(crate) fn producer(ledger: &Ledger, kinds: &[Kind]) -> Program {
    let (ledger, kinds) = (ledger.clone(), kinds.to_vec());
    Box::new(move |fs| {
        let world = fs.world().clone();
        let Some(store) = open(fs) else { return };
        for kind in kinds {
            let job = new_job(store.host(), kind);
            ledger.attempt(&job);
            let mut certainly_not = true;
            for _ in 0..2 {
                match store.submit(std::slice::from_ref(&job)) {
                    Ok(answers) => {
                        if answers == [Submitted::Before] {
                            audit::submitted_before(&world, &job.name.id, &ledger);
                        }
                        ledger.acknowledge(&job.name.id);
                        certainly_not = false;
                        break;
                    }
                    Err(e) => certainly_not &= e.kind() != ErrorKind::Uncertain,
                }
            }
            // Another may have submitted the same id.
            if certainly_not && !job.given {
                ledger.refuse(&job.name.id);
            }
        }
    })
}

pub(crate) fn new_job(host: &SimHost, kind: Kind) -> NewJob {
    let (mut id, submitted) = host.mint();
    let (mut priority, mut due) = (Priority::default(), None);
    if let Kind::Given(other) = kind {
        id = GIVEN.parse().expect("an id");
        priority = Priority::new(other).expect("a digit");
    }
    let mut envelope = Job::envelope(&id, "/sim", "sim", submitted);
    envelope.payload = Some(Payload::detect(format!(r#"{{"job":"{id}"}}"#)));
    match kind {
        Kind::Plain => {}
        Kind::Reply => envelope.set("replyto", ADDRESS),
        Kind::Failing => {
            envelope.set("subject", "fail");
            envelope.set("maxattempts", 1);
        }
        Kind::Flailing => envelope.set("subject", "fail"),
        Kind::Flaky => envelope.set("subject", "fail once"),
        Kind::Hopeless => {
            envelope.set("subject", "fail");
            envelope.set("maxattempts", 2);
        }
        Kind::Delayed => {
            due = Some(submitted.later(Duration::from_secs(60)));
            envelope.set("notbefore", submitted.later(Duration::from_secs(60)).rfc3339());
        }
        Kind::Expiring => envelope.set("expirytime", submitted.later(Duration::from_secs(10)).rfc3339()),
        Kind::Given(_) => envelope.set("priority", priority.get()),
        Kind::Garbage => {
            let name = InboxName::job(id, submitted, Priority::default());
            return NewJob { name, bytes: b"not an envelope".to_vec(), due: None, given: false, topic: None };
        }
    }
    let bytes = envelope.encode().expect("a small envelope");
    NewJob {
        name: InboxName::job(id, submitted, priority),
        bytes,
        due,
        given: matches!(kind, Kind::Given(_)),
        topic: None,
    }
}

/// Takes over, takes, handles and settles until nothing is left to do or to wait for, then leaves.
pub(crate) fn consumer(ledger: &Ledger, name: &'static str, patience: Patience) -> Program {
    consumer_of(open, ledger, name, patience, 1)
}

/// The same, of what is opened so, and with so many jobs that are handled before they are settled, together.
pub(crate) fn consumer_of(
    open: fn(SimFs<'_>) -> Option<SimStore<'_>>,
    ledger: &Ledger,
    name: &'static str,
    patience: Patience,
    together: usize,
) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let world = fs.world().clone();
        let Some(store) = open(fs) else { return };
        let Some(mut room) = register(&store, name) else { return };
        let mut vigil = Vigil::default();
        let mut quiet = false;
        for _ in 0..ROUNDS {
            if let Ok(Beat::Evicted) = store.beat(&room, Progress::default()) {
                match register(&store, name) {
                    Some(new) => room = new,
                    None => return,
                }
            }
            let takeover = store.recover(&room, &mut vigil);
            let next = store.promote(100).map_or(None, |promotion| promotion.next);
            let worked = work(&store, &room, &ledger, together);
            match takeover {
                Ok(takeover) if takeover.returned == 0 && !worked => {
                    let due = next.filter(|_| patience == Patience::Endless);
                    let due = due.map(|due| due.since(store.host().now()));
                    if let Some(pause) = patience.pause(&takeover).into_iter().chain(due).min() {
                        world.advance(pause.as_millis() as u64);
                    } else if std::mem::replace(&mut quiet, true) {
                        break;
                    }
                }
                _ => quiet = false,
            }
        }
        let _ = store.retire(room);
    })
}

/// More than a minute of looking each second whether an event comes, which its publisher left half done.
const ROUNDS: usize = 150;

/// How long a consumer stays for others whom it cannot judge at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As `--drain` does: for those whom only their silence can tell from the dead.
    Drain,
    /// Until the lease of everyone who does not stir has run out, also of the stopped who hold their locks.
    Endless,
}

impl Patience {
    fn pause(self, takeover: &Takeover) -> Option<std::time::Duration> {
        let waits = takeover.unjudged > 0 || self == Patience::Endless;
        takeover.look_again.filter(|_| waits)
    }
}

pub(crate) fn register<'a>(store: &SimStore<'a>, name: &str) -> Option<SimRoom<'a>> {
    let name: Id = name.parse().expect("a name");
    (0..3).find_map(|_| store.register(&name, DEFAULT_LEASE).ok())
}

/// Takes all that is ready. Whether anything was.
fn work(store: &SimStore<'_>, room: &SimRoom<'_>, ledger: &Ledger, together: usize) -> bool {
    let Ok(scan) = store.scan(100) else { return true };
    for name in &scan.misplaced {
        let _ = (0..3).any(|_| store.put_back(name).is_ok());
    }
    let ported = scan.dropped > 0 && strangers::port(store, room);
    let consumer: Id = "sim".parse().expect("a name");
    let terms =
        Terms { consumer: &consumer, source: "/sim", retry: &Retry::default(), max_bytes: usize::MAX };
    let mut handled = Vec::new();
    for name in &scan.names {
        // A call that failed may have taken it all the same.
        for _ in 0..3 {
            match take(store, room, name, store.host(), terms) {
                Ok(Taken::Job(claim, job)) => {
                    let result = match job.envelope.text("subject") {
                        Some("fail") => Err(Problem::handler("as asked")),
                        Some("fail once") if job.attempt == 1 => Err(Problem::handler("as asked, once")),
                        _ => Ok(Payload::detect(format!("{} by {}", job.id, store.host().pid()))),
                    };
                    let now = store.host().now();
                    let conclusion = conclude(store, &claim, &job, result, now, store.host(), terms);
                    handled.push((claim, conclusion));
                }
                Ok(Taken::Refused(..) | Taken::Settled | Taken::Lost) => {}
                Err(_) => continue,
            }
            break;
        }
        if handled.len() >= together {
            settle(store, room, std::mem::take(&mut handled), ledger);
        }
    }
    settle(store, room, handled, ledger);
    ported || !scan.names.is_empty()
}

/// An error is answered by trying again; whether the outcome counts must be true in the end.
fn settle(store: &SimStore<'_>, room: &SimRoom<'_>, mut handled: Vec<(Claim, Conclusion)>, ledger: &Ledger) {
    for _ in 0..3 {
        let concluded: Vec<_> = handled.iter().map(|(claim, conclusion)| (claim, conclusion)).collect();
        let answers = finish_all(store, room, &concluded);
        let mut failed = Vec::new();
        for (one, answer) in handled.into_iter().zip(answers) {
            match answer {
                Ok(done) => is_true(store, &one.0, &one.1, done, ledger),
                Err(_) => failed.push(one),
            }
        }
        handled = failed;
    }
}

fn is_true(
    store: &SimStore<'_>,
    claim: &Claim,
    conclusion: &Conclusion,
    done: Option<bool>,
    ledger: &Ledger,
) {
    let (Conclusion::Settle(outcome), Some(counts)) = (conclusion, done) else { return };
    let slot = store.layout().slot(&claim.name).display().to_string();
    let decided = store.fs().world().peek(&slot).and_then(|(bytes, _)| Outcome::decode(&bytes).ok());
    if counts != decided.is_some_and(|decided| decided.envelope.text("id") == outcome.envelope.text("id")) {
        ledger.violation(format!("I7: settle said that its outcome counts: {counts}, and that is not so"));
    }
}

/// Takes one job and gives it back.
pub(crate) fn returner() -> Program {
    Box::new(move |fs| {
        let Some(store) = open(fs) else { return };
        let Some(room) = register(&store, "returner") else { return };
        let Ok(scan) = store.scan(100) else { return };
        for name in scan.names {
            if let Ok(Claimed::Taken(claim)) = store.claim(&room, &name) {
                let _ = (0..2).any(|_| store.release(&room, &claim).is_ok());
            }
        }
        let _ = store.retire(room);
    })
}

/// Asks for the outcome of every job, a few times.
pub(crate) fn waiter(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = open(fs) else { return };
        for _ in 0..2 {
            let ids: Vec<Id> = ledger.facts().attempted.into_keys().map(|name| name.id).collect();
            store.outcomes(&ids, true, &mut |id, answer| {
                if let Ok(outcome) = answer {
                    ledger.tell(id, outcome.envelope.text("id").unwrap_or_default());
                }
                ControlFlow::Continue(())
            });
        }
    })
}

/// Collects what was delivered to the Return Address, as any instance of the asking service does.
pub(crate) fn collector(ledger: &Ledger, patience: Patience) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let world = fs.world().clone();
        let host = fs.host();
        let address = format!("{DROP}/replies/{ADDRESS}");
        let Ok(store) = LocalStore::open(fs, host, address) else { return };
        let Some(room) = register(&store, "collector") else { return };
        let mut vigil = Vigil::default();
        let mut quiet = false;
        for _ in 0..ROUNDS {
            let takeover = store.recover(&room, &mut vigil);
            let Ok(scan) = store.scan(100) else { continue };
            for name in &scan.names {
                collect(&store, &room, name, &ledger);
            }
            match takeover {
                Ok(takeover) if takeover.returned == 0 && scan.names.is_empty() => {
                    if let Some(pause) = patience.pause(&takeover) {
                        world.advance(pause.as_millis() as u64);
                    } else if std::mem::replace(&mut quiet, true) {
                        break;
                    }
                }
                _ => quiet = false,
            }
        }
        let _ = store.retire(room);
    })
}

/// Claims what was delivered, and gives it back as one more collection: whoever it was handed to did not take it.
pub(crate) fn refuser(ledger: &Ledger) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let host = fs.host();
        let Ok(store) = LocalStore::open(fs, host, format!("{DROP}/replies/{ADDRESS}")) else { return };
        let Some(room) = register(&store, "refuser") else { return };
        let Ok(scan) = store.scan(100) else { return };
        for name in scan.names {
            if let Ok(Claimed::Taken(claim)) = store.claim(&room, &name) {
                ledger.hand_over(&name.id);
                let _ = (0..2).any(|_| store.uncollected(&room, &claim).is_ok());
            }
        }
        let _ = store.retire(room);
    })
}

fn collect(store: &SimStore<'_>, room: &SimRoom<'_>, name: &InboxName, ledger: &Ledger) {
    for _ in 0..3 {
        match store.claim(room, name) {
            Ok(Claimed::Taken(claim)) => {
                let outcome = Outcome::decode(&claim.bytes).expect("what is delivered is an outcome");
                ledger.hand_over(&name.id);
                ledger.tell(&name.id, outcome.envelope.text("id").unwrap_or_default());
                for _ in 0..3 {
                    match store.collected(room, &claim) {
                        Ok(first) => {
                            if first {
                                ledger.collect(&name.id);
                            }
                            break;
                        }
                        Err(_) => continue,
                    }
                }
            }
            Ok(_) => {}
            Err(_) => continue,
        }
        break;
    }
}
