//! What was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Fallible;

#[derive(Default)]
pub(crate) struct Books {
    /// Jobs, with the sum of their data, and their kind.
    pub(crate) submitted: BTreeMap<String, (String, String)>,
    /// Events, with the sum of their data, and their topic.
    pub(crate) published: BTreeMap<String, (String, String)>,
    /// Outcomes, by their folder and job, with their sum.
    pub(crate) told: BTreeMap<(String, String), String>,
    /// Jobs whose outcome is decided, by their folder.
    pub(crate) settled: BTreeSet<(String, String)>,
    /// Jobs whose outcome was taken by whoever collects.
    pub(crate) taken: BTreeSet<String>,
    pub(crate) subscribed: BTreeSet<String>,
    /// All its lines.
    pub(crate) lines: usize,
    /// What it says against itself: one outcome was told, and then another one.
    pub(crate) contradictions: Vec<String>,
}

impl Books {
    pub(crate) fn read(path: &Path) -> Fallible<Self> {
        let bytes = std::fs::read(path)?;
        let text = std::str::from_utf8(bytes.split(|byte| *byte == 0).next().unwrap_or_default())?;
        let mut books = Self::default();
        for line in text.lines() {
            books.enter(line).ok_or_else(|| format!("the books have a line that means nothing: {line}"))?;
        }
        Ok(books)
    }

    fn enter(&mut self, line: &str) -> Option<()> {
        self.lines += 1;
        let own = |text: &str| text.to_owned();
        let mut words = line.split(' ');
        let (kind, first) = (words.next()?, own(words.next()?));
        match kind {
            "submitted" => {
                self.submitted.insert(first, (own(words.next()?), own(words.next()?)));
            }
            "published" => {
                self.published.insert(first, (own(words.next()?), own(words.next()?)));
            }
            "told" => {
                let (key, sum) = ((first, own(words.next()?)), own(words.next()?));
                match self.told.get(&key) {
                    Some(before) if *before != sum => {
                        self.contradictions.push(format!("twice: two outcomes of {} were told", key.1));
                    }
                    _ => {
                        self.told.insert(key, sum);
                    }
                }
            }
            "settled" => {
                self.settled.insert((first, own(words.next()?)));
            }
            "taken" => {
                self.taken.insert(first);
            }
            "subscribed" => {
                self.subscribed.insert(first);
            }
            _ => return None,
        }
        Some(())
    }
}
