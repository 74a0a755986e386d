//! How much is said on stderr, and in what form: the options that all three programs have.

use std::env;
use std::io::{self, IsTerminal};

use clap::{Args, ColorChoice, ValueEnum};

/// How much is said on stderr, and in what form.
#[derive(Debug, Args)]
pub(super) struct Loudness {
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub(super) quiet: bool,

    /// Say more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub(super) verbose: u8,

    /// How it is said: text for people; json for collectors, one object a line
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    #[arg(help_heading = "Global options")]
    pub(super) log_format: Format,

    /// When to colour text: auto is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    #[arg(help_heading = "Global options")]
    pub(super) color: ColorChoice,
}

/// What a line on stderr looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

impl Loudness {
    /// Whether log lines are coloured. In `auto` only for people who look at them, and have not said no
    /// (<https://no-color.org>).
    pub(super) fn colours(&self) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
            }
        }
    }
}

/// What this process's command line says about a global option, also if it is wrong otherwise or only asks for help: the
/// answer to that has a form, too.
pub(super) fn asked<T: ValueEnum>(option: &str) -> Option<T> {
    // What follows is the handler's.
    let mut args = env::args_os().skip(1).take_while(|arg| arg != "--");
    let mut asked = None;
    while let Some(arg) = args.next() {
        let value = match arg.to_string_lossy().strip_prefix(option) {
            Some("") => args.next().map(|value| value.to_string_lossy().into_owned()),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        asked = value.and_then(|value| T::from_str(&value, false).ok()).or(asked);
    }
    asked
}
