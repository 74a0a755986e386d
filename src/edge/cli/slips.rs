//! Hints for command lines that others would understand.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What people call a job's data when they guess.
const DATA: [&str; 8] =
    ["--body", "--content", "--input", "--json", "--message", "--payload", "--stdin", "--text"];

/// The same error; if it looks like an attempt to give a job its data, with the way that works.
pub(super) fn explain(mut error: clap::Error) -> clap::Error {
    let guess = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(guess))) => guess.clone(),
        _ => return error,
    };
    if DATA.contains(&guess.as_str()) || !guess.starts_with('-') {
        let tip = "a job's data is given with '--data <JSON>', or any bytes with '--file <FILE>'; '-' is standard input";
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}
