//! Batches: the reader of lines says of each line what a simple one would say that has the whole input before it.

use std::io::{self, Read};

use filedrop::Submission;
use filedrop::words::{Envelope, JsonLine, JsonLines, Payload};

/// `input` is the longest line that is taken, in bytes, how many bytes come at a time, and a batch.
pub(crate) fn check(input: &[u8]) {
    let [longest, portion, batch @ ..] = input else { return };
    let longest = usize::from(*longest);
    let mut reader = JsonLines::new(Portions { rest: batch, most: usize::from(*portion).max(1) }, longest);
    let mut read = Vec::new();
    while let Some(line) = reader.next_line().expect("this reader never fails") {
        read.push(line);
    }
    assert_eq!(reader.bytes_read(), batch.len() as u64, "all of it was read");
    let simple = simple(batch, longest);
    assert_eq!(read.len(), simple.len(), "{read:?}\n{simple:?}");
    for (line, (number, good)) in read.iter().zip(simple) {
        assert_eq!((line.number, line.json.as_deref().ok()), (number, good));
        job_of(line);
    }
}

/// As some pipes have it: a few bytes at a time.
struct Portions<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Portions<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (now, later) = self.rest.split_at(self.most.min(self.rest.len()).min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.rest = later;
        Ok(now.len())
    }
}

/// The lines that are not blank, and what is in them if they are good.
fn simple(batch: &[u8], longest: usize) -> Vec<(u64, Option<&[u8]>)> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(batch.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        let is_json = || {
            std::str::from_utf8(line)
                .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
        };
        if line.len() > longest {
            lines.push((number, None));
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            lines.push((number, is_json().then_some(line)));
        }
    }
    lines
}

/// The two jobs that a line can be: data, which comes back as it is; and an event, if it is one.
fn job_of(line: &JsonLine) {
    let json = match &line.json {
        Ok(json) => json,
        Err(why) => return assert!(!why.is_empty()),
    };
    let mut envelope = Envelope::new("a", "/fuzz", "fuzz");
    envelope.payload = Some(Payload::typed(json.clone(), "application/json"));
    let written = envelope.encode().expect("lines are short here");
    assert_eq!(Envelope::decode(&written).expect("what we wrote").data(), json, "passed on as it is");
    if Submission::from_event(json).is_ok() {
        // Only its id may be missing.
        let mut event: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
        if let Some(event) = event.as_object_mut() {
            event
                .entry("id")
                .and_modify(|id| {
                    if id.is_null() || id == "" {
                        *id = "a".into()
                    }
                })
                .or_insert("a".into());
            let event = serde_json::to_vec(event).expect("JSON");
            assert!(Envelope::decode(&event).is_ok(), "{}", String::from_utf8_lossy(&event));
        }
    }
}
