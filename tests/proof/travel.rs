//! What travels beside jobs and outcomes (P23, P24): whoever can see a job or an outcome finds all that it refers to, after a
//! crash at any call, in every disk that a power cut could leave; and a file that is moved in is never nowhere.

use std::path::Path;

use filedrop::Submission;
use filedrop::actors::consumer::{Product, Taken, Terms, conclude, finish, take};
use filedrop::actors::producer;
use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, World};
use filedrop::ports::{Claim, Fs, Prepared, Store, Vigil};
use filedrop::words::{ClaimCheck, DEFAULT_LEASE, Id, InboxName, Payload, Problem, Retry};

use crate::cargo::{Checked, nothing_lost, outcomes, tidy, whole};
use crate::programs::{self, Program, SimRoom, SimStore, open};
use crate::search::{MODELS, is_full};

/// The files that are to travel. What is in them is their name.
pub(crate) const FILES: [&str; 3] = ["copied", "linked", "moved"];
/// What the handler leaves.
pub(crate) const RESULTS: [&str; 2] = ["deep/er/result", "result"];
pub(crate) const DATA: &str = "data";

/// A drop folder, and files beside it that nobody has flushed.
pub(crate) fn prepared(world: World) -> World {
    programs::init(&world);
    let fs = SimFs::unscheduled(&world, 0);
    fs.make_dir(Path::new("/outside")).expect("a folder");
    world.flush_all();
    for name in FILES {
        let file = fs.create(&Path::new("/outside").join(name)).expect("a file");
        fs.write(&file, name.as_bytes()).expect("its content");
    }
    fs.flush_dir(Path::new("/outside")).expect("a flush");
    // Else a power cut could take it before anybody moves it.
    let moved = fs.open(Path::new("/outside/moved")).expect("a file");
    fs.flush(&moved).expect("a flush");
    world.take_changes();
    world
}

/// With a job that has files, to be handled so.
fn submitted(world: World, subject: &'static str) -> World {
    let world = prepared(world);
    Actor::start(&world, 1, sender("first", subject)).finish();
    world.flush_all();
    world.take_changes();
    world
}

pub(crate) fn worlds(models: &[Model]) -> impl Iterator<Item = World> {
    let kinds: [fn(World) -> World; 3] =
        [|world| world, World::without_unnamed_files, World::shared_by_machines];
    models.iter().flat_map(move |model| kinds.map(|kind| kind(World::new(*model, 1))))
}

/// Submits a job of this given id with all files.
fn sender(who: &'static str, subject: &'static str) -> Program {
    Box::new(move |fs| {
        let Some(store) = open(fs) else { return };
        let job = Submission::new("sim").source(who).subject(subject).id("travels".parse().expect("an id"));
        let job = job.attach("/outside/copied").link("/outside/linked").move_in("/outside/moved");
        // What it answers is seen on the disk.
        let _ = producer::submit(&store, store.host(), vec![job], &mut |_| ());
    })
}

/// Takes over, handles what is there, and leaves. A handler writes as any program does: nothing is flushed.
pub(crate) fn consumer(name: &'static str) -> Program {
    Box::new(move |fs| {
        let world = fs.world().clone();
        let Some(store) = open(fs) else { return };
        let consumer: Id = name.parse().expect("a name");
        let Some(room) = (0..3).find_map(|_| store.register(&consumer, DEFAULT_LEASE).ok()) else { return };
        let retry = Retry { max_attempts: 5, ..Retry::default() };
        let terms = Terms { consumer: &consumer, source: "/sim", retry: &retry, max_bytes: usize::MAX };
        let mut vigil = Vigil::default();
        for _ in 0..8 {
            let left = store.recover(&room, &mut vigil).ok().and_then(|takeover| takeover.look_again);
            let _ = store.promote(10);
            let names = store.scan(10).map(|scan| scan.names).unwrap_or_default();
            for name in &names {
                handle(&store, &room, name, terms);
            }
            if names.is_empty() {
                world.advance(left.map_or(20_000, |left| left.as_millis() as u64));
            }
        }
        let _ = store.retire(room);
    })
}

