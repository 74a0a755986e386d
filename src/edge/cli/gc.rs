//! `filedrop gc`: remove what was kept long enough, now.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::duration;
use super::exit::{Exit, Failure};
use super::output::{self, Voice};
use super::status::LOOK_CODES;
use crate::{Broom, DropFolder, Swept};

/// A portion of a consumer's sweep is over in less. Whoever takes longer is another gc, or was stopped.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct GcArgs {
    /// The drop folder
    drop: PathBuf,

    /// Remove nothing; print the path of each file that would go, one a line
    #[arg(long)]
    dry_run: bool,

    /// Print one JSON object: how many went; with --dry-run instead of the paths
    #[arg(long)]
    json: bool,

    /// How long what is done is kept, this time; others who share the folder keep to what the folder says
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::some)]
    keep: Option<Duration>,
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&LOOK_CODES))
}

const EXAMPLES: &str = "\
Consumers do this by themselves, in small portions: a minute after they started and then every hour; with --drain once, at \
their end. It is for folders without one, and for whoever wants the space now.

Jobs that are done go when their outcome is as old as `keep_seconds` in filedrop.json says (7 days, if it does not), with all \
that belongs to them: the outcome, the records of failed attempts, files that travelled with them, the entry of a given id. So do \
outcomes that were collected at a Return Address, and events that every group has got. A day old, these go: drafts whose writer died, events that were never \
published, and files that belong to no job. Jobs \
that are not done, dead letters and invalid ones stay, with all that belongs to them; so do jobs whose outcomes wait to be collected at a \
Return Address, however long. The folder of each group is swept likewise, for as long as its own filedrop.json says: its events are jobs there.

Examples:
  filedrop gc /srv/drop
  filedrop gc /srv/drop --keep 1h --dry-run | wc -l
";

pub(super) fn run(args: &GcArgs, voice: &Voice) -> Result<Exit, Failure> {
    let folder = super::open(&args.drop)?;
    let swept = if args.dry_run && !args.json { list(&folder, args.keep)? } else { sweep(&folder, args)? };
    let table = [
        ("drafts", swept.drafts),
        ("jobs", swept.jobs),
        ("outcomes", swept.outcomes),
        ("payloads", swept.payloads),
        ("ids", swept.ids),
    ];
    if args.json {
        output::json_line(&swept)?;
    } else if args.dry_run {
        let counts: Vec<String> = table.iter().map(|(what, count)| format!("{what} {count}")).collect();
        voice.note(format_args!("would remove: {}", counts.join(", ")));
    } else if !voice.quiet {
        output::data(|out| {
            writeln!(out, "{:<10}{:>8}", "WHAT", "REMOVED")?;
            table.iter().try_for_each(|(what, count)| writeln!(out, "{what:<10}{count:>8}"))
        })?;
    }
    match swept.failed {
        0 => Ok(Exit::Done),
        n => {
            let why = format!(
                "{n} times something could not be removed, or looked at; with -vv the log says what and why"
            );
            Err(Failure::new(Exit::Io, why))
        }
    }
}

fn sweep(folder: &DropFolder, args: &GcArgs) -> Result<Swept, Failure> {
    let began = Instant::now();
    loop {
        let swept = folder.sweep(&mut Broom {
            dry_run: args.dry_run,
            keep: args.keep,
            budget: Duration::MAX,
            each: &mut |path| tracing::debug!(path = %path.display(), "removed"),
        })?;
        if !swept.busy {
            return Ok(swept);
        }
        if began.elapsed() > PATIENCE {
            let why = format!(
                "another program has been sweeping this folder for {}; try again when it is done, or end it if it hangs",
                duration::show(PATIENCE)
            );
            return Err(Failure::new(Exit::Io, why));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn list(folder: &DropFolder, keep: Option<Duration>) -> Result<Swept, Failure> {
    let mut swept = Ok(Swept::default());
    output::data(|out| {
        let mut written = Ok(());
        let mut each = |path: &Path| {
            if written.is_ok() {
                written = out.write_all(path.as_os_str().as_bytes()).and_then(|()| out.write_all(b"\n"));
            }
        };
        swept = folder.sweep(&mut Broom { dry_run: true, keep, budget: Duration::MAX, each: &mut each });
        written
    })?;
    Ok(swept?)
}
