//! Data inside an envelope: bytes come back as they went in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;

use super::MAX_DATA_DEPTH;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

const TEXT_MEMBER: &str = "data";
const BASE64_MEMBER: &str = "data_base64";

/// The data of a job or an outcome: bytes, and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// The bytes, exactly as they were given.
    pub bytes: Vec<u8>,
    /// `datacontenttype`. `None` means JSON, as CloudEvents has it.
    pub content_type: Option<String>,
}

/// How the bytes stand in the envelope.
pub(super) enum Encoded<'a> {
    /// `"data": <as it is>`
    Json(&'a RawValue),
    /// `"data": "<text>"`
    Text(&'a str),
    /// `"data_base64": "…"`
    Base64(String),
}

impl Payload {
    /// Finds out what the bytes are: JSON, UTF-8 text, or anything else.
    pub fn detect(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let content_type = match std::str::from_utf8(&bytes) {
            Ok(text) if serde_json::from_str::<&RawValue>(text).is_ok() => JSON,
            Ok(_) => TEXT,
            Err(_) => BYTES,
        };
        Self { bytes, content_type: Some(content_type.to_owned()) }
    }

    /// Bytes of a type that the caller knows.
    pub fn typed(bytes: impl Into<Vec<u8>>, content_type: impl Into<String>) -> Self {
        Self { bytes: bytes.into(), content_type: Some(content_type.into()) }
    }

    pub(super) fn encode(&self) -> Encoded<'_> {
        let text = match std::str::from_utf8(&self.bytes) {
            Err(_) => return Encoded::Base64(BASE64.encode(&self.bytes)),
            Ok(text) => text,
        };
        if !is_json(self.content_type.as_deref()) {
            // What is mostly line breaks, quotes or control characters would grow up to sixfold.
            return match escaped_len(text) + TEXT_MEMBER.len() <= base64_len(text) + BASE64_MEMBER.len() {
                true => Encoded::Text(text),
                false => Encoded::Base64(BASE64.encode(text)),
            };
        }
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) if fits_as_it_is(text, raw) => Encoded::Json(raw),
            _ => Encoded::Base64(BASE64.encode(&self.bytes)),
        }
    }

    /// The bytes of an envelope's `data` member.
    pub(crate) fn from_data(data: &RawValue, content_type: Option<String>) -> Self {
        let as_it_is = || data.get().as_bytes().to_vec();
        let bytes = if is_json(content_type.as_deref()) {
            as_it_is()
        } else {
            serde_json::from_str::<String>(data.get()).map_or_else(|_| as_it_is(), String::into_bytes)
        };
        Self { bytes, content_type }
    }

    /// The bytes of an envelope's `data_base64` member.
    pub(crate) fn from_base64(text: &str, content_type: Option<String>) -> Option<Self> {
        Some(Self { bytes: BASE64.decode(text).ok()?, content_type })
    }
}

/// `application/json`, anything `+json`, or nothing said.
fn is_json(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return true };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// An envelope stays one line, and shallow enough for any parser.
fn fits_as_it_is(text: &str, raw: &RawValue) -> bool {
    raw.get().len() == text.len()
        && !text.bytes().any(|byte| matches!(byte, b'\n' | b'\r'))
        && is_shallow(text.as_bytes())
}

/// Whether valid JSON is nested no deeper than allowed. What has few brackets is, wherever they stand.
fn is_shallow(json: &[u8]) -> bool {
    let brackets = json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    brackets <= MAX_DATA_DEPTH || depth(json) <= MAX_DATA_DEPTH
}

/// How long a text is as a JSON string, without the quotes around it.
fn escaped_len(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0C => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

fn base64_len(text: &str) -> usize {
    text.len().div_ceil(3) * 4
}

/// How deep valid JSON is nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// As [`Payload::detect`].
impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::detect(bytes)
    }
}

/// As [`Payload::detect`].
impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::detect(text)
    }
}

/// As [`Payload::detect`].
impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::detect(text)
    }
}

/// As compact JSON.
impl From<serde_json::Value> for Payload {
    fn from(value: serde_json::Value) -> Self {
        Self::typed(value.to_string(), JSON)
    }
}

/// No bytes.
impl From<()> for Payload {
    fn from((): ()) -> Self {
        Self::detect(Vec::new())
    }
}
