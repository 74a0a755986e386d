//! The command lines: arguments become options, results become text or JSON, errors become exit codes.

mod batch;
mod call;
mod consumer;
mod duration;
mod exit;
mod filedrop;
mod init;
mod job;
mod lines;
mod log;
mod output;
mod producer;
mod run;
mod show;
mod signals;
mod status;
mod submit;
mod wait;
mod watching;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser};

pub use exit::Exit;

use exit::Failure;
use output::Voice;

use crate::DropFolder;

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
}

/// How much is said on stderr.
#[derive(Debug, Args)]
struct Loudness {
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    quiet: bool,

    /// Say more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    verbose: u8,
}

fn start<P: Program>() -> ExitCode {
    let program = match P::try_parse() {
        Ok(program) => program,
        Err(asked_or_wrong) => return say(&asked_or_wrong).into(),
    };
    let &Loudness { quiet, verbose } = program.loudness();
    let voice = Voice { program: P::NAME, quiet, verbose };
    log::start(&voice, P::LOGS);
    let exit = program.run(&voice).unwrap_or_else(|failure| {
        if let Some(message) = failure.message {
            voice.error(message);
        }
        failure.exit
    });
    exit.into()
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
fn say(asked_or_wrong: &clap::Error) -> Exit {
    match (asked_or_wrong.print(), asked_or_wrong.use_stderr()) {
        (_, true) => Exit::Usage,
        (Ok(()), false) => Exit::Done,
        (Err(e), false) if e.kind() == std::io::ErrorKind::BrokenPipe => Exit::ClosedPipe,
        (Err(_), false) => Exit::Io,
    }
}
