//! Many jobs from one file of JSON lines. What is printed is durable, and what is known is said.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, mem, process, thread};

use indicatif::ProgressBar;

use super::exit::{Exit, Failure};
use super::output::{self, Voice};
use super::{job, progress, signals};
use crate::{
    DropFolder, Error, ErrorKind, JsonLine, JsonLines, MAX_FILE_BYTES, Payload, Receipt, Submission,
};

/// What is submitted together: enough to share the cost of a flush, few enough that ids come out steadily.
const CHUNK_JOBS: usize = 64;
/// Long lines come in shorter chunks: the memory that a batch takes does not depend on the file.
const CHUNK_BYTES: usize = 4 << 20;

/// What job a line is, if it is one.
type Make<'a> = &'a dyn Fn(Vec<u8>) -> crate::Result<Submission>;

/// Submits every good line of `file`.
pub(super) fn submit(
    folder: &DropFolder,
    file: &Path,
    make: Make<'_>,
    voice: &Voice,
) -> Result<Exit, Failure> {
    let (input, length) = job::open(file)?;
    let mut lines = JsonLines::new(input, MAX_FILE_BYTES);
    let bar = progress::of_bytes(voice, length);
    let known = Arc::new(Mutex::new(Known::default()));
    stop_when_told(&known, *voice)?;
    let mut batch = Batch { folder, make, voice, bar, known, chunk: Vec::new(), bytes: 0 };
    loop {
        if batch.is_full() || lines.may_block() {
            batch.submit_chunk()?;
            batch.bar.set_position(lines.bytes_read());
        }
        match lines.next_line() {
            Ok(Some(JsonLine { number, json: Ok(json) })) => batch.add(number, json),
            Ok(Some(JsonLine { number, json: Err(why) })) => batch.bad(number, why),
            Ok(None) => break,
            Err(e) => {
                batch.submit_chunk()?;
                return Err(batch.broken_off(lines.number() + 1, file, &e));
            }
        }
    }
    batch.submit_chunk()?;
    Ok(batch.finish())
}

/// The same, where each line is the data of a job that is otherwise like this one.
pub(super) fn submit_data(
    folder: &DropFolder,
    file: &Path,
    template: Submission,
    subject: Option<String>,
    voice: &Voice,
) -> Result<Exit, Failure> {
    let job = match subject {
        Some(subject) => template.subject(subject),
        None => template,
    };
    let with_data = |json| Ok(job.clone().payload(Payload::typed(json, "application/json")));
    submit(folder, file, &with_data, voice)
}

/// What of a batch is certain.
#[derive(Debug, Default)]
struct Known {
    submitted: u64,
    /// Of those, the ones whose given id was there before.
    before: u64,
    bad: u64,
    /// The last line whose id was printed.
    last: Option<u64>,
}

impl Known {
    fn says(&self) -> String {
        match self.last {
            Some(last) => {
                format!(
                    "the good lines up to {last} are submitted and their ids printed, those after it are not"
                )
            }
            None => "nothing is submitted".to_owned(),
        }
    }
}

struct Batch<'a> {
    folder: &'a DropFolder,
    make: Make<'a>,
    voice: &'a Voice,
    bar: ProgressBar,
    known: Arc<Mutex<Known>>,
    /// Line numbers and jobs.
    chunk: Vec<(u64, Submission)>,
    bytes: usize,
}

