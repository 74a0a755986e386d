//! Who is there, and what they take.

use std::io;

use super::super::story::Page;
use super::words::show;
use crate::{ConsumerCensus, Explainer, Taker};

/// So many names are told.
const MOST_NAMES: usize = 5;

pub(super) fn print(explainer: &Explainer, page: &mut Page<'_>) -> io::Result<()> {
    // Of outcomes it is collectors who take them, each alike.
    if explainer.is_at_address() {
        return Ok(());
    }
    let mut label = "takers";
    for taker in explainer.takers() {
        let who = match taker.consumers.is_empty() {
            true => "nobody is there; by default".to_owned(),
            false => listed(&taker.consumers, &with_claims),
        };
        page.line(std::mem::take(&mut label), &format!("{who}: {}", takes(taker)))?;
    }
    if !explainer.others().is_empty() {
        let others = listed(explainer.others(), &with_claims);
        page.line(label, &format!("{others}: jobs; whether bare files, too, is not told"))?;
    }
    Ok(())
}

/// Whether there is no consumer at all.
pub(super) fn is_deserted(explainer: &Explainer) -> bool {
    explainer.others().is_empty() && explainer.takers().iter().all(|taker| taker.consumers.is_empty())
}

pub(super) fn names(taker: &Taker) -> String {
    listed(&taker.consumers, &|consumer| consumer.name.clone())
}

fn with_claims(consumer: &ConsumerCensus) -> String {
    let lives = if consumer.present.is_none() { "whether it lives is not known, " } else { "" };
    format!("{} ({lives}{} claimed)", consumer.name, consumer.claimed)
}

fn listed(consumers: &[ConsumerCensus], one: &dyn Fn(&ConsumerCensus) -> String) -> String {
    let mut names: Vec<String> = consumers.iter().take(MOST_NAMES).map(one).collect();
    if let Some(more) = consumers.len().checked_sub(MOST_NAMES).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

fn takes(taker: &Taker) -> String {
    let habits = &taker.habits;
    let mut takes = match habits.markers.is_empty() {
        true => format!("files that are left alone for {}", show(habits.quiet())),
        false => format!("files with a marker ({})", habits.markers.join(", ")),
    };
    if !habits.ignore.is_empty() {
        takes.push_str(&format!("; ignores {}", habits.ignore.join(", ")));
    }
    takes
}
