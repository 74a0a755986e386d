//! Events: each group that had subscribed gets each once, whoever dies on the way, and whoever helps.

use std::collections::BTreeMap;
use std::sync::Arc;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, World};
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Exchange as _, Fs, Host as _, NewJob, Store as _};
use filedrop::words::{EventName, InboxName, Job, Priority, Subscription, Topic};

use crate::ledger::{Event, Facts, Ledger};
use crate::place::{Place, classify};
use crate::programs::{self, DROP, Patience, Program, SimStore};
use crate::search::{Drain, MODELS, Search, is_full, prepared, stops_each};

/// The groups of the simulation. All of them ask for the one topic.
pub(crate) const GROUPS: [&str; 2] = ["bill", "mail"];
const TOPIC: &str = "orders.created";
const GIVEN: &str = "event-1";

/// Whether a file is a group's, or is on its way to them.
pub(crate) fn is_theirs(path: &str) -> bool {
    path.contains("/subscribers/") || path.contains("/outbox/")
}

fn open_group<'a>(fs: SimFs<'a>, group: &str) -> Option<SimStore<'a>> {
    let host = fs.host();
    let store = LocalStore::open(fs.clone(), host, format!("{DROP}/subscribers/{group}")).ok()?;
    #[allow(clippy::arc_with_non_send_sync)]
    // `Arc` is what a store has; an actor of the simulation is one thread
    let home = Arc::new(programs::open(fs)?);
    Some(store.of_group_in(home))
}

fn open_bill(fs: SimFs<'_>) -> Option<SimStore<'_>> {
    open_group(fs, "bill")
}

fn open_mail(fs: SimFs<'_>) -> Option<SimStore<'_>> {
    open_group(fs, "mail")
}

pub(crate) fn subscriber(ledger: &Ledger, group: &str, patience: Patience) -> Program {
    let open = if group == "bill" { open_bill } else { open_mail };
    programs::consumer_of(open, ledger, if group == "bill" { "biller" } else { "mailer" }, patience, 1)
}

/// How old a listing may be, and a little more.
const MINUTE: u64 = 61_000;

fn wanted() -> Subscription {
    Subscription::new(["orders.*".parse().expect("a pattern")]).expect("one pattern")
}

/// Subscribes a group, with so many tries.
pub(crate) fn subscribe(ledger: &Ledger, group: &'static str) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let world = fs.world().clone();
        let Some(store) = programs::open(fs) else { return };
        let asking = ledger.asks(group);
        let group_id = group.parse().expect("a name");
        if (0..3).any(|_| store.subscribe(&group_id, &|_| Ok(Some(wanted()))).is_ok()) {
            // P33: until then a publisher on another machine may be told that there is no such group.
            if !store.fs().is_local() {
                world.advance(MINUTE);
            }
            asking.done(true);
        }
    })
}

pub(crate) fn unsubscribe(ledger: &Ledger, group: &'static str) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        let asking = ledger.asks(group);
        let group_id = group.parse().expect("a name");
        if (0..3).any(|_| store.subscribe(&group_id, &|_| Ok(None)).is_ok()) {
            asking.done(false);
        }
    })
}

/// Publishes one event; one whose id is given, again if it is told of an error.
pub(crate) fn publisher(ledger: &Ledger, given: bool) -> Program {
    let ledger = ledger.clone();
    Box::new(move |fs| {
        let Some(store) = programs::open(fs) else { return };
        let (minted, now) = store.host().mint();
        let id = if given { GIVEN.parse().expect("an id") } else { minted };
        let mut envelope = Job::envelope(&id, "/sim", "sim", now);
        envelope.set("topic", TOPIC);
        let event = NewJob {
            name: InboxName::job(id, now, Priority::default()),
            bytes: envelope.encode().expect("a small envelope"),
            due: None,
            given,
            topic: Some(TOPIC.parse::<Topic>().expect("a topic")),
        };
        ledger.publishes(&event.name);
        let tries = if given { 3 } else { 1 };
        if (0..tries).any(|_| store.submit(std::slice::from_ref(&event)).is_ok()) {
            ledger.is_published(&event.name);
        }
    })
}

/// Helps on what others have published.
pub(crate) fn helper() -> Program {
    Box::new(|fs| {
        let Some(store) = programs::open(fs) else { return };
        let _ = store.fan_out();
    })
}

/// Where each event is, in each group: how often it is there at all, and how often it is done.
fn found(world: &World) -> BTreeMap<(String, String), (usize, usize)> {
    let mut found: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for (path, data) in world.tree() {
        let group = GROUPS.iter().find(|group| path.contains(&format!("/subscribers/{group}/")));
        let (Some(group), Some(_)) = (group, data) else { continue };
        let (id, done) = match classify(&path) {
            Some(Place::Ready(name) | Place::Claim(_, name)) => (name.id.to_string(), 0),
            Some(Place::Archived(_, name)) => (name.id.to_string(), 1),
            Some(Place::Slot(id)) => (id, 0),
            _ => continue,
        };
        let count = found.entry((id, (*group).to_owned())).or_default();
        *count = (count.0 + 1, count.1 + done);
    }
    found
}

