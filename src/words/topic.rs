//! Topics of events, and what a group subscribes to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind, Result};

/// The longest topic, and the longest pattern, in bytes.
const MAX_LEN: usize = 255;

/// The most patterns of one group.
const MAX_PATTERNS: usize = 1000;

/// What an event is about: tokens of `A-Z a-z 0-9 _ -`, separated by dots, 255 bytes at most. `orders.created`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

/// Which topics: as a topic, but `*` stands for one token, and `>`, only at the end, for one or more. `orders.*`, `orders.>`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern(String);

/// What a group asked for: `subscription.json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subscription {
    topics: Vec<TopicPattern>,
}

impl Topic {
    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TopicPattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a topic is one of those. Upper and lower case differ.
    pub fn matches(&self, topic: &Topic) -> bool {
        let mut tokens = topic.0.split('.');
        for wanted in self.0.split('.') {
            let token = tokens.next();
            match (wanted, token) {
                (">", token) => return token.is_some(),
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }
}

impl Subscription {
    /// These patterns, each once, in the order of their bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if there are none, or more than 1,000.
    pub fn new(topics: impl IntoIterator<Item = TopicPattern>) -> Result<Self> {
        let mut topics: Vec<_> = topics.into_iter().collect();
        topics.sort_unstable();
        topics.dedup();
        match topics.len() {
            0 => Err(Error::new(ErrorKind::Invalid, "a group subscribes to one topic at least")),
            n if n > MAX_PATTERNS => Err(Error::new(
                ErrorKind::Invalid,
                format!("{n} patterns; a group has {MAX_PATTERNS} at most"),
            )),
            _ => Ok(Self { topics }),
        }
    }

    /// Its patterns.
    pub fn topics(&self) -> &[TopicPattern] {
        &self.topics
    }

    /// Whether it is for this topic.
    pub fn matches(&self, topic: &Topic) -> bool {
        self.topics.iter().any(|pattern| pattern.matches(topic))
    }

    /// As it stands in the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings serialise")
    }

    /// Members that are not known are left alone.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let found: Self = serde_json::from_slice(bytes)
            .map_err(|e| Error::new(ErrorKind::Invalid, format!("no subscription ({e})")))?;
        Self::new(found.topics)
    }
}

/// Commas between its patterns.
impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, topic) in self.topics.iter().enumerate() {
            write!(f, "{}{topic}", if nth > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// Why a text is no topic, or no pattern of topics.
fn check(text: &str, what: &str, wild: bool) -> Result<()> {
    let wrong = |why: &str| Err(Error::new(ErrorKind::Invalid, format!("{text:?} is no {what}: {why}")));
    if text.is_empty() {
        return wrong("it is empty");
    }
    if text.len() > MAX_LEN {
        let why =
            format!("this is no {what}: it has {} bytes, and {MAX_LEN} at most are allowed", text.len());
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    let mut tokens = text.split('.').peekable();
    while let Some(token) = tokens.next() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        match token {
            "" => return wrong("between its dots, and at both ends, must be tokens"),
            "*" | ">" if !wild => return wrong("wildcards are for subscribers; an event has one topic"),
            "*" => {}
            ">" if tokens.peek().is_some() => {
                return wrong("`>` stands for all the rest, and so only at the end");
            }
            ">" => {}
            token if token.bytes().all(plain) => {}
            token if wild && token.contains(['*', '>']) => {
                return wrong("`*` and `>` stand for whole tokens, between dots: orders.*");
            }
            _ => return wrong("its tokens are made of A-Z a-z 0-9 _ -"),
        }
    }
    Ok(())
}

impl FromStr for Topic {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        check(s, "topic", false).map(|()| Self(s.to_owned()))
    }
}

impl FromStr for TopicPattern {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        check(s, "pattern of topics", true).map(|()| Self(s.to_owned()))
    }
}

impl TryFrom<String> for Topic {
    type Error = Error;
    fn try_from(s: String) -> Result<Self> {
        s.parse()
    }
}

impl TryFrom<String> for TopicPattern {
    type Error = Error;
    fn try_from(s: String) -> Result<Self> {
        s.parse()
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
