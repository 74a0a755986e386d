//! `producer submit`: one job, and batches.

use std::io::Write;

use filedrop::MAX_FILE_BYTES;

use crate::harness::{Folder, golden};

#[test]
fn data_is_passed_on_as_it_was_written() {
    let folder = Folder::new();
    for data in [r#"{"a" : 1.00,  "b":[ ]}"#, " 1 ", "-5", "{\n}", r#""é\u00e9""#] {
        let id = folder.submit(data);
        assert_eq!(folder.job(&id).data(), data.as_bytes());
    }
}

#[test]
fn type_and_subject() {
    let folder = Folder::new();
    let id = folder.run("producer submit DROP --type a.b --subject", &["über uns"]).with(0).line();
    let job = folder.job(&id);
    assert_eq!((job.kind(), job.envelope.text("subject"), job.data()), ("a.b", Some("über uns"), &b""[..]));
    assert!(job.envelope.payload.is_none());
}

#[test]
fn a_file_is_bytes_and_gives_the_subject() {
    let folder = Folder::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/files")).unwrap() {
        let path = entry.unwrap().path();
        let id = folder.run("producer submit DROP --type t --file", &[path.to_str().unwrap()]).with(0).line();
        let job = folder.job(&id);
        assert_eq!(job.data(), std::fs::read(&path).unwrap(), "{}", path.display());
        assert_eq!(job.envelope.text("subject"), path.file_name().unwrap().to_str());
    }
}

#[test]
fn a_subject_that_is_given_wins_over_the_name() {
    let folder = Folder::new();
    let file = folder.file("photo.jpg", b"\xff\xd8");
    let words = ["--subject", "s", "--file", file.to_str().unwrap()];
    let id = folder.run("producer submit DROP --type t", &words).with(0).line();
    assert_eq!(folder.job(&id).envelope.text("subject"), Some("s"));
}

#[test]
fn standard_input() {
    let folder = Folder::new();
    let id = folder.fed("producer submit DROP --type t --file -", b"\0\xffbytes\n").with(0).line();
    let job = folder.job(&id);
    assert_eq!((job.data(), job.envelope.text("subject")), (&b"\0\xffbytes\n"[..], None));
}

#[test]
fn a_file_that_is_too_large() {
    let folder = Folder::new();
    let file = folder.file("large", vec![b'x'; MAX_FILE_BYTES + 1]);
    let ended = folder.run("producer submit DROP --type t --file", &[file.to_str().unwrap()]).with(65);
    assert_eq!(folder.normal(&ended.err, &[]), TOO_LARGE);
    // It fits a file, but not together with the envelope, or not when it is escaped.
    for bytes in [vec![b'x'; MAX_FILE_BYTES], vec![0; MAX_FILE_BYTES / 4 * 3]] {
        let file = folder.file("large", bytes);
        for command in ["submit", "call"] {
            let words = format!("producer {command} DROP --type t --file");
            let ended = folder.run(&words, &[file.to_str().unwrap()]).with(65);
            assert_eq!(folder.normal(&ended.err, &[]), TOO_LARGE);
        }
    }
    let ended =
        folder.fed("producer submit DROP --type t --file -", &vec![0; MAX_FILE_BYTES / 4 * 3]).with(65);
    assert!(ended.err.starts_with("producer: standard input is too large"), "{}", ended.err);
    assert!(ended.err.ends_with("--attach FILE\n"), "{}", ended.err);
    assert!(folder.jobs("inbox").is_empty());
}

const TOO_LARGE: &str = "producer: HERE/large is too large: an envelope holds 16 MiB of text, or 12 MiB of any bytes; let it \
                         travel beside the job: --attach HERE/large\n";

/// As the README says: 12 MiB of any bytes fit, if only there is some room for the rest of the envelope.
#[test]
fn bytes_that_would_be_escaped_fit_all_the_same() {
    let folder = Folder::new();
    for byte in [0, b'\n', b'"'] {
        let bytes = vec![byte; MAX_FILE_BYTES / 4 * 3 - 1024];
        let file = folder.file("odd", &bytes);
        let words = ["--file", file.to_str().unwrap()];
        let id = folder.run("producer submit DROP --type t", &words).with(0).line();
        assert!(folder.job(&id).data() == bytes, "bytes {byte} come back");
    }
}

#[test]
fn a_batch_with_everything_that_is_allowed() {
    let folder = Folder::new();
    let input = b"\xEF\xBB\xBF{\"n\":1}\r\n\r\n   \n {\"n\" : 2} \n[3]\n\"4\"";
    let ended = folder.fed("producer submit DROP --type t --batch -", input).with(0);
    assert_eq!(ended.err, "");
    let data: Vec<Vec<u8>> = ended.text().lines().map(|id| folder.job(id).data().to_vec()).collect();
    assert_eq!(data, [&b"{\"n\":1}"[..], b" {\"n\" : 2} ", b"[3]", b"\"4\""]);
}

