//! Files that travel with a job.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::exit::{Exit, Failure};
use super::loudness::Format;
use super::output::Voice;
use crate::actors::producer::Prepared;
use crate::ports::Store;
use crate::{DropFolder, Receipt, Submission};

#[derive(Debug, Args)]
pub(super) struct Attachments {
    /// Copies of these files travel with it; its handler finds them in the folder FILEDROP_PAYLOAD
    #[arg(long, value_name = "F", num_args = 1..)]
    attach: Vec<PathBuf>,

    /// Likewise, but the files are its own from then on: they are gone here when it is durable
    #[arg(long = "move", value_name = "F", num_args = 1..)]
    move_in: Vec<PathBuf>,

    /// Likewise, by hard links: what is written to the files later, it has too
    #[arg(long, value_name = "F", num_args = 1..)]
    link: Vec<PathBuf>,
}

impl Attachments {
    /// How many bytes they have.
    ///
    /// # Errors
    /// If one of them is not there, or no regular file: before anything is done.
    pub(super) fn size(&self) -> Result<u64, Failure> {
        let copied = self.attach.iter().map(|path| size_of(path, path.metadata(), "can be attached"));
        // A link may be to a file that others have too.
        let taken = self.move_in.iter().chain(&self.link);
        let taken =
            taken.map(|path| size_of(path, path.symlink_metadata(), "can be moved or linked to a job"));
        copied.chain(taken).sum()
    }

    /// The same job, with them.
    pub(super) fn of(self, job: Submission) -> Submission {
        let job = self.attach.into_iter().fold(job, Submission::attach);
        let job = self.move_in.into_iter().fold(job, Submission::move_in);
        self.link.into_iter().fold(job, Submission::link)
    }
}

fn size_of(path: &Path, meta: io::Result<Metadata>, what: &str) -> Result<u64, Failure> {
    let path = path.display();
    let why = match meta {
        Ok(meta) if meta.is_file() => return Ok(meta.len()),
        Ok(meta) if meta.is_dir() => {
            format!("{path} is a folder, not a file; attach its files, or an archive of them")
        }
        Ok(_) => format!("{path} is no regular file; only such {what}"),
        Err(e) => format!("cannot attach {path}: {e}"),
    };
    Err(Failure::new(Exit::NoInput, why))
}

/// Puts a job's files into the folder, and shows how far it is. Nobody sees the job yet.
pub(super) fn prepare<'a>(
    folder: &'a DropFolder,
    job: Submission,
    bytes: u64,
    voice: &Voice,
) -> crate::Result<Prepared<'a, impl Store>> {
    let bar = progress(voice, bytes);
    let prepared = folder.prepare(vec![job], &mut |more| bar.inc(more));
    bar.finish_and_clear();
    prepared
}

/// Only for people: hidden unless stderr is a terminal.
fn progress(voice: &Voice, bytes: u64) -> ProgressBar {
    if voice.quiet || voice.format == Format::Json || bytes == 0 {
        return ProgressBar::hidden();
    }
    let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is constant");
    let bar = ProgressBar::new(bytes).with_style(style);
    // Shown at once: the first step may take long.
    bar.tick();
    bar
}

/// Files that were to be moved, and stayed.
pub(super) fn say_what_stayed(receipt: &Receipt, voice: &Voice) {
    let Receipt { id, before, stayed } = receipt;
    for path in stayed {
        let path = path.display();
        if *before {
            voice.note(format_args!("{path} stays where it is"));
        } else {
            voice.error(format_args!(
                "{path} travels with job {id}, but is still here: it was changed meanwhile, or cannot be removed"
            ));
        }
    }
}
