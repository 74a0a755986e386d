//! What was taken out of a folder of somebody else's, and what job it is to be.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ClaimCheck, Envelope, Error, ErrorKind, Result, StampedId};

/// Files that are one job's. It stands in a file beside them until the job is known to be there and all have been told.
#[derive(Debug, Clone, PartialEq)]
pub struct Consignment {
    /// The job's id; with the nonce, the name of the folder that the files were taken into.
    pub stamp: StampedId,
    /// Where the file was, or the manifest: its path in the folder, each part of it as a reference.
    pub path: String,
    /// The job's envelope, without the references to its files.
    pub envelope: Envelope,
    /// The file that is the job's data, as a reference, if it is one file.
    pub data: Option<String>,
    /// All files.
    pub files: Vec<TakenFile>,
    /// The markers that served their purpose: names as references, and when they were last changed, in nanoseconds.
    pub markers: Vec<(String, u64)>,
}

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenFile {
    /// Its name, as a reference.
    pub name: String,
    /// How many bytes it has.
    pub size: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
    /// Why it was taken to be complete: `renamed`, `linked`, `marker`, `checksum` or `quiet`.
    pub evidence: String,
}

#[derive(Serialize, Deserialize)]
struct File<E> {
    stamp: String,
    path: String,
    envelope: E,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    files: Vec<TakenFile>,
    #[serde(default)]
    markers: Vec<(String, u64)>,
}

impl Consignment {
    /// The folder that it was in: a path of references, empty at the top.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The envelope, with references to the files that travel under this.
    pub fn envelope_with(&self, check: &ClaimCheck) -> Envelope {
        let mut envelope = self.envelope.clone();
        envelope.set("filesref", check.to_string());
        if let Some(name) = &self.data {
            envelope.set("dataref", format!("{check}{name}"));
        }
        envelope
    }

    /// As it stands in its file.
    pub fn encode(&self) -> Vec<u8> {
        let Self { stamp, path, envelope, data, files, markers } = self.clone();
        let file = File { stamp: stamp.to_string(), path, envelope, data, files, markers };
        serde_json::to_vec(&file).expect("strings and numbers serialise")
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is none: somebody else wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let invalid = |e: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Invalid, format!("this is not what an intake wrote: {e}"))
        };
        let File { stamp, path, envelope, data, files, markers } =
            serde_json::from_slice::<File<Box<RawValue>>>(bytes).map_err(|e| invalid(&e))?;
        let stamp = stamp.parse().map_err(|e| invalid(&e))?;
        let envelope = Envelope::decode(envelope.get().as_bytes())?;
        Ok(Self { stamp, path, envelope, data, files, markers })
    }
}
