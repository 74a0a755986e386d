//! Contents that say themselves whether they are whole, so that also what was never acknowledged can be judged.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filedrop::{Job, Outcome, Submission};
use sha2::{Digest as _, Sha256};

/// The SHA-256, in hex.
pub(crate) fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Of an outcome: of its data and its id. Two outcomes of a job that fails say the same.
pub(crate) fn sum_of_outcome(outcome: &Outcome) -> String {
    let id = outcome.envelope.text("id").unwrap_or_default();
    sum(&[id.as_bytes(), b" ", outcome.data()].concat())
}

/// What one thread of one boot draws its lots from.
pub(crate) struct Lots {
    seed: String,
    drawn: u64,
}

impl Lots {
    pub(crate) fn new(seed: &str, who: &str) -> Self {
        Self { seed: format!("{seed}/{who}"), drawn: 0 }
    }

    pub(crate) fn word(&mut self) -> String {
        self.drawn += 1;
        sum(format!("{}/{}", self.seed, self.drawn).as_bytes())
    }

    /// From 0 up to, not including, `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        u64::from_str_radix(&self.word()[..15], 16).unwrap_or(0) % end
    }

    /// Between two calls. In some boots all are in a hurry; in others a flush that somebody forgets is not made up for by the
    /// next flush of somebody else.
    pub(crate) fn pause(&mut self) -> Duration {
        let longest =
            u64::from_str_radix(&sum(self.seed.split('/').next().unwrap_or_default().as_bytes())[..1], 16);
        let longest = longest.unwrap_or(0).saturating_sub(8) * 100;
        Duration::from_millis(self.below(longest + 1))
    }

    /// Text of some bytes up to some blocks.
    pub(crate) fn text(&mut self) -> String {
        let word = self.word();
        let bytes = if self.below(20) == 0 { 60_000 } else { 70 + self.below(9_000) };
        word.chars().cycle().take(usize::try_from(bytes).unwrap_or(70)).collect()
    }
}

/// With its sum beside its data.
pub(crate) fn sealed(submission: Submission, data: &str) -> Submission {
    submission.data(data).subject(sum(data.as_bytes()))
}

/// Why a job's data are not what they were sealed as, if they are not.
pub(crate) fn broken_seal(job: &Job) -> Option<String> {
    let there = sum(job.data());
    (job.envelope.text("subject") != Some(&there)).then(|| format!("its data have the sum {there}"))
}

/// What a handler answers: the sum of what it got, something that no other answer has, and the sum of both.
pub(crate) fn answer(job: &Job) -> Result<String, getrandom::Error> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)?;
    let text = format!("{} {} {}", sum(job.data()), sum(&nonce), "x".repeat(usize::from(nonce[0]) * 20));
    Ok(format!("{text} {}", sum(text.as_bytes())))
}

/// The sum of the job's data in an answer that is whole.
pub(crate) fn sum_in_answer(data: &[u8]) -> Option<String> {
    let (text, seal) = std::str::from_utf8(data).ok()?.rsplit_once(' ')?;
    (sum(text.as_bytes()) == seal).then(|| text.split(' ').next().unwrap_or_default().to_owned())
}

/// A file that is called as its sum is.
pub(crate) fn file(folder: &Path, text: &str) -> std::io::Result<PathBuf> {
    let path = folder.join(sum(text.as_bytes()));
    std::fs::write(&path, text)?;
    Ok(path)
}
