//! Which files have been waiting to be complete for so long that somebody may want to know why. Each is told of once.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

/// After so long it is told of.
const LONG: Duration = Duration::from_secs(60);

/// So many are remembered; of more, only `filedrop explain` tells.
const MOST: usize = 1024;

#[derive(Default)]
pub(super) struct Waiting {
    files: HashMap<OsString, File>,
    look: u64,
}

struct File {
    since: Instant,
    told: bool,
    /// The last look that found it waiting.
    look: u64,
}

impl Waiting {
    /// It was found waiting. Returns whether this is the time to tell of it.
    pub(super) fn found(&mut self, name: &OsStr, now: Instant) -> bool {
        if !self.files.contains_key(name) && self.files.len() >= MOST {
            return false;
        }
        let file = self.files.entry(name.to_owned()).or_insert(File { since: now, told: false, look: 0 });
        file.look = self.look;
        now.saturating_duration_since(file.since) >= LONG && !std::mem::replace(&mut file.told, true)
    }

    /// A look is over: what it did not find is forgotten.
    pub(super) fn end_of_look(&mut self) {
        let look = self.look;
        self.files.retain(|_, file| file.look == look);
        self.look += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_of_once_when_it_has_waited_for_long() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let mut look = |second: u64, names: &[&str]| -> Vec<String> {
            let now = start + Duration::from_secs(second);
            let told = names.iter().filter(|name| waiting.found(OsStr::new(name), now));
            let told = told.map(|name| (*name).to_owned()).collect();
            waiting.end_of_look();
            told
        };
        let nobody: [&str; 0] = [];
        assert_eq!(look(0, &["a", "b"]), nobody);
        assert_eq!(look(59, &["a"]), nobody);
        assert_eq!(look(60, &["a", "b"]), ["a"], "b was gone for a while");
        assert_eq!(look(200, &["a", "b"]), ["b"]);
        assert_eq!(look(300, &[]), nobody);
        let many: Vec<String> = (0..MOST + 10).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(look(400, &many), nobody);
        assert_eq!(look(500, &many).len(), MOST, "and not one more");
    }
}
