//! `producer wait`: outcomes as they arrive.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::Args;

use super::durable::Durable;
use super::duration;
use super::exit::{Exit, Failure};
use super::output::{self, Voice};
use super::watching::Watching;
use super::{shell, signals};
use crate::{Disposition, DropFolder, ErrorKind, Id, Outcome, Trace};

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct WaitArgs {
    /// The drop folder
    drop: PathBuf,

    /// The ids that `submit` printed
    #[arg(required = true)]
    id: Vec<Id>,

    #[command(flatten)]
    patience: Patience,

    #[command(flatten)]
    watching: Watching,

    #[command(flatten)]
    durable: Durable,
}

/// How long to wait, and what to print.
#[derive(Debug, Args)]
pub(super) struct Patience {
    /// How long to wait at most [default: for ever]
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::any)]
    timeout: Option<Duration>,

    /// Print outcomes as envelopes (CloudEvents), one on a line, failed ones too
    #[arg(long)]
    json: bool,

    /// Copy the files that travel with an outcome to DIR/<job id>/; none is ever replaced, and one that has the same content
    /// already is as good as copied
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

pub(super) const ANSWER_CODES: [Exit; 11] = [
    Exit::Done,
    Exit::Failed,
    Exit::Usage,
    Exit::BadData,
    Exit::NoInput,
    Exit::Io,
    Exit::Unsupported,
    Exit::TimedOut,
    Exit::Interrupted,
    Exit::ClosedPipe,
    Exit::Terminated,
];

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table(&ANSWER_CODES))
}

const EXAMPLES: &str = "\
It prints what the handlers wrote, byte for byte, in the order in which the outcomes arrive, and nothing \
between two: with several ids, --json tells which is which (`causationid`). Of a failed job nothing \
is on stdout; why it failed, and what its handler last wrote to stderr, is on stderr. With --json, data that is too large for \
an envelope is not printed: `dataref` says where in DROP it is. An outcome can be asked for as often as you like, by anyone.

An id of which the folder has no trace is named on stderr, and waited for; but one that `submit` made longer ago than the \
folder keeps jobs is not, and the exit code is 66. Nor is an event: each group that got it has an outcome of its own, and DROP/subscribers/GROUP \
is where to wait for that. With more than 16 ids nobody looks.

Examples:
  producer wait /srv/drop 0198c5a2-7f31-7c8e-b0a4-5d2f3c1e9a77
  producer wait /srv/drop $(cat ids) --timeout 5m --json
";

pub(super) fn run(args: &WaitArgs, voice: &Voice) -> Result<Exit, Failure> {
    let since = Instant::now();
    let folder = args.watching.of(args.durable.open(&args.drop)?);
    let mut ids: Vec<Id> = Vec::with_capacity(args.id.len());
    let mut seen = BTreeSet::new();
    ids.extend(args.id.iter().filter(|id| seen.insert(*id)).cloned());
    let look = ids.len() <= FEW;
    say_how_to_ask_again_when_stopped(&folder, &ids, *voice)?;
    print_outcomes(&folder, &ids, &args.patience, since, voice, look)
}

/// What was printed already can be asked for again, too.
fn say_how_to_ask_again_when_stopped(folder: &DropFolder, ids: &[Id], voice: Voice) -> Result<(), Failure> {
    let goes_on = if ids.len() == 1 { "the job goes on" } else { "the jobs go on" };
    let told: Vec<&str> = ids.iter().take(FEW).map(Id::as_str).collect();
    let more = if ids.len() > FEW { " ..." } else { "" };
    let command = format!("{}{more}", wait_command(folder.path(), &told.join(" ")));
    signals::listen(move |signal| {
        let by = signal.name();
        voice.error(format_args!("stopped by {by}; {goes_on}, ask again with: {command}"));
        process::exit(i32::from(signal.exit().code()));
    })
}

/// So many ids are looked for: to look for one is to read the names in every room.
const FEW: usize = 16;

