//! The record of an attempt that failed. It is for people: nothing is decided by it.

use serde::{Deserialize, Serialize};

use super::Problem;

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
