//! What has become of a job that is submitted again.

use super::output::Voice;
use super::shell;
use crate::{Disposition, DropFolder, Id, Story};

/// Says that the id was given before, and where its job is.
pub(super) fn say(folder: &DropFolder, id: &Id, voice: &Voice) {
    if voice.quiet {
        return;
    }
    // The submission has ended well, whatever becomes of this look.
    let state = match folder.story(id) {
        Ok(story) => story.and_then(|story| state(&story)),
        Err(e) => {
            tracing::debug!(%id, error = %e, "what has become of it is not known");
            None
        }
    };
    let show = format!("filedrop show {} {id}", shell::word(folder.path()));
    match state {
        Some(state) => voice.note(format_args!(
            "already submitted; the first one counts: {id}; it {state}; all about it: {show}"
        )),
        None => voice.note(format_args!("already submitted; the first one counts: {id}")),
    }
}

fn state(story: &Story) -> Option<String> {
    let how = story.outcome.as_ref().map(|outcome| outcome.disposition);
    let ended = match how {
        Some(Disposition::Expired) => "has expired",
        _ => "has failed",
    };
    if let Some(new) = &story.redriven_as {
        return Some(format!("{ended}, and was redriven as {new}"));
    }
    let Some(place) = story.places.iter().find(|place| place.room != "outcomes") else {
        // A job that is done goes before its outcome, too, but only when it is kept no longer.
        return how.map(|how| match how {
            Disposition::Succeeded => "is done".to_owned(),
            _ => format!("{ended}, and was purged"),
        });
    };
    Some(match (place.room, place.due) {
        (_, Some(due)) => format!("is delayed until {}", due.rfc3339()),
        ("inbox", _) => "is ready".to_owned(),
        ("outbox", _) => "is published".to_owned(),
        ("claimed", _) => "is being handled".to_owned(),
        ("done", _) => "is done".to_owned(),
        ("dead", _) => format!("{ended}, and is a dead letter"),
        ("invalid", _) => "is invalid: nobody could read it".to_owned(),
        _ => return None,
    })
}
