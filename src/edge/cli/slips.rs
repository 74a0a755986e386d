//! Hints for command lines that others would understand.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What people call a job's data when they guess.
const DATA: [&str; 8] =
    ["--body", "--content", "--input", "--json", "--message", "--payload", "--stdin", "--text"];

const TOPICS: &str = "the folder comes before the command: filedrop topics DROP add GROUP PATTERN";

/// The same error; if it looks like a guess, with the way that works.
pub(super) fn explain(error: clap::Error) -> clap::Error {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let is_of = |command: &str| usage.contains(command);
    let gives_data = ["producer submit", "producer call", "producer publish"].into_iter().any(is_of);
    let guess = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(guess)))
            if is_of("filedrop topics") && !guess.starts_with('-') =>
        {
            return with(error, TOPICS);
        }
        (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(missing)))
            if is_of("filedrop topics") && missing.iter().any(|argument| argument == "<DROP>") =>
        {
            return with(error, TOPICS);
        }
        (ErrorKind::UnknownArgument, Some(ContextValue::String(guess))) => guess.clone(),
        (ErrorKind::ValueValidation, Some(ContextValue::String(argument)))
            if argument == "<GROUP>" && is_path(&error) =>
        {
            return with(error, TOPICS);
        }
        (ErrorKind::InvalidSubcommand, _) if is_of("filedrop dead") => {
            return with(error, "the command comes first: filedrop dead list DROP");
        }
        _ => return error,
    };
    let is_word = !guess.starts_with('-');
    if gives_data && (is_word || DATA.contains(&guess.as_str())) {
        let tip =
            "data is given with '--data <JSON>', or any bytes with '--file <FILE>'; '-' is standard input";
        return with(error, tip);
    }
    if is_word && (is_of("producer collect") || is_of("consumer run") || is_of("consumer subscribe")) {
        return with(error, "a command, with its arguments, comes last, after '--'");
    }
    error
}

fn is_path(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.contains('/'))
}

fn with(mut error: clap::Error, tip: &'static str) -> clap::Error {
    for before in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand] {
        error.remove(before);
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    error
}
