//! The jobs that are to be handled all the same.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use filedrop::{DropFolder, Submission};

use crate::place::Place;

/// Names that a shell, a terminal or a careless program would stumble over.
pub(crate) fn odd_names() -> Vec<OsString> {
    let mut names: Vec<Vec<u8>> = [
        "-rf",
        "--help",
        "-",
        "two\nlines.csv",
        "tab\tand \u{1b}[31mred\u{1b}[0m",
        "it's \"quoted\"",
        " ",
        "*",
        "?",
        "$(touch bad)",
        "`id`",
        "a;b",
        "a|b&c",
        "back\\slash",
        "%2e%2e%2fetc%2fpasswd",
        "%00",
        "NUL",
        "file:",
        "\u{7f}",
        "{\"a\":1}",
        "überall.csv",
        "\u{202e}gpj.exe",
        "filedrop.json",
        "x.job.json.txt",
        "\r\n",
    ]
    .map(|name| name.as_bytes().to_vec())
    .to_vec();
    names.push(vec![b'n'; 255]);
    names.push([vec![b'n'; 251], b".csv".to_vec()].concat());
    names.push([vec![0xff; 251], b".csv".to_vec()].concat());
    names.push(b"\xff\xfe no text \x80.csv".to_vec());
    names.into_iter().map(OsString::from_vec).collect()
}

/// As many envelopes as bare files, and the odd ones. What their handlers are to see.
pub(crate) fn submit(place: &Place, each: usize) -> BTreeSet<Vec<u8>> {
    let mut expected = BTreeSet::new();
    let drop = DropFolder::open(&place.drop).unwrap();
    let data = (0..each).map(|nth| format!("envelope {nth}"));
    let jobs = data.clone().map(|data| Submission::new("good").data(data)).collect();
    drop.submit_all(jobs).unwrap();
    expected.extend(data.map(String::into_bytes));
    let plain = (0..each).map(|nth| OsString::from(format!("good-{nth:04}.csv")));
    for (nth, name) in plain.chain(odd_names()).enumerate() {
        let path = place.inbox().join(&name);
        let data = [format!("file {nth} ").as_bytes(), name.as_bytes()].concat();
        fs::write(&path, &data).unwrap();
        // Of some the kernel tells the consumer who writes them, of others it does not.
        if nth % 2 == 0 {
            place.give(&path);
        }
        expected.insert(data.into_iter().take(200).collect());
    }
    expected
}
