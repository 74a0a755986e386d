//! Files that strangers drop: each becomes one job, whatever happens on the way, and whoever comes by.

use std::collections::BTreeMap;
use std::path::Path;

use filedrop::adapters::fs::sim::{Actor, Fate, Model, SimFs, World};
use filedrop::ports::{Arrivals, Fetched, Fs, Store};
use filedrop::words::{ClaimCheck, Customs, Envelope, id_of_file};

use crate::crash_points::{crash_everywhere, errors_in};
use crate::ledger::Ledger;
use crate::place::Place;
use crate::programs::{self, DROP, Patience, Program, SimRoom, SimStore};
use crate::races::interleave_each;
use crate::search::{Search, prepared, stops_each};

const NAME: &str = "order.csv";

/// Of a race, so few points are searched in `cargo test`: a disk may be left in thousands of states while nothing is flushed.
const SPARSE: usize = 97;

/// What the porter of a consumer does: looks, takes, admits; what cannot be admitted goes back, or is left to recovery.
/// Whether any of it worked.
pub(crate) fn port(store: &SimStore<'_>, room: &SimRoom<'_>) -> bool {
    let mut arrivals = Arrivals::new(Customs::default(), std::time::Duration::ZERO);
    let Ok(looked) = store.arrivals(None, &mut arrivals, &mut |_, _| {}) else { return true };
    let Ok(answers) = store.take_files(room, &looked.ready) else { return true };
    let mut worked = false;
    for answer in answers {
        let stamp = match answer {
            Fetched::Here(stamp) => stamp,
            Fetched::Not => {
                worked = true;
                continue;
            }
            // What another is putting back is taken later.
            Fetched::Failed(stamp, _) => {
                let _ = store.untake(room, &stamp);
                continue;
            }
        };
        worked = true;
        let admit =
            || store.admit(room, std::slice::from_ref(&stamp)).is_ok_and(|answers| answers[0].is_ok());
        if !(0..3).any(|_| admit()) {
            let _ = store.untake(room, &stamp);
        }
    }
    worked
}

/// Takes what was dropped, and puts it back: it is being written again.
pub(crate) fn returner(_: &Ledger) -> Program {
    Box::new(|fs| {
        let Some(store) = programs::open(fs) else { return };
        let Some(room) = programs::register(&store, "returner") else { return };
        let mut arrivals = Arrivals::new(Customs::default(), std::time::Duration::ZERO);
        let Ok(looked) = store.arrivals(None, &mut arrivals, &mut |_, _| {}) else { return };
        for answer in store.take_files(&room, &looked.ready).into_iter().flatten() {
            if let Fetched::Here(stamp) | Fetched::Failed(stamp, _) = answer {
                let _ = (0..3).any(|_| store.untake(&room, &stamp).is_ok());
            }
        }
        let _ = store.retire(room);
    })
}

/// A stranger moves a file of this content to the inbox, once no other of its name is there.
pub(crate) fn dropper(ledger: &Ledger, content: impl Into<String>) -> Program {
    let (ledger, content) = (ledger.clone(), content.into());
    Box::new(move |fs| drop_file(&fs, &ledger, &content))
}

fn drop_file(fs: &SimFs<'_>, ledger: &Ledger, content: &str) {
    let (beside, inbox) = (format!("/outside/{content}.csv"), format!("{DROP}/inbox/{NAME}"));
    let dropped = || -> std::io::Result<()> {
        let _ = fs.make_dir(Path::new("/outside"));
        let file = fs.create(Path::new(&beside))?;
        fs.write(&file, content.as_bytes())?;
        fs.flush(&file)?;
        fs.rename_new(Path::new(&beside), Path::new(&inbox))?;
        // It cares that its file is there.
        fs.flush_dir(&Path::new(DROP).join("inbox"))
    };
    if dropped().is_ok() {
        ledger.dropped(content);
    }
}

/// I1, after a crash: every file that was dropped is below the folder still.
pub(crate) fn still_there(world: &World, dropped: &BTreeMap<String, usize>, ledger: &Ledger) {
    for content in dropped.keys() {
        let is_it = |(path, data): &(String, Option<std::sync::Arc<[u8]>>)| {
            path.starts_with(DROP) && data.as_deref() == Some(content.as_bytes())
        };
        if !world.tree().iter().any(is_it) {
            ledger.violation("I1: a file that was dropped is gone");
        }
    }
}

