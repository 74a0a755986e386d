//! How a consumer takes the files that strangers drop, as it says so in its presence: for people, and for who explains.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Customs, DEFAULT_QUIET, Result};

/// How a consumer takes the files that strangers drop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Habits {
    /// How long a file has to be left alone if nothing else tells that it is complete, in milliseconds.
    pub quiet_ms: u64,
    /// Patterns of names that it leaves alone, beside [`TEMPORARY`](super::TEMPORARY).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Suffixes of markers. If there are any, it takes a file only with one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub markers: Vec<String>,
}

impl Habits {
    /// Those of a consumer that works so.
    pub fn of(customs: &Customs, quiet: Duration) -> Self {
        Self {
            quiet_ms: u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX),
            ignore: customs.ignored().to_vec(),
            markers: if customs.marker_required() { customs.markers().to_vec() } else { Vec::new() },
        }
    }

    /// Which names it takes.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if what it says makes no sense.
    pub fn customs(&self) -> Result<Customs> {
        Customs::new(&self.ignore, &self.markers)
    }

    /// How long a file has to be left alone.
    pub fn quiet(&self) -> Duration {
        Duration::from_millis(self.quiet_ms)
    }
}

/// Those of a consumer that was told nothing else.
impl Default for Habits {
    fn default() -> Self {
        Self::of(&Customs::default(), DEFAULT_QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_done() {
        let customs = Customs::new(&["*.xyz".to_owned()], &[".ok".to_owned()]).unwrap();
        let said = Habits::of(&customs, Duration::from_millis(1500));
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(text, r#"{"quiet_ms":1500,"ignore":["*.xyz"],"markers":[".ok"]}"#);
        let heard: Habits = serde_json::from_str(&text).unwrap();
        assert_eq!((heard.customs().unwrap().ignored(), heard.quiet()), (customs.ignored(), said.quiet()));
        assert!(heard.customs().unwrap().marker_required());
        assert_eq!(serde_json::to_string(&Habits::default()).unwrap(), r#"{"quiet_ms":2000}"#);
        assert!(!Habits::default().customs().unwrap().marker_required());
    }
}
