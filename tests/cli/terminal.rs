//! A terminal, as programs see it.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::Running;

/// Starts a program at a terminal of this size. What it says and what it prints are read as one.
pub(crate) fn at_terminal(mut command: Command, rows: u16, columns: u16) -> Running {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it may be used");
    let name = ptsname(&ours, Vec::new()).expect("it has a name").into_bytes();
    let path = PathBuf::from(std::ffi::OsString::from_vec(name));
    let theirs = File::options().read(true).write(true).open(path).expect("its other end");
    tcsetwinsize(&theirs, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
        .expect("it has a size");
    command.stdout(theirs.try_clone().expect("a copy")).stderr(theirs);
    // Its end is seen only when nobody else has it open: the command goes away with this function.
    Running::of(command.spawn().expect("the program starts"), File::from(ours), io::empty())
}
