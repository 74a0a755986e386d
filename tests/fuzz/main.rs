//! What the fuzz targets check, on what they have found so far. `fuzz/run` looks for more.

#![allow(clippy::unwrap_used)]

mod batches;
mod checksums;
mod envelopes;
mod manifests;
mod names;
mod strangers;

use std::path::Path;
use std::{fs, panic};

/// Every input in the target's corpus, and none at all.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{} has its seeds", corpus.display());
    check(b"");
    inputs.retain(|input| {
        let bytes = fs::read(input).unwrap();
        panic::catch_unwind(|| check(&bytes)).is_err()
    });
    assert!(inputs.is_empty(), "see above what is wrong with {inputs:?}");
}

#[test]
fn batches() {
    replay("batches", batches::check);
}

#[test]
fn checksums() {
    replay("checksums", checksums::check);
}

#[test]
fn envelopes() {
    replay("envelopes", envelopes::check);
}

#[test]
fn manifests() {
    replay("manifests", manifests::check);
}

#[test]
fn names() {
    replay("names", names::check);
}

#[test]
fn strangers() {
    replay("strangers", strangers::check);
}
