//! What is known of a job, in words and as JSON.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::output::plain;
use super::shell;
use crate::{Attempt, Disposition, Envelope, GroupStory, Id, Outcome, Place, Problem, Reply, Story};

/// The width of a label.
const LABEL: usize = 9;

/// As one object. The job's data is not in it: it may be large.
pub(super) fn as_json(story: &Story) -> Value {
    let place = |place: &Place| {
        json!({
            "room": place.room,
            "path": place.path.to_string_lossy(),
            "attempt": place.attempt,
            "consumer": place.consumer,
            "due": place.due.map(|due| due.rfc3339()),
        })
    };
    let file = |(path, size): &(PathBuf, u64)| json!({"path": path.to_string_lossy(), "size": size});
    let files = |files: &[(PathBuf, u64)]| files.iter().map(file).collect::<Vec<_>>();
    let job = story.envelope.as_ref();
    let attribute = |name| job.and_then(|job| job.attribute(name));
    let name = story.places.iter().find_map(Place::job);
    json!({
        "id": story.id,
        "type": attribute("type"),
        "subject": attribute("subject"),
        "causationid": attribute("causationid"),
        "correlationid": story.flow(),
        "traceparent": attribute("traceparent"),
        "submitted": name.as_ref().map(|name| name.submitted.rfc3339()),
        "priority": name.as_ref().map(|name| name.priority.get()),
        "notbefore": attribute("notbefore"),
        "expirytime": attribute("expirytime"),
        "maxattempts": attribute("maxattempts"),
        "files": files(&story.files),
        "places": story.places.iter().map(place).collect::<Vec<_>>(),
        "attempts": story.attempts,
        "vanished": story.vanished,
        "outcome": story.outcome.as_ref().map(|outcome| &outcome.envelope),
        "results": files(&story.results),
        "redriven_from": story.redriven_from,
        "redriven_as": story.redriven_as,
        "topic": attribute("topic"),
        "replyto": story.reply.as_ref().map(|reply| &reply.address),
        "reply": story.reply.as_ref().map(|reply| match &reply.state {
            Reply::Undecided => json!({"state": "undecided"}),
            Reply::Waiting => json!({"state": "waiting"}),
            Reply::InHand(collector) => json!({"state": "in hand", "collector": collector}),
            Reply::Collected => json!({"state": "collected"}),
            Reply::NotThere => json!({"state": "not there"}),
        }),
        "groups": story.groups.iter().map(group_as_json).collect::<Vec<_>>(),
    })
}

fn group_as_json(group: &GroupStory) -> Value {
    let mut value = json!({"group": group.group, "state": state_in(group)});
    if let Some((new, last)) = last_redriven(group) {
        value["redriven_as"] = new.as_str().into();
        value["redriven_state"] = state_in(last).into();
    }
    value
}

/// What it is now, however often it was redriven.
fn last_redriven(mut group: &GroupStory) -> Option<(&Id, &GroupStory)> {
    let mut last = None;
    while let Some((new, story)) = group.redriven.as_deref() {
        last = Some((new, story));
        group = story;
    }
    last
}

/// In one word, as the rooms are called; how it ended, if it has.
fn state_in(group: &GroupStory) -> &'static str {
    match (group.disposition, group.places.first()) {
        (Some(Disposition::Succeeded), _) => "succeeded",
        (Some(Disposition::Failed), _) => "failed",
        (Some(Disposition::Expired), _) => "expired",
        (None, Some(place)) => place.room,
        (None, None) => "gone",
    }
}

