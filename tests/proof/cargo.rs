//! What jobs and outcomes refer to, looked at on the bytes of the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use filedrop::adapters::fs::sim::World;
use filedrop::words::{ClaimCheck, Envelope, Outcome};

use crate::audit;
use crate::ledger::Ledger;
use crate::programs::DROP;
use crate::travel::{DATA, FILES, RESULTS};

/// What is wrong. It is no panic: an actor that stands in the midst of its work cannot be unwound by one.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// A job or an outcome that somebody can see, and what it refers to.
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) checks: Vec<ClaimCheck>,
    pub(crate) is_outcome: bool,
}

/// Everything is there that a job or an outcome refers to, and nothing else with it.
pub(crate) fn whole(world: &World) -> Checked<Vec<Seen>> {
    let tree: BTreeMap<String, Option<Arc<[u8]>>> = world.tree().into_iter().collect();
    let mut seen = Vec::new();
    for (path, data) in &tree {
        let Some(data) = data else { continue };
        let below = path.strip_prefix(DROP).unwrap_or_default();
        if ["/tmp/", "/payload/"].iter().any(|room| below.starts_with(room)) || !below.ends_with(".json") {
            continue;
        }
        let Ok(envelope) = Envelope::decode(data) else { continue };
        let is_outcome = Outcome::decode(data).is_ok();
        let checks: Vec<_> =
            ["filesref", "dataref"].iter().filter_map(|name| envelope.claim_check(name)).collect();
        for check in &checks {
            let base = format!("{DROP}/payload/{}", check.name());
            let files = |names: &[&'static str]| -> Vec<(String, &'static str)> {
                names.iter().map(|name| (format!("{base}/{name}"), *name)).collect()
            };
            let expected = match (check.attribute(), is_outcome) {
                ("dataref", _) => vec![(base.clone(), DATA)],
                (_, true) => files(&RESULTS),
                (_, false) => files(&FILES),
            };
            let is_inside = |file: &str| file == base || file.starts_with(&format!("{base}/"));
            let inside = tree.iter().filter(|(file, _)| is_inside(file));
            let found: Vec<_> =
                inside.filter_map(|(file, data)| Some((file.clone(), data.clone()?))).collect();
            let expected: Vec<_> =
                expected.into_iter().map(|(file, content)| (file, Arc::from(content.as_bytes()))).collect();
            if found != expected {
                let trace = world.trace().join("\n");
                return Err(format!("{path} refers to {base}, where there is {found:?}\n{trace}"));
            }
        }
        seen.push(Seen { path: path.clone(), checks, is_outcome });
    }
    Ok(seen)
}

/// The file that is moved in is where it was, or with a job.
pub(crate) fn nothing_lost(world: &World) -> Checked {
    let seen = whole(world)?;
    let there = world.peek("/outside/moved").is_some_and(|(data, _)| *data == *b"moved");
    let with_a_job = seen.iter().any(|seen| !seen.is_outcome && !seen.checks.is_empty());
    if there || with_a_job {
        return Ok(());
    }
    Err(format!("the file that was to be moved is nowhere\n{}", world.trace().join("\n")))
}

/// When all is done and nobody was killed: nothing is in `payload/` that nobody refers to.
pub(crate) fn tidy(world: &World) -> Checked {
    let seen = whole(world)?;
    let referred: Vec<String> = seen.iter().flat_map(|seen| &seen.checks).map(ClaimCheck::name).collect();
    for (path, _) in world.tree() {
        if let Some(name) = path.strip_prefix(&format!("{DROP}/payload/")) {
            let name = name.split('/').next().unwrap_or_default();
            if !referred.iter().any(|referred| referred == name) {
                return Err(format!("{path} is left\n{}", world.trace().join("\n")));
            }
        }
    }
    let ledger = Ledger::default();
    audit::names_that_changed(world, &ledger);
    ledger.facts().violations.into_iter().next().map_or(Ok(()), Err)
}

pub(crate) fn outcomes(world: &World) -> usize {
    let is_slot = |path: &str| path.starts_with("/drop/outcomes/") && path.ends_with(".outcome.json");
    world.tree().iter().filter(|(path, _)| is_slot(path)).count()
}
