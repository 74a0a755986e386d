//! The units for systemd and the crontab in `examples/`: systemd understands the one, our programs the commands in both.

#![allow(clippy::unwrap_used)]

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use filedrop::edge::cli::Exit;

const PROGRAMS: [(&str, &str); 3] = [
    ("producer", env!("CARGO_BIN_EXE_producer")),
    ("consumer", env!("CARGO_BIN_EXE_consumer")),
    ("filedrop", env!("CARGO_BIN_EXE_filedrop")),
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The units: name and text. The service of the consumer once more as the template that it says it can be.
fn units() -> Vec<(String, String)> {
    let folder = fs::read_dir(examples().join("systemd")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut units: Vec<_> = paths.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect();
    let template = unit("filedrop-consumer.service").replace("/srv/drop", "/srv/%i");
    units.push(("filedrop-consumer@.service".to_owned(), template));
    units
}

fn unit(name: &str) -> String {
    fs::read_to_string(examples().join("systemd").join(name)).unwrap()
}

/// The values of a setting of a unit.
fn settings<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// The schedules and commands of the crontab.
fn crontab() -> Vec<(Vec<String>, String)> {
    let text = fs::read_to_string(examples().join("crontab")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_variable = |line: &&str| line.split(' ').next().unwrap().contains('=');
    let job = |mut line: &str| {
        let mut schedule = Vec::new();
        for _ in 0..5 {
            let (field, rest) = line.split_once(' ').unwrap();
            schedule.push(field.to_owned());
            line = rest.trim_start();
        }
        (schedule, line.to_owned())
    };
    lines.filter(|line| !is_variable(line)).map(job).collect()
}

/// Past the harness, which shows what `eprintln!` prints only if a test fails.
fn skipped(why: &str) {
    writeln!(io::stderr(), "SKIPPED: {why}").expect("stderr");
}

/// What `systemd-analyze verify` has to say about units with these texts. Nothing if it is not there.
fn verify(units: &[(String, String)]) -> Option<Output> {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new("systemd-analyze");
    command.arg("verify");
    for (name, text) in units {
        let mut text = text.clone();
        for (program, path) in PROGRAMS {
            text = text.replace(&format!("=/usr/local/bin/{program} "), &format!("={path} "));
        }
        fs::write(place.path().join(name), text).unwrap();
        command.arg(place.path().join(name));
    }
    match command.output() {
        Ok(output) => Some(output),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            assert!(env::var_os("CI").is_none(), "systemd-analyze is not there, and CI has to have it");
            skipped("systemd-analyze is not there (package systemd), so nobody verified the units");
            None
        }
        Err(e) => panic!("cannot run systemd-analyze: {e}"),
    }
}

#[test]
fn systemd_has_nothing_to_complain_about() {
    let mut units = units();
    let Some(output) = verify(&units) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty() && output.stdout.is_empty(), "{said}");
    // And it would, if there were something.
    for (_, text) in &mut units {
        *text = text.replace("KillMode=", "KilMode=");
    }
    let said = String::from_utf8(verify(&units).unwrap().stderr).unwrap();
    assert!(said.contains("KilMode"), "{said}");
}

/// With a drop folder that is not there, our programs get as far as to look for it.
#[test]
fn every_command_is_understood() {
    let units = units();
    let services = units.iter().filter(|(name, _)| name.ends_with(".service"));
    let mut commands: Vec<String> =
        services.map(|(_, text)| settings(text, "ExecStart").join("\n").replace("%i", "drop")).collect();
    commands.extend(crontab().into_iter().map(|(_, command)| command));
    assert_eq!(commands.len(), 7, "{commands:?}");
    let place = tempfile::tempdir().unwrap();
    let nowhere = place.path().join("nowhere");
    for command in &commands {
        assert!(
            !command.contains(['"', '\'', '\\', '$', '%', ';', '\n']),
            "no quoting, one command: {command}"
        );
        let mut words = command.split_whitespace();
        let name = words.next().unwrap().trim_start_matches("/usr/local/bin/");
        let (_, path) = PROGRAMS.iter().find(|(program, _)| *program == name).expect(command);
        let args: Vec<&str> = words.collect();
        if args[0] == "gc" && !knows("gc") {
            skipped(&format!("there is no `filedrop gc` yet: {command}"));
            continue;
        }
        let args =
            args.iter().map(|arg| if *arg == "/srv/drop" { nowhere.as_os_str() } else { arg.as_ref() });
        let output = Command::new(path).args(args).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(Exit::NoInput.code().into()), "{command}: {output:?}");
    }
}

/// Whether `filedrop` has this command.
fn knows(command: &str) -> bool {
    let help = Command::new(env!("CARGO_BIN_EXE_filedrop")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    help.lines().any(|line| line.starts_with("  ") && line.split_whitespace().next() == Some(command))
}

#[test]
fn cron_understands_the_schedules() {
    let jobs = crontab();
    assert_eq!(jobs.len(), 3, "{jobs:?}");
    for (schedule, command) in jobs {
        for (field, most) in schedule.iter().zip([59, 23, 31, 12, 7]) {
            let (times, step) = field.split_once('/').unwrap_or((field, "1"));
            let number = |text: &str| text.parse::<u32>().is_ok_and(|n| n <= most);
            assert!((times == "*" || number(times)) && number(step), "{field:?} of {command}");
        }
    }
}

/// What the comments in the units promise.
#[test]
fn the_numbers_fit() {
    let consumer = unit("filedrop-consumer.service");
    let codes = [Exit::Usage, Exit::NoInput, Exit::Unsupported].map(|exit| exit.code().to_string());
    assert_eq!(settings(&consumer, "RestartPreventExitStatus"), [codes.join(" ")]);
    for name in ["filedrop-consumer.service", "filedrop-drain.service"] {
        let unit = unit(name);
        let (command, patience) = (settings(&unit, "ExecStart")[0], settings(&unit, "TimeoutStopSec")[0]);
        // Without one it is the default, which is in the golden help text.
        let grace = command.split_once("--grace ").map_or("10s", |(_, rest)| rest.split(' ').next().unwrap());
        let seconds = |text: &str| text.strip_suffix('s').unwrap().parse::<u64>().unwrap();
        assert!(seconds(patience) >= seconds(grace) + 5, "{name}: the grace, and some seconds to hand back");
        assert_eq!(settings(&unit, "KillMode"), ["mixed"], "{name}");
    }
}
