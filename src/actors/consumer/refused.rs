//! Files that could not be made jobs of. Each waits for its own next try, and keeps none of the others from theirs.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use super::PATIENCE_OF_A_DRAIN;
use crate::ports::Arrived;
use crate::words::{Error, Version, pause_after};

/// By their names.
#[derive(Default)]
pub(super) struct Refused {
    files: HashMap<OsString, Refusal>,
}

struct Refusal {
    /// A file of this state. Another one of its name is tried at once.
    version: Version,
    failures: u32,
    due: Instant,
    error: Option<Error>,
    seen: bool,
}

impl Refused {
    /// It did not work with this one. Returns how long it is left alone now.
    pub(super) fn failed(&mut self, file: &Arrived, error: Option<Error>, now: Instant) -> Duration {
        let before = self.files.remove(&file.name).filter(|it| it.version.has_content_of(&file.version));
        let (failures, old) = before.map_or((1, None), |it| (it.failures + 1, it.error));
        let pause = pause_after(failures);
        let (version, due, error) = (file.version, now + pause, error.or(old));
        self.files.insert(file.name.clone(), Refusal { version, failures, due, error, seen: true });
        pause
    }

    /// It worked.
    pub(super) fn forget(&mut self, name: &OsStr) {
        self.files.remove(name);
    }

    /// Whether it is to be left alone still.
    pub(super) fn waits(&self, file: &Arrived, now: Instant) -> bool {
        self.files.get(&file.name).is_some_and(|it| it.version.has_content_of(&file.version) && now < it.due)
    }

    /// A look found a file of this name.
    pub(super) fn seen(&mut self, name: &OsStr) {
        if let Some(it) = self.files.get_mut(name) {
            it.seen = true;
        }
    }

    /// A look is over: what it did not find is forgotten, but those that are `held`.
    pub(super) fn end_of_look(&mut self, held: impl Fn(&OsStr) -> bool) {
        self.files.retain(|name, it| std::mem::take(&mut it.seen) || held(name));
    }

    /// Why it did not work with this one.
    pub(super) fn error_of(&self, file: &Arrived) -> Option<&Error> {
        self.files.get(&file.name)?.error.as_ref()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// When the next one is to be tried.
    pub(super) fn next(&self) -> Option<Instant> {
        self.files.values().map(|it| it.due).min()
    }

    /// Whether there is one that a drain would still wait for.
    pub(super) fn are_tried(&self) -> bool {
        self.files.values().any(|it| it.failures < PATIENCE_OF_A_DRAIN)
    }

    /// Why one of them is left.
    pub(super) fn into_error(self) -> Option<Error> {
        self.files.into_values().find_map(|it| it.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{ErrorKind, Evidence};

    fn file(name: &str, ino: u64) -> Arrived {
        let version = Version { ino, size: 1, modified_ns: 1, changed_ns: 1, born_ns: None };
        Arrived { name: name.into(), version, evidence: Evidence::Renamed, markers: Vec::new() }
    }

    #[test]
    fn each_waits_for_itself_and_longer_each_time() {
        let (mut refused, start) = (Refused::default(), Instant::now());
        let (one, two) = (file("one", 1), file("two", 2));
        let why = || Some(Error::new(ErrorKind::Io, "as asked for"));
        assert_eq!(refused.failed(&one, why(), start), Duration::from_millis(100));
        assert!(refused.waits(&one, start) && !refused.waits(&two, start));
        assert!(!refused.waits(&file("one", 7), start), "another file of its name");
        assert_eq!(refused.next(), Some(start + Duration::from_millis(100)));
        assert!(!refused.waits(&one, start + Duration::from_millis(100)));
        assert_eq!(refused.failed(&one, None, start), Duration::from_millis(200));
        assert!(refused.are_tried());
        for _ in 2..PATIENCE_OF_A_DRAIN {
            refused.failed(&one, None, start);
        }
        assert!(!refused.are_tried(), "a drain waits no longer");
        refused.end_of_look(|_| false);
        assert_eq!(refused.len(), 1, "what failed since the last look was there");
        refused.seen(OsStr::new("one"));
        refused.end_of_look(|_| false);
        refused.end_of_look(|name| name == "one");
        assert_eq!(refused.len(), 1);
        assert_eq!(refused.into_error().unwrap().to_string(), "as asked for");
    }
}
