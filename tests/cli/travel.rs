//! Files and large data on the command line.

use std::fs;

use filedrop::Outcome;

use crate::harness::{Folder, golden, run};

/// Names and contents below a folder.
fn tree(dir: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().into_string().expect("text");
        if entry.file_type().expect("a type").is_dir() {
            found.extend(
                tree(&entry.path()).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)),
            );
        } else {
            found.push((name, fs::read_to_string(entry.path()).expect("text")));
        }
    }
    found.sort();
    found
}

#[test]
fn files_go_with_a_job_and_come_back() {
    let folder = Folder::new();
    for name in ["a.txt", "b c.txt", "gone.txt", "shared.txt"] {
        folder.file(name, name);
    }
    let words = "producer submit DROP --type t --attach a.txt";
    let id = folder.run(words, &["b c.txt", "--move", "gone.txt", "--link", "shared.txt"]).with(0).line();
    assert!(!folder.beside("gone.txt").exists() && folder.beside("a.txt").exists());
    folder.drain(r#"mkdir "$FILEDROP_RESULT_DIR/in" && cp "$FILEDROP_PAYLOAD"/* "$FILEDROP_RESULT_DIR/in" && echo done"#);
    let ended = folder.run("producer wait DROP --files into", &[&id]).with(0);
    assert_eq!((ended.text(), &ended.err[..]), ("done\n", ""));
    let text = |name: &str| (format!("{id}/in/{name}"), name.to_owned());
    assert_eq!(tree(&folder.beside("into")), ["a.txt", "b c.txt", "gone.txt", "shared.txt"].map(text));
    // Once more: what is the same is as good as fetched.
    let again = folder.run("producer wait DROP --files into", &[&id]).with(0);
    assert_eq!((again.text(), &again.err[..]), ("done\n", ""));
    assert_eq!(tree(&folder.beside("into")), ["a.txt", "b c.txt", "gone.txt", "shared.txt"].map(text));
}

/// As an interrupted one leaves it: some files are there, one is half there under a name of its own.
#[test]
fn a_fetch_that_was_interrupted_is_repeated() {
    let folder = Folder::new();
    let id = folder.submit("1");
    folder.drain(
        r#"cd "$FILEDROP_RESULT_DIR"; for n in 1 2 3; do head -c 300000 /dev/zero | tr '\0' $n > $n; done"#,
    );
    folder.run("producer wait DROP --files into", &[&id]).with(0);
    let into = folder.beside("into").join(&id);
    let whole = tree(&into);
    fs::remove_file(into.join("2")).unwrap();
    fs::write(into.join(".filedrop-0123456789abcdef.part"), "22").unwrap();
    folder.run("producer wait DROP --files into", &[&id]).with(0);
    fs::remove_file(into.join(".filedrop-0123456789abcdef.part")).unwrap();
    assert_eq!(tree(&into), whole);

    // What has another content, and be it in the last byte, or is no file, is never replaced, and nothing else is touched.
    let mut other = fs::read(into.join("3")).unwrap();
    *other.last_mut().unwrap() = b'x';
    fs::remove_file(into.join("1")).unwrap();
    for is_link in [false, true] {
        fs::remove_file(into.join("3")).unwrap();
        match is_link {
            false => fs::write(into.join("3"), &other).unwrap(),
            true => std::os::unix::fs::symlink("2", into.join("3")).unwrap(),
        }
        let refused = folder.run("producer wait DROP --files into", &[&id]).with(74);
        assert!(refused.err.contains("exists already, with other content"), "{refused:?}");
        assert!(!into.join("1").exists());
    }
}

#[test]
fn call_fetches_files_too() {
    let folder = Folder::new();
    let mut command = folder.command("consumer run DROP -- sh -c", &[]);
    command.arg(
        r#"tr a-z A-Z < "$FILEDROP_PAYLOAD/in" > "$FILEDROP_RESULT_DIR/out"; head -c 2000000 /dev/zero"#,
    );
    let consumer = crate::harness::Running::start(command);
    let input = folder.file("in", "text");
    let words = "producer call DROP --type t --files results --attach";
    let ended = folder.run(words, &[input.to_str().unwrap()]).with(0);
    assert!(ended.out == vec![0; 2_000_000], "{} bytes", ended.out.len());
    let fetched = tree(&folder.beside("results"));
    assert_eq!(fetched.len(), 1);
    assert!(fetched[0].0.ends_with("/out") && fetched[0].1 == "TEXT", "{fetched:?}");
    consumer.signal(rustix::process::Signal::TERM);
    consumer.end().with(0);
}

#[test]
fn large_output_is_printed_byte_for_byte_and_named_in_json() {
    let folder = Folder::new();
    let id = folder.submit("1");
    folder.drain("head -c 3000000 /dev/zero | tr '\\0' x");
    let ended = folder.run("producer wait DROP", &[&id]).with(0);
    assert!(ended.out == vec![b'x'; 3_000_000] && ended.err.is_empty());
    let json = folder.run("producer wait DROP --json", &[&id]).with(0).line();
    let outcome = Outcome::decode(json.as_bytes()).unwrap();
    let data = folder.path.join("payload").join(outcome.data_ref().unwrap().name());
    assert_eq!(fs::metadata(data).unwrap().len(), 3_000_000);

    let id = folder.submit("1");
    let words = "consumer run DROP --drain --max-output 9 -- printf";
    folder.run(words, &["ten bytes."]).with(0);
    assert!(folder.run("producer wait DROP --json", &[&id]).with(0).line().contains("dataref"));
    assert_eq!(folder.run("producer wait DROP", &[&id]).with(0).out, b"ten bytes.");
}

#[test]
fn data_that_is_gone_is_said_to_be_gone_and_the_rest_is_printed() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("2")];
    folder.drain("n=$(cat); [ $n = 2 ] || head -c 3000000 /dev/zero; echo $n");
    for name in folder.names("payload") {
        fs::remove_file(folder.path.join("payload").join(name)).unwrap();
    }
    let ended = folder.run("producer wait DROP", &[&ids[0], &ids[1]]).with(66);
    assert_eq!(ended.out, b"2\n");
    assert!(ended.err.contains("not there any more") && ended.err.contains(&ids[0]), "{ended:?}");
}