fn handle(store: &SimStore<'_>, room: &SimRoom<'_>, name: &InboxName, terms: Terms<'_>) {
    let Ok(Taken::Job(claim, job)) = take(store, room, name, store.host(), terms) else { return };
    let Ok(workspace) = store.workspace(&claim, Prepared::Folder) else {
        return give_back(store, room, &claim);
    };
    let stamp = workspace.stamp.clone();
    let leave = || -> std::io::Result<()> {
        let fs = store.fs();
        for folder in ["deep", "deep/er"] {
            fs.make_dir(&workspace.files.join(folder))?;
        }
        let results = RESULTS.map(|name| (workspace.files.join(name), name));
        for (path, content) in results.into_iter().chain([(workspace.data.clone(), DATA)]) {
            fs.write(&fs.create(&path)?, content.as_bytes())?;
        }
        Ok(())
    };
    let failing = job.envelope.text("subject") == Some("fails");
    let result = match (leave(), failing) {
        (Ok(()), false) => match store.harvest(&workspace) {
            Ok(harvest) => Ok(Product { payload: Payload::typed([], "text/plain"), harvest }),
            Err(_) => {
                discard(store, &stamp);
                return give_back(store, room, &claim);
            }
        },
        _ => {
            discard(store, &stamp);
            Err(Problem::rejected("as asked"))
        }
    };
    let now = filedrop::ports::Host::now(store.host());
    let conclusion = conclude(store, &claim, &job, result, now, store.host(), terms);
    let _ = (0..3).any(|_| finish(store, room, &claim, &conclusion).is_ok());
}

fn discard(store: &SimStore<'_>, stamp: &filedrop::StampedId) {
    for kind in [filedrop::ClaimCheckKind::Files, filedrop::ClaimCheckKind::Data] {
        let _ = store.discard(&ClaimCheck { stamp: stamp.clone(), kind });
    }
}

fn give_back(store: &SimStore<'_>, room: &SimRoom<'_>, claim: &Claim) {
    let _ = (0..2).any(|_| store.release(room, claim).is_ok());
}

fn redriver() -> Program {
    Box::new(move |fs| {
        let Some(store) = open(fs) else { return };
        let letters = store.fs().world().tree();
        let letters = letters.iter().filter_map(|(path, _)| path.strip_prefix("/drop/dead/"));
        for letter in letters.filter_map(|name| InboxName::parse_archived(name).ok()).collect::<Vec<_>>() {
            let _ = store.redrive(&letter);
        }
    })
}