/// At rest: every file that was dropped is one job, that succeeded, and travels with it.
pub(crate) fn are_jobs(
    world: &World,
    dropped: &BTreeMap<String, usize>,
    at: &mut BTreeMap<String, Vec<Place>>,
    slots: &mut BTreeMap<String, Vec<String>>,
    rests: &BTreeMap<String, (String, Vec<u8>)>,
    ledger: &Ledger,
) {
    let mut jobs: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let robbed = ledger.facts().robbed;
    at.retain(|id, places| {
        let Some(envelope) =
            Envelope::decode(&rests[id].1).ok().filter(|e| e.text("source") == Some("/inbox"))
        else {
            return true;
        };
        let outcomes = slots.remove(id).unwrap_or_default();
        if !matches!((&places[..], &outcomes[..]), ([Place::Archived("done", _)], [_])) {
            ledger
                .violation(format!("I4: a file's job is at {places:?} and has {} outcomes", outcomes.len()));
        }
        let path = format!("{DROP}/{}", envelope.text("dataref").unwrap_or_default());
        match world.peek(&path) {
            Some((data, true)) => *jobs.entry(data.to_vec()).or_default() += 1,
            Some((_, false)) => ledger.violation("I3: a file was not flushed when its job was there"),
            None if robbed.contains(id.as_str()) => {}
            None => ledger.violation("I1: a file's job has no file"),
        }
        false
    });
    for content in dropped.keys() {
        let job = jobs.remove(content.as_bytes());
        if job != Some(1) && !(job.is_none() && is_handled(world, content, slots)) {
            ledger.violation("I1: a file that was dropped is not one job");
        }
    }
    // What its stranger was not told of may be there.
    if jobs.values().any(|jobs| *jobs > 1) {
        ledger.violation("I8: one file became two jobs");
    }
    for (path, data) in world.tree() {
        let left = path.starts_with(&format!("{DROP}/inbox/")) || path.contains(".bare");
        if left && data.is_some() {
            ledger.violation(format!("I4: a file that was dropped is left at {path}"));
        }
    }
}

/// P3: who made a job of it had not made that durable when another handled it. The job may then be there as its outcome alone.
fn is_handled(world: &World, content: &str, slots: &mut BTreeMap<String, Vec<String>>) -> bool {
    let files = world.tree().into_iter().filter(|(_, data)| data.as_deref() == Some(content.as_bytes()));
    let ids: Vec<String> = files
        .filter_map(|(path, _)| {
            let name = path.strip_prefix(&format!("{DROP}/payload/"))?.split('/').next()?;
            Some(ClaimCheck::parse_name(name).ok()?.stamp.id.to_string())
        })
        .collect();
    matches!(&ids[..], [id] if slots.remove(id).is_some_and(|outcomes| outcomes.len() == 1))
}

fn empty(world: World) -> (World, Ledger) {
    prepared(world, &[])
}

fn dropped(world: World) -> (World, Ledger) {
    let (world, ledger) = prepared(world, &[]);
    drop_file(&SimFs::unscheduled(&world, 1), &ledger, "first");
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

/// Its job is over, and somebody moves the file from there to the inbox, as if it had never been.
fn dropped_again(world: World) -> (World, Ledger) {
    let (world, ledger) = dropped(world);
    Actor::start(&world, 3, programs::consumer(&ledger, "setup", Patience::Drain)).finish();
    let payload = format!("{DROP}/payload/");
    let tree = world.tree();
    let (there, _) = tree
        .iter()
        .find(|(path, _)| path.starts_with(&payload) && path.ends_with(NAME))
        .expect("its job has it");
    let inbox = Path::new(DROP).join("inbox");
    let fs = SimFs::unscheduled(&world, 1);
    fs.rename(Path::new(there), &inbox.join(NAME)).expect("a healthy disk");
    let name = there[payload.len()..].split('/').next().unwrap_or_default();
    let check = ClaimCheck::parse_name(name).expect("a name of ours");
    ledger.robbed(check.stamp.id.as_str());
    world.flush_all();
    world.take_changes();
    (world, ledger)
}

fn consume(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "porter", Patience::Drain)
}

fn take_over(ledger: &Ledger) -> Program {
    programs::consumer(ledger, "recoverer", Patience::Endless)
}

fn drop_second(ledger: &Ledger) -> Program {
    dropper(ledger, "second")
}

#[test]
fn p28_p29_a_dropped_file_becomes_a_job() {
    crash_everywhere("P28 P29 a dropped file", dropped, consume);
    errors_in(&[Model::B], "P28 P29 a dropped file", dropped, consume);
}

#[test]
fn p28_dropped_while_another_looks() {
    crash_everywhere("P28 dropping", empty, drop_second);
    interleave_each(SPARSE, "P28 a second file of one name", dropped, consume, drop_second);
}

#[test]
fn p29_two_admit_one_file() {
    interleave_each(SPARSE, "P28 P29 two porters", dropped, consume, take_over);
}

