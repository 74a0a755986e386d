//! Exit codes: those of `sysexits.h` where it has one, and the conventional ones of shells and `timeout`.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use crate::folder::advice;
use crate::{Error, ErrorKind};

/// How a program ended. The numbers are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Done = 0,
    /// A job failed, no job has the id, not all that was to be redriven was, a handler did not take an outcome over, or a folder
    /// cannot keep a promise.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Some of the input is wrong; the rest was submitted (EX_DATAERR).
    BadData = 65,
    /// There is no such file or something else in its place, or no drop folder there (EX_NOINPUT).
    NoInput = 66,
    /// The handler's command cannot be run (EX_UNAVAILABLE).
    NoHandler = 69,
    /// `filedrop init`: the drop folder could not be made, or not in the way asked for, whatever stands in the way
    /// (EX_CANTCREAT); but one of another version is [`Unsupported`](Self::Unsupported), as for all other commands.
    CannotCreate = 73,
    /// The operating system refused (EX_IOERR).
    Io = 74,
    /// It may have happened or not, or is for somebody else who is at it (EX_TEMPFAIL).
    Uncertain = 75,
    /// The folder is of another version, or its file system cannot do what is needed (EX_CONFIG).
    Unsupported = 78,
    /// The time given ran out, as `timeout` has it.
    TimedOut = 124,
    /// SIGINT, as shells have it.
    Interrupted = 130,
    /// Nobody reads the output any more; what SIGPIPE would say.
    ClosedPipe = 141,
    /// SIGTERM, as shells have it.
    Terminated = 143,
}

impl Exit {
    /// Every one, in the order of their numbers.
    pub const ALL: [Exit; 14] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::BadData,
        Exit::NoInput,
        Exit::NoHandler,
        Exit::CannotCreate,
        Exit::Io,
        Exit::Uncertain,
        Exit::Unsupported,
        Exit::TimedOut,
        Exit::Interrupted,
        Exit::ClosedPipe,
        Exit::Terminated,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => {
                "a job failed; of `collect`: an outcome was not taken; of `filedrop`: no job has this id, not all could be done (see stderr), or a promise does not hold there (`doctor`)"
            }
            Exit::Usage => "the command line is wrong",
            Exit::BadData => "bad data, named on stderr; of a batch, the good lines were submitted",
            Exit::NoInput => {
                "no such file, a folder in its place, one that cannot be opened, or not a drop folder"
            }
            Exit::NoHandler => {
                "the handler's command is not there or cannot be run; its jobs are in the inbox"
            }
            Exit::CannotCreate => "the drop folder cannot be made, or not in the way asked for",
            Exit::Io => "the operating system refused: full disk, no permission, I/O error",
            Exit::Uncertain => {
                "it may have happened or not, or another program is at it; stderr says what is known"
            }
            Exit::Unsupported => "a drop folder of another version, or a file system that cannot carry one",
            Exit::TimedOut => "the time given ran out; the job goes on, ask again with `producer wait`",
            Exit::Interrupted => "interrupted (SIGINT)",
            Exit::ClosedPipe => "nobody read the output any more",
            Exit::Terminated => "terminated (SIGTERM)",
        }
    }

    /// The code for a library error.
    pub fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::TooLarge => Exit::BadData,
            // Another version and an unreadable marker have one; what is no drop folder at all has none.
            ErrorKind::NotADropFolder => match error.path().map(|path| path.join("filedrop.json").exists()) {
                Some(true) => Exit::Unsupported,
                _ => Exit::NoInput,
            },
            ErrorKind::Unsupported => Exit::Unsupported,
            ErrorKind::NotFound | ErrorKind::Elsewhere => Exit::NoInput,
            ErrorKind::NoHandler => Exit::NoHandler,
            ErrorKind::Uncertain | ErrorKind::Busy => Exit::Uncertain,
            ErrorKind::Refused => Exit::Failed,
            ErrorKind::TimedOut => Exit::TimedOut,
            ErrorKind::Io => Exit::Io,
        }
    }

    /// The end of a help text: these codes and what they mean.
    pub(super) fn table(exits: &[Exit]) -> String {
        let mut table = String::from("Exit codes:\n");
        for exit in exits {
            let _ = writeln!(table, "{:>5}  {}", exit.code(), exit.meaning());
        }
        table
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a program ends early: the code, and what it has to say about it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) message: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: Some(message.to_string()) }
    }

    /// Everything was said already, or there is nothing to say.
    pub(super) fn silent(exit: Exit) -> Self {
        Self { exit, message: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = Exit::of(&error);
        match advice(&error) {
            Some(advice) => Self::new(exit, format_args!("{error}; {advice}")),
            None => Self::new(exit, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_once_in_order() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b));
        let table = Exit::table(&Exit::ALL);
        assert!(codes.iter().all(|code| table.contains(&format!("{code:>5}  "))));
    }
}
