//! A diagnosis, for people.

use std::fmt::Display;
use std::io::{self, Write};

use crate::adapters::fs::Nature;
use crate::adapters::probe::{Ability, Access, Peer, Race};
use crate::edge::cli::output::plain;
use crate::{Diagnosis, Tried};

/// The widths of what stands before the words.
const TRIED: usize = 26;
const WHAT: usize = 14;

pub(super) fn print(found: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    place(found, out)?;
    if let Some(found) = &found.tried {
        tried(found, out)?;
    }
    if let Some(peer) = &found.peer {
        other(peer, out)?;
    }
    if !found.chosen.is_empty() {
        writeln!(out, "\nCHOSEN")?;
    }
    for choice in &found.chosen {
        let (what, how) = (choice.what, choice.how);
        writeln!(out, "{what:<WHAT$}{how:<WHAT$} {}", plain(&choice.says))?;
    }
    writeln!(out, "\nAT RISK")?;
    if found.risks.is_empty() {
        writeln!(out, "nothing that was tried")?;
    }
    for risk in &found.risks {
        let weight = if risk.breaks_promise { "RISK" } else { "note" };
        writeln!(out, "{weight:<5} {}", plain(&risk.says))?;
    }
    Ok(())
}

fn place(found: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let what = if found.drop_folder { "a drop folder" } else { "no drop folder yet" };
    let on = &found.surroundings;
    let nature = match on.nature {
        Nature::Local => "a disk of this machine's",
        Nature::Memory => "memory of this machine's",
        Nature::Network => "shared by machines",
        Nature::Program => "a program's, with whatever is behind it",
        Nature::Unknown => "nobody knows who else is there",
    };
    let mut row = |what: &str, says: &dyn Display| writeln!(out, "{what:<WHAT$}{}", plain(&says.to_string()));
    row("folder", &format_args!("{}, {what}", found.folder.display()))?;
    row("lies on", &format_args!("{}, {nature}", on.file_system))?;
    if let (Some(source), Some(at)) = (&on.source, &on.mounted_at) {
        row("mounted", &format_args!("{source} on {} ({})", at.display(), on.options.join(",")))?;
    }
    let files = on.free_files.map_or(String::new(), |files| format!(", {files} files"));
    row("free", &format_args!("{} MiB{files}", on.free_bytes >> 20))?;
    row("belongs to", &whose(&found.access))
}

fn whose(access: &Access) -> String {
    let Access { owner, group, mode, user, .. } = access;
    let who = match (access.shared, access.made_for_group) {
        (true, Some(true)) => format!("all users of group {group} can work here"),
        (true, _) => format!("it is to be shared by group {group}"),
        (false, _) if user == owner => format!("for this user only ({user})"),
        (false, _) => format!("for that user only, and this one is {user}"),
    };
    format!("user {owner}, group {group}, mode {mode:o}: {who}")
}

fn tried(found: &Tried, out: &mut dyn Write) -> io::Result<()> {
    let names = &found.names;
    writeln!(out, "\nTRIED")?;
    let mut row =
        |what: &str, says: &dyn Display| writeln!(out, "{what:<TRIED$}{}", plain(&says.to_string()));
    let replaced = format!("{} times, {} looks", names.replaced.times, names.replaced.looks);
    row("rename replaces at once", &can(&names.rename_replaces, &replaced))?;
    row("hard links", &can(&names.hard_links, ""))?;
    row("link replaces nothing", &can(&names.link_replaces_nothing, ""))?;
    row("rename replaces nothing", &can(&names.rename_replaces_nothing, "RENAME_NOREPLACE"))?;
    row("files without a name", &can(&names.unnamed_files, "O_TMPFILE"))?;
    row("upper and lower case", &if names.folds_case { "are the same" } else { "differ" })?;
    row("names can be flushed", &can(&found.flushes.folders, ""))?;
    let of = format!("median of {}", found.flushes.times);
    row(
        "flush of a file",
        &found.flushes.file_us.map_or("no".to_owned(), |us| format!("{} ({of})", span(us))),
    )?;
    row(
        "flush of a folder",
        &found.flushes.folder_us.map_or("no".to_owned(), |us| format!("{} ({of})", span(us))),
    )?;
    match found.notifications {
        None => row("notifications", &"no")?,
        Some(told) => {
            row("told of a new name", &after(told.create_us))?;
            row("told of a rename", &after(told.rename_us))?;
            row("told of a writer's end", &after(told.close_us))?;
        }
    }
    row("locks are seen", &can(&found.locks.seen, ""))?;
    row("writers are told", &can(&found.locks.writers_told, "read leases"))?;
    let step = found.times.step_ns.map(|ns| format!("{} or less", span_ns(ns)));
    row("times go in steps of", &step.unwrap_or("more than 2500.000 ms".to_owned()))?;
    row("file system's clock", &ahead(found.times.ahead_ms as f64))
}

