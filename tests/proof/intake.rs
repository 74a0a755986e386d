//! An intake and the files of a partner (P30, P31, P32): whoever makes a job of them, and however late the others are, it is the
//! one that the intake meant, with all files.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, World};
use filedrop::adapters::store::local::{ForeignFolder, Premises};
use filedrop::ports::{Admitted, Arrivals, Batch, Foreign, Fs, Held, Store, Taking, Vigil};
use filedrop::words::{Consignment, Customs, DEFAULT_LEASE, Envelope, Id, Job, Result, StampedId, TakenFile};

use crate::cargo::Checked;
use crate::ledger::Ledger;
use crate::programs::{self, DROP, Patience, Program, SimRoom, SimStore, open};
use crate::search::{is_full, stops_each};

const FROM: &str = "/partner";
const HOME: &str = "/partner/.filedrop";
/// What is in them is their name.
const FILES: [&str; 2] = ["a.csv", "b.csv"];

type SimForeign<'a, 's> = ForeignFolder<'s, SimFs<'a>, filedrop::adapters::fs::sim::SimHost>;

fn prepared(world: World) -> World {
    programs::init(&world);
    let fs = SimFs::unscheduled(&world, 0);
    for folder in [FROM, HOME] {
        fs.make_dir(Path::new(folder)).expect("a folder");
    }
    for name in FILES {
        let file = fs.create(&Path::new(FROM).join(name)).expect("a file");
        fs.write(&file, name.as_bytes()).expect("its content");
        fs.flush(&file).expect("a flush");
    }
    // What every intake but the first finds.
    let store = open(fs.clone()).expect("a drop folder");
    let host = fs.host();
    drop(ForeignFolder::open(&store, fs, host, premises(), false).expect("a folder"));
    world.flush_all();
    world.take_changes();
    world
}

fn premises() -> Premises {
    Premises { dir: FROM.into(), root: Held::named(FROM), home: Held::named(HOME) }
}

/// On one disk, from another one, and as NFS is.
fn worlds(models: &[Model]) -> impl Iterator<Item = World> {
    let kinds: [fn(World) -> World; 3] =
        [|world| world, |world| world.with_mount(FROM), World::shared_by_machines];
    models.iter().flat_map(move |model| kinds.map(|kind| prepared(kind(World::new(*model, 1)))))
}

/// What an intake does: goes on with what another has left, then takes all files as one job.
fn intake(name: &'static str) -> Program {
    Box::new(move |fs| {
        let world = fs.world().clone();
        let host = fs.host();
        let Some(store) = open(fs.clone()) else { return };
        let Ok(foreign) = ForeignFolder::open(&store, fs, host, premises(), false) else { return };
        let consumer: Id = name.parse().expect("a name");
        let register = || store.register(&consumer, DEFAULT_LEASE).ok();
        let Some(mut room) = (0..3).find_map(|_| register()) else { return };
        let _ = foreign.put_back(&mut |_| ());
        let mut consignments = foreign.left().unwrap_or_default();
        consignments.extend(take(&foreign));
        let mut vigil = Vigil::default();
        for consignment in consignments {
            for _ in 0..6 {
                if bring(&store, &foreign, &room, &consignment)
                    .and_then(|()| foreign.forget(&consignment))
                    .is_ok()
                {
                    break;
                }
                // It may have been taken for dead; and so may be who has what it brought away.
                world.advance(2 * DEFAULT_LEASE.as_millis() as u64);
                if let Some(fresh) = register() {
                    let _ = store.recover(&fresh, &mut vigil);
                    room = fresh;
                }
            }
        }
        let _ = store.retire(room);
    })
}

fn take(foreign: &SimForeign<'_, '_>) -> Option<Consignment> {
    let mut arrivals = Arrivals::new(Customs::default(), Duration::ZERO);
    let looked = foreign.look(Path::new(""), &mut arrivals, &mut |_, _| {}).ok()?;
    if looked.ready.len() < FILES.len() {
        return None;
    }
    let batch =
        Batch { folder: Path::new(""), files: looked.ready.iter().map(|file| (file, None)).collect() };
    match foreign.take(&batch, &mut describe) {
        Ok(Taking::Taken(consignment)) => Some(*consignment),
        _ => None,
    }
}