/// An outcome that comes this soon is not kept waiting by a look at every name in the archives.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// How often it is asked whether that look is over.
const A_MOMENT: Duration = Duration::from_millis(50);

/// A mistyped id looks like one whose job is yet to come. So say it, while others wait. Returns what never has an outcome here: events.
/// A look that fails says nothing: the waiting will.
fn say_what_is_nowhere(folder: &DropFolder, ids: Vec<Id>, voice: Voice) -> Option<JoinHandle<Vec<Id>>> {
    let folder = folder.clone();
    let look = move || {
        let mut events = Vec::new();
        for id in ids {
            match folder.trace(&id) {
                Ok(Trace::Nowhere) => {
                    let drop = folder.path().display();
                    voice.note(format_args!(
                        "no such job in {drop}: never submitted to this folder, or kept no longer; waiting: {id}"
                    ));
                }
                Ok(Trace::Event) => events.push(id),
                Ok(Trace::There | Trace::Forgotten) | Err(_) => {}
            }
        }
        events
    };
    thread::Builder::new().name("filedrop-look".to_owned()).spawn(look).ok()
}

/// Waits for all, and prints each as it arrives. With `look`, ids of which there is no trace are named, and those that are kept no
/// longer are not waited for.
pub(super) fn print_outcomes(
    folder: &DropFolder,
    ids: &[Id],
    patience: &Patience,
    since: Instant,
    voice: &Voice,
    look: bool,
) -> Result<Exit, Failure> {
    let mut printed = Printed { folder, patience, missing: ids.to_vec(), exit: Exit::Done, cannot: None };
    let is_late = |waited: &crate::Result<()>| matches!(waited, Err(e) if e.kind() == ErrorKind::TimedOut);
    // Of what may be forgotten nothing is to come.
    let old = look && ids.iter().any(|id| folder.may_be_forgotten(id));
    let first = if old { Duration::ZERO } else { LOOK_AFTER };
    let mut waited = printed.wait(look.then_some(first), since, voice);
    if old && is_late(&waited) {
        printed.give_up_forgotten(voice);
        waited = printed.wait(Some(LOOK_AFTER), since, voice);
    }
    if look && is_late(&waited) {
        if let Some(looking) = say_what_is_nowhere(folder, printed.missing.clone(), *voice) {
            while is_late(&waited) && !looking.is_finished() && !printed.is_over(since) {
                waited = printed.wait(Some(A_MOMENT), since, voice);
            }
            // That there is no such job may be why.
            if is_late(&waited) {
                printed.give_up_events(&looking.join().unwrap_or_default(), voice);
            }
        }
        if is_late(&waited) {
            waited = printed.wait(None, since, voice);
        }
    }
    if let Some(failure) = printed.cannot {
        return Err(failure);
    }
    match waited {
        Ok(()) => Ok(printed.exit),
        Err(e) if e.kind() == ErrorKind::TimedOut => {
            let ids: Vec<&str> = printed.missing.iter().map(Id::as_str).collect();
            let (ids, after) = (ids.join(" "), duration::show(patience.timeout.unwrap_or_default()));
            Err(Failure::new(
                Exit::TimedOut,
                format_args!(
                    "no outcome after {after}{}; ask again with: {}",
                    why_not(folder),
                    wait_command(folder.path(), &ids)
                ),
            ))
        }
        Err(e) => Err(e.into()),
    }
}

/// What keeps outcomes away most often. A look that fails tells nothing.
fn why_not(folder: &DropFolder) -> String {
    match folder.backlog() {
        Ok(backlog) if backlog.consumers == 0 => {
            let drop = shell::word(folder.path());
            format!(", and no consumer is there (start one: consumer run {drop} -- CMD)")
        }
        _ => String::new(),
    }
}

/// What was printed, and what was not.
struct Printed<'a> {
    folder: &'a DropFolder,
    patience: &'a Patience,
    missing: Vec<Id>,
    exit: Exit,
    cannot: Option<Failure>,
}

