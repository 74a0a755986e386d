//! All that lies in the inbox, by reason: the first names of each, however many there are.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::super::exit::Failure;
use super::super::output;
use super::super::story::Page;
use super::{takers, words};
use crate::words::shown;
use crate::{Explainer, Untaken};

/// So many names of each reason are printed.
const NAMED: usize = 5;

/// Files that are left for one reason.
#[derive(Default)]
struct Group {
    count: usize,
    /// The first names, what is known of each, and what to do about it.
    named: BTreeMap<String, (String, String)>,
}

/// Prints them. Returns how many files were not looked at.
pub(super) fn print(explainer: &Explainer, drop: &Path) -> Result<usize, Failure> {
    // By what the others have in common, those that are farthest from being taken first.
    let mut groups: BTreeMap<(std::cmp::Reverse<u8>, String), Group> = BTreeMap::new();
    let beyond = explainer.inbox(&mut |untaken| sort_in(&untaken, explainer, drop, &mut groups))?;
    output::data(|out| {
        if groups.is_empty() {
            writeln!(out, "inbox/ is empty")?;
        }
        for ((_, what), group) in &groups {
            writeln!(out, "{}: {}", group.count, output::plain(what))?;
            one_group(group, out)?;
            writeln!(out)?;
        }
        takers::print(explainer, &mut Page(out))
    })?;
    Ok(beyond)
}

fn sort_in(
    untaken: &Untaken,
    explainer: &Explainer,
    drop: &Path,
    groups: &mut BTreeMap<(std::cmp::Reverse<u8>, String), Group>,
) {
    let told = untaken.whys.iter().zip(explainer.takers());
    let told = told.map(|(why, taker)| (words::of(why, &untaken.name, taker, drop), taker));
    let Some((first, _)) = told.clone().min_by_key(|(told, _)| told.rank) else { return };
    let mut detail = first.detail.clone();
    for (told, taker) in told.filter(|(told, _)| told.what != first.what) {
        let but = format!("but {}: {}", takers::names(taker), told.sentence());
        detail = if detail.is_empty() { but } else { format!("{detail}; {but}") };
    }
    let group = groups.entry((std::cmp::Reverse(first.rank), first.what)).or_default();
    group.count += 1;
    group.named.insert(shown(&untaken.name), (detail, first.next));
    if group.named.len() > NAMED {
        group.named.pop_last();
    }
}

fn one_group(group: &Group, out: &mut dyn Write) -> io::Result<()> {
    let mut nexts: Vec<&str> = group.named.values().map(|(_, next)| next.as_str()).collect();
    nexts.dedup();
    let one_for_all = nexts.len() == 1;
    for (name, (detail, next)) in &group.named {
        let name = output::plain(name);
        match detail.as_str() {
            "" => writeln!(out, "  {name}")?,
            detail => writeln!(out, "  {name}  ({})", output::plain(detail))?,
        }
        if !one_for_all && !next.is_empty() {
            writeln!(out, "    next: {}", output::plain(next))?;
        }
    }
    if let Some(more) = group.count.checked_sub(NAMED).filter(|more| *more > 0) {
        writeln!(out, "  and {more} more")?;
    }
    match nexts.first() {
        Some(next) if one_for_all && !next.is_empty() => writeln!(out, "  next: {}", output::plain(next)),
        _ => Ok(()),
    }
}