#[test]
fn what_cannot_travel_is_said_before_anything_is_done() {
    let folder = Folder::new();
    folder.file("twin", "");
    fs::create_dir(folder.beside("below")).unwrap();
    folder.file("below/twin", "");
    std::os::unix::fs::symlink("twin", folder.beside("link")).unwrap();
    let refused = [
        ("--attach missing", 66),
        ("--attach twin below/twin", 65),
        ("--file below", 66),
        ("--attach below", 66),
        ("--move below", 66),
        ("--move link", 66),
        ("--link link", 66),
        ("--attach /dev/null", 66),
    ];
    let mut said = String::new();
    for (words, code) in refused {
        for command in ["submit", "call"] {
            let ended = folder.run(&format!("producer {command} DROP --type t {words}"), &[]).with(code);
            assert!(ended.out.is_empty());
            if command == "submit" {
                said.push_str(&folder.normal(&ended.err, &[]));
            }
        }
    }
    golden("refused-files.txt", &said);
    assert_eq!((folder.names("inbox").len(), folder.names("payload").len()), (0, 0));
    folder.run("producer submit DROP --type t --batch - --attach twin", &[]).with(2);
}

/// Why a job failed is on one line, and it has the last lines of stderr, also with `-q`.
#[test]
fn last_words_are_logged() {
    let folder = Folder::new();
    let ids = [folder.submit("1"), folder.submit("1"), folder.submit("1")];
    let script = "echo 'first \"line\"' >&2; echo second >&2; exit 3";
    let quiet = folder.run("consumer run DROP -q --drain --max-attempts 1 -- sh -c", &[script]).with(0);
    let lines: Vec<&str> = quiet.err.lines().collect();
    assert_eq!(lines.len(), 3, "{quiet:?}");
    for (line, id) in lines.iter().zip(&ids) {
        assert!(line.contains(id) && line.contains("exit status 3"), "{line}");
        assert!(line.contains("first") && line.contains("second"), "{line}");
    }
    let told = folder.run("producer wait DROP", &[&ids[0]]).with(1);
    assert!(told.err.ends_with("exit status 3\n  first \"line\"\n  second\n"), "{told:?}");

    let id = folder.submit("1");
    let usual = folder.run("consumer run DROP --drain -- sh -c", &["echo 'a line' >&2"]).with(0);
    let line = usual.err.lines().find(|line| line.contains("a line")).expect("it is logged");
    assert!(line.contains("INFO") && line.contains(&id) && line.contains("attempt=1"), "{line}");
    let json = folder.submit("1");
    let usual =
        folder.run("consumer run DROP --drain --log-format json -- sh -c", &["echo 'a line' >&2"]).with(0);
    let line = usual.err.lines().find(|line| line.contains("a line")).expect("it is logged");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(
        (&line["message"], &line["id"], &line["attempt"]),
        (&"a line".into(), &json.into(), &1.into())
    );
}