fn describe(stamp: StampedId, files: Vec<TakenFile>) -> Consignment {
    let now = filedrop::words::Millis::new(1_700_000_000_000).expect("13 digits");
    let envelope = Job::envelope(&stamp.id, FROM, "invoice", now);
    Consignment { stamp, path: FILES[0].to_owned(), envelope, data: None, files, markers: Vec::new() }
}

fn bring(
    store: &SimStore<'_>,
    foreign: &SimForeign<'_, '_>,
    room: &SimRoom<'_>,
    consignment: &Consignment,
) -> Result<()> {
    let admitted = match foreign.carry(room, consignment)? {
        Some(stamp) => store.admit(room, &[stamp])?.pop().transpose()?,
        None => None,
    };
    if matches!(admitted, None | Some(Admitted::Nothing)) && store.locate(&consignment.stamp.id)?.is_empty() {
        return Err(filedrop::Error::new(
            filedrop::ErrorKind::Uncertain,
            "it is in the room of one who is dead",
        ));
    }
    Ok(())
}

/// Whoever comes later: consumers recover what is left, the next intake goes on, the jobs are handled.
fn go_on(world: &World) -> Checked {
    let ledger = Ledger::default();
    for (pid, program) in [
        programs::consumer(&ledger, "first", Patience::Endless),
        intake("next"),
        programs::consumer(&ledger, "last", Patience::Endless),
    ]
    .into_iter()
    .enumerate()
    {
        Actor::start(world, 20 + pid as u32, program).finish();
    }
    is_one_job(world)
}

/// It has the envelope that it was meant to have, and all files; and nothing is left anywhere.
fn is_one_job(world: &World) -> Checked {
    let tree = world.tree();
    let mut jobs = Vec::new();
    for (path, data) in &tree {
        let Some(data) = data else { continue };
        if path.starts_with(&format!("{DROP}/done/")) {
            jobs.push(Envelope::decode(data).map_err(|e| e.to_string())?);
        } else if [FROM, "/drop/inbox/", "/drop/claimed/"].iter().any(|place| path.starts_with(place))
            && !path.ends_with("/lock")
            && !path.starts_with("/partner/.filedrop/tmp/")
        {
            return failed(world, format!("{path} is left"));
        }
    }
    let [job] = &jobs[..] else { return failed(world, format!("there are {} jobs", jobs.len())) };
    if (job.text("source"), job.text("type")) != (Some(FROM), Some("invoice")) {
        return failed(world, format!("its envelope is another one: {job:?}"));
    }
    let payload = format!(
        "{DROP}/payload/{}",
        job.claim_check("filesref").map(|check| check.name()).unwrap_or_default()
    );
    let inside = |path: &str| path.starts_with(&format!("{DROP}/payload/"));
    let mut files: Vec<_> = tree.iter().filter(|(path, data)| inside(path) && data.is_some()).collect();
    files.sort();
    let expected =
        FILES.map(|name| (format!("{payload}/{name}"), Some(std::sync::Arc::from(name.as_bytes()))));
    if files.iter().copied().cloned().collect::<Vec<_>>() != expected {
        return failed(world, format!("its files are others: {files:?}"));
    }
    Ok(())
}

fn failed(world: &World, what: String) -> Checked {
    Err(format!("{what}\n{}", world.trace().join("\n")))
}

/// Everything stops after each call: all processes die, or the power fails.
#[test]
fn p30_p31_p32_stopped_at_every_call() {
    let mut seen = HashSet::new();
    let mut points = 0;
    for world in worlds(&[Model::A, Model::B]) {
        let mut actor = Actor::start(&world, 2, intake("stopped"));
        loop {
            points += 1;
            for after in std::iter::once(world.fork()).chain(world.after_power_cut()) {
                if seen.insert(after.fingerprint()) {
                    go_on(&after).unwrap_or_else(|e| panic!("stopped at call {}: {e}", actor.done()));
                }
            }
            if !actor.step(Fate::Proceed) {
                break;
            }
        }
    }
    let line = format!("P30 P31 P32: {points} crash points, {} disks\n", seen.len());
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("stderr is open");
    assert!(points > 300, "something was searched");
}