fn other(peer: &Peer, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nTHE OTHER ONE")?;
    let mut row =
        |what: &str, says: &dyn Display| writeln!(out, "{what:<TRIED$}{}", plain(&says.to_string()));
    let where_to =
        if peer.same_machine { "this very machine: nothing is known of two" } else { "another machine" };
    row("who", &format_args!("{}, process {} ({where_to})", peer.host, peer.pid))?;
    row("a name appears after", &span(peer.appears_us))?;
    let error = peer.clock_error_us as f64 / 1000.0;
    row(
        "its clock",
        &format_args!("{}, give or take {error:.3} ms", ahead(peer.clock_ahead_us as f64 / 1000.0)),
    )?;
    let told = match peer.told {
        Some(true) => "yes",
        Some(false) => "no",
        None => "no: there are no notifications",
    };
    row("told of what it does", &told)?;
    let locks = match (peer.lock_seen, peer.lock_freed) {
        (true, true) => "yes",
        (false, _) => "no",
        (true, false) => "yes, but not that it lets go",
    };
    row("its locks are seen", &locks)?;
    row("links to one name", &race(peer.links))?;
    row("renames of one file", &race(peer.renames))
}

fn race(race: Race) -> String {
    let Race { names, ours, theirs, both, nobody } = race;
    match race.is_fair() {
        true => format!("{names}, each won by one: {ours} here, {theirs} there"),
        false => format!("{names}, of which {both} were won by both and {nobody} by nobody"),
    }
}

fn can(ability: &Ability, how: &str) -> String {
    match (&ability.why, how) {
        (Some(why), _) => format!("no: {why}"),
        (None, "") => "yes".to_owned(),
        (None, how) => format!("yes ({how})"),
    }
}

fn after(us: Option<u64>) -> String {
    us.map_or("no".to_owned(), |us| format!("after {}", span(us)))
}

fn ahead(ms: f64) -> String {
    match ms {
        0.0 => "is ours".to_owned(),
        ms if ms < 0.0 => format!("{:.3} ms behind ours", -ms),
        ms => format!("{ms:.3} ms ahead of ours"),
    }
}

fn span(us: u64) -> String {
    span_ns(us.saturating_mul(1000))
}

/// Always in one unit: they are to be compared.
fn span_ns(ns: u64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::print;
    use crate::WatchMode;
    use crate::adapters::fs::Nature;
    use crate::folder::sample::{ability, diagnosis, peer};

    #[test]
    fn what_two_found_on_a_share() {
        let found = diagnosis(
            |found| {
                found.surroundings.nature = Nature::Network;
                let tried = found.tried.as_mut().unwrap();
                tried.locks.trusted = false;
                tried.names.unnamed_files = ability(Some("not here\x1b"));
                let mut peer = peer();
                (peer.links.both, peer.told) = (2, Some(false));
                found.peer = Some(peer);
            },
            WatchMode::Poll,
        );
        let mut out = Vec::new();
        print(&found, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for line in [
            "lies on       ext4, shared by machines",
            "free          1048576 MiB, 1048576 files",
            "files without a name      no: not here\\u{1b}",
            "flush of a folder         0.700 ms (median of 21)",
            "told of a writer's end    no",
            "who                       barn, process 7 (another machine)",
            "a name appears after      0.900 ms",
            "its clock                 1.500 ms behind ours, give or take 0.250 ms",
            "told of what it does      no",
            "its locks are seen        yes",
            "links to one name         100, of which 2 were won by both and 0 by nobody",
            "renames of one file       100, each won by one: 40 here, 60 there",
            "RISK  of 100 names, 2 were given to both: a job could have two outcomes",
        ] {
            assert!(text.lines().any(|there| there == line), "{line:?} is not in:\n{text}");
        }
    }
}