/// Events on their way that are published, and the groups that are still to get them.
fn on_their_way(world: &World) -> BTreeMap<String, Vec<String>> {
    let tree = world.tree();
    let folders =
        tree.iter().filter_map(|(path, _)| path.strip_suffix(&format!("/{}", EventName::PUBLISHED)));
    let event = |folder: &str| {
        let name: EventName = folder.rsplit('/').next()?.parse().ok()?;
        let links = tree.iter().filter_map(|(path, _)| path.strip_prefix(folder)?.strip_suffix(".job.json"));
        Some((name.job.id.to_string(), links.map(|link| link.trim_start_matches('/').to_owned()).collect()))
    };
    folders.filter_map(event).collect()
}

/// I1, after a crash: whoever is to get an event that was acknowledged has it, or is still to get it.
pub(crate) fn still_there(world: &World, facts: &Facts, ledger: &Ledger) {
    if facts.events.is_empty() {
        return;
    }
    let (found, on_their_way) = (found(world), on_their_way(world));
    for (id, tries) in tries(facts) {
        if !tries.iter().any(|event| event.acknowledged) {
            continue;
        }
        for group in GROUPS.iter().filter(|group| tries.iter().all(|event| event.needed.contains(**group))) {
            let comes = on_their_way.get(&id).is_some_and(|groups| groups.iter().any(|other| other == group));
            if !comes && !found.contains_key(&(id.clone(), (*group).to_owned())) {
                ledger.violation(format!("I1: an event that was acknowledged never reaches {group}"));
            }
        }
    }
}

/// All who tried to publish an event of one id: the first of them decided who gets it, and nobody knows who that was.
fn tries(facts: &Facts) -> BTreeMap<String, Vec<&Event>> {
    let mut ids: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for (name, event) in &facts.events {
        ids.entry(name.id.to_string()).or_default().push(event);
    }
    ids
}

/// At rest: all that it is for have it, once, and it is done; or nobody has.
pub(crate) fn at_rest(world: &World, facts: &Facts, ledger: &Ledger) {
    if facts.events.is_empty() {
        return;
    }
    if !on_their_way(world).is_empty() {
        ledger.violation("I4: an event that is published is left on its way");
    }
    let found = found(world);
    for (id, tries) in tries(facts) {
        let of = |group: &str| found.get(&(id.clone(), group.to_owned())).copied().unwrap_or_default();
        let anywhere = GROUPS.iter().any(|group| of(group).0 > 0);
        let published = anywhere || tries.iter().any(|event| event.acknowledged);
        for group in GROUPS {
            let needed = published && tries.iter().all(|event| event.needed.contains(group));
            let forbidden = tries.iter().all(|event| event.forbidden.contains(group));
            match of(group) {
                (0, 0) if needed => ledger.violation(format!("I1: an event never reached {group}")),
                (0, 0) => {}
                (_, _) if forbidden => {
                    ledger.violation(format!("I2: {group} was unsubscribed, and got an event"))
                }
                // Its archived file and its slot.
                (2, 1) => {}
                other => ledger.violation(format!("I2: {group} has an event at {other:?}")),
            }
        }
    }
}

fn rest(ledger: &Ledger) -> Vec<Program> {
    GROUPS.map(|group| subscriber(ledger, group, Patience::Endless)).into()
}

/// The same, and somebody gives the id once more.
fn given_again(ledger: &Ledger) -> Vec<Program> {
    let mut programs = vec![publisher(ledger, true)];
    programs.extend(rest(ledger));
    programs
}