/// Each call answers with an error, having been done or not.
#[test]
fn p30_p31_p32_errors() {
    for fate in [Fate::LoseAnswer, Fate::Fail] {
        for world in worlds(&[Model::B]) {
            for at in 0.. {
                let world = world.fork();
                let mut actor = Actor::start(&world, 2, intake("told"));
                if actor.steps(at) < at || actor.ended() {
                    break;
                }
                actor.step(fate);
                actor.finish();
                go_on(&world).unwrap_or_else(|e| panic!("{fate:?} of call {at}: {e}"));
            }
        }
    }
}

/// It is stopped at each call, for days, and a sweep takes what is old and nobody's: what it goes on with is not.
#[test]
fn p31_swept_while_frozen() {
    for world in worlds(&[Model::B]) {
        for i in 0.. {
            let world = world.fork();
            let mut frozen = Actor::start(&world, 2, intake("frozen"));
            if frozen.steps(i) < i {
                break;
            }
            world.advance(3 * 24 * 3_600_000);
            let fs = SimFs::unscheduled(&world, 3);
            let swept = open(fs).map(|store| programs::sweep(&store));
            assert!(swept.is_some_and(|swept| swept.is_ok_and(|swept| !swept.unfinished)), "it sweeps");
            frozen.finish();
            go_on(&world).unwrap_or_else(|e| panic!("frozen at call {i}: {e}"));
        }
    }
}

/// It is stopped at each call, taken for dead, recovered, and goes on: at once, or while who recovers is stopped in turn.
#[test]
fn p31_frozen_and_taken_for_dead() {
    let mut histories = 0;
    for world in worlds(&[Model::B]) {
        'frozen: for i in 0.. {
            for j in stops_each(if is_full() { 1 } else { 23 }, i).chain([usize::MAX]) {
                let world = world.fork();
                let mut frozen = Actor::start(&world, 2, intake("frozen"));
                if frozen.steps(i) < i {
                    break 'frozen;
                }
                let recover = programs::consumer(&Ledger::default(), "recoverer", Patience::Endless);
                let mut recoverer = Actor::start(&world, 3, recover);
                let over = recoverer.steps(j) < j;
                frozen.finish();
                recoverer.finish();
                go_on(&world).unwrap_or_else(|e| panic!("frozen at call {i}, recovered for {j}: {e}"));
                histories += 1;
                if over {
                    break;
                }
            }
        }
    }
    assert!(histories > 500, "{histories} histories");
}

/// Right before it brings the files it is stopped, and taken for dead. It is awake again for a moment while its room, in which nothing
/// was, is being removed, and goes on when that has lost its name.
#[test]
fn p31_awake_for_a_moment() {
    let start = prepared(World::new(Model::B, 1).shared_by_machines().announcing());
    let until = |actor: &mut Actor, world: &World, pid: u32, from: &str, to: &str| {
        let is_next = |call: String| call.starts_with(&format!("{pid} rename {from}")) && call.contains(to);
        while !world.next_call(pid).is_some_and(is_next) {
            assert!(
                actor.step(Fate::Proceed),
                "{pid} renames nothing to {to}:\n{}",
                world.trace().join("\n")
            );
        }
    };
    for (awake, away) in (1..=40).flat_map(|awake| (1..=3).map(move |away| (awake, away))) {
        let world = start.fork();
        let mut frozen = Actor::start(&world, 2, intake("frozen"));
        until(&mut frozen, &world, 2, "/partner", " → /drop/claimed/");
        let recover = programs::consumer(&Ledger::default(), "recoverer", Patience::Endless);
        let mut recoverer = Actor::start(&world, 3, recover);
        until(&mut recoverer, &world, 3, "/drop/claimed/frozen", " → /drop/claimed/frozen");
        frozen.steps(awake);
        recoverer.steps(away);
        frozen.finish();
        recoverer.finish();
        go_on(&world).unwrap_or_else(|e| {
            let trace = world.trace().join("\n");
            panic!("awake for {awake} calls, its room away for {away}: {e}\n{trace}")
        });
    }
}