#[test]
fn the_limit_of_output_has_a_limit() {
    let folder = Folder::new();
    let path = folder.path.as_os_str();
    let args: Vec<_> = ["run", "--max-output", "99999999", "--", "cat"].map(std::ffi::OsStr::new).into();
    let all = [&args[..1], &[path], &args[1..]].concat();
    run("consumer", &all).with(2);
}

#[test]
fn show_lists_what_travels() {
    let folder = Folder::new();
    let files = [folder.file("a b.txt", "12345"), folder.file("c", "")];
    let paths = files.each_ref().map(|path| path.to_str().expect("text"));
    let id = folder.run("producer submit DROP --type t --id shown --attach", &paths).with(0).line();
    folder.drain(r#"echo x > "$FILEDROP_RESULT_DIR/out"; head -c 2000000 /dev/zero"#);
    let shown = folder.run("filedrop show DROP", &[&id]).with(0);
    // Nonces differ from run to run.
    let mut words: Vec<String> =
        shown.text().lines().filter(|line| line.contains("bytes)")).map(str::to_owned).collect();
    for line in &mut words {
        let at = line.find("shown.").expect("its name") + "shown.".len();
        line.replace_range(at..at + 16, "NONCE");
    }
    let expected = [
        "files      payload/shown.NONCE/a b.txt (5 bytes)",
        "           payload/shown.NONCE/c (0 bytes)",
        "results    payload/shown.NONCE/out (2 bytes)",
        "           payload/shown.NONCE.data (2000000 bytes)",
    ];
    assert_eq!(words, expected);
    let json: serde_json::Value =
        serde_json::from_str(&folder.run("filedrop show DROP --json", &[&id]).with(0).line()).expect("JSON");
    let sizes = |name: &str| -> Vec<u64> {
        json[name]
            .as_array()
            .expect("a list")
            .iter()
            .map(|file| file["size"].as_u64().expect("a size"))
            .collect()
    };
    assert_eq!((sizes("files"), sizes("results")), (vec![5, 0], vec![2, 2_000_000]));
}

/// A submission that is repeated: the files of the first one count, and those of the second stay.
#[test]
fn files_of_a_job_that_was_there_before_stay() {
    let folder = Folder::new();
    let words = "producer submit DROP --type t --id invoice --move file";
    for content in ["first", "second"] {
        folder.file("file", content);
        let ended = folder.run(words, &[]).with(0);
        assert_eq!(ended.line(), "invoice");
        assert_eq!(
            ended.err.contains("already submitted") && ended.err.contains("file stays where it is"),
            content == "second",
            "{ended:?}"
        );
    }
    assert_eq!(fs::read_to_string(folder.beside("file")).unwrap(), "second");
    folder.drain(r#"cat "$FILEDROP_PAYLOAD/file""#);
    assert_eq!(folder.run("producer wait DROP invoice", &[]).with(0).out, b"first");
    assert_eq!(folder.names("payload").len(), 1);
}

#[test]
fn a_terminal_shows_how_far_it_is() {
    let folder = Folder::new();
    let file = folder.file("large", vec![b'x'; 8 << 20]);
    let path = file.to_str().unwrap();
    let shows = |more: &[&str]| {
        let command = folder.command("producer submit DROP --type t --attach", &[&[path], more].concat());
        let ended = crate::terminal::at_terminal(command, 24, 80).end().with(0);
        ended.text().contains("8.00 MiB")
    };
    assert!(shows(&[]));
    assert!(!shows(&["-q"]));
}
