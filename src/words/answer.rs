//! What a worker process says of a job: one line of JSON.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Payload, Problem};

/// An answer that was read.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The job that it is about.
    pub(crate) id: String,
    /// The outcome's data, if there is any; or why the attempt failed.
    pub(crate) result: Result<Payload, Problem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    data: Option<Box<RawValue>>,
    data_base64: Option<String>,
    datacontenttype: Option<String>,
    error: Option<String>,
    #[serde(default, rename = "final")]
    is_final: bool,
}

impl Answer {
    /// Data stands in it as it does in an envelope. An error says what is wrong with the line.
    pub(crate) fn decode(line: &[u8]) -> Result<Self, String> {
        let Line { id, data, data_base64, datacontenttype, error, is_final } =
            serde_json::from_slice(line).map_err(|e| e.to_string())?;
        let result = match (data, data_base64, error) {
            (None, None, Some(why)) if is_final => Err(Problem::rejected(why)),
            (None, None, Some(why)) => Err(Problem::handler(why)),
            _ if is_final => return Err("`final` belongs to an `error`".to_owned()),
            (Some(data), None, None) => Ok(Payload::from_data(&data, datacontenttype)),
            (None, Some(text), None) => match Payload::from_base64(&text, datacontenttype) {
                Some(payload) => Ok(payload),
                None => return Err("`data_base64` is not base64".to_owned()),
            },
            (None, None, None) => Ok(Payload { bytes: Vec::new(), content_type: datacontenttype }),
            _ => return Err("one of `data`, `data_base64` and `error` at most".to_owned()),
        };
        Ok(Self { id, result })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(line: &str) -> (Vec<u8>, Option<String>) {
        let Payload { bytes, content_type } = Answer::decode(line.as_bytes()).unwrap().result.unwrap();
        (bytes, content_type)
    }

    #[test]
    fn data_stands_as_in_an_envelope() {
        assert_eq!(payload(r#"{"id":"a","data":{"n": 1}}"#), (br#"{"n": 1}"#.to_vec(), None));
        assert_eq!(payload(r#"{"id":"a","data":"b\n","datacontenttype":"text/plain"}"#).0, b"b\n");
        assert_eq!(payload(r#"{"id":"a","data":"b"}"#).0, b"\"b\"");
        assert_eq!(payload(r#"{"id":"a","data_base64":"//8=","datacontenttype":"x/y"}"#).0, b"\xff\xff");
        assert_eq!(payload(r#"{"id":"a"}"#), (Vec::new(), None));
    }

    #[test]
    fn an_error_is_a_problem() {
        let problem = |line: &str| Answer::decode(line.as_bytes()).unwrap().result.unwrap_err();
        let again = problem(r#"{"id":"a","error":"busy"}"#);
        assert!(again.is_worth_another_attempt() && again.in_words().contains("busy"));
        assert!(!problem(r#"{"id":"a","error":"no","final":true}"#).is_worth_another_attempt());
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for line in [
            "",
            "hello",
            "{}",
            r#"{"id":1}"#,
            r#"{"id":"a","result":1}"#,
            r#"{"id":"a","data":1,"error":"b"}"#,
            r#"{"id":"a","data":1,"data_base64":""}"#,
            r#"{"id":"a","data_base64":"?"}"#,
            r#"{"id":"a","final":true}"#,
            r#"{"id":"a"} {"id":"b"}"#,
        ] {
            Answer::decode(line.as_bytes()).unwrap_err();
        }
    }
}
