//! The envelope: a CloudEvents 1.0 event in structured JSON mode. Attributes that are not ours are kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::payload::Encoded;
use super::{ClaimCheck, Error, ErrorKind, MAX_FILE_BYTES, Millis, Payload, Priority, Result};

const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// Context attributes and data.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    attributes: BTreeMap<String, Value>,
    /// `data` or `data_base64`.
    pub payload: Option<Payload>,
}

impl Envelope {
    /// An envelope with the required attributes.
    pub fn new(id: &str, source: &str, kind: &str) -> Self {
        let mut envelope = Self { attributes: BTreeMap::new(), payload: None };
        for (name, value) in REQUIRED.into_iter().zip(["1.0", id, source, kind]) {
            envelope.set(name, value);
        }
        envelope
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is not one JSON object, lacks a required attribute, has a member twice, an
    /// attribute that is neither string, number nor boolean, both kinds of data, or data that cannot be decoded.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::decode_with(bytes, false)
    }

    /// Reads an envelope that may have no id yet: then its id is empty.
    pub(crate) fn decode_unnamed(bytes: &[u8]) -> Result<Self> {
        Self::decode_with(bytes, true)
    }

    fn decode_with(bytes: &[u8], unnamed: bool) -> Result<Self> {
        let invalid = |why: String| Error::new(ErrorKind::Invalid, why);
        let Members(mut members) =
            serde_json::from_slice(bytes).map_err(|e| invalid(format!("not an envelope: {e}")))?;
        let data = members.remove("data");
        let data_base64 = members.remove("data_base64").filter(|raw| raw.get() != "null");
        let mut envelope = Self { attributes: BTreeMap::new(), payload: None };
        for (name, raw) in members {
            match serde_json::from_str(raw.get()) {
                Ok(Value::Null) => {}
                Ok(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => {
                    envelope.attributes.insert(name, value);
                }
                Ok(_) => return Err(invalid(format!("attribute {name:?} is no string, number or boolean"))),
                // Half a surrogate pair, a number that is too large, or arrays in arrays without end.
                Err(e) => return Err(invalid(format!("attribute {name:?} cannot be read: {e}"))),
            }
        }
        let needs_name = unnamed && envelope.attribute("id").is_none();
        let missing =
            |name: &&str| envelope.text(name).is_none_or(str::is_empty) && !(needs_name && *name == "id");
        if let Some(name) = REQUIRED.into_iter().find(missing) {
            return Err(invalid(format!("attribute {name:?} is missing or empty")));
        }
        if needs_name {
            envelope.set("id", "");
        }
        if envelope.text("specversion") != Some("1.0") {
            return Err(invalid("specversion is not 1.0".to_owned()));
        }
        let content_type = envelope.text("datacontenttype").map(str::to_owned);
        envelope.payload = match (data, data_base64) {
            (Some(_), Some(_)) => return Err(invalid("both data and data_base64".to_owned())),
            (Some(data), None) => Some(Payload::from_data(&data, content_type)),
            (None, Some(data)) => {
                let text: String =
                    serde_json::from_str(data.get()).map_err(|e| invalid(format!("data_base64: {e}")))?;
                let payload = Payload::from_base64(&text, content_type);
                Some(payload.ok_or_else(|| invalid("data_base64 is not base64".to_owned()))?)
            }
            (None, None) => None,
        };
        Ok(envelope)
    }

    /// The envelope as one line of JSON, without a line break at the end.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it is larger than [`MAX_FILE_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>> {
        let bytes = serde_json::to_vec(self).expect("strings, numbers and valid raw JSON serialise");
        if bytes.len() > MAX_FILE_BYTES {
            let why = format!("an envelope of {} bytes; at most {MAX_FILE_BYTES} are taken", bytes.len());
            return Err(Error::new(ErrorKind::TooLarge, why));
        }
        Ok(bytes)
    }

    /// An attribute's text, if it has one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_str)
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }

    /// The attributes, those of CloudEvents too.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Sets an attribute. Names are lower-case letters and digits (CloudEvents 1.0, "Attribute Naming Convention").
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.attributes.insert(name.to_owned(), value.into());
    }

    /// An attribute that is a time, if it is one.
    pub fn time(&self, name: &str) -> Option<Millis> {
        Millis::parse_rfc3339(self.text(name)?).ok()
    }

    /// An attribute that refers to something in `payload/`, if it does.
    pub fn claim_check(&self, name: &str) -> Option<ClaimCheck> {
        let check: ClaimCheck = self.text(name)?.parse().ok()?;
        (check.attribute() == name).then_some(check)
    }

    /// Removes an attribute that is not a required one.
    pub fn unset(&mut self, name: &str) {
        if !REQUIRED.contains(&name) {
            self.attributes.remove(name);
        }
    }

    /// `priority`, or the usual one.
    pub fn priority(&self) -> Priority {
        let priority = self.attributes.get("priority").and_then(Value::as_u64);
        priority.and_then(|n| Priority::new(n.try_into().ok()?)).unwrap_or_default()
    }

    /// The data's bytes; none are as good as empty.
    pub fn data(&self) -> &[u8] {
        self.payload.as_ref().map_or(&[], |payload| &payload.bytes)
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in REQUIRED {
            map.serialize_entry(name, &self.attributes[name])?;
        }
        // Data that is elsewhere (`dataref`) has a type, too. One that is no text says nothing of the data, and is kept.
        let of_payload = |name: &str, value: &Value| {
            let payload = self.payload.as_ref().filter(|_| name == "datacontenttype");
            payload.is_some_and(|payload| payload.content_type.is_some() || value.is_string())
        };
        let rest = |name: &str, value: &Value| !REQUIRED.contains(&name) && !of_payload(name, value);
        for (name, value) in self.attributes.iter().filter(|(name, value)| rest(name, value)) {
            map.serialize_entry(name, value)?;
        }
        if let Some(payload) = &self.payload {
            if let Some(content_type) = &payload.content_type {
                map.serialize_entry("datacontenttype", content_type)?;
            }
            match payload.encode() {
                Encoded::Json(raw) => map.serialize_entry("data", raw)?,
                Encoded::Text(text) => map.serialize_entry("data", text)?,
                Encoded::Base64(text) => map.serialize_entry("data_base64", &text)?,
            }
        }
        map.end()
    }
}

/// The members of a JSON object, their values unread. A member twice is an error: two readers would see two envelopes.
struct Members(BTreeMap<String, Box<RawValue>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.contains_key(&name) {
                        return Err(serde::de::Error::custom(format_args!("member {name:?} stands twice")));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