pub(crate) fn setup(world: World, groups: &[&'static str]) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[]);
    for group in groups {
        Actor::start(&world, 9, subscribe(&ledger, group)).finish();
    }
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

pub(crate) fn worlds() -> impl Iterator<Item = (String, World)> {
    MODELS.into_iter().flat_map(|model| {
        let local = (format!("model {model:?}, local"), World::new(model, 5));
        let named =
            (format!("model {model:?}, no unnamed files"), World::new(model, 5).without_unnamed_files());
        let shared =
            (format!("model {model:?}, shared by machines"), World::new(model, 5).shared_by_machines());
        [local, named, shared]
    })
}

/// A crash after each call, and an error of each.
fn everywhere(what: &str, groups: &[&'static str], drain: Drain, program: impl Fn(&Ledger) -> Program) {
    for (kind, world) in worlds() {
        let mut search = Search::with(drain, usize::from(is_full()));
        let (crashed, ledger) = setup(world.fork(), groups);
        let mut actor = Actor::start(&crashed, 2, program(&ledger));
        search.stop_here(&crashed, &ledger);
        while actor.step(Fate::Proceed) {
            search.stop_here(&crashed, &ledger);
        }
        search.conclude(&crashed, &ledger, 0);
        search.expect_none(&format!("{what}, {kind}"));
        let mut search = Search::with(drain, 0);
        for fate in [Fate::LoseAnswer, Fate::Fail] {
            for at in 0.. {
                let (world, ledger) = setup(world.fork(), groups);
                let mut actor = Actor::start(&world, 2, program(&ledger));
                if actor.steps(at) < at {
                    break;
                }
                actor.step(fate);
                search.stop_here(&world, &ledger);
                actor.finish();
                search.stop_here(&world, &ledger);
                search.conclude(&world, &ledger, 0);
            }
        }
        search.expect_none(&format!("{what}, an error at each call, {kind}"));
    }
}

fn race(
    what: &str,
    groups: &[&'static str],
    a: impl Fn(&Ledger) -> Program,
    b: impl Fn(&Ledger) -> Program,
    drain: Drain,
) {
    for model in [Model::A, Model::B] {
        let mut search = Search::with(drain, 0);
        let fresh = || setup(World::new(model, 6), groups);
        search.interleave(fresh, &a, &b, |i| stops_each(15, i), true);
        search.expect_none(&format!("{what}, model {model:?}"));
    }
}

#[test]
fn p33_subscribe() {
    everywhere("P33 subscribe", &["mail"], given_again, |ledger| subscribe(ledger, "bill"));
}

#[test]
fn p34_unsubscribe() {
    everywhere("P34 unsubscribe", &GROUPS, given_again, |ledger| unsubscribe(ledger, "bill"));
}

#[test]
fn p35_p36_p37_publish() {
    everywhere("P35–P37 publish", &GROUPS, rest, |ledger| publisher(ledger, false));
    everywhere("P35–P37 publish a given id", &GROUPS, given_again, |ledger| publisher(ledger, true));
}

#[test]
fn p36_a_publisher_and_a_subscriber() {
    let publish = |ledger: &Ledger| publisher(ledger, false);
    race(
        "publisher and subscriber",
        &GROUPS,
        publish,
        |ledger| subscriber(ledger, "bill", Patience::Drain),
        rest,
    );
}

/// P36, H11: two finish one fan-out, one of them an hour late.
#[test]
fn p36_two_finish_one_fan_out() {
    let help = |_: &Ledger| helper();
    for model in [Model::A, Model::B] {
        let mut search = Search::with(rest, 0);
        // At each point at which the publisher dies.
        for at in 0.. {
            let (world, ledger) = setup(World::new(model, 7), &GROUPS);
            let mut dead = Actor::start(&world, 4, publisher(&ledger, false));
            if dead.steps(at) < at {
                break;
            }
            drop(dead);
            let fresh = || (world.fork(), ledger.fork());
            let consume = |ledger: &Ledger| subscriber(ledger, "bill", Patience::Drain);
            search.interleave(fresh, help, consume, |i| stops_each(9, i), is_full());
        }
        search.expect_none(&format!("two finish one fan-out, model {model:?}"));
    }
}

/// P36: whoever delivers what another has published first makes it durable, lest some have it after a power cut and others never.
#[test]
fn p36_helped_on_and_cut_off() {
    for model in MODELS {
        let mut search = Search::with(rest, 0);
        for at in 0.. {
            let (world, ledger) = setup(World::new(model, 7), &GROUPS);
            let mut dead = Actor::start(&world, 4, publisher(&ledger, false));
            if dead.steps(at) < at {
                break;
            }
            drop(dead);
            let help = |fs: SimFs<'_>| drop(programs::open(fs).map(|store| store.fan_out()));
            let mut helper = Actor::start(&world, 3, help);
            while helper.step(Fate::Proceed) {
                search.stop_here(&world, &ledger);
            }
        }
        search.expect_none(&format!("helped on and cut off, model {model:?}"));
    }
}

#[test]
fn p33_p35_subscribe_while_others_publish() {
    let publish = |ledger: &Ledger| publisher(ledger, false);
    race("subscribe and publish", &["mail"], |ledger| subscribe(ledger, "bill"), publish, rest);
}

#[test]
fn p35_one_id_given_by_two_at_once() {
    let publish = |ledger: &Ledger| publisher(ledger, true);
    race("one id, two publishers", &GROUPS, publish, publish, given_again);
}

#[test]
fn p16_p35_a_sweep_takes_no_event() {
    let sweep = |_: &Ledger| -> Program {
        Box::new(|fs| {
            let world = fs.world().clone();
            let Some(store) = programs::open(fs) else { return };
            world.advance(25 * 3600 * 1000);
            let _ = programs::sweep(&store);
        })
    };
    race("publish and sweep", &GROUPS, |ledger| publisher(ledger, false), sweep, rest);
}
