//! Scenarios worth keeping: `fixtures/scenarios/*.txt`, scripts that say what happens, with what comes of it written between their
//! lines. `BLESS=1` writes that anew; look at the difference.

mod names;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use stage::Stage;

const COMMAND: &str = "> ";
const OUTPUT: &str = "  ";

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let entries = fs::read_dir(folder).expect("the folder of the scenarios");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort_unstable();
    paths
}

/// The transcript of a script: its own lines, and what each command answered.
fn transcribe(script: &str) -> String {
    let mut stage = Stage::default();
    let mut transcript = String::new();
    for (number, line) in script.lines().enumerate().filter(|(_, line)| !line.starts_with(OUTPUT)) {
        transcript += &format!("{line}\n");
        let Some(command) = line.strip_prefix(COMMAND) else { continue };
        let said = stage.does(command).unwrap_or_else(|why| panic!("line {}: {command}: {why}", number + 1));
        said.iter().for_each(|said| transcript += &format!("{OUTPUT}{said}\n"));
    }
    transcript
}

#[test]
fn scenarios_end_as_they_are_told() {
    let bless = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let scenarios = scenarios();
    assert!(scenarios.len() >= 7, "the scenarios are found");
    for path in scenarios {
        let script = fs::read_to_string(&path).expect("a scenario");
        assert!(script.lines().any(|line| line == "> end"), "{}: nobody looks at its end", path.display());
        let transcript = transcribe(&script);
        if bless {
            fs::write(&path, transcript).expect("the scenario");
            continue;
        }
        let differs = script.lines().zip(transcript.lines()).position(|(told, is)| told != is);
        let at = differs.unwrap_or(script.lines().count().min(transcript.lines().count()));
        assert!(
            script == transcript,
            "{}, line {}: it goes otherwise now:\n{transcript}",
            path.display(),
            at + 1
        );
    }
}

/// It notices when a scenario ends otherwise, and when something is wrong in the end.
#[test]
fn a_scenario_is_checked() {
    let script = "> world local\n> submitted plain\n> end\n";
    assert!(transcribe(script).ends_with("> end\n  nothing is wrong\n"));
    let lied = transcribe(
        "> world local\n> disk lies about /inbox\n> boss is a producer of plain\n> finish boss\n> cut\n",
    );
    assert!(lied.contains("WRONG: I1: an acknowledged job is neither there nor finished"), "{lied}");
}
