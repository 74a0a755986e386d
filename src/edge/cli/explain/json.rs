//! What is known, one JSON object a line.

use std::path::Path;

use serde_json::{Value, json};

use super::super::exit::Failure;
use super::super::output;
use super::words::{self, Told};
use crate::words::shown;
use crate::{Explainer, Holder, Untaken, Why};

/// Prints what lies in the inbox, as it is found. Returns how many files were not looked at.
pub(super) fn stream(explainer: &Explainer, drop: &Path) -> Result<usize, Failure> {
    let mut looked = Ok(0);
    output::data(|out| {
        let mut written = Ok(());
        looked = explainer.inbox(&mut |entry| {
            if written.is_ok() {
                written = writeln!(out, "{}", untaken(&entry, explainer, drop));
            }
        });
        written
    })?;
    Ok(looked?)
}

/// One entry; where consumers differ, with what each of them would say.
pub(super) fn untaken(untaken: &Untaken, explainer: &Explainer, drop: &Path) -> Value {
    let told: Vec<(&Why, Told)> = untaken
        .whys
        .iter()
        .zip(explainer.takers())
        .map(|(why, taker)| (why, words::of(why, &untaken.name, taker, drop)))
        .collect();
    let mut value = json!({"name": shown(&untaken.name), "size": untaken.size});
    if let Some((why, first)) = told.iter().min_by_key(|(_, told)| told.rank) {
        say(&mut value, first);
        if let Some(by) = holders(why) {
            value["open_in"] =
                by.iter().map(|holder| json!({"pid": holder.pid, "command": holder.command})).collect();
        }
    }
    if untaken.whys.windows(2).any(|pair| pair[0] != pair[1]) {
        let each = told.iter().zip(explainer.takers()).map(|((_, told), taker)| {
            let names: Vec<&str> = taker.consumers.iter().map(|consumer| consumer.name.as_str()).collect();
            let mut value = json!({"consumers": names});
            say(&mut value, told);
            value
        });
        value["takers"] = each.collect();
    }
    value
}

fn say(value: &mut Value, told: &Told) {
    value["reason"] = told.reason.into();
    value["why"] = told.sentence().into();
    value["next"] = told.next.as_str().into();
}

fn holders(why: &Why) -> Option<&[Holder]> {
    match why {
        Why::Open { by } | Why::Changing { by, .. } => Some(by),
        _ => None,
    }
}