/// For people; `drop` as they named it.
pub(super) fn in_words(story: &Story, drop: &Path, out: &mut dyn Write) -> io::Result<()> {
    let out = &mut Page(out);
    let is_event = story.places.iter().any(|place| place.room == "outbox");
    out.line(if is_event { "event" } else { "job" }, story.id.as_str())?;
    if let Some(job) = &story.envelope {
        what_it_is(job, out)?;
        // Of a redriven job that is told below.
        if story.redriven_from.is_none() {
            out.line("cause", job.text("causationid").unwrap_or_default())?;
        }
    }
    if story.flow() != story.id.as_str() {
        out.line("flow", story.flow())?;
    }
    let trace = story.envelope.as_ref().and_then(|job| job.text("traceparent"));
    out.line("trace", trace.unwrap_or_default())?;
    if let Some(name) = story.places.iter().find_map(Place::job) {
        out.line("submitted", &name.submitted.rfc3339())?;
        out.line("priority", &name.priority.to_string())?;
    }
    if let Some(job) = &story.envelope {
        what_it_asks_for(job, out)?;
    }
    files("files", &story.files, out)?;
    if let Some(old) = &story.redriven_from {
        out.line("redriven", &format!("from the dead letter {old}"))?;
    }
    for (nth, place) in story.places.iter().enumerate() {
        let where_it_is = match (place.room, &story.redriven_as) {
            ("done", Some(_)) => "archived, as it was redriven".to_owned(),
            (room, _) if place.waits() && place.attempt.is_some() && story.outcome.is_some() => {
                format!(
                    "in {room}/, but its outcome stands: no consumer handles it, the next one puts it away"
                )
            }
            _ => words(place),
        };
        out.line(if nth == 0 { "where" } else { "" }, &where_it_is)?;
        out.line("", &place.path.to_string_lossy())?;
    }
    if is_event {
        // An event has no outcome of its own: each group has one.
        for (nth, group) in story.groups.iter().enumerate() {
            let redriven = last_redriven(group)
                .map_or(String::new(), |(new, last)| format!(", redriven as {new}: {}", state_in(last)));
            let state = format!("{}: {}{redriven}", group.group, state_in(group));
            out.line(if nth == 0 { "groups" } else { "" }, &state)?;
        }
        let nobody = if story.groups.is_empty() { "none got it, or has it any more" } else { "" };
        return out.line("groups", nobody);
    }
    the_attempts(story, out)?;
    match &story.outcome {
        Some(outcome) => {
            the_outcome(outcome, out)?;
            files("results", &story.results, out)?;
        }
        None => out.line("outcome", "none yet")?,
    }
    if let Some(reply) = &story.reply {
        out.line("reply to", &format!("{}: {}", reply.address, state_of(&reply.state)))?;
    }
    if let Some(new) = &story.redriven_as {
        out.line("redriven", &format!("as {new}"))?;
    }
    what_to_do(story, drop, out)
}

pub(super) fn state_of(reply: &Reply) -> String {
    match reply {
        Reply::Undecided => "its outcome is to be delivered there".to_owned(),
        Reply::Waiting => "its outcome waits there to be collected".to_owned(),
        Reply::InHand(collector) => format!("its outcome is in the hand of {collector}"),
        Reply::Collected => "its outcome was collected".to_owned(),
        Reply::NotThere => {
            "its outcome is not there: it is still on its way, or was collected long ago".to_owned()
        }
    }
}

/// Lines with a label before them.
pub(super) struct Page<'a>(pub(super) &'a mut dyn Write);

impl Page<'_> {
    pub(super) fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        let mut label = label;
        for line in text.lines() {
            writeln!(self.0, "{label:<LABEL$}  {}", plain(line))?;
            label = "";
        }
        Ok(())
    }
}

fn what_it_is(job: &Envelope, out: &mut Page<'_>) -> io::Result<()> {
    for label in ["type", "topic", "subject"] {
        out.line(label, job.text(label).unwrap_or_default())?;
    }
    Ok(())
}

fn what_it_asks_for(job: &Envelope, out: &mut Page<'_>) -> io::Result<()> {
    for (label, attribute) in [("due", "notbefore"), ("expires", "expirytime")] {
        out.line(label, job.text(attribute).unwrap_or_default())?;
    }
    match job.attribute("maxattempts") {
        Some(most) => out.line("attempts", &format!("{most} at most")),
        None => Ok(()),
    }
}

/// In order, also those that left nothing but their number.
fn the_attempts(story: &Story, out: &mut Page<'_>) -> io::Result<()> {
    let mut vanished = story.vanished.iter().copied().peekable();
    for attempt in &story.attempts {
        while let Some(nth) = vanished.next_if(|nth| *nth < attempt.attempt) {
            nobody(nth, out)?;
        }
        the_attempt(attempt, out)?;
    }
    vanished.try_for_each(|nth| nobody(nth, out))
}

fn nobody(nth: u32, out: &mut Page<'_>) -> io::Result<()> {
    let why = "its consumer vanished (killed, or silent for its lease): there is no record of it";
    out.line(&format!("attempt {nth}"), why)
}

