//! One job from the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::Value;

use super::attach::{self, Attachments};
use super::before;
use super::exit::{Exit, Failure};
use super::lines;
use super::names;
use super::output::{self, Voice};
use super::shell;
use crate::actors::producer::Prepared;
use crate::ports::Store;
use crate::{DropFolder, Error, ErrorKind, Id, MAX_FILE_BYTES, Payload, Submission};

/// What a job is: `submit` and `call` take the same.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
    /// Its data: JSON, passed on exactly as it is written here
    #[arg(long, value_name = "JSON", value_parser = json, allow_hyphen_values = true)]
    data: Option<Json>,

    /// Its data: the bytes of this file, whatever they are; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub(super) file: Option<PathBuf>,

    /// What it is about [default: the name of FILE]
    #[arg(long, value_name = "SUBJECT", value_parser = NonEmptyStringValueParser::new())]
    pub(super) subject: Option<String>,

    /// Its id, 1 to 64 of a-z 0-9 _ -; to give the same id again changes nothing, as long as the folder keeps it
    /// (`init --keep`) [default: a new one]
    #[arg(long, value_name = "ID")]
    id: Option<Id>,

    #[command(flatten)]
    pub(super) attachments: Attachments,
}

/// Where the outcome goes: of a job; an event has an outcome in each group.
#[derive(Debug, Args)]
pub(super) struct Reply {
    /// Deliver its outcome to this Return Address, too: `producer collect --as ADDRESS` takes it there
    /// (1 to 64 of a-z 0-9 _ -)
    #[arg(long, value_name = "ADDRESS", value_parser = names::address)]
    reply_to: Option<Id>,
}

impl Reply {
    pub(super) fn of(&self, job: Submission) -> Submission {
        match &self.reply_to {
            Some(address) => job.reply_to(address),
            None => job,
        }
    }
}

#[derive(Debug, Clone)]
struct Json(Vec<u8>);

fn json(text: &str) -> Result<Json, String> {
    lines::json(text.into()).map(Json).map_err(|why| match text.trim_start().chars().next() {
        Some('{' | '[' | '"') => why,
        _ => {
            let quoted = shell::word(Path::new(&Value::from(text).to_string()));
            format!(
                "{why}; as a JSON string: --data {quoted}; any other bytes: --file FILE (- is standard input)"
            )
        }
    })
}

impl JobArgs {
    /// Submits a job that has all but what is said here, and prints its id.
    pub(super) fn submit(
        self,
        folder: &DropFolder,
        template: Submission,
        voice: &Voice,
    ) -> Result<Exit, Failure> {
        let bytes = self.attachments.size()?;
        let source = self.file.clone();
        let prepared = attach::prepare(folder, self.complete(template)?, bytes, voice);
        let id = publish(folder, prepared.map_err(|e| refused(e, source.as_deref()))?, voice)?;
        output::data(|out| writeln!(out, "{id}"))?;
        Ok(Exit::Done)
    }

    /// The job, its data read.
    pub(super) fn into_submission(self, kind: String) -> Result<Submission, Failure> {
        self.complete(Submission::new(kind))
    }

    /// The same, of one that has all but what is said here.
    pub(super) fn complete(self, mut job: Submission) -> Result<Submission, Failure> {
        let mut subject = self.subject;
        if let Some(id) = self.id {
            job = job.id(id);
        }
        if let Some(Json(data)) = self.data {
            job = job.payload(Payload::typed(data, "application/json"));
        } else if let Some(file) = self.file {
            job = job.data(read(&file)?);
            if subject.is_none() && !is_stdin(&file) {
                subject = file.file_name().map(|name| name.to_string_lossy().into_owned());
            }
        }
        let job = self.attachments.of(job);
        Ok(match subject {
            Some(subject) => job.subject(subject),
            None => job,
        })
    }
}

/// Submits one job, and says whether it was there before, and what stayed. What may have worked can be repeated under its id.
pub(super) fn publish<S: Store>(
    folder: &DropFolder,
    job: Prepared<'_, S>,
    voice: &Voice,
) -> Result<Id, Failure> {
    let receipts = job.publish().map_err(|e| match (e.kind(), e.ids()) {
        (ErrorKind::Uncertain, [id]) => {
            let again = format!("run the same command again with --id {id}, and it is one job");
            Failure::new(Exit::of(&e), format_args!("{e}; {again}"))
        }
        _ => e.into(),
    })?;
    let receipt = receipts.into_iter().next().expect("a receipt for each job");
    if receipt.before {
        before::say(folder, &receipt.id, voice);
    }
    attach::say_what_stayed(&receipt, voice);
    Ok(receipt.id)
}

/// `-`
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a file that the command line names, or standard input. Its length, if it has one.
pub(super) fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if is_stdin(path) {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (meta, file) = opened
        .map_err(|e| Failure::new(Exit::NoInput, format_args!("cannot open {}: {e}", path.display())))?;
    if meta.is_dir() {
        return Err(Failure::new(Exit::NoInput, format_args!("{} is a folder, not a file", path.display())));
    }
    Ok((Box::new(file), meta.is_file().then_some(meta.len())))
}

/// The code and the words for an input that could be opened, but not read to its end.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let name = if is_stdin(path) { "standard input".into() } else { path.display().to_string() };
    Failure::new(Exit::Io, format_args!("cannot read {name}: {error}"))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let (input, _) = open(path)?;
    let mut bytes = Vec::new();
    input.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    if bytes.len() > MAX_FILE_BYTES { Err(too_large(path)) } else { Ok(bytes) }
}

/// The code and the words for a job that cannot be, whose data is from this file.
pub(super) fn refused(error: Error, file: Option<&Path>) -> Failure {
    match file {
        Some(file) if error.kind() == ErrorKind::TooLarge => too_large(file),
        _ => error.into(),
    }
}

fn too_large(path: &Path) -> Failure {
    let (name, way) = match is_stdin(path) {
        true => (
            "standard input".into(),
            "put it into a file and let that travel beside the job: --attach FILE".into(),
        ),
        false => {
            let way = format!("let it travel beside the job: --attach {}", shell::word(path));
            (path.display().to_string(), way)
        }
    };
    let why = format!("{name} is too large: an envelope holds 16 MiB of text, or 12 MiB of any bytes; {way}");
    Failure::new(Exit::BadData, why)
}
