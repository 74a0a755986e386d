//! `filedrop explain`: why what lies in the inbox is not taken yet.

mod find;
mod job;
mod json;
mod list;
mod takers;
mod words;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output::{self, Voice};
use super::status::LOOK_CODES;
use super::story::Page;
use crate::words::shown;
use crate::{Explainer, Untaken};
use find::Found;
pub(super) use job::of_claim;

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct ExplainArgs {
    /// The drop folder
    drop: PathBuf,

    /// A name in inbox/, a path, or the id of a job [default: all that lies in inbox/]
    file: Option<OsString>,

    /// Print one JSON object a line: `name` (or `job`), `reason`, `why`, `next`, and what else is known
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&LOOK_CODES))
}

const EXAMPLES: &str = "\
It looks as those consumers do that are there, with their quiet periods, patterns and markers; if nobody is there, with the \
defaults. Files that are no jobs by their names are looked at twice, half a second apart. Nothing is changed.

A file that somebody drops is complete if it was renamed or linked into place; if a file beside it says so (x.csv.done, or \
x.csv.sha256 with its checksum); or if it was left alone for the quiet period, and nobody is known to have it open for writing. It is \
not taken before. A file that was taken is a job, with the file's name as its subject.

A name with control characters, or that is no UTF-8, is printed with each byte but A-Z a-z 0-9 - . _ ~ percent-encoded \
(new%0Aline.csv), and so is one that looks as if it were. A job's subject is printed so, too. FILE may be given so, or as it is.

Without --json the first 5 names of each reason are printed. A reason is one of: folder, symbolic-link, pipe, socket, device, \
temporary, ignored, marker, misnamed, archived, unreadable, wrong-checksum, stale-marker, no-marker, changing, open, recent, \
complete, ready, delivered; of a file or a job that is not in inbox/ any more: taken, delayed, claimed, succeeded, failed, expired, invalid; of an event: published.

Examples:
  filedrop explain /srv/drop
  filedrop explain /srv/drop orders.csv
  filedrop explain /srv/drop --json | jq -r 'select(.reason == \"temporary\").name'
";

pub(super) fn run(args: &ExplainArgs, voice: &Voice) -> Result<Exit, Failure> {
    let ExplainArgs { drop, file, json } = args;
    let folder = super::open(drop)?;
    let explainer = folder.explain()?;
    let Some(file) = file else {
        let beyond = if *json { json::stream(&explainer, drop)? } else { list::print(&explainer, drop)? };
        if beyond > 0 {
            voice.note(format_args!("{beyond} more files were not looked at: so many are watched at a time"));
        }
        return Ok(Exit::Done);
    };
    match find::find(&folder, &explainer, drop, file)? {
        Found::Untaken(untaken) if *json => output::json_line(&json::untaken(&untaken, &explainer, drop))?,
        Found::Untaken(untaken) => output::data(|out| in_words(&untaken, &explainer, drop, out))?,
        Found::Taken(id) if *json => output::json_line(&json!({
            "job": id, "reason": "taken", "why": TAKEN, "next": TAKEN_NEXT,
        }))?,
        Found::Taken(id) => output::data(|out| {
            let page = &mut Page(out);
            page.line("job", id.as_str())?;
            page.line("why", TAKEN)?;
            page.line("next", TAKEN_NEXT)
        })?,
        Found::Jobs(jobs) => {
            for (nth, story) in jobs.iter().enumerate() {
                let told = job::tell(story, &explainer, drop)?;
                if *json {
                    output::json_line(&job::as_json(story, &told))?;
                } else {
                    output::data(|out| {
                        if nth > 0 {
                            writeln!(out)?;
                        }
                        job::in_words(story, &told, &explainer, out)
                    })?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

const TAKEN: &str = "a consumer has taken the file; in a moment it is this job";
const TAKEN_NEXT: &str = "if that consumer is gone, the next one makes it so";

fn in_words(untaken: &Untaken, explainer: &Explainer, drop: &Path, out: &mut dyn Write) -> io::Result<()> {
    let size = untaken.size.map_or(String::new(), |size| format!(" ({size} bytes)"));
    let page = &mut Page(out);
    page.line("file", &format!("{}{size}", shown(&untaken.name)))?;
    let differ = untaken.whys.windows(2).any(|pair| pair[0] != pair[1]);
    for (why, taker) in untaken.whys.iter().zip(explainer.takers()) {
        let told = words::of(why, &untaken.name, taker, drop);
        let sentence = told.sentence();
        match differ {
            true => page.line("why", &format!("{}: {sentence}", takers::names(taker)))?,
            false => page.line("why", &sentence)?,
        }
        page.line("next", &told.next)?;
        if !differ {
            break;
        }
    }
    takers::print(explainer, page)
}
