//! What keeps a name from being one of ours, for people who gave it.

use super::{DelayedName, Id, InboxName, Millis, Priority, StagedName};

/// What is wrong with the name of a file in an inbox that ends as one of ours. `None` if it is the name of a job.
pub fn flaw(name: &str) -> Option<String> {
    if name.parse::<StagedName>().is_ok() || InboxName::parse_slot(name).is_some() {
        return Some("it is the name of an outcome, and an outcome is no job".to_owned());
    }
    if let Ok(delivered) = name.parse::<InboxName>() {
        let delivered = delivered.kind == super::DeliveryKind::Outcome;
        return delivered.then(|| {
            "it is the name of a delivered outcome: such lie in replies/<address>/inbox/".to_owned()
        });
    }
    if name.parse::<DelayedName>().is_ok() {
        return Some("it is the name of a delayed job: such lie in delayed/".to_owned());
    }
    if name.ends_with(".jobs.ndjson") {
        return Some("a batch is submitted, not dropped".to_owned());
    }
    let Some(stem) = name.strip_suffix(".job.json") else {
        return Some("files with such an ending are kept elsewhere in a drop folder".to_owned());
    };
    let parts: Vec<&str> = stem.split('.').collect();
    let [priority, submitted, id, attempt] = parts[..] else {
        return Some("the name of a job is <priority>.<submitted-ms>.<id>.<attempt>.job.json".to_owned());
    };
    let wrong = [
        priority.parse::<Priority>().err().map(|e| e.to_string()),
        submitted.parse::<Millis>().err().map(|e| e.to_string()),
        id.parse::<Id>().err().map(|e| e.to_string()),
        Some(format!("{attempt:?} is not the number of an attempt (from 1, no leading zero)")),
    ];
    wrong.into_iter().flatten().next()
}

#[cfg(test)]
mod tests {
    use super::flaw;

    #[test]
    fn the_first_flaw_is_told() {
        assert_eq!(flaw("5.1700000000000.a.1.job.json"), None);
        let told = [
            ("x.1700000000000.a.1.job.json", "\"x\" is not a priority"),
            ("5.17.a.1.job.json", "\"17\" is not 13 digits"),
            ("5.1700000000000.A B.1.job.json", "\"A B\" is not an id"),
            ("5.1700000000000.a.01.job.json", "\"01\" is not the number of an attempt"),
            ("order.job.json", "the name of a job is <priority>"),
            (".job.json", "the name of a job is <priority>"),
            ("a.outcome.json", "an outcome is no job"),
            ("5.1700000000000.a.1.outcome.json", "a delivered outcome"),
            ("1700000000000.5.1700000000000.a.1.job.json", "a delayed job"),
            ("day.jobs.ndjson", "submitted, not dropped"),
            ("a.presence", "elsewhere"),
        ];
        for (name, why) in told {
            assert!(flaw(name).is_some_and(|told| told.contains(why)), "{name}: {:?}", flaw(name));
        }
    }
}