/// Stops everything after each call of `program`: all processes die, or the power fails. What is seen then is whole, also
/// after a consumer has gone on with it.
fn crash_everywhere(
    what: &str,
    models: &[Model],
    setup: impl Fn(World) -> World,
    program: impl Fn() -> Program,
) {
    let (mut points, mut disks) = (0, 0);
    let mut crash = |world: World| -> Checked {
        let world = setup(world);
        let mut actor = Actor::start(&world, 2, program());
        loop {
            points += 1;
            for after in std::iter::once(world.fork()).chain(world.after_power_cut()) {
                disks += 1;
                go_on(&after).map_err(|e| format!("stopped at call {}: {e}", actor.done()))?;
            }
            if !actor.step(Fate::Proceed) {
                break;
            }
        }
        tidy(&world)
    };
    worlds(models).try_for_each(&mut crash).unwrap_or_else(|e| panic!("{what}: {e}"));
    let line = format!("{what}: {points} crash points, {disks} disks\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("stderr is open");
    assert!(points > 100, "{what}: something was searched");
}

/// Each call answers with an error, having been done or not. Who is told of an error may leave litter, and no more.
fn errors_everywhere(what: &str, setup: impl Fn(World) -> World, program: impl Fn() -> Program) {
    let fail = |world: World| -> Checked {
        let world = setup(world);
        for fate in [Fate::LoseAnswer, Fate::Fail] {
            for at in 0.. {
                let world = world.fork();
                let mut actor = Actor::start(&world, 2, program());
                if actor.steps(at) < at || actor.ended() {
                    break;
                }
                actor.step(fate);
                actor.finish();
                for after in std::iter::once(world.fork()).chain(world.after_power_cut()) {
                    go_on(&after).map_err(|e| format!("{fate:?} of call {at}: {e}"))?;
                }
            }
        }
        Ok(())
    };
    worlds(&MODELS).try_for_each(fail).unwrap_or_else(|e| panic!("{what}: {e}"));
}

/// What is there is whole, and stays so; a job that is there is handled.
fn go_on(world: &World) -> Checked {
    nothing_lost(world)?;
    let job = whole(world)?.iter().any(|seen| !seen.is_outcome);
    Actor::start(world, 3, consumer("drain")).finish();
    nothing_lost(world)?;
    if job && outcomes(world) == 0 { Err("the job was not handled".to_owned()) } else { Ok(()) }
}

/// `a` does i calls, `b` some of its, `a` the rest, `b` the rest; for every i, and every seventh call of `b`. In the end there
/// are so many jobs, each with one outcome.
fn interleave(
    what: &str,
    jobs: usize,
    setup: impl Fn(World) -> World,
    a: impl Fn() -> Program,
    b: impl Fn() -> Program,
) {
    for world in worlds(&MODELS).map(setup) {
        'a: for i in 0.. {
            for j in (i % 7..).step_by(7) {
                let world = world.fork();
                let mut first = Actor::start(&world, 2, a());
                if first.steps(i) < i {
                    break 'a;
                }
                let mut second = Actor::start(&world, 3, b());
                let over = second.steps(j) < j;
                first.finish();
                second.finish();
                // A job that was handed back meanwhile waits for its next consumer.
                Actor::start(&world, 4, consumer("last")).finish();
                let checked = nothing_lost(&world).and_then(|()| tidy(&world)).and_then(|()| whole(&world));
                let seen = checked.unwrap_or_else(|e| panic!("{what}, {i} and {j} calls: {e}"));
                let found = seen.iter().filter(|seen| seen.path.ends_with(".job.json")).count();
                assert_eq!((found, outcomes(&world)), (jobs, jobs), "{what}, {i} and {j} calls");
                if over {
                    break;
                }
            }
        }
    }
}

fn plain(world: World) -> World {
    submitted(world, "works")
}

fn dead(world: World) -> World {
    let world = submitted(world, "fails");
    Actor::start(&world, 5, consumer("earlier")).finish();
    world.flush_all();
    world.take_changes();
    world
}

#[test]
fn p23_attach() {
    crash_everywhere("P23 attach", &MODELS, prepared, || sender("crashed", "works"));
    errors_everywhere("P23 attach", prepared, || sender("told of an error", "works"));
}

#[test]
fn p24_leave() {
    crash_everywhere("P24 leave", &MODELS, plain, || consumer("crashed"));
    errors_everywhere("P24 leave", plain, || consumer("told"));
}

#[test]
fn p24_leave_and_fail() {
    let fails = |world| submitted(world, "fails");
    // Every choice of a dozen removals that are not flushed would be fifty thousand disks, in none of which anybody refers to
    // what is removed.
    let models = if is_full() { &MODELS[..] } else { &[Model::B] };
    crash_everywhere("P24 leave and fail", models, fails, || consumer("crashed"));
}

#[test]
fn p21_redrive_with_files() {
    crash_everywhere("P21 redrive with files", &MODELS, dead, redriver);
    errors_everywhere("P21 redrive with files", dead, redriver);
}

/// Two submit files under one id, one stopped at every call while the other goes on: one job, with the files of whoever won,
/// and nothing else. The loser's own stay.
#[test]
fn two_give_one_id() {
    let (a, b) = (|| sender("a", "works"), || sender("b", "works"));
    interleave("two give one id", 1, prepared, a, b);
}

/// The dead letter is archived, and there is one new job.
#[test]
fn two_redrive_one_letter() {
    interleave("two redrive one letter", 2, dead, redriver, redriver);
}

/// A consumer is stopped at every call, long enough to be taken for dead, and goes on when another has done its work.
#[test]
fn what_a_zombie_leaves_is_gone() {
    interleave("a zombie", 1, plain, || consumer("zombie"), || consumer("other"));
}
