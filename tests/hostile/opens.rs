//! What a consumer that may read everything opens, as `strace` sees it.

use std::process::{Command, Stdio};

use crate::bad::Bad;
use crate::good;
use crate::outside::Outside;
use crate::place::{Place, skip};

/// Whether it can be asked.
fn can_trace() -> bool {
    let probe = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let well = probe.is_ok_and(|probe| probe.status.success());
    if !well {
        skip("strace does not run here");
    }
    well
}

#[test]
fn nothing_outside_is_opened_and_nothing_that_is_no_file() {
    if !can_trace() {
        return;
    }
    let place = Place::own();
    let mut outside = Outside::new(&place);
    let bad = Bad::put(&place, &outside, 100);
    let expected = good::submit(&place, 20);
    outside.remember();
    let log = place.root.join("trace");
    // A second look at what failed would only be more of the same.
    let consumer = place.arguments(&["--drain", "--max-attempts", "1"]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "4096", "-e", "trace=%file", "-o"]).arg(&log);
    strace.arg(env!("CARGO_BIN_EXE_consumer")).args(consumer).stdin(Stdio::null()).env_remove("RUST_LOG");
    let status = strace.status().unwrap();
    assert!(status.success(), "{status}");

    let handled = place.handled();
    assert!(expected.iter().all(|data| handled.contains_key(data)), "the good ones were handled");
    let trace = std::fs::read(&log).unwrap();
    let trace = String::from_utf8_lossy(&trace);
    // With descriptors, strace tells the paths to which they lead: so also what is opened through a link is seen.
    let away = outside.dir.to_str().unwrap();
    let strayed: Vec<_> =
        trace.lines().filter(|line| line.contains(away) && !line.contains("readlink")).collect();
    assert!(strayed.is_empty(), "{strayed:#?}");
    let opens: Vec<_> = trace.lines().filter(|line| line.contains(" open")).collect();
    let of = |name: &str| format!("\"{}\"", place.inbox().join(name).display());
    let good = of("good-0000.csv");
    assert!(opens.iter().any(|line| line.contains(&good)), "what is opened is seen");
    for name in bad.left.keys() {
        let path = of(name);
        let opened: Vec<_> = opens.iter().filter(|line| line.contains(&path)).collect();
        assert!(opened.is_empty(), "{opened:#?}");
    }
    outside.assert_untouched();
}
