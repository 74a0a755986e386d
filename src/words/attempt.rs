//! The record of an attempt that failed. It is for people: nothing is decided by it.

use serde::{Deserialize, Serialize};

use super::Problem;

/// So many attempts are told of, the last ones: more tell nothing new, and have to fit an outcome.
pub const MOST_ATTEMPTS_TOLD: u32 = 32;

/// An attempt at a job that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one, from 1.
    pub attempt: u32,
    /// The consumer that made it.
    pub consumer: String,
    /// When it began, RFC 3339, by the consumer's clock.
    pub began: String,
    /// When it ended, likewise.
    pub ended: String,
    /// Why it failed. It names no attempts itself.
    pub problem: Problem,
    /// When the next one is due, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The attempts before this one that are over and left no record, among the last that are told of: most likely their consumers
/// vanished, and others took the job over.
pub fn vanished(recorded: &[Attempt], before: u32) -> Vec<u32> {
    let left_none = |nth: &u32| recorded.iter().all(|attempt| attempt.attempt != *nth);
    (before.saturating_sub(MOST_ATTEMPTS_TOLD).max(1)..before).filter(left_none).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_left_no_record_has_vanished() {
        let record = |attempt| Attempt {
            attempt,
            consumer: "c".to_owned(),
            began: String::new(),
            ended: String::new(),
            problem: Problem::handler(""),
            next: None,
        };
        assert_eq!(vanished(&[], 1), [0; 0]);
        assert_eq!(vanished(&[], 3), [1, 2]);
        assert_eq!(
            vanished(&[record(2), record(4)], 4),
            [1, 3],
            "the fourth is not over, or is the outcome's"
        );
        assert_eq!(vanished(&[], u32::MAX).len(), MOST_ATTEMPTS_TOLD as usize);
    }
}
