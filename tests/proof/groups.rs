//! Two who change what one group asks for, at once.

use std::sync::{Arc, Mutex};

use filedrop::adapters::fs::sim::{Actor, World};
use filedrop::ports::{Exchange as _, Fs as _};
use filedrop::words::{ErrorKind, Subscription, TopicPattern};

use crate::events::{setup, worlds};
use crate::programs::{self, DROP, Program};

type Told = Arc<Mutex<Vec<&'static str>>>;

/// Adds a topic to those that the group asks for. Who is told that somebody else is at it may try again later.
fn add(topic: &'static str, told: &Told) -> Program {
    let told = told.clone();
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        let pattern: TopicPattern = topic.parse().expect("a pattern");
        let answer = store.subscribe(&"bill".parse().expect("a name"), &|before| {
            let before = before.map(|before| before.topics().to_vec()).unwrap_or_default();
            Subscription::new(before.into_iter().chain([pattern.clone()])).map(Some)
        });
        match answer {
            Ok(_) => told.lock().expect("nobody panicked").push(topic),
            Err(e) => assert_eq!(e.kind(), ErrorKind::Busy, "{e}"),
        }
    })
}

/// However their calls are interleaved, whoever was told that a topic is added finds it there.
fn two_add(kind: &str, start: &World) {
    'calls: for i in 0.. {
        for j in 0.. {
            let (world, told) = (start.fork(), Told::default());
            let mut first = Actor::start(&world, 2, add("bills.*", &told));
            let mut second = Actor::start(&world, 3, add("mails.*", &told));
            let ended = (first.steps(i) < i, second.steps(j) < j);
            first.finish();
            second.finish();
            let told = told.lock().expect("nobody panicked");
            let path = format!("{DROP}/subscribers/bill/subscription.json");
            let there = world.peek(&path).expect("it has a subscription").0;
            let there = String::from_utf8_lossy(&there).into_owned();
            let all = !told.is_empty() && told.iter().all(|topic| there.contains(topic));
            assert!(
                all,
                "{kind}: {told:?} were added, and it asks for {there}:\n{}",
                world.trace().join("\n")
            );
            match ended {
                (true, _) => break 'calls,
                (_, true) => break,
                _ => {}
            }
        }
    }
}

/// P33: who subscribes replaces nothing, also where there are no locks.
#[test]
fn p33_two_subscribe_one_group() {
    for (kind, world) in worlds() {
        let (world, _) = setup(world, &["bill"]);
        // Its folder is there, and what it asks for is not.
        let fs = filedrop::adapters::fs::sim::SimFs::unscheduled(&world, 9);
        fs.unlink(format!("{DROP}/subscribers/bill/subscription.json").as_ref()).expect("a healthy disk");
        two_add(&kind, &world);
    }
}

/// P34: on one machine each sees what the one before did.
#[test]
fn p34_two_change_one_subscription() {
    for (kind, world) in worlds().filter(|(kind, _)| !kind.contains("shared by machines")) {
        two_add(&kind, &setup(world, &["bill"]).0);
    }
}
