//! However large what travels is, nobody holds it in memory. `FILEDROP_ATTACH_MIB` says how large, 256 if it is not set.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use filedrop::DropFolder;

use crate::Folder;

/// What a program may have needed at its peak, in KiB.
const MOST: u64 = 64 << 10;

fn mebibytes() -> u64 {
    std::env::var("FILEDROP_ATTACH_MIB").map_or(256, |mib| mib.parse().expect("a number of MiB"))
}

/// Watches a program until it ends: the most memory that it was seen to have needed, in KiB. The kernel keeps the peak, so
/// that only what it takes in its very last moments could be missed.
fn watch(mut child: Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kib.unwrap_or_default());
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success(), "{status}");
            assert!(peak > 0, "it was never seen");
            return peak;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn run(what: &str, program: &str, args: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("piped");
    // Only the beginning is kept: what is read here may be large.
    let reading = thread::spawn(move || {
        let (mut start, mut size, mut block) = (Vec::new(), 0_u64, vec![0; 1 << 20]);
        while let Ok(read @ 1..) = stdout.read(&mut block) {
            if start.len() < 1 << 10 {
                start.extend_from_slice(&block[..read.min(1 << 10)]);
            }
            size += read as u64;
        }
        (start, size)
    });
    let peak = watch(child);
    let (start, size) = reading.join().expect("it ends");
    let line = format!("memory: {what}: {peak} KiB at most, {size} bytes on stdout\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
    assert!(peak <= MOST, "{what} needed {peak} KiB");
    if size > 1 << 20 { size.to_string().into_bytes() } else { start }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text").trim().to_owned()
}

/// A file with holes, which is made at once, and something at its end.
fn large(path: &Path, size: u64) {
    let mut file = File::create(path).expect("a file");
    file.set_len(size - 3).expect("a hole");
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).expect("the end");
    file.write_all(b"end").expect("its end");
}

#[test]
fn nobody_holds_in_memory_what_travels() {
    let folder = Folder::new();
    let size = mebibytes() << 20;
    let source = folder.beside("large");
    large(&source, size);
    let (drop, source) = (folder.drop.path().to_str().expect("text"), source.to_str().expect("text"));
    let [producer, consumer] = [env!("CARGO_BIN_EXE_producer"), env!("CARGO_BIN_EXE_consumer")];

    let id = text(run("submit", producer, &["submit", drop, "--type", "t", "--attach", source]));
    let script = r#"tail -c 3 "$FILEDROP_PAYLOAD/large"; wc -c < "$FILEDROP_PAYLOAD/large""#;
    run("a handler that reads it", consumer, &["run", drop, "-q", "--drain", "--", "sh", "-c", script]);
    let outcome = DropFolder::open(drop).unwrap().outcome(&id.parse().unwrap()).unwrap().unwrap();
    assert_eq!(text(outcome.data().to_vec()), format!("end{size}"));

    let id = text(run("submit again", producer, &["submit", drop, "--type", "t"]));
    let script = format!("cat '{source}'; cp '{source}' \"$FILEDROP_RESULT_DIR/copy\"");
    run("a handler that writes it", consumer, &["run", drop, "-q", "--drain", "--", "sh", "-c", &script]);
    let into = folder.beside("into");
    let files = into.to_str().expect("text");
    let printed = text(run("wait", producer, &["wait", drop, &id, "--files", files]));
    assert_eq!(printed, size.to_string());
    assert_eq!(fs::metadata(into.join(&id).join("copy")).expect("it was fetched").len(), size);
}
