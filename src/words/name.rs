//! File names. A name parses into a type and prints back to the same bytes, or it is not a name of ours.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind};

/// Why a string is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {1}")]
pub struct NameError(String, &'static str);

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

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if (1..=Self::MAX_LEN).contains(&s.len()) && s.bytes().all(allowed) {
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

    /// The last millisecond that fits.
    pub const MAX: Self = Self(9_999_999_999_999);

    /// `None` if it does not fit 13 digits.
    pub fn new(millis: u64) -> Option<Self> {
        (millis < 10_u64.pow(Self::DIGITS as u32)).then_some(Self(millis))
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

    /// RFC 3339, in UTC.
    pub fn rfc3339(self) -> String {
        format!("{:.3}", self.timestamp())
    }
}

impl FromStr for Millis {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        if s.len() == Self::DIGITS && s.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(s.parse().expect("13 digits fit")))
        } else {
            Err(NameError(s.to_owned(), "13 digits of milliseconds"))
        }
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

/// What lies in an inbox: a job in that of a drop folder, an outcome in that of a Return Address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryKind {
    /// `….job.json`
    Job,
    /// `….outcome.json`
    Outcome,
}

impl DeliveryKind {
    const fn suffix(self) -> &'static str {
        match self {
            DeliveryKind::Job => "job.json",
            DeliveryKind::Outcome => "outcome.json",
        }
    }
}

/// `<priority>.<submitted-ms>.<id>.<attempt>.job.json`, or `.outcome.json` for a delivered outcome (its id is the job's).
///
/// Names order as consumers take them: by priority, then by time of submission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxName {
    /// 0 first.
    pub priority: Priority,
    /// When the job was submitted, by the producer's clock.
    pub submitted: Millis,
    /// The job's id.
    pub id: Id,
    /// Which attempt (for an outcome: which collection) this is, from 1. The fencing token.
    pub attempt: u32,
    /// Job or outcome.
    pub kind: DeliveryKind,
}

impl InboxName {
    /// The name of a new job.
    pub fn job(id: Id, submitted: Millis, priority: Priority) -> Self {
        Self { priority, submitted, id, attempt: 1, kind: DeliveryKind::Job }
    }

    /// The same, one attempt later.
    pub fn next_attempt(&self) -> Self {
        Self { attempt: self.attempt.saturating_add(1), ..self.clone() }
    }

    /// The UTC day below which its outcome and its archive lie.
    pub fn day(&self) -> String {
        self.submitted.day()
    }

    /// `<id>.outcome.json`
    pub fn slot(&self) -> String {
        format!("{}.outcome.json", self.id)
    }

    /// Its name in an archive, without the attempt: two attempts of one job are one there.
    pub fn archived(&self) -> String {
        format!("{}.{}", self.stem(), self.kind.suffix())
    }

    /// The name of the reason beside a dead letter.
    pub fn reason(&self) -> String {
        format!("{}.reason.json", self.stem())
    }

    /// The name under which its outcome is delivered to a Return Address.
    pub fn delivery(&self) -> Self {
        Self { attempt: 1, kind: DeliveryKind::Outcome, ..self.clone() }
    }

    /// The name of its outcome while it is staged in a consumer's room.
    pub fn staged(&self, nonce: u64) -> StagedName {
        StagedName { job: self.clone(), nonce }
    }

    fn stem(&self) -> String {
        format!("{}.{}.{}", self.priority, self.submitted, self.id)
    }

    /// Parses a name in `done/`, `dead/` or `invalid/`. The attempt is not in it; it is given as 1.
    pub fn parse_archived(s: &str) -> Result<Self, NameError> {
        let with_attempt = |kind: DeliveryKind| {
            let stem = s.strip_suffix(kind.suffix())?.strip_suffix('.')?;
            format!("{stem}.1.{}", kind.suffix()).parse().ok()
        };
        with_attempt(DeliveryKind::Job)
            .or_else(|| with_attempt(DeliveryKind::Outcome))
            .ok_or_else(|| NameError(s.to_owned(), "the name of an archived file"))
    }
}

impl fmt::Display for InboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}.{}", self.priority, self.submitted, self.id, self.attempt, self.kind.suffix())
    }
}

impl FromStr for InboxName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let mut parts = s.splitn(5, '.');
            let priority = parts.next()?.parse().ok()?;
            let submitted = parts.next()?.parse().ok()?;
            let id = parts.next()?.parse().ok()?;
            let attempt = parse_attempt(parts.next()?)?;
            let kind = match parts.next()? {
                "job.json" => DeliveryKind::Job,
                "outcome.json" => DeliveryKind::Outcome,
                _ => return None,
            };
            Some(Self { priority, submitted, id, attempt, kind })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "the name of a job or a delivered outcome"))
    }
}

/// Only the one way that a number is printed: no sign, no leading zero.
fn parse_attempt(s: &str) -> Option<u32> {
    let attempt: u32 = s.parse().ok()?;
    (attempt >= 1 && attempt.to_string() == s).then_some(attempt)
}

/// `<priority>.<submitted-ms>.<id>.<attempt>.<nonce>.outcome.json`: an outcome in its consumer's room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StagedName {
    /// The job that it answers.
    pub job: InboxName,
    /// Never used twice.
    pub nonce: u64,
}

impl fmt::Display for StagedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{:016x}.outcome.json", self.job.stem(), self.job.attempt, self.nonce)
    }
}

impl FromStr for StagedName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let (job, nonce) = s.strip_suffix(".outcome.json")?.rsplit_once('.')?;
            let job: InboxName = format!("{job}.job.json").parse().ok()?;
            Some(Self { job, nonce: parse_nonce(nonce)? })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "the name of a staged outcome"))
    }
}

/// `<consumer>-<nonce>`: a consumer's room. New for each start, never reused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName {
    /// Whose it is.
    pub consumer: Id,
    /// Never used twice.
    pub nonce: u64,
}

impl RoomName {
    /// The name of the presence file beside the room.
    pub fn presence(&self) -> String {
        format!("{self}.presence")
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.consumer, self.nonce)
    }
}

impl FromStr for RoomName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let parse = || {
            let (consumer, nonce) = s.rsplit_once('-')?;
            Some(Self { consumer: consumer.parse().ok()?, nonce: parse_nonce(nonce)? })
        };
        parse().ok_or_else(|| NameError(s.to_owned(), "the name of a consumer's room"))
    }
}

/// Exactly 16 lower-case hex digits.
fn parse_nonce(s: &str) -> Option<u64> {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (s.len() == 16 && s.bytes().all(digit)).then(|| u64::from_str_radix(s, 16).ok())?
}
