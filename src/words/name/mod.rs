//! File names. A name parses into a type and prints back to the same bytes, or it is not a name of ours.

mod event;
mod flaw;
mod inbox;
mod room;
mod stamp;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use event::{DeliveryName, EventName};
pub use flaw::flaw;
pub(crate) use inbox::InboxNameRead;
pub use inbox::{DelayedName, DeliveryKind, InboxName};
pub use room::{RoomName, StagedName};
pub use stamp::{ClaimCheck, ClaimCheckKind, Orphan, StampedId};

use super::{Error, ErrorKind};

/// Why a string is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {1}")]
pub struct NameError(String, &'static str);

impl NameError {
    pub(in crate::words) fn new(name: &str, expected: &'static str) -> Self {
        Self(name.to_owned(), expected)
    }
}

impl From<NameError> for Error {
    fn from(e: NameError) -> Self {
        Error::new(ErrorKind::Invalid, e.to_string())
    }
}

/// The id of a job, the name of an address or of a consumer: 1–64 of `a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Makes an id that is nobody else's: a UUIDv7 of this millisecond and this entropy.
    pub fn mint(now: Millis, entropy: u128) -> Self {
        let random = entropy.to_be_bytes();
        let random: &[u8; 10] = random[..10].try_into().expect("16 bytes hold 10");
        Self(uuid::Builder::from_unix_timestamp_millis(now.0, random).into_uuid().hyphenated().to_string())
    }

    /// When a minted id was minted. `None` for an id that was given.
    pub fn minted_at(&self) -> Option<Millis> {
        let uuid = uuid::Uuid::try_parse(&self.0).ok()?;
        if uuid.get_version_num() != 7 || uuid.hyphenated().to_string() != self.0 {
            return None;
        }
        Millis::new((uuid.as_u128() >> 80) as u64)
    }

    /// The folder of its entry below `ids/`: its last two characters; of a single one, it twice.
    pub fn shelf(&self) -> String {
        let last = &self.0[self.0.len().saturating_sub(2)..];
        if last.len() == 2 { last.to_owned() } else { last.repeat(2) }
    }

    /// `<id>.outcome.json`: the name of its slot.
    pub fn slot(&self) -> String {
        format!("{self}.outcome.json")
    }

    fn is_one(s: &str) -> bool {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        (1..=Self::MAX_LEN).contains(&s.len()) && s.bytes().all(allowed)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        if Self::is_one(s) {
            Ok(Self(s.to_owned()))
        } else {
            Err(NameError(s.to_owned(), "an id (1 to 64 of a-z 0-9 _ -)"))
        }
    }
}

impl TryFrom<String> for Id {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        s.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Milliseconds since the Unix epoch, at most 13 decimal digits (the year 2286).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(u64);

impl Millis {
    const DIGITS: usize = 13;

    /// What it is as text, for those who gave another one.
    pub(crate) const LOOKS: &str = "a time (as 2026-11-23T06:00:00Z, RFC 3339, before 2286-11-20)";

    /// The first millisecond.
    pub const MIN: Self = Self(0);

    /// The last millisecond that fits.
    pub const MAX: Self = Self(9_999_999_999_999);

    /// `None` if it does not fit 13 digits.
    pub fn new(millis: u64) -> Option<Self> {
        (millis < 10_u64.pow(Self::DIGITS as u32)).then_some(Self(millis))
    }

    fn parse(s: &str) -> Option<Self> {
        let is_one = s.len() == Self::DIGITS && s.bytes().all(|b| b.is_ascii_digit());
        is_one.then(|| Self(s.parse().expect("13 digits fit")))
    }

    /// As a number.
    pub fn get(self) -> u64 {
        self.0
    }

    fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0 as i64).expect("13 digits are before the year 2287")
    }

    /// The UTC day, as `yyyy-mm-dd`.
    pub fn day(self) -> String {
        jiff::tz::Offset::UTC.to_datetime(self.timestamp()).date().to_string()
    }

    /// The first millisecond of a UTC day that is written as [`day`](Self::day) writes it; `None` for any other text.
    pub fn of_day(day: &str) -> Option<Self> {
        let date: jiff::civil::Date =
            day.parse().ok().filter(|date: &jiff::civil::Date| date.to_string() == day)?;
        let start = jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Self::new(start.as_millisecond().try_into().ok()?)
    }

    /// RFC 3339, in UTC.
    pub fn rfc3339(self) -> String {
        format!("{:.3}", self.timestamp())
    }

    /// Reads RFC 3339, in whatever time zone; what is finer than a millisecond is cut off.
    pub fn parse_rfc3339(text: &str) -> Result<Self, NameError> {
        let timestamp = text.parse::<jiff::Timestamp>().ok();
        let millis = timestamp.and_then(|timestamp| timestamp.as_millisecond().try_into().ok());
        millis.and_then(Self::new).ok_or_else(|| NameError(text.to_owned(), Self::LOOKS))
    }

    /// So much later, but not beyond the last one that fits.
    pub fn later(self, by: Duration) -> Self {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(by).min(Self::MAX.0))
    }

    /// So much later; `None` beyond the last one that fits.
    pub fn checked_later(self, by: Duration) -> Option<Self> {
        Self::new(self.0.checked_add(u64::try_from(by.as_millis()).ok()?)?)
    }

    /// How long after `earlier` it is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl FromStr for Millis {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::parse(s).ok_or_else(|| NameError(s.to_owned(), "13 digits of milliseconds"))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}", self.0)
    }
}

/// 0 is handled first, 9 last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// `None` above 9.
    pub fn new(priority: u8) -> Option<Self> {
        (priority <= 9).then_some(Self(priority))
    }

    /// As a number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl FromStr for Priority {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        match s.as_bytes() {
            [digit @ b'0'..=b'9'] => Ok(Self(digit - b'0')),
            _ => Err(NameError(s.to_owned(), "a priority (0 to 9)")),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Exactly 16 lower-case hex digits.
pub(super) fn parse_nonce(s: &str) -> Option<u64> {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (s.len() == 16 && s.bytes().all(digit)).then(|| u64::from_str_radix(s, 16).ok())?
}