#[test]
fn bad_lines_are_named_and_the_others_submitted() {
    let folder = Folder::new();
    let file = folder.file("in.ndjson", b"{\"n\":1}\noops\n\n{\"n\":2}\n{\"n\":\n\xff\xfe\nnull null\n5");
    let words = ["--subject", "all of them", "--batch", file.to_str().unwrap()];
    let ended = folder.run("producer submit DROP --type t", &words).with(65);
    golden("batch-bad-lines.txt", &ended.err);
    let jobs: Vec<_> = ended.text().lines().map(|id| folder.job(id)).collect();
    assert_eq!(
        jobs.iter().map(|job| job.data()).collect::<Vec<_>>(),
        [&b"{\"n\":1}"[..], b"{\"n\":2}", b"5"]
    );
    assert!(jobs.iter().all(|job| job.envelope.text("subject") == Some("all of them")));
}

#[test]
fn ids_are_in_the_order_of_the_input_over_many_chunks() {
    let folder = Folder::new();
    let lines: Vec<String> = (0..500).map(|n| format!("{{\"n\":{n}}}")).collect();
    let file = folder.file("in.ndjson", lines.join("\n"));
    let ended = folder.run("producer submit DROP --type t --batch", &[file.to_str().unwrap()]).with(0);
    let jobs: std::collections::HashMap<_, _> =
        folder.jobs("inbox").into_iter().map(|job| (job.id.to_string(), job.data().to_vec())).collect();
    let data: Vec<&[u8]> = ended.text().lines().map(|id| &jobs[id][..]).collect();
    assert_eq!(data, lines.iter().map(String::as_bytes).collect::<Vec<_>>());
}

#[test]
fn a_line_that_is_too_long_or_does_not_fit_its_envelope_is_a_bad_line() {
    let folder = Folder::new();
    let string = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    let input =
        [string(3), string(MAX_FILE_BYTES + 1), string(4), string(MAX_FILE_BYTES), string(5)].join("\r\n");
    let file = folder.file("in.ndjson", input);
    let ended = folder.run("producer submit DROP --type t --batch", &[file.to_str().unwrap()]).with(65);
    let lengths: Vec<usize> = ended.text().lines().map(|id| folder.job(id).data().len()).collect();
    assert_eq!(lengths, [3, 4, 5]);
    assert!(ended.err.contains("line 2: longer than 16777216 bytes\n"), "{}", ended.err);
    assert!(ended.err.contains("line 4: an envelope of "), "{}", ended.err);
    assert!(ended.err.ends_with("2 bad lines; 3 submitted\n"), "{}", ended.err);
}

#[test]
fn a_slow_stream_is_not_kept_waiting_for_a_chunk() {
    let folder = Folder::new();
    let mut running = folder.start("producer submit DROP --type t --batch -", &[]);
    for n in 0..3 {
        writeln!(running.input(), "{n}").unwrap();
        let id = running.wait_for_lines(1).remove(0);
        assert_eq!(folder.job(&id).data(), n.to_string().as_bytes());
    }
    running.close_input();
    running.end().with(0);
}

#[test]
fn a_batch_that_breaks_off_says_what_is_certain() {
    let folder = Folder::new();
    let mut running = folder.start("producer submit DROP --type t --batch -", &[]);
    writeln!(running.input(), "1\n\n2").unwrap();
    running.wait_for_lines(2);
    std::fs::rename(folder.path.join("inbox"), folder.beside("inbox-was")).unwrap();
    std::fs::write(folder.path.join("inbox"), "not a folder").unwrap();
    writeln!(running.input(), "3").unwrap();
    let ended = running.end();
    let known =
        "lines 4 to 4 are not submitted, and else the good lines up to 3 are submitted and their ids printed";
    assert!(ended.err.contains(known), "{ended:?}");
    ended.with(74);
}

#[test]
fn a_batch_that_is_stopped_says_what_is_certain() {
    use rustix::process::Signal;
    let folder = Folder::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut running = folder.start("producer submit DROP --type t --batch -", &[]);
        writeln!(running.input(), "1\n2").unwrap();
        running.wait_for_lines(2);
        running.signal(signal);
        let ended = running.end().with(code);
        assert!(ended.err.contains("the good lines up to 2 are submitted"), "{ended:?}");
    }
}

#[test]
fn an_empty_batch_is_no_error() {
    let folder = Folder::new();
    for input in [&b""[..], b"\xEF\xBB\xBF", b"\r\n\n"] {
        let ended = folder.fed("producer submit DROP --type t --batch -", input).with(0);
        assert!(ended.out.is_empty() && ended.err.is_empty(), "{ended:?}");
    }
}