fn the_attempt(attempt: &Attempt, out: &mut Page<'_>) -> io::Result<()> {
    let Attempt { attempt, consumer, began, ended, problem, next } = attempt;
    out.line(&format!("attempt {attempt}"), &format!("{began} to {ended}, by {consumer}"))?;
    out.line("", &why(problem))?;
    for line in problem.stderr.lines() {
        out.line("", &format!("| {line}"))?;
    }
    match next {
        Some(next) => out.line("", &format!("the next one from {next} on")),
        None => Ok(()),
    }
}

fn the_outcome(outcome: &Outcome, out: &mut Page<'_>) -> io::Result<()> {
    let how = outcome.disposition.as_str();
    let when = outcome.envelope.text("time").unwrap_or("a time that is not recorded");
    let attempt = match (outcome.attempts_made(), outcome.attempt()) {
        (0, _) => "before any attempt".to_owned(),
        (made, nth) if made == nth => format!("in attempt {nth}"),
        (made, _) => format!("after attempt {made}"),
    };
    out.line("outcome", &format!("{how} at {when}, {attempt}"))?;
    match outcome.problem() {
        Some(problem) => {
            out.line("problem", &problem.title)?;
            out.line("", &problem.detail)?;
            for (nth, line) in problem.stderr.lines().enumerate() {
                out.line(if nth == 0 { "stderr" } else { "" }, &format!("| {line}"))?;
            }
            Ok(())
        }
        None if outcome.data_ref().is_some() => Ok(()),
        None => out.line("data", &format!("{} bytes", outcome.data().len())),
    }
}

/// What travels beside an envelope.
fn files(label: &str, files: &[(PathBuf, u64)], out: &mut Page<'_>) -> io::Result<()> {
    for (nth, (path, size)) in files.iter().enumerate() {
        // On one line, whatever is in the name.
        let path = path.to_string_lossy().replace('\n', "\\n");
        out.line(if nth == 0 { label } else { "" }, &format!("{path} ({size} bytes)"))?;
    }
    Ok(())
}

/// What somebody who reads this may want next, and what does not work.
fn what_to_do(story: &Story, drop: &Path, out: &mut Page<'_>) -> io::Result<()> {
    let is_in = |room: &str| story.places.iter().any(|place| place.room == room);
    let waits = story.places.iter().any(|place| place.waits());
    let failed = story.outcome.as_ref().is_some_and(|outcome| outcome.disposition != Disposition::Succeeded);
    let command = |verb: &str| format!("filedrop dead {verb} {} {}", shell::word(drop), story.id);
    if is_in("dead") {
        out.line("next", &format!("to try it again: {}", command("redrive")))?;
        out.line("", "(to move the file back to inbox/ does not work: consumers put it back)")?;
    } else if is_in("invalid") {
        out.line("next", &format!("mend it, submit it as a new job, then: {}", command("purge")))?;
        let batch = format!("producer submit {} --batch FILE --envelopes", shell::word(drop));
        out.line("", &format!("(an envelope of your own, on one line of FILE, with another `id`: {batch})"))?;
    } else if waits && failed && story.redriven_as.is_none() {
        out.line("next", &format!("to try it again, once it is put away: {}", command("redrive")))?;
    }
    Ok(())
}

pub(super) fn words(place: &Place) -> String {
    let mut words = match (place.room, &place.consumer, place.due) {
        ("inbox", ..) if place.attempt.is_none() => {
            return "in the inbox, where it is no job any more: the next consumer puts it back".to_owned();
        }
        ("inbox", ..) => "ready in the inbox".to_owned(),
        ("delayed", _, Some(due)) => format!("delayed until {}", due.rfc3339()),
        ("claimed", Some(consumer), _) => format!("claimed by {consumer}"),
        ("outcomes", ..) => "its outcome is decided".to_owned(),
        ("done", ..) => "archived as done".to_owned(),
        ("dead", ..) => "a dead letter".to_owned(),
        ("invalid", ..) => "set aside: nobody could read it".to_owned(),
        (room, ..) => format!("in {room}"),
    };
    if let Some(attempt) = place.attempt {
        words.push_str(&format!(", attempt {attempt}"));
    }
    words
}

pub(super) fn why(problem: &Problem) -> String {
    match &problem.detail[..] {
        "" => problem.title.clone(),
        detail => format!("{}: {detail}", problem.title),
    }
}
