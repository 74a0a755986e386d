//! Three consumers, four jobs at a time each, and a killer.
//!
//! No clock says when to kill. Some jobs are *traps*: the handler of their first attempt never ends. A consumer that holds
//! one is killed, and its other jobs die with it wherever they are: being claimed, handled, decided or archived. So there
//! are kills on every machine, fast or slow, and the last trap is sprung only when no kill is due any more.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::audit;
use crate::consumers::{Consumer, LINE, LONG, Place, names};

const CONSUMERS: usize = 3;
const CONCURRENCY: &str = "4";
/// So many jobs a consumer may have handled, and not settled yet, beside those that its workers have.
const UNSETTLED: usize = 64;
/// Every so-many-th job is a trap.
const TRAP_EVERY: usize = 20;

/// Says that it runs, then sleeps for ever, or echoes.
const HANDLER: &str = r#"
printf '%-63s\n' "$FILEDROP_ID $FILEDROP_ATTEMPT" >> log
read -r data
case "$FILEDROP_ATTEMPT $data" in '1 '*trap*) exec sleep 3600 ;; esac
printf %s "$data"
"#;

/// How many jobs: 1000, or as `FILEDROP_KILL_JOBS` says.
fn how_many() -> usize {
    match std::env::var("FILEDROP_KILL_JOBS") {
        Ok(jobs) => jobs.parse().expect("FILEDROP_KILL_JOBS is a number"),
        Err(_) => 1000,
    }
}

#[test]
fn one_outcome_each_however_often_consumers_are_killed() {
    campaign("notified", &[]);
}

#[test]
fn one_outcome_each_also_where_nothing_notifies() {
    campaign("polling", &["--watch", "poll", "--poll-interval", "50ms"]);
}

fn campaign(what: &str, options: &[&str]) {
    let (place, jobs, start) = (Place::new(), how_many(), Instant::now());
    let kind = |nth: usize| if nth.is_multiple_of(TRAP_EVERY) { "trap" } else { "plain" };
    let data: Vec<_> = (0..jobs).map(|nth| format!(r#"{{"job":{nth},"kind":"{}"}}"#, kind(nth))).collect();
    let ids = place.submit(&data);
    let traps: BTreeSet<String> = ids.iter().step_by(TRAP_EVERY).cloned().collect();
    let submitted = start.elapsed();

    let mut options = options.to_vec();
    // A slow machine may have one job in the hands of one victim after the other: that is no reason to give it up here.
    options.extend(["--concurrency", CONCURRENCY, "--max-attempts", "1000"]);
    let Killed { kills, claims } = kill_and_kill_again(&place, &options, jobs, &traps);
    // A consumer springs so many traps at most before it dies.
    let concurrency: usize = CONCURRENCY.parse().expect("a number");
    assert!(kills >= traps.len().div_ceil(concurrency), "only {kills} kills");

    // All were killed at the end: whatever they left, one that comes later finishes.
    options.push("--drain");
    assert!(place.consume(&options, HANDLER).end("the drain").success());
    let runs = audit::runs(&place, &ids);
    audit::at_rest(&place, &ids.into_iter().zip(data).collect::<BTreeMap<_, _>>());
    // A kill ends what one consumer had in hand: else nobody has what another one had.
    assert!(
        runs.all <= jobs + claims,
        "handlers ran {} times, of {jobs} jobs with {kills} kills of consumers that had {claims} of them",
        runs.all
    );
    // To be killed is no reason to say anything; nor is it for a handler that has just been born.
    assert_eq!(place.complaints(), "");
    tell(format_args!(
        "kills, {what}: {jobs} jobs, {kills} kills of who had {claims}; handlers ran {} times, more than once for {} jobs; \
         {:.1} s, of which submitting {:.1} s",
        runs.all,
        runs.repeated,
        start.elapsed().as_secs_f64(),
        submitted.as_secs_f64(),
    ));
}

/// How often a consumer was killed, and what all of them had in hand then.
#[derive(Default)]
struct Killed {
    kills: usize,
    claims: usize,
}

impl Killed {
    fn kill(&mut self, place: &Place, consumer: &mut Consumer) {
        let claims = consumer.kill_in(place);
        let concurrency: usize = CONCURRENCY.parse().expect("a number");
        assert!(claims <= concurrency + UNSETTLED, "one had {claims} jobs in hand");
        self.kills += 1;
        self.claims += claims;
    }
}

/// Until every job has its outcome.
fn kill_and_kill_again(place: &Place, options: &[&str], jobs: usize, traps: &BTreeSet<String>) -> Killed {
    let start = || place.consume(options, HANDLER);
    let mut consumers: Vec<Consumer> = (0..CONSUMERS).map(|_| start()).collect();
    let (mut killed, mut turn) = (Killed::default(), 0);
    let mut progress = Progress::new(place, jobs);
    while !progress.is_complete() {
        // In turn, as far as those whose turn it is have stepped into a trap.
        let order = (turn..turn + CONSUMERS).map(|nth| nth % CONSUMERS);
        match { order }.find(|&nth| is_trapped(place, &consumers[nth], traps)) {
            None => std::thread::sleep(Duration::from_millis(2)),
            Some(victim) => {
                killed.kill(place, &mut consumers[victim]);
                consumers[victim] = start();
                turn = victim + 1;
            }
        }
    }
    consumers.iter_mut().for_each(|consumer| killed.kill(place, consumer));
    killed
}

/// Whether it holds a claim whose handler will not end.
fn is_trapped(place: &Place, consumer: &Consumer, traps: &BTreeSet<String>) -> bool {
    place.claims_of(consumer.pid()).iter().any(|name| name.attempt == 1 && traps.contains(name.id.as_str()))
}

/// Whether there is an outcome for each job. It fails if for a long time nothing becomes of anything.
struct Progress<'a> {
    place: &'a Place,
    jobs: usize,
    seen: (u64, usize),
    since: Instant,
}

impl<'a> Progress<'a> {
    fn new(place: &'a Place, jobs: usize) -> Self {
        Self { place, jobs, seen: (0, 0), since: Instant::now() }
    }

    fn is_complete(&mut self) -> bool {
        let log = std::fs::metadata(self.place.beside("log")).expect("the log").len();
        // To count the outcomes of many jobs takes time, that is the consumers'. So not before each can have run.
        let outcomes = if log >= (self.jobs * LINE) as u64 { count_outcomes(&self.place.drop) } else { 0 };
        if self.seen != (log, outcomes) {
            (self.seen, self.since) = ((log, outcomes), Instant::now());
        }
        assert!(self.since.elapsed() < LONG, "nothing goes on any more: {}", self.place.status());
        outcomes >= self.jobs
    }
}

fn count_outcomes(drop: &Path) -> usize {
    let outcomes = drop.join("outcomes");
    names(&outcomes).iter().map(|day| names(&outcomes.join(day)).len()).sum()
}

/// Past the harness, which shows what `eprintln!` prints only if a test fails.
fn tell(line: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}
