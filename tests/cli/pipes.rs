//! A stdout that nobody reads any more ends a program quietly.

use std::io::Write;
use std::process::Stdio;

use crate::harness::{Folder, Running, wait_until};

/// What SIGPIPE would say.
const CLOSED: i32 = 141;

#[test]
fn every_command_that_prints() {
    let folder = Folder::new();
    folder.submit("0");
    folder.drain("exit 1");
    let id = folder.submit("1");
    for words in [
        "producer --help",
        "producer --version",
        "producer submit DROP --type t",
        "filedrop status DROP",
        "filedrop status DROP --json",
        "filedrop status DROP --watch",
        "filedrop status DROP --watch --json",
        "filedrop show DROP ID",
        "filedrop show DROP ID --json",
        "filedrop dead list DROP",
        "filedrop dead list DROP --json",
        "filedrop dead redrive DROP --all --dry-run",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = folder.command(&words.replace("ID", &id), &[]);
        let output = command.stdout(Stdio::from(writer)).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(CLOSED), "{words}: {output:?}");
        assert!(output.stderr.is_empty(), "{words}: {output:?}");
    }
}

#[test]
fn outcomes_that_nobody_reads_stay() {
    let folder = Folder::new();
    let id = folder.submit("1");
    folder.drain("cat");
    for more in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = folder.command(&format!("producer wait DROP {id}"), more);
        let output = command.stdout(Stdio::from(writer)).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(CLOSED), 0), "{output:?}");
    }
    assert_eq!(folder.run("producer wait DROP", &[&id]).with(0).out, b"1");
}

#[test]
fn a_batch_into_head() {
    let folder = Folder::new();
    let mut command = folder.command("producer submit DROP --type t --batch -", &[]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::from(writer)).stderr(Stdio::piped()).spawn().unwrap();
    drop(command); // and with it our copy of the pipe
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "1").unwrap();
    // Our copy of the pipe's other end goes away at the end of the statement.
    let head = std::process::Command::new("head").arg("-1").stdin(Stdio::from(reader)).output().unwrap();
    let id = String::from_utf8(head.stdout).unwrap();
    assert_eq!(folder.job(id.trim()).data(), b"1");
    // A process that another test is just starting may still have the pipe for a moment: one line more need not fail.
    wait_until("it notices", || writeln!(input, "2").is_err().then_some(()));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(CLOSED), 0), "{output:?}");
}

#[test]
fn a_full_disk_is_said() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return; // Not Linux.
    }
    let folder = Folder::new();
    let mut command = folder.command("filedrop status DROP", &[]);
    let output = command.stdout(std::fs::File::options().write(true).open(full).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("filedrop: cannot write to standard output: "), "{said}");
}

#[test]
fn stderr_that_is_gone_is_no_panic() {
    let folder = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = folder.command("filedrop show DROP unknown-id", &[]);
    command.stderr(Stdio::from(writer));
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let id = folder.submit("1");
    let mut command = folder.command("consumer run DROP --drain -v -- cat", &[]);
    command.stderr(Stdio::from(writer));
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    assert_eq!(folder.run("producer wait DROP", &[&id]).with(0).out, b"1");
    let _ = Running::start(folder.command("filedrop status DROP", &[])).end().with(0);
}
