//! `filedrop status --watch`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Folder, Running, wait_until};
use crate::terminal::at_terminal;

/// So many lines has the status of an empty folder.
const LINES: usize = 9;

#[test]
fn one_object_a_line_until_it_is_told_to_stop() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new();
        let mut watching = Running::start(folder.command("filedrop status DROP --json --watch=0.1", &[]));
        let inbox =
            |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["rooms"]["inbox"].clone();
        assert!(watching.wait_for_lines(3).iter().all(|line| inbox(line) == 0));
        folder.submit("1");
        wait_until("the job is counted", || {
            watching.wait_for_lines(1).iter().any(|line| inbox(line) == 1).then_some(())
        });
        watching.signal(signal);
        let ended = watching.end().with(0);
        assert!(ended.out.is_empty() || ended.out.ends_with(b"}\n"), "whole lines: {ended:?}");
        assert_eq!(ended.err, "");
    }
}

#[test]
fn without_a_terminal_one_after_the_other() {
    let folder = Folder::new();
    let once = folder.run("filedrop status DROP", &[]).with(0);
    let mut watching = Running::start(folder.command("filedrop status DROP --watch=100ms", &[]));
    let lines = watching.wait_for_lines(3 * LINES + 2).join("\n");
    let thrice = [once.text(); 3].join("\n");
    assert!(lines.starts_with(thrice.trim_end()), "{lines}");
    watching.signal(Signal::TERM);
    watching.end().with(0);
}

#[test]
fn on_a_terminal_in_place() {
    let folder = Folder::new();
    let once = folder.run("filedrop status DROP", &[]).with(0);
    let page = format!("\x1b[H{}\x1b[J", once.text().replace('\n', "\x1b[K\r\n"));
    let mut watching = at_terminal(folder.command("filedrop status DROP --watch=0.1", &[]), 24, 80);
    let seen = watching.wait_for_lines(2 * LINES).join("\r\n");
    let twice = format!("\x1b[2J{page}{page}");
    assert!(seen.starts_with(twice.trim_end_matches("\r\n\x1b[J")), "{seen:?}");
    watching.signal(Signal::INT);
    watching.end().with(0);
}

#[test]
fn on_a_small_terminal_it_is_cut() {
    let folder = Folder::new();
    let mut watching = at_terminal(folder.command("filedrop status DROP --watch=0.1", &[]), 4, 6);
    let seen = watching.wait_for_lines(3);
    assert_eq!(seen[..3], ["\x1b[2J\x1b[HROOM \x1b[K", "inbox\x1b[K", "... 7\x1b[K"]);
    watching.signal(Signal::INT);
    watching.end().with(0);
}

#[test]
fn nothing_is_cleared_where_nobody_asked_for_it() {
    let folder = Folder::new();
    for (words, term) in [("filedrop status DROP", "xterm"), ("filedrop status DROP --watch=0.1", "dumb")] {
        let mut command = folder.command(words, &[]);
        command.env("TERM", term);
        let mut running = at_terminal(command, 24, 80);
        let lines = running.wait_for_lines(LINES);
        assert!(
            lines[0].starts_with("ROOM ") && lines.iter().all(|line| !line.contains('\x1b')),
            "{lines:?}"
        );
        drop(running);
    }
}

#[test]
fn a_folder_that_vanishes_is_an_error() {
    let folder = Folder::new();
    let mut watching = Running::start(folder.command("filedrop status DROP --watch=0.1 --json", &[]));
    watching.wait_for_lines(1);
    fs::rename(&folder.path, folder.beside("elsewhere")).expect("it is moved away");
    let ended = watching.end().with(66);
    assert!(ended.err.starts_with("filedrop: there is no folder"), "{ended:?}");
}

/// Somebody looks at it with a pager, say, and does not page on.
#[test]
fn a_reader_that_is_stuck_does_not_keep_it() {
    let folder = Folder::new();
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("it never blocks");
    let full = loop {
        if let Err(e) = writer.write(&[0; 512]) {
            break e.kind();
        }
    };
    assert_eq!(full, ErrorKind::WouldBlock);
    fcntl_setfl(&writer, flags).expect("it blocks");
    let mut command = folder.command("filedrop status DROP --watch=0.1", &[]);
    let mut child = command.stdout(Stdio::from(writer)).spawn().expect("the program starts");
    let tasks = format!("/proc/{}/task", child.id());
    wait_until("it listens for signals", || {
        let tasks = fs::read_dir(&tasks).expect("its threads").flatten();
        tasks
            .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
            .any(|name| name.trim() == "signals")
            .then_some(())
    });
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    let status = wait_until("it ends", || child.try_wait().expect("a child"));
    assert_eq!(status.code(), Some(0));
    drop(reader);
}
