//! A job from an event that somebody else has made.

use serde_json::Value;

use super::{Submission, When};
use crate::words::{Envelope, Error, ErrorKind, Id, Millis, Priority, Result};

impl Submission {
    /// A job from a whole CloudEvents envelope (structured mode, JSON). All that is in it is kept but its `time`, which
    /// becomes that of the submission. Its `id`, if it has one, is as if [given](Self::id), and what `priority`,
    /// `notbefore`, `expirytime`, `maxattempts`, `replyto` and `correlationid` ask for is done.
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::Submission;
    ///
    /// let event = br#"{"specversion":"1.0","id":"order-7","source":"/shop","type":"order","priority":1,"data":{"n":7}}"#;
    /// let id = drop.submit(Submission::from_event(event)?)?;
    /// assert_eq!(id.as_str(), "order-7");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is no such envelope, one of these attributes is not what it has to be, or it refers to
    /// files or data beside an envelope: they would not come with it.
    pub fn from_event(bytes: &[u8]) -> Result<Self> {
        let envelope = Envelope::decode_unnamed(bytes)?;
        let mut job = Self::new(envelope.text("type").unwrap_or_default());
        for (name, value) in envelope.attributes() {
            job = job.with_attribute(name, value)?;
        }
        job.payload = envelope.payload;
        Ok(job)
    }

    fn with_attribute(self, name: &str, value: &Value) -> Result<Self> {
        Ok(match name {
            // These are written anew.
            "specversion" | "type" | "time" | "datacontenttype" => self,
            "id" if value == "" => self,
            "id" => self.id(id(name, value)?),
            "source" => self.source(value.as_str().unwrap_or_default()),
            "priority" => {
                let priority = value.as_u64().and_then(|n| Priority::new(n.try_into().ok()?));
                self.priority(priority.ok_or_else(|| wrong(name, value, "a number from 0 to 9"))?)
            }
            "maxattempts" => {
                let attempts = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n >= 1);
                self.max_attempts(attempts.ok_or_else(|| wrong(name, value, "a number from 1"))?)
            }
            "notbefore" => Self { due: Some(time(name, value)?), ..self },
            "expirytime" => Self { expires: Some(time(name, value)?), ..self },
            "replyto" => {
                let address = id(name, value)?;
                self.attribute(name, address.as_str())
            }
            "filesref" | "dataref" => {
                let why = format!("{name} refers to what does not come with the event");
                return Err(Error::new(ErrorKind::Invalid, why));
            }
            _ => self.attribute(name, value.clone()),
        })
    }
}

fn id(name: &str, value: &Value) -> Result<Id> {
    let id = value.as_str().and_then(|text| text.parse().ok());
    id.ok_or_else(|| wrong(name, value, "1 to 64 of a-z 0-9 _ -"))
}

fn time(name: &str, value: &Value) -> Result<When> {
    let time = value.as_str().and_then(|text| Millis::parse_rfc3339(text).ok());
    time.map(When::At).ok_or_else(|| wrong(name, value, Millis::LOOKS))
}

fn wrong(name: &str, value: &Value, right: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("{name} has to be {right}, not {value}"))
}
