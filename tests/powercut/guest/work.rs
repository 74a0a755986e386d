//! All roles at once. Whatever a call of the library acknowledges is written out as soon as it returns.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use filedrop::{Consumer, Delivery, DropFolder, Event, Id, Job, Observer, Refusal, Submission, Subscription};

use crate::contents::{Lots, answer, broken_seal, file, sealed, sum, sum_of_outcome};
use crate::{ADDRESS, Fallible, GROUPS};

const TOPICS: [&str; 3] = ["orders.created", "orders.paid", "users.created"];
/// Long enough for any machine; who waits in vain says so.
const PATIENCE: Duration = Duration::from_secs(120);
/// No job is given up because the power went so often: all that is to succeed must.
const ATTEMPTS: u32 = 1000;

/// One line at once, whoever else writes.
pub(crate) fn say(line: &str) {
    // Who looks at the other end has cut the power if there is nobody.
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

pub(crate) fn run(path: &Path, seed: &str) -> Fallible<()> {
    let drop = DropFolder::init(path)?;
    for (group, pattern) in GROUPS {
        drop.subscribe(&group.parse()?, &Subscription::new([pattern.parse()?])?)?;
        say(&format!("@ subscribed {group}"));
    }
    let mut roles: Vec<Box<dyn FnOnce() -> Fallible<()> + Send>> = Vec::new();
    for who in ["a", "b", "c"] {
        let (drop, lots) = (DropFolder::open(path)?, Lots::new(seed, who));
        roles.push(Box::new(move || produce(&drop, lots)));
    }
    let (drop, lots) = (DropFolder::open(path)?, Lots::new(seed, "publisher"));
    roles.push(Box::new(move || publish(&drop, lots)));
    for _ in 0..2 {
        let drop = DropFolder::open(path)?;
        roles.push(Box::new(move || handlers(Role::stay(&drop, ".")?)));
    }
    for (group, _) in GROUPS {
        let drop = DropFolder::open(path)?;
        roles.push(Box::new(move || handlers(Role::stay_for_group(&drop, group)?)));
    }
    let drop = DropFolder::open(path)?;
    roles.push(Box::new(move || collect(&drop, true)));

    let (send, ended) = std::sync::mpsc::channel();
    for role in roles {
        let send = send.clone();
        std::thread::spawn(move || send.send(role()));
    }
    ended.recv()??;
    Err("somebody ended before the power did".into())
}

/// Jobs of all sorts. Now and then it waits for an outcome, so that consumers keep up.
fn produce(drop: &DropFolder, mut lots: Lots) -> Fallible<()> {
    let address: Id = ADDRESS.parse()?;
    let pause = lots.pause();
    loop {
        std::thread::sleep(pause);
        let batch = if lots.below(4) == 0 { 4 } else { 1 };
        let (mut jobs, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..batch {
            let data = lots.text();
            let kind = ["good", "good", "good", "good", "flaky", "bad"][usize::try_from(lots.below(6))?];
            let mut job = sealed(Submission::new(kind), &data);
            if kind == "bad" {
                job = job.max_attempts(1);
            }
            if lots.below(2) == 0 {
                job = job.reply_to(&address);
            }
            match lots.below(8) {
                0 => job = job.id(lots.word()[..32].parse()?),
                1 => job = job.delay(Duration::from_millis(50)),
                2 => job = job.attach(file(&std::env::temp_dir(), &lots.text())?),
                _ => {}
            }
            jobs.push(job);
            asked.push((sum(data.as_bytes()), kind));
        }
        let ids = drop.submit_all(jobs)?;
        for (id, (sum, kind)) in ids.iter().zip(&asked) {
            say(&format!("@ submitted {id} {sum} {kind}"));
        }
        if lots.below(3) == 0 {
            tell(drop, ".", &ids[0])?;
        }
    }
}

fn publish(drop: &DropFolder, mut lots: Lots) -> Fallible<()> {
    let pause = lots.pause();
    loop {
        std::thread::sleep(pause);
        let topic = TOPICS[usize::try_from(lots.below(3))?];
        let data = lots.text();
        let mut event = sealed(Submission::event(topic.parse()?), &data).kind("good");
        match lots.below(6) {
            0 => event = event.id(lots.word()[..32].parse()?),
            1 => event = event.attach(file(&std::env::temp_dir(), &lots.text())?),
            _ => {}
        }
        let id = drop.publish(event)?;
        say(&format!("@ published {id} {} {topic}", sum(data.as_bytes())));
        // Each group is to keep up with it.
        for (group, pattern) in GROUPS {
            if lots.below(4) == 0 && pattern.parse::<filedrop::TopicPattern>()?.matches(&topic.parse()?) {
                tell(&drop.group(&group.parse()?)?, group, &id)?;
            }
        }
    }
}

/// Waits for an outcome, and writes out what it is told.
fn tell(folder: &DropFolder, place: &str, id: &Id) -> Fallible<()> {
    folder.wait_each(std::slice::from_ref(id), Some(PATIENCE), &mut |outcome| {
        say(&format!("@ told {place} {id} {}", sum_of_outcome(&outcome)));
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// A consumer, and the folder that it works for, as the books call it.
pub(crate) struct Role {
    consumer: Consumer,
    place: String,
}

impl Role {
    pub(crate) fn stay(drop: &DropFolder, place: &str) -> Fallible<Self> {
        Ok(Self::of(drop.consumer().backoff(Duration::from_millis(100)), place))
    }

    pub(crate) fn stay_for_group(drop: &DropFolder, group: &str) -> Fallible<Self> {
        Ok(Self::of(drop.subscriber(&group.parse()?)?, group))
    }

    fn of(consumer: Consumer, place: &str) -> Self {
        Self { consumer: consumer.concurrency(2).max_attempts(ATTEMPTS), place: place.to_owned() }
    }

    pub(crate) fn drain(drop: &DropFolder, place: &str) -> Fallible<Self> {
        let role = Self::stay(drop, place)?;
        Ok(Self { consumer: role.consumer.drain(true), ..role })
    }

    pub(crate) fn drain_group(drop: &DropFolder, group: &str) -> Fallible<Self> {
        let role = Self::stay_for_group(drop, group)?;
        Ok(Self { consumer: role.consumer.drain(true), ..role })
    }
}

/// Works until it has drained, or the power goes.
pub(crate) fn handlers(role: Role) -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let consumer = role.consumer.observer(Arc::new(Clerk { place: role.place }));
    runtime.block_on(consumer.run(handle))?;
    Ok(())
}

async fn handle(job: Job) -> Result<String, String> {
    if let Some(how) = broken_seal(&job) {
        say(&format!("! half: a handler got {}: {how}", job.id));
    }
    match job.kind() {
        "bad" => Err("bad".to_owned()),
        "flaky" if job.attempt == 1 => Err("the first attempt".to_owned()),
        _ => answer(&job).map_err(|e| e.to_string()),
    }
}

/// Takes what is delivered to the Return Address.
pub(crate) fn collect(drop: &DropFolder, follow: bool) -> Fallible<()> {
    let mut take = |delivery: &Delivery<'_>| -> Result<(), Refusal> {
        let outcome = delivery.outcome;
        say(&format!("@ told . {} {}", outcome.job_id(), sum_of_outcome(outcome)));
        Ok(())
    };
    let collector = drop.collector(&ADDRESS.parse()?)?.follow(follow);
    collector.observer(Arc::new(Clerk { place: ".".to_owned() })).run(&mut take)?;
    Ok(())
}

/// Writes out what consumers and collectors say of a folder.
struct Clerk {
    place: String,
}

impl Observer for Clerk {
    fn notice(&self, event: &Event<'_>) {
        match event {
            Event::Settled { id, counts: true, .. } => say(&format!("@ settled {} {id}", self.place)),
            Event::Trouble { doing, error, .. } => {
                say(&format!("! trouble: cannot {doing} in {}: {error}", self.place))
            }
            Event::Collected { id, .. } => say(&format!("@ taken {id}")),
            _ => {}
        }
    }
}
