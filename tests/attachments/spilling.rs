//! Output that is too large for an envelope.

use std::io::Read as _;

use filedrop::actors::handler::MAX_OUTPUT_BYTES;
use filedrop::{Disposition, Outcome};

use crate::{Folder, sh};

fn content_type(outcome: &Outcome) -> &str {
    match &outcome.envelope.payload {
        Some(payload) => payload.content_type.as_deref().unwrap(),
        None => outcome.envelope.text("datacontenttype").unwrap(),
    }
}

/// P24: up to the limit it is in the envelope, one byte more and all of it is beside.
#[test]
fn one_byte_decides() {
    let folder = Folder::new();
    for most in [0, 1, 1000, 1 << 20, MAX_OUTPUT_BYTES] {
        for (size, spills) in [(most, false), (most + 1, true)] {
            let outcome =
                folder.run_command(sh(&format!("head -c {size} /dev/zero | tr '\\0' x")).max_output(most));
            assert_eq!(outcome.disposition, Disposition::Succeeded);
            assert_eq!(outcome.data_ref().is_some(), spills, "{size} of {most}");
            assert_eq!(outcome.envelope.payload.is_none(), spills);
            assert_eq!(folder.data(&outcome), vec![b'x'; size], "{size} of {most}");
            assert_eq!(content_type(&outcome), "text/plain; charset=utf-8");
        }
    }
}

#[test]
fn a_mebibyte_if_nobody_says_otherwise() {
    let folder = Folder::new();
    assert_eq!(folder.run("head -c 1048576 /dev/zero").data_ref(), None);
    let spilled = folder.run("head -c 1048577 /dev/zero");
    assert!(spilled.data_ref().is_some());
    folder.assert_payload_is(&[&spilled]);
}

#[test]
fn bytes_that_are_no_text_say_so() {
    let folder = Folder::new();
    let outcome = folder.run_command(sh(r"printf 'a\377b'").max_output(1));
    assert_eq!(
        (content_type(&outcome), folder.data(&outcome)),
        ("application/octet-stream", b"a\xffb".to_vec())
    );
    let outcome = folder.run_command(sh("printf €; sleep 0.05; printf €").max_output(4));
    assert_eq!(content_type(&outcome), "text/plain; charset=utf-8");
}

/// However long the disk takes, and whatever else holds the pipe open: what the command itself wrote is all there.
#[test]
fn fifty_mebibytes_arrive_byte_for_byte() {
    let folder = Folder::new();
    let script = "sleep 600 & i=0; while [ $i -lt 50 ]; do head -c 1048576 /dev/zero | tr '\\0' \"$((i % 10))\"; \
        i=$((i + 1)); done; printf end; echo $! > \"$FILEDROP_DROP/pid\"";
    let outcome = folder.run(script);
    let mut data = folder.drop.read(&outcome).unwrap();
    let mut block = vec![0; 1 << 20];
    for nth in 0..50 {
        data.read_exact(&mut block).unwrap();
        assert!(block.iter().all(|byte| *byte == b'0' + nth % 10), "block {nth}");
    }
    let mut end = String::new();
    data.read_to_string(&mut end).unwrap();
    assert_eq!(end, "end");
    let pid = std::fs::read_to_string(folder.drop.path().join("pid")).unwrap();
    assert!(
        std::process::Command::new("kill").arg(pid.trim()).status().unwrap().success(),
        "it was left behind"
    );
}
