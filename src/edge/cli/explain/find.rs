//! What somebody means who names a file, a path or a job.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::exit::{Exit, Failure};
use crate::words::{DelayedName, InboxName, from_shown, shown};
use crate::{DropFolder, Explainer, Id, Story, Untaken};

pub(super) enum Found {
    /// It lies in the inbox, and is no job.
    Untaken(Untaken),
    /// Jobs: the one of this id, or those that the file was taken as.
    Jobs(Vec<Story>),
    /// A consumer has taken the file, and this is going to be its job.
    Taken(Id),
}

/// More jobs than these are not told of: who drops a file of one name each day knows the last ones by their ids.
const MOST_JOBS: usize = 5;

pub(super) fn find(
    folder: &DropFolder,
    explainer: &Explainer,
    drop: &Path,
    named: &OsStr,
) -> Result<Found, Failure> {
    let is_path = named.as_encoded_bytes().contains(&b'/');
    let name = if is_path { name_of(folder, named)? } else { named };
    // What is printed is what is meant, should there be a file that is called so.
    let as_shown = name.to_str().and_then(from_shown).filter(|meant| meant != name);
    for name in as_shown.as_deref().into_iter().chain([name]) {
        if let Some(found) = find_name(folder, explainer, name)? {
            return Ok(found);
        }
    }
    let why = format!(
        "no such file in {}/inbox, and no job has this id, or a file of this name: {}",
        drop.display(),
        shown(name)
    );
    Err(Failure::new(Exit::NoInput, why))
}

fn find_name(folder: &DropFolder, explainer: &Explainer, name: &OsStr) -> Result<Option<Found>, Failure> {
    if let Some(home) = folder.home_of_address()? {
        if let Some(untaken) = explainer.file(name)? {
            return Ok(Some(Found::Untaken(untaken)));
        }
        let id = job_by_name(name).or_else(|| id_in(name));
        let story = id.map(|id| home.story(&id)).transpose()?.flatten();
        return Ok(story.map(|story| Found::Jobs(vec![story])));
    }
    if let Some(id) = job_by_name(name)
        && let Some(story) = folder.story(&id)?
    {
        return Ok(Some(Found::Jobs(vec![story])));
    }
    if let Some(untaken) = explainer.file(name)? {
        return Ok(Some(Found::Untaken(untaken)));
    }
    if let Some(id) = id_in(name)
        && let Some(story) = folder.story(&id)?
    {
        return Ok(Some(Found::Jobs(vec![story])));
    }
    let (mut jobs, ids) = (Vec::new(), explainer.jobs_with(name)?);
    // Ids that a file makes tell no order; those that were minted do.
    for id in ids.iter().rev().take(MOST_JOBS) {
        jobs.extend(folder.story(id)?);
    }
    Ok(match (jobs.is_empty(), ids.last()) {
        (false, _) => Some(Found::Jobs(jobs)),
        (true, id) => id.cloned().map(Found::Taken),
    })
}

/// The last part of a path that leads into the drop folder, from here or from there.
fn name_of<'a>(folder: &DropFolder, path: &'a OsStr) -> Result<&'a OsStr, Failure> {
    let path = Path::new(path);
    let root = folder.path().canonicalize().unwrap_or_else(|_| folder.path().to_owned());
    let leads_inside = |parent: PathBuf| parent.canonicalize().is_ok_and(|parent| parent.starts_with(&root));
    let parent = path.parent().unwrap_or(path);
    match path.file_name() {
        Some(name) if leads_inside(parent.to_owned()) || leads_inside(root.join(parent)) => Ok(name),
        _ => {
            let why = format!("{}: not a path into the drop folder {}", path.display(), root.display());
            Err(Failure::new(Exit::NoInput, why))
        }
    }
}

/// The job whose file has this name, in whatever room but an archive: such a name in the inbox is no job.
fn job_by_name(name: &OsStr) -> Option<Id> {
    let name = name.to_str()?;
    let delayed = name.parse::<DelayedName>().ok().map(|delayed| delayed.job);
    delayed.or_else(|| name.parse::<InboxName>().ok()).map(|job| job.id)
}

/// What is an id, or has one in it as the names in an archive have.
fn id_in(name: &OsStr) -> Option<Id> {
    let name = name.to_str()?;
    let archived = InboxName::parse_archived(name).ok().map(|job| job.id);
    archived.or_else(|| InboxName::parse_slot(name)).or_else(|| name.parse().ok())
}
