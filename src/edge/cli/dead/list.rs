//! `filedrop dead list`: a line for each, as it is read.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;

use super::select::{Filters, Found};
use crate::Autopsy;
use crate::edge::cli::exit::{Exit, Failure};
use crate::edge::cli::output::{self, Voice, plain};
use crate::edge::cli::status::LOOK_CODES;

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct ListArgs {
    /// The drop folder
    drop: PathBuf,

    #[command(flatten)]
    filters: Filters,

    /// Print one JSON object a line, with all that is known
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let mut codes = LOOK_CODES.to_vec();
    codes.insert(1, Exit::Failed);
    format!("{EXAMPLES}\n{}", Exit::table(&codes))
}

const EXAMPLES: &str = "\
Those that were submitted first come first. ATTEMPTS is the number of the last attempt, 0 if no handler saw the \
job. On a terminal, lines are cut to its \
width.

Examples:
  filedrop dead list /srv/drop
  filedrop dead list /srv/drop --reason timeout,abandoned --type resize
  filedrop dead list /srv/drop --json | jq -r 'select(.attempt > 3) | .id'
";

pub(super) fn run(args: &ListArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = crate::edge::cli::open(&args.drop)?;
    let Found { letters, missing } = args.filters.find(&folder)?;
    let mut table = Table::new(letters.iter().map(|letter| letter.name.id.as_str().len()).max());
    let mut exit = Exit::Done;
    for letter in &letters {
        match folder.autopsy(letter) {
            Ok(Some(autopsy)) if !args.filters.mean(&autopsy) => {}
            Ok(Some(autopsy)) if args.json => output::json_line(&autopsy)?,
            Ok(Some(autopsy)) => table.row(&autopsy)?,
            // Redriven or purged meanwhile.
            Ok(None) => {}
            Err(e) => {
                voice.error(format_args!("{}: {e}", letter.name.id));
                exit = Exit::Failed;
            }
        }
    }
    for id in missing {
        voice.error(format_args!("no dead letter has this id: {id}"));
        exit = Exit::Failed;
    }
    Ok(exit)
}

/// What is to be seen of a table before all rows are known.
struct Table {
    id: usize,
    /// The terminal's, if it is one.
    width: Option<usize>,
    begun: bool,
}

impl Table {
    fn new(longest_id: Option<usize>) -> Self {
        Self { id: longest_id.unwrap_or(0).max(2), width: terminal_width(), begun: false }
    }

    fn row(&mut self, autopsy: &Autopsy) -> Result<(), Failure> {
        if !self.begun {
            self.begun = true;
            self.line(["ID", "DIED", "REASON", "TYPE", "ATTEMPTS", "DETAIL"])?;
        }
        let Autopsy { id, died, reason, kind, attempt, detail, .. } = autopsy;
        let died = died.as_deref().map_or_else(|| "-".to_owned(), whole_second);
        let kind = kind.as_deref().unwrap_or("-");
        let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        self.line([id.as_str(), &died, reason, kind, &attempt.to_string(), &detail])
    }

    fn line(&self, [id, died, reason, kind, attempts, detail]: [&str; 6]) -> Result<(), Failure> {
        let width = self.id;
        let line = format!("{id:<width$}  {died:<20}  {reason:<9}  {kind:<16}  {attempts:>8}  {detail}");
        let line = plain(&line);
        let cut: String = match self.width {
            Some(width) if line.chars().count() > width => {
                line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
            }
            _ => line,
        };
        output::data(|out| writeln!(out, "{}", cut.trim_end()))
    }
}

/// RFC 3339, as it stands in an outcome, without what is finer than a second.
fn whole_second(time: &str) -> String {
    match crate::Millis::parse_rfc3339(time) {
        Ok(millis) => format!("{}Z", &millis.rfc3339()[..19]),
        Err(_) => time.to_owned(),
    }
}

fn terminal_width() -> Option<usize> {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}
