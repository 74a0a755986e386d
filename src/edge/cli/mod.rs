//! The command lines: arguments become options, results become text or JSON, errors become exit codes.

mod attach;
mod batch;
mod before;
mod call;
mod collect;
mod consumer;
mod dead;
mod doctor;
mod durable;
mod duration;
mod exit;
mod explain;
mod filedrop;
mod flow;
mod gc;
mod group;
mod init;
mod intake;
mod job;
mod live;
mod log;
mod loudness;
mod names;
mod output;
mod policies;
mod producer;
mod progress;
mod publish;
mod run;
mod shell;
mod show;
mod signals;
mod size;
mod slips;
mod status;
mod story;
mod strangers;
mod submit;
mod subscribe;
mod topics;
mod wait;
mod watching;

use std::path::Path;
use std::process::ExitCode;

use clap::{ColorChoice, Parser};

pub use exit::Exit;

use exit::Failure;
use loudness::{Format, Loudness};
use output::Voice;

use crate::DropFolder;
use crate::words::lines;

/// The program `producer`.
pub fn producer() -> ExitCode {
    start::<producer::Producer>()
}

/// The program `consumer`.
pub fn consumer() -> ExitCode {
    start::<consumer::Consumer>()
}

/// The program `filedrop`.
pub fn filedrop() -> ExitCode {
    start::<filedrop::Filedrop>()
}

/// What the three have in common.
trait Program: Parser {
    const NAME: &'static str;
    /// The level at which it logs without `-q` and `-v`.
    const LOGS: &'static str;
    fn loudness(&self) -> &Loudness;
    fn run(self, voice: &Voice) -> Result<Exit, Failure>;
    /// A wrong command line, perhaps with a hint.
    fn explain(wrong: clap::Error) -> clap::Error {
        wrong
    }
}

fn start<P: Program>() -> ExitCode {
    let program = match parse::<P>() {
        Ok(program) => program,
        Err(asked_or_wrong) => return say::<P>(&asked_or_wrong).into(),
    };
    let loudness = program.loudness();
    let voice = Voice { program: P::NAME, quiet: loudness.quiet, format: loudness.log_format };
    log::start(loudness, &voice, P::LOGS);
    let exit = program.run(&voice).unwrap_or_else(|failure| {
        if let Some(message) = failure.message {
            voice.error(message);
        }
        failure.exit
    });
    exit.into()
}

fn parse<P: Program>() -> Result<P, clap::Error> {
    let color = loudness::asked("--color").unwrap_or(ColorChoice::Auto);
    let mut command = P::command().color(color);
    let mut matches = command.try_get_matches_from_mut(std::env::args_os()).map_err(P::explain)?;
    P::from_arg_matches_mut(&mut matches).map_err(|e| e.format(&mut command))
}

/// Opens the drop folder that the command line names.
fn open(path: &Path) -> Result<DropFolder, Failure> {
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_dir()) {
        let why = format!("{} is a file, not a drop folder", path.display());
        return Err(Failure::new(Exit::NoInput, why));
    }
    Ok(DropFolder::open(path)?)
}

/// Help and version go to stdout, a wrong command line to stderr.
fn say<P: Program>(asked_or_wrong: &clap::Error) -> Exit {
    if asked_or_wrong.use_stderr() && loudness::asked("--log-format") == Some(Format::Json) {
        let text = asked_or_wrong.render().to_string();
        let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        Voice { program: P::NAME, quiet: false, format: Format::Json }.error(message);
        return Exit::Usage;
    }
    match (asked_or_wrong.print(), asked_or_wrong.use_stderr()) {
        (_, true) => Exit::Usage,
        (Ok(()), false) => Exit::Done,
        (Err(e), false) if e.kind() == std::io::ErrorKind::BrokenPipe => Exit::ClosedPipe,
        (Err(_), false) => Exit::Io,
    }
}