impl Batch<'_> {
    fn is_full(&self) -> bool {
        self.chunk.len() >= CHUNK_JOBS || self.bytes >= CHUNK_BYTES
    }

    fn add(&mut self, number: u64, json: Vec<u8>) {
        let bytes = json.len();
        match (self.make)(json) {
            Ok(job) => {
                self.bytes += bytes;
                self.chunk.push((number, job));
            }
            Err(e) => self.bad(number, e),
        }
    }

    fn bad(&self, number: u64, why: impl std::fmt::Display) {
        lock(&self.known).bad += 1;
        self.bar.suspend(|| self.voice.error(format_args!("line {number}: {why}")));
    }

    /// Submits what has gathered.
    fn submit_chunk(&mut self) -> Result<(), Failure> {
        self.bytes = 0;
        let chunk = mem::take(&mut self.chunk);
        if self.submit_together(&chunk)?.is_some() {
            // One of them does not fit; the others do.
            for line in chunk.chunks(1) {
                if let Some(why) = self.submit_together(line)? {
                    self.bad(line[0].0, why);
                }
            }
        }
        Ok(())
    }

    /// Submits these lines and then prints their ids; a signal waits for both. Returns why none of them was submitted, if
    /// one does not fit an envelope.
    fn submit_together(&self, lines: &[(u64, Submission)]) -> Result<Option<Error>, Failure> {
        let (Some((first, _)), Some((last, _))) = (lines.first(), lines.last()) else { return Ok(None) };
        let jobs = lines.iter().map(|(_, job)| job.clone());
        let mut known = lock(&self.known);
        match self.folder.submit_with_receipts(jobs.collect()) {
            Ok(receipts) => {
                self.print(&receipts).map_err(|failure| match failure.message {
                    Some(why) => Failure::new(
                        failure.exit,
                        format_args!(
                            "{why}; lines {first} to {last} are submitted, but not all ids are printed"
                        ),
                    ),
                    None => failure,
                })?;
                known.submitted += receipts.len() as u64;
                known.before += receipts.iter().filter(|receipt| receipt.before).count() as u64;
                known.last = Some(*last);
                Ok(None)
            }
            Err(e) if matches!(e.kind(), ErrorKind::Invalid | ErrorKind::TooLarge) => Ok(Some(e)),
            Err(e) => {
                self.bar.finish_and_clear();
                let these = if e.kind() == ErrorKind::Uncertain { "may or may not be" } else { "are not" };
                let why =
                    format!("{e}; lines {first} to {last} {these} submitted, and else {}", known.says());
                Err(Failure::new(Exit::of(&e), why))
            }
        }
    }

    fn print(&self, receipts: &[Receipt]) -> Result<(), Failure> {
        let mut ids = receipts.iter().map(|receipt| &receipt.id);
        progress::beside(&self.bar, || output::data(|out| ids.try_for_each(|id| writeln!(out, "{id}"))))
    }

    /// The input could not be read to its end.
    fn broken_off(&self, line: u64, file: &Path, error: &io::Error) -> Failure {
        self.bar.finish_and_clear();
        let Failure { exit, message } = job::unreadable(file, error);
        let why = message.unwrap_or_default();
        Failure::new(exit, format_args!("{why} (at line {line}); {}", lock(&self.known).says()))
    }

    fn finish(self) -> Exit {
        self.bar.finish_and_clear();
        let known = lock(&self.known);
        if known.before > 0 {
            let before = known.before;
            self.voice.note(format_args!("{before} already submitted; of each id the first one counts"));
        }
        if known.bad == 0 {
            return Exit::Done;
        }
        let lines = if known.bad == 1 { "line" } else { "lines" };
        self.voice.error(format_args!("{} bad {lines}; {} submitted", known.bad, known.submitted));
        Exit::BadData
    }
}

/// SIGINT and SIGTERM let the chunk under way finish, so that what is submitted is printed; a second one does not wait.
fn stop_when_told(known: &Arc<Mutex<Known>>, voice: Voice) -> Result<(), Failure> {
    let known = Arc::clone(known);
    let mut told = false;
    signals::listen(move |signal| {
        let exit = i32::from(signal.exit().code());
        if mem::replace(&mut told, true) {
            process::exit(exit);
        }
        let known = Arc::clone(&known);
        thread::spawn(move || {
            let known = lock(&known);
            voice.error(format_args!("stopped by {}; {}", signal.name(), known.says()));
            process::exit(exit);
        });
    })
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