impl Printed<'_> {
    /// Waits for what is missing, for `most`, and not beyond what was given in all.
    fn wait(&mut self, most: Option<Duration>, since: Instant, voice: &Voice) -> crate::Result<()> {
        let ids = self.missing.clone();
        if ids.is_empty() {
            return Ok(());
        }
        let left = self.patience.timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
        let left = left.into_iter().chain(most).min();
        let folder = self.folder;
        folder.wait_each(&ids, left, &mut |outcome| self.print(&outcome, voice))
    }

    fn is_over(&self, since: Instant) -> bool {
        self.patience.timeout.is_some_and(|timeout| since.elapsed() >= timeout)
    }

    fn print(&mut self, outcome: &Outcome, voice: &Voice) -> ControlFlow<()> {
        let job = outcome.job_id();
        self.missing.retain(|id| *id != job);
        if outcome.disposition != Disposition::Succeeded {
            self.exit = Exit::Failed;
            voice.error(why_it_failed(outcome));
        }
        // Before its data: whoever reads that may look for them.
        if let Some(dir) = &self.patience.files
            && let Err(e) = self.folder.fetch_files(outcome, &dir.join(job.as_str()))
        {
            self.not_to_be_had(&job, &e, voice);
        }
        let printed = if self.patience.json {
            output::json_line(&outcome.envelope)
        } else if outcome.disposition == Disposition::Succeeded {
            self.folder.read(outcome).map_or_else(
                |e| {
                    self.not_to_be_had(&job, &e, voice);
                    Ok(())
                },
                output::copy,
            )
        } else {
            Ok(())
        };
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.cannot = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    /// Says of which ids there will never be an outcome, and waits for them no more.
    fn give_up_forgotten(&mut self, voice: &Voice) {
        let Self { folder, exit, .. } = self;
        self.missing.retain(|id| {
            let forgotten =
                folder.may_be_forgotten(id) && folder.trace(id).is_ok_and(|trace| trace == Trace::Forgotten);
            if forgotten {
                let drop = folder.path().display();
                voice.error(format_args!("no such job in {drop}: it is older than what is kept there: {id}"));
                *exit = Exit::NoInput;
            }
            !forgotten
        });
    }

    fn give_up_events(&mut self, events: &[Id], voice: &Voice) {
        let drop = shell::word(self.folder.path());
        for id in events.iter().filter(|id| self.missing.contains(id)) {
            voice.error(format_args!(
                "{id} is an event; each group that got it has an outcome of its own: filedrop show {drop} {id} tells how it ended, and \
                 producer wait {drop}/subscribers/GROUP {id} waits for one of them"
            ));
            self.exit = Exit::NoInput;
        }
        self.missing.retain(|id| !events.contains(id));
    }

    /// Which says nothing of the others.
    fn not_to_be_had(&mut self, job: &Id, e: &crate::Error, voice: &Voice) {
        voice.error(format_args!("job {job}: {e}"));
        self.exit = Exit::of(e);
    }
}

/// The command that waits for these ids, to be copied into a shell.
pub(super) fn wait_command(drop: &Path, ids: &str) -> String {
    format!("producer wait {} {ids}", shell::word(drop))
}

fn why_it_failed(outcome: &Outcome) -> String {
    let problem = outcome.problem();
    let (title, detail, stderr) = problem.map_or_else(Default::default, |p| (p.title, p.detail, p.stderr));
    let colon = if detail.is_empty() { "" } else { ": " };
    let (job, how) = (outcome.job_id(), outcome.disposition.as_str());
    let attempt = match outcome.attempts_made() {
        0 => "no attempt".to_owned(),
        made => format!("attempt {made}"),
    };
    let mut why = format!("job {job} {how} ({attempt}): {title}{colon}{detail}");
    for line in stderr.lines() {
        why.push_str("\n  ");
        why.push_str(line);
    }
    why
}