/// A network file system may list a payload as it was before another put the file there. Is that one dead, what the file was taken
/// into is the last trace of it.
#[test]
fn p29_a_payload_that_is_listed_as_it_was() {
    let mut search = Search::new(0);
    let mut stale = 0;
    'all: for at in 0.. {
        for steps in stops_each(5, at) {
            let world = World::new(Model::B, 2).shared_by_machines().with_stale_listings();
            let (world, ledger) = dropped(world);
            let mut late = Actor::start(&world, 2, consume(&ledger));
            if late.steps(at) < at {
                break 'all;
            }
            let mut dies = Actor::start(&world, 3, take_over(&ledger));
            if dies.steps(steps) < steps {
                break;
            }
            drop(dies);
            while late.step(Fate::Stale(usize::MAX)) {}
            stale += world.suffered().stale_listings;
            search.conclude(&world, &ledger, 0);
        }
    }
    assert!(stale > 0, "no listing was old");
    search.expect_none("P29 a payload that is listed as it was");
}

/// Where there is no rename that replaces nothing, both names are there for a while.
#[test]
fn p28_put_back() {
    crash_everywhere("P28 put back", dropped, returner);
    errors_in(&[Model::B], "P28 put back", dropped, returner);
    interleave_each(4 * SPARSE + 1, "P28 put back beside another porter", dropped, returner, take_over);
}

/// The next file of its name may be there by then: neither replaces the other, and each is a job.
#[test]
fn p28_put_back_beside_the_next() {
    for model in [Model::A, Model::B] {
        for make in [|world: World| world, World::shared_by_machines] {
            let mut search = Search::new(0);
            for at in 0.. {
                let (world, ledger) = dropped(make(World::new(model, 2)));
                let mut late = Actor::start(&world, 2, returner(&ledger));
                if late.steps(at) < at {
                    break;
                }
                Actor::start(&world, 3, drop_second(&ledger)).finish();
                late.finish();
                search.conclude(&world, &ledger, 0);
            }
            search.expect_none(&format!("P28 put back beside the next of its name, model {model:?}"));
        }
    }
}

/// Who moved it in may not have flushed it. Its job must not be there before it is durable.
#[test]
fn p29_a_file_that_nobody_has_flushed() {
    for model in [Model::A, Model::B] {
        let (world, ledger) = prepared(World::new(model, 2), &[]);
        let fs = SimFs::unscheduled(&world, 1);
        let file = fs.create(&Path::new(DROP).join("inbox").join(NAME)).expect("a healthy disk");
        fs.write(&file, b"first").expect("a healthy disk");
        drop(file);
        fs.flush_dir(&Path::new(DROP).join("inbox")).expect("a healthy disk");
        ledger.dropped("first");
        let mut search = Search::new(0);
        Actor::start(&world, 2, consume(&ledger)).finish();
        search.conclude(&world, &ledger, 0);
        search.expect_none("P29 a file that nobody has flushed");
    }
}

#[test]
fn p29_a_file_that_was_a_jobs_is_another_job() {
    crash_everywhere("P29 dropped again", dropped_again, consume);
    errors_in(&[Model::B], "P29 dropped again", dropped_again, consume);
    interleave_each(4 * SPARSE + 1, "P29 dropped again, two porters", dropped_again, consume, take_over);
}

/// Another file came to its name after it was judged. Whoever took that, and died before it looked, had not judged it; whoever put it
/// back, and another took it then, may find it with both after a power cut.
#[test]
fn p29_what_nobody_judged_goes_back() {
    for model in [Model::A, Model::B] {
        let (world, ledger) = dropped(World::new(model, 2).announcing());
        let mut late = Actor::start(&world, 2, consume(&ledger));
        while !world.next_call(2).is_some_and(|call| call.starts_with("2 rename ") && call.contains(".bare/"))
        {
            assert!(late.step(Fate::Proceed), "it takes nothing");
        }
        Actor::start(&world, 3, consume(&ledger)).finish();
        Actor::start(&world, 4, drop_second(&ledger)).finish();
        late.step(Fate::Proceed);
        assert!(
            world
                .tree()
                .iter()
                .any(|(path, data)| path.contains(".bare/") && data.as_deref() == Some(b"second"))
        );
        let mut search = Search::new(0);
        {
            let (world, ledger) = (world.fork(), ledger.fork());
            search.conclude(&world, &ledger, 0);
            let (path, _) = world
                .tree()
                .into_iter()
                .find(|(path, data)| path.contains("/payload/") && data.as_deref() == Some(b"second"))
                .expect("it is a job");
            let meta = SimFs::unscheduled(&world, 1).stat(Path::new(&path)).expect("a healthy disk");
            let id = id_of_file(&meta.version()).expect("this file system tells when it was made");
            assert!(path.contains(id.as_str()), "{path} is no job of {id}:\n{}", world.trace().join("\n"));
        }
        while late.step(Fate::Proceed) {
            search.stop_here(&world, &ledger);
        }
        let mut next = Actor::start(&world, 5, take_over(&ledger));
        while next.step(Fate::Proceed) {
            search.stop_here(&world, &ledger);
        }
        search.expect_none(&format!("P29 what nobody judged, model {model:?}"));
    }
}
