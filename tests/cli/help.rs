//! The help texts, and the version.

use crate::harness::{Running, golden, program};

const COMMANDS: [&str; 23] = [
    "producer",
    "producer submit",
    "producer call",
    "producer publish",
    "producer wait",
    "producer collect",
    "producer intake",
    "consumer",
    "consumer run",
    "consumer subscribe",
    "filedrop",
    "filedrop init",
    "filedrop status",
    "filedrop show",
    "filedrop explain",
    "filedrop topics",
    "filedrop dead",
    "filedrop dead list",
    "filedrop dead show",
    "filedrop dead redrive",
    "filedrop dead purge",
    "filedrop gc",
    "filedrop doctor",
];

#[test]
fn help_texts() {
    for command in COMMANDS {
        let mut words = command.split(' ');
        let mut help = program(words.next().unwrap());
        help.args(words).arg("--help").env_remove("COLUMNS");
        let ended = Running::start(help).end().with(0);
        assert_eq!(ended.err, "");
        assert!(ended.text().contains("Examples:\n") && ended.text().contains("Exit codes:\n"), "{command}");
        golden(&format!("help-{}.txt", command.replace(' ', "-")), ended.text());
    }
}

#[test]
fn versions() {
    for name in ["producer", "consumer", "filedrop"] {
        let mut version = program(name);
        version.arg("--version");
        let ended = Running::start(version).end().with(0);
        assert_eq!(ended.text(), format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
    }
}
